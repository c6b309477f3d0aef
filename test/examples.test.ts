import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type BreakableLink, openBreakableLink } from '../client/testing/breakable-link.ts';
import { type RealServer, startRealServer } from '../client/testing/real-server.ts';
import { until } from './until.ts';

type Print = { readonly symbol: string; readonly sequence: number; readonly price: number };

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const SYMBOLS = ['AAPL', 'MSFT'];

/** How each is called: as its own head says. */
const EXAMPLES: [string, string[]][] = [
  ['graphql-ws', [process.execPath, 'examples/graphql-ws/tape.ts']],
  ['Apollo Client', [process.execPath, 'examples/apollo-client/tape.ts']],
  ['curl', ['examples/curl/tape.sh']],
];

let server: RealServer;
let link: BreakableLink;
let running: ChildProcess[];
/** Those of one test. */
let servers: RealServer[];

beforeAll(async () => {
  server = await startRealServer();
});

afterAll(() => server.kill());

beforeEach(async () => {
  running = [];
  servers = [];
  link = await openBreakableLink(server.url);
});

afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  for (const own of servers) await own.kill();
  await link.close();
});

function run(command: readonly string[], ...args: string[]) {
  const child = spawn(command[0]!, [...command.slice(1), ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  const ended = once(child, 'exit');
  const prints: Print[] = [];
  const err: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const told = JSON.parse(line) as Print | { trades: Print } | { data: { trades: Print } } | unknown[];
    // The one begins with its quotes, another tells each event as it came.
    if (Array.isArray(told)) return;
    prints.push('data' in told ? told.data.trades : (told as Print));
  });
  createInterface({ input: child.stderr }).on('line', (line) => err.push(line));
  return { child, prints, err, end: async () => (await ended)[0] as number | null };
}

test.each(EXAMPLES)('%s: each print once and in order, over a link that breaks', async (_name, command) => {
  const { child, prints, err, end } = run(command, link.url, ...SYMBOLS);
  for (let cuts = 0; cuts < 3; cuts++) {
    const before = prints.length;
    await until(() => expect(prints.length).toBeGreaterThan(before + 5));
    link.cut();
    await until(() => expect(err).toHaveLength(cuts + 1));
  }
  const before = prints.length;
  await until(() => expect(prints.length).toBeGreaterThan(before + 5));
  child.kill('SIGTERM');
  await end();

  for (const symbol of SYMBOLS) {
    const received = prints.filter((print) => print.symbol === symbol).map(({ sequence }) => sequence);
    const first = received[0]!;
    expect(received).toEqual(received.map((_, index) => first + index));
  }
  expect(err).toHaveLength(3);
});

test('each goes on from now, and says so, where its place is gone', async () => {
  const own = await startRealServer();
  servers.push(own);
  const all = EXAMPLES.map(([, command]) => run(command, own.url, ...SYMBOLS));
  await until(() => expect(all.every(({ prints }) => prints.length > 5)).toBe(true));
  await own.kill();
  const before = all.map(({ prints }) => prints.length);
  servers.push(await startRealServer(Number(new URL(own.url).port)));
  // The log of the new one is another.
  for (const [index, { prints, err }] of all.entries()) {
    await until(() => expect(err.join('\n')).toMatch(/lost/));
    await until(() => expect(prints.length).toBeGreaterThan(before[index]! + 5));
  }
});

test.each(EXAMPLES)('%s: ends with what the server says of symbols that are none', async (_name, command) => {
  const { err, end } = run(command, server.url, 'not a symbol');
  expect(await end()).toBe(1);
  expect(err.join('\n')).toMatch(/"not a symbol\\?" is no symbol/i);
});

test.each(EXAMPLES)('%s: says how it is called', async (_name, command) => {
  const { err, end } = run(command);
  expect(await end()).toBe(2);
  expect(err[0]).toMatch(/^usage: /);
});
