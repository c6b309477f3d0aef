import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { expect } from 'vitest';
import { readConfig } from '../src/config.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../src/feeds/simulator/simulator.ts';
import type { Tuning } from '../src/assembly/tuning.ts';
import { startTapeql } from '../src/tapeql.ts';
import { atExit } from './at-exit.ts';
import { DEADLINE_MS } from './deadline.ts';
import { type LogRecord, recordingLogger } from './recording-logger.ts';
import { UNLIMITED_WORK } from './unlimited-work.ts';
import { until } from './until.ts';

/** The whole system within the test's own process, so that its lines count as covered, behind an exchange that the test controls. */
export type TestTapeql = AsyncDisposable & {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly endpoint: string;
  readonly webSocketUrl: string;
  readonly simulator: Simulator;
  readonly records: readonly LogRecord[];
  /** Posts an operation and returns the response's body. */
  query(query: string, variables?: object): Promise<GraphQLBody>;
  /** Every part's figures, as /stats has them. */
  readStats(): Promise<Stats>;
  /** Resolves once the exchange has been asked for these symbols. */
  untilWatched(symbols: readonly string[]): Promise<void>;
  /** Resolves once so many subscriptions are open, each of which misses nothing from then on. */
  untilOpen(subscriptions: number): Promise<void>;
  /** Resolves once there is no subscription, and the exchange is asked for no more than the indices. */
  untilIdle(): Promise<void>;
  /** Stops the system, not the exchange. */
  stop(): Promise<void>;
};

export type GraphQLBody = {
  // oxlint-disable-next-line typescript/no-explicit-any -- each test knows what it asked for
  readonly data?: any;
  readonly errors?: readonly {
    readonly message: string;
    readonly path?: readonly unknown[];
    readonly extensions: Readonly<Record<string, unknown>>;
  }[];
};

// oxlint-disable-next-line typescript/no-explicit-any -- figures by name; the test that reads one says what it expects
export type Stats = Record<string, any>;

export const TEST_API_KEY = 'a-secret-that-no-log-may-hold';

/**
 * Nothing happens but what a test pushes. The best known symbols alone: each has its two days of minutes made at the start, which for all
 * that could be listed takes most of a second.
 */
const QUIET: SimulatorOptions = { tape: false, symbols: 100 };

/** Variables of `env` add to loopback, port 0 and the simulated exchange; without `simulator` options that has no tape. */
export async function startTestTapeql(
  options: { env?: Record<string, string>; simulator?: SimulatorOptions; tuning?: Tuning } = {},
): Promise<TestTapeql> {
  const simulator = await startSimulator({ ...QUIET, ...options.simulator });
  const { logger, records } = recordingLogger();
  const config = readConfig({
    PORT: '0',
    HOST: '127.0.0.1',
    FEED: 'simulated',
    POLYGON_API_KEY: TEST_API_KEY,
    POLYGON_WS_URL: simulator.wsUrl,
    POLYGON_REST_URL: simulator.restUrl,
    QUOTE_INTERVAL_MS: '0',
    ...UNLIMITED,
    DATA_DIR: nameDataDir(),
    ...options.env,
  });
  const tapeql = await startTapeql(config, { logger, tuning: tune(options.tuning) });
  const url = tapeql.url!;
  const readStats = (): Promise<Stats> => fetchJson(`${url}/stats`);
  const untilOpen = (subscriptions: number): Promise<void> =>
    until(async () => expect((await readStats())['subscriptions'].active).toBe(subscriptions));
  let stopping: Promise<void> | null = null;
  const stop = (): Promise<void> => (stopping ??= tapeql.close());
  return {
    url,
    endpoint: `${url}/graphql`,
    webSocketUrl: `${url.replace('http:', 'ws:')}/graphql`,
    simulator,
    records,
    query: (query, variables) => postOperation(`${url}/graphql`, { query, variables }),
    readStats,
    untilWatched: (symbols) =>
      until(() => expect(listWatched(simulator)).toEqual(expect.arrayContaining([...symbols]))),
    untilOpen,
    async untilIdle() {
      await untilOpen(0);
      await until(() => expect(listWatched(simulator)).toEqual([]));
    },
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await simulator.close();
    },
  };
}

/** All clients of a test come from one address, and are not there to be counted; a test of the limits says what they are. */
const UNLIMITED = {
  MAX_CONNECTIONS_PER_USER: '1000000',
  RATE_LIMITS: 'portfolio=1000000,tradeNotifications=1000000,market=1000000,orders=1000000,http=1000000',
};

/** A folder that is not there yet, for whoever comes to need a database, and is gone when the test ends. */
function nameDataDir(): string {
  const folder = path.join(tmpdir(), `tapeql-data-${randomUUID().slice(0, 8)}`);
  atExit(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The symbols whose trades the exchange has been asked for. */
export function listWatched(simulator: Simulator): string[] {
  const pairs = simulator.readStats().connections.flatMap((connection) => connection.pairs);
  return pairs.flatMap((pair) => (pair.startsWith('T.') ? [pair.slice(2)] : []));
}

/** A reader whose own machine is busy is not ended for it, unless a test says how soon. */
const PATIENT_BOUNDS = { stallMs: 60_000, behindMs: 600_000 };
const PATIENT_UNREAD = { patienceMs: 600_000 };

function tune(tuning: Tuning = {}): Tuning {
  const logBounds = { ...PATIENT_BOUNDS, ...tuning.logBounds };
  return { ...QUICK, ...tuning, logBounds, unreadBounds: { ...PATIENT_UNREAD, ...tuning.unreadBounds } };
}

/** What only time would bring about comes soon. A confirmation of the exchange is waited for, however slow the machine is. */
const QUICK: Tuning = {
  workLimits: UNLIMITED_WORK,
  demandLingerMs: 20,
  historyLagMs: 10,
  // Most tests need no database; the others wait for it as long as it takes.
  opensDatabaseAtStart: false,
  databasePatience: { openingMs: DEADLINE_MS, operationMs: DEADLINE_MS, lookMs: DEADLINE_MS },
  feedLimits: { initialDelayMs: 20, maxDelayMs: 50, settleTimeoutMs: 60_000, sendIntervalMs: 1 },
};

export async function postOperation(endpoint: string, operation: object): Promise<GraphQLBody> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
    body: JSON.stringify(operation),
  });
  return (await response.json()) as GraphQLBody;
}

export async function fetchJson<T = Stats>(url: string): Promise<T> {
  return (await (await fetch(url)).json()) as T;
}

/** For a process of its own: an exchange with nothing to tell, and the variables that point to it. */
export async function startQuietExchange() {
  const simulator = await startSimulator({ tape: false });
  return {
    simulator,
    env: { FEED: 'simulated', POLYGON_WS_URL: simulator.wsUrl, POLYGON_REST_URL: simulator.restUrl },
    [Symbol.asyncDispose]: () => simulator.close(),
  };
}

/** A process of its own, as an operator starts it. */
export type TapeqlProcess = AsyncDisposable & {
  readonly child: ChildProcess;
  /** Where it listens; empty for an ingest process without a port. */
  readonly url: string;
  /** Where the operator's pages are, where `ADMIN_PORT` is set; else empty. */
  readonly adminUrl: string;
  readonly lines: readonly string[];
  /** Its status and all that it wrote to stderr. */
  readonly exited: Promise<ProcessExit>;
};

export type ProcessExit = { readonly status: number | null; readonly signal: string | null; readonly stderr: string };

const ROOT = path.resolve(import.meta.dirname, '..');
const MAIN = path.join(ROOT, 'src', 'main.ts');
/** Its clients may have as much CPU time as they like. */
const UNLIMITED_MAIN = path.join(import.meta.dirname, 'unlimited-main.ts');

/** What `npm start` sets as well. */
const PROCESS_ENV = {
  PATH: process.env['PATH'] ?? '',
  NODE_COMPILE_CACHE: path.join(ROOT, 'build', 'compile-cache'),
};

/** Runs `node src/main.ts` with no environment but `env`, and what `npm start` sets. Whatever comes of it. */
export function runMain(
  env: Record<string, string>,
  args: readonly string[] = [],
  program = MAIN,
): {
  child: ChildProcess;
  output: Interface;
  lines: string[];
  exited: Promise<ProcessExit>;
} {
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...PROCESS_ENV, HOST: '127.0.0.1', DATA_DIR: nameDataDir(), ...UNLIMITED, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // No test run that dies leaves a process behind.
  const forget = atExit(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  let stderr = '';
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const exited = once(child, 'close').then(() => {
    forget();
    return { status: child.exitCode, signal: child.signalCode, stderr };
  });
  return { child, output, lines, exited };
}

/** Resolves once it says that it has started. @throws where it ends before */
export async function startMain(
  env: Record<string, string>,
  options: { readonly worksWithoutLimit?: boolean } = {},
): Promise<TapeqlProcess> {
  const { child, output, lines, exited } = runMain(env, [], options.worksWithoutLimit === true ? UNLIMITED_MAIN : MAIN);
  const started = new Promise<{ url: string; adminUrl: string }>((resolve) => {
    output.on('line', (line) => {
      const { msg, url, adminUrl } = JSON.parse(line) as { msg: string; url?: string; adminUrl?: string };
      if (msg === 'started' || msg.startsWith('TapeQL is at ')) resolve({ url: url ?? '', adminUrl: adminUrl ?? '' });
    });
  });
  const { url, adminUrl } = await Promise.race([
    started,
    exited.then(({ status, stderr }) => {
      throw new Error(`the process ended with status ${status}: ${stderr}${lines.join('\n')}`);
    }),
  ]);
  return {
    child,
    url,
    adminUrl,
    lines,
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
