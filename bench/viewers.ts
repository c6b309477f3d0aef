/**
 * Viewers with live portfolios on a moving tape: `npm run bench -- viewers [--viewers 1000] [--positions 20] [--rate 5000]
 * [--seconds 30]`. One api process with its embedded database over Redis, ingest and a simulated exchange of `rate` trades and quotes a
 * second over 500 symbols; each viewer has a connection, and shares of `positions` of the symbols.
 *
 * A viewer is told of moved prices at most once a second. So what a change waits for is told twice: all of it, and what is left
 * when that second is taken away, which is what the system adds. It is counted from ingest's read of the frame.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { LISTINGS } from '../src/feeds/simulator/listings.ts';
import { startRedis } from '../test/redis.ts';
import { JWT_SECRET, startContestant, startExchange } from './delivery/contestants.ts';
import {
  LOAD_CORE,
  pinProcess,
  readFileLimit,
  readResidentBytes,
  readWork,
  SERVER_CORE,
  workSince,
} from './load/cores.ts';
import { openAccounts } from './load/open-accounts.ts';
import type { Percentiles } from './load/percentiles.ts';
import { startServant } from './load/servant.ts';
import { pickSymbols } from './load/symbols.ts';
import type { ViewerGeneratorCommands } from './load/viewer-generator.ts';

const SYMBOLS = LISTINGS.slice(0, 500).map(({ symbol }) => symbol);
/** Until every symbol has a price, and the code is warm. */
const WARM_UP_MS = 12_000;
/** Files that a process has open beside its connections. */
const OTHER_FILES = 200;
/** A viewer who was not told within the last second is looked after every 200 ms; the rest is the way from ingest's read. */
const GOAL_MS = 500;

const { values } = parseArgs({
  options: {
    viewers: { type: 'string', default: '1000' },
    positions: { type: 'string', default: '20' },
    rate: { type: 'string', default: '5000' },
    seconds: { type: 'string', default: '30' },
  },
});
const [viewers, positions, rate, seconds] = [values.viewers, values.positions, values.rate, values.seconds].map(
  Number,
) as [number, number, number, number];
if (viewers + OTHER_FILES > readFileLimit()) {
  console.log(`skipped: needs ${viewers + OTHER_FILES} files open in a process; ulimit -n allows ${readFileLimit()}`);
  process.exit(0);
}

// What runs beside this process ends at its `exit`, which a signal alone does not bring.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
pinProcess(process.pid, LOAD_CORE);
const watching = { symbols: SYMBOLS.length, watchlist: positions, names: SYMBOLS };
const symbolsOf = new Map(
  Array.from({ length: viewers }, (_, number) => [`viewer-${number}`, pickSymbols(number, watching)] as const),
);
const dataDir = await mkdtemp(path.join(tmpdir(), 'tapeql-bench-'));
await openAccounts({ url: null, dataDir, openingCash: '100000.00', symbolsOf });
await using redis = await startRedis();
pinProcess(redis.pid, LOAD_CORE);
const exchange = await startExchange(redis.url, { symbols: SYMBOLS.length, eventsPerSecond: rate });
exchange.startIngest();
const server = await startContestant('tapeql', {
  redisUrl: redis.url,
  core: SERVER_CORE,
  isCollectable: true,
  env: { ...exchange.env, DATA_DIR: dataDir },
});
const generator = startServant<ViewerGeneratorCommands>(
  path.join(import.meta.dirname, 'load/viewer-generator.ts'),
  LOAD_CORE,
);

const openingFrom = readWork(server.pid);
const opened = await generator.ask('open', { redisUrl: redis.url, port: server.port, secret: JWT_SECRET, symbolsOf });
const opening = workSince(openingFrom, server.pid);
await sleep(WARM_UP_MS);
await generator.ask('reset', undefined);
const before = readWork(server.pid);
await sleep(seconds * 1_000);
const { elapsed, cpu, ...shares } = workSince(before, server.pid);
const received = await generator.ask('read', undefined);
await server.collectGarbage();
const resident = readResidentBytes(server.pid);
await generator.stop();
await server.stop();
await exchange.stop();
await rm(dataDir, { recursive: true, force: true });

const show = ({ p50, p99, max }: Percentiles): string => [p50, p99, max].map(Math.round).join(', ');
const percent = (share: number): string => `${Math.round(share * 100)} %`;
console.table({
  'viewers, with a connection and positions each': `${viewers}, ${positions}`,
  'all had their first portfolio after, s': (opened.tookMs / 1_000).toFixed(1),
  'CPU µs of the server for each of these': Math.round((opening.cpu / viewers) * 1e6),
  'portfolios told a second': Math.round(received.frames / elapsed),
  'told to a viewer in all: fewest, most': `${received.least}, ${received.most}`,
  'positions that had moved, of each': (received.sinceChange.samples / received.sinceDue.samples).toFixed(1),
  'between two, ms: p50, p99, max': show(received.between),
  'CPU µs of the server a viewer and second': Math.round((cpu / viewers / elapsed) * 1e6),
  'CPU µs of the server a portfolio': Math.round((cpu / received.frames) * 1e6),
  'server, of a core': percent(shares.serverLoad),
  'core of the load': percent(shares.loadCoreBusy),
  'others on the server’s core': percent(shares.disturbance),
  'resident, MiB': Math.round(resident / 2 ** 20),
  'from a change of a price to the portfolio with it, ms: p50, p99, max': show(received.sinceChange),
  'the same beyond the second between two, ms: p50, p99, max': show(received.sinceDue),
  'refused, lost, or no whole portfolio': received.troubles,
});
for (const text of received.words) console.log(`   ${text}`);

const failures = [
  received.troubles > 0 && `${received.troubles} viewers were refused or lost, or told of something else`,
  opened.without > 0 && `${opened.without} viewers were told no first portfolio`,
  received.least === 0 && 'some viewers were told nothing',
  received.most > elapsed + 1 && 'some viewers were told more than once a second',
  !(received.sinceDue.p99 <= GOAL_MS) && `p99 of what the system adds is above ${GOAL_MS} ms`,
].filter((failure) => failure !== false);
for (const failure of failures) console.error(failure);
process.exit(failures.length === 0 ? 0 : 1);
