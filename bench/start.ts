/**
 * How long a newcomer waits: from `npm start` in a new data folder to the first price and to the first portfolio of the demo viewer.
 *
 *   npm run bench -- start [--rounds 5] [--against FOLDER]
 *
 * `--against` names another checkout, with its dependencies installed: both are started in turn, and the medians are compared.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

/** Milliseconds after `npm start`. */
type Start = { readonly priceMs: number; readonly portfolioMs: number };

/** Of today's time, as its issue has it. */
const PORTFOLIO_GOAL = 1 / 5;
const GIVE_UP_MS = 180_000;

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, against: { type: 'string' } },
});
const rounds = Number(values.rounds);
const here = path.join(import.meta.dirname, '..');
const there = values.against === undefined ? null : path.resolve(values.against);

const ours: Start[] = [];
const theirs: Start[] = [];
for (let round = 0; round < rounds; round++) {
  if (there !== null) theirs.push(await measure(there));
  ours.push(await measure(here));
}
print('this checkout', ours);
if (there !== null) {
  print('the other one', theirs);
  const ratio = (figure: keyof Start): number => median(ours, figure) / median(theirs, figure);
  const portfolio = ratio('portfolioMs');
  process.stdout.write(
    `ratios: first price ${ratio('priceMs').toFixed(2)}, first portfolio ${portfolio.toFixed(2)} ` +
      `(goal ${PORTFOLIO_GOAL}: ${portfolio <= PORTFOLIO_GOAL ? 'reached' : 'missed'})\n`,
  );
}

async function measure(folder: string): Promise<Start> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'tapeql-start-'));
  const port = await findFreePort();
  const begin = performance.now();
  const child = spawn('npm', ['start'], {
    cwd: folder,
    env: {
      ...{ PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', HOST: '127.0.0.1', FEED: 'simulated' },
      ...{ PORT: String(port), DATA_DIR: dataDir },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const token = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return;
      const { token } = JSON.parse(line) as { token?: unknown };
      if (typeof token === 'string') resolve(token);
    });
  });
  try {
    const first = async (query: string, authorization: string | null): Promise<number> => {
      while (performance.now() - begin < GIVE_UP_MS) {
        if (await isAnswered(port, query, authorization)) return performance.now() - begin;
        await delay(2);
      }
      throw new Error(`No answer to ${query} within ${GIVE_UP_MS / 1000} s`);
    };
    const [priceMs, portfolioMs] = await Promise.all([
      first('{ quote(symbol: "AAPL") { price } }', null),
      token.then((bearer) => first('{ portfolio { totalValue } }', `Bearer ${bearer}`)),
    ]);
    return { priceMs, portfolioMs };
  } finally {
    child.kill('SIGTERM');
    await ended;
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function isAnswered(port: number, query: string, authorization: string | null): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(authorization !== null && { authorization }) },
      body: JSON.stringify({ query }),
    });
    const { data, errors } = (await response.json()) as { data?: Record<string, unknown> | null; errors?: unknown };
    return errors === undefined && Object.values(data ?? {})[0] != null;
  } catch {
    return false;
  }
}

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

function median(starts: readonly Start[], figure: keyof Start): number {
  const sorted = starts.map((start) => start[figure]).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

function print(name: string, starts: readonly Start[]): void {
  const seconds = (figure: keyof Start): string => {
    const all = starts.map((start) => (start[figure] / 1000).toFixed(2)).join(' ');
    return `${(median(starts, figure) / 1000).toFixed(2)} s (${all})`;
  };
  process.stdout.write(`${name}: first price ${seconds('priceMs')}, first portfolio ${seconds('portfolioMs')}\n`);
}
