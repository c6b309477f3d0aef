import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { LOAD_CORE, pinTo } from '../load/cores.ts';
import type { ProtocolName } from '../load/protocol.ts';
import { endProcess } from '../load/servant.ts';

/** The product, and the peers that are measured beside it. */
export const CONTESTANTS = ['tapeql', 'stock', 'socket.io', 'raw-ws', 'pre-framed'] as const;
export type Contestant = (typeof CONTESTANTS)[number];

/** With which the clients' tokens are signed. */
export const JWT_SECRET = 'a secret of the bench alone, of 32 bytes and more';

const ROOT = path.join(import.meta.dirname, '../..');
/** A signal collects its garbage, so that what is measured is what it holds. */
const COLLECTABLE = [
  '--expose-gc',
  '--import',
  'data:text/javascript,process.on("SIGUSR2", () => { globalThis.gc(); globalThis.gc(); })',
];

type Program = { readonly args: readonly string[]; readonly protocol: ProtocolName };
const PROGRAMS: Readonly<Record<Contestant, Program>> = {
  tapeql: { args: ['src/main.ts'], protocol: 'graphql-transport-ws' },
  stock: { args: ['bench/peers/stock.ts'], protocol: 'graphql-transport-ws' },
  'socket.io': { args: ['bench/peers/socket-io.ts'], protocol: 'socket.io' },
  'raw-ws': { args: ['bench/peers/raw-ws.ts'], protocol: 'graphql-transport-ws' },
  'pre-framed': { args: ['bench/peers/pre-framed.ts'], protocol: 'graphql-transport-ws' },
};

/** The product as its users run it, with all that it does for them; only the limits are those of a load, not of people. */
function productEnv(redisUrl: string, dataDir: string): Record<string, string> {
  return {
    ROLE: 'api',
    FEED: 'simulated',
    REDIS_URL: redisUrl,
    HOST: '127.0.0.1',
    PORT: '0',
    DATA_DIR: dataDir,
    JWT_SECRET,
    MAX_CONNECTIONS: '1000000',
    MAX_CONNECTIONS_PER_USER: '1000000',
    RATE_LIMITS: 'portfolio=999999999,tradeNotifications=999999999,market=999999999,orders=999999999,http=999999999',
  };
}

/** The simulated exchange and, when it is asked for, an ingest process. They run on the core of the load, for the api is under test. */
export type Exchange = {
  /** What tells the api of it. */
  readonly env: Readonly<Record<string, string>>;
  startIngest(): void;
  stop(): Promise<void>;
};

export async function startExchange(
  redisUrl: string,
  { symbols, eventsPerSecond }: { readonly symbols: number; readonly eventsPerSecond: number },
): Promise<Exchange> {
  const children: ChildProcess[] = [];
  const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess => {
    const pinned = pinTo(LOAD_CORE, process.execPath, args);
    const child = spawn(pinned.command, pinned.args, {
      cwd: ROOT,
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    process.once('exit', () => child.kill('SIGKILL'));
    children.push(child);
    return child;
  };
  const cli = ['src/feeds/simulator/cli.ts', '--port=0', `--symbols=${symbols}`, `--rate=${eventsPerSecond}`];
  const simulator = start(cli);
  const urls: string[] = [];
  for await (const line of createInterface({ input: simulator.stdout! })) {
    const url = /(ws|http):\/\/\S+/.exec(line)?.[0];
    if (url !== undefined && urls.push(url) === 2) break;
  }
  simulator.stdout!.resume();
  const env = { POLYGON_API_KEY: 'bench', POLYGON_WS_URL: urls[0]!, POLYGON_REST_URL: urls[1]! };
  const ingestEnv = { ROLE: 'ingest', FEED: 'simulated', REDIS_URL: redisUrl, ...env };
  return {
    env,
    startIngest: () => void start(['src/main.ts'], ingestEnv).stdout!.resume(),
    stop: async () => {
      for (const child of children) await endProcess(child);
    },
  };
}

export type RunningServer = {
  readonly pid: number;
  readonly port: number;
  readonly protocol: ProtocolName;
  /** Resolves a little later: the collection itself cannot be observed. */
  collectGarbage(): Promise<void>;
  stop(): Promise<void>;
};

export type ServerOptions = {
  readonly redisUrl: string;
  /** `null`: it may use every core. */
  readonly core: number | null;
  readonly isCollectable?: boolean;
  readonly env?: Readonly<Record<string, string>>;
};

/** A server that ended instead of listening, with what it said. */
export class NotStartedError extends Error {
  override readonly name = 'NotStartedError';
}

/** Resolves when it listens. It ends with this process at the latest. */
export async function startContestant(name: Contestant, options: ServerOptions): Promise<RunningServer> {
  const { args, protocol } = PROGRAMS[name];
  const dataDir = await mkdtemp(path.join(tmpdir(), 'tapeql-bench-'));
  const { command, args: pinned } = pinTo(options.core, process.execPath, [
    ...(options.isCollectable === true ? COLLECTABLE : []),
    ...args,
    ...(name === 'tapeql' ? [] : [options.redisUrl]),
  ]);
  const child = spawn(command, pinned, {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'] ?? '',
      ...(name === 'tapeql' && productEnv(options.redisUrl, dataDir)),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const stop = async (): Promise<void> => {
    process.off('exit', kill);
    await endProcess(child);
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const url = await readUrl(name, child);
    return {
      pid: child.pid!,
      port: Number(new URL(url).port),
      protocol,
      collectGarbage: () => collectGarbage(child),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Each of them tells it in a line of JSON. What it says on stderr is shown where it does not start, and from then on. */
async function readUrl(name: Contestant, child: ChildProcess): Promise<string> {
  let said = '';
  let isStarted = false;
  child.stderr!.on('data', (data: Buffer) => {
    if (isStarted) process.stderr.write(data);
    else said += data.toString();
  });
  const lines = createInterface({ input: child.stdout! });
  for await (const line of lines) {
    const url = line.startsWith('{') ? (JSON.parse(line) as { url?: unknown }).url : undefined;
    if (typeof url !== 'string') {
      said += `${line}\n`;
      continue;
    }
    isStarted = true;
    child.stdout!.resume();
    return url;
  }
  throw new NotStartedError(
    `${name} did not start: ${said
      .trim()
      .split(/\s*\n\s*/)
      .join(' ')}`,
  );
}

async function collectGarbage(child: ChildProcess): Promise<void> {
  for (let time = 0; time < 3; time += 1) {
    child.kill('SIGUSR2');
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
}
