/**
 * Orders at a pace: `npm run bench -- orders [--rate 50] [--seconds 60] [--users 50] [--database embedded|postgres]`. One api process
 * over Redis, ingest and a simulated exchange; `users` with 20 positions each, who watch their portfolios and notifications over a
 * WebSocket and place market orders, half of them there and half by HTTP; who of them is next is random. Once with the embedded
 * database and once with a PostgreSQL server, which puts each commit on the disk.
 *
 * Counted is from when an order is sent to its answer, to its notification, and to the first portfolio that holds it. Each
 * portfolio's cash is compared, to the cent, with what the executions have moved.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { LISTINGS } from '../src/feeds/simulator/listings.ts';
import { startPostgres } from '../test/postgres.ts';
import { startRedis } from '../test/redis.ts';
import { JWT_SECRET, startContestant, startExchange } from './delivery/contestants.ts';
import { LOAD_CORE, pinProcess, readWork, SERVER_CORE, workSince } from './load/cores.ts';
import { openAccounts } from './load/open-accounts.ts';
import type { OrderGeneratorCommands } from './load/order-generator.ts';
import type { Percentiles } from './load/percentiles.ts';
import { startServant } from './load/servant.ts';
import { pickSymbols } from './load/symbols.ts';

const GOAL_MS = 500;
const SYMBOLS = LISTINGS.slice(0, 100).map(({ symbol }) => symbol);
const POSITIONS = 20;
const EVENTS_PER_SECOND = 500;
/** Until every symbol has a price. */
const TAPE_MS = 6_000;
/** So long orders are placed before, which are not counted: until the code is warm. */
const WARM_UP_SECONDS = 5;

const DATABASES = ['embedded', 'postgres'] as const;
type DatabaseName = (typeof DATABASES)[number];

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '60' },
    users: { type: 'string', default: '50' },
    database: { type: 'string' },
  },
});
const [rate, seconds, users] = [values.rate, values.seconds, values.users].map(Number) as [number, number, number];
const databases = DATABASES.filter((name) => values.database === undefined || values.database === name);

// What runs beside this process ends at its `exit`, which a signal alone does not bring.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
pinProcess(process.pid, LOAD_CORE);
const watching = { symbols: SYMBOLS.length, watchlist: POSITIONS, names: SYMBOLS };
const symbolsOf = new Map(
  Array.from({ length: users }, (_, number) => [`trader-${number}`, pickSymbols(number, watching)] as const),
);

async function measure(name: DatabaseName) {
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(path.join(tmpdir(), 'tapeql-bench-'));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const postgres = name === 'postgres' ? stack.use(await startPostgres({ isDurable: true })) : null;
  const url = (await postgres?.createDatabase()) ?? null;
  await openAccounts({ url, dataDir, openingCash: '1000000.00', symbolsOf });
  const redis = stack.use(await startRedis());
  const exchange = await startExchange(redis.url, { symbols: SYMBOLS.length, eventsPerSecond: EVENTS_PER_SECOND });
  stack.defer(() => exchange.stop());
  exchange.startIngest();
  const server = await startContestant('tapeql', {
    redisUrl: redis.url,
    core: SERVER_CORE,
    env: { ...exchange.env, DATA_DIR: dataDir, ...(url !== null && { DATABASE_URL: url }) },
  });
  stack.defer(() => server.stop());
  const generator = startServant<OrderGeneratorCommands>(
    path.join(import.meta.dirname, 'load/order-generator.ts'),
    LOAD_CORE,
  );
  stack.defer(() => generator.stop());

  await generator.ask('open', { port: server.port, secret: JWT_SECRET, symbolsOf });
  await sleep(TAPE_MS);
  await generator.ask('place', { seconds: WARM_UP_SECONDS, perSecond: rate });
  const before = readWork(server.pid);
  const placed = await generator.ask('place', { seconds, perSecond: rate });
  return { ...placed, ...workSince(before, server.pid) };
}

const show = ({ p50, p99, max }: Percentiles): string => [p50, p99, max].map((value) => value.toFixed(1)).join(', ');
const percent = (share: number): string => `${Math.round(share * 100)} %`;
const failures: string[] = [];
for (const name of databases) {
  const placed = await measure(name);
  console.log(name === 'embedded' ? 'With the embedded database:' : 'With a PostgreSQL server:');
  console.table({
    'users; orders': `${users}; ${placed.orders}`,
    'to the answer by WebSocket, ms: p50, p99, max': show(placed.byWebSocket),
    'to the answer by HTTP': show(placed.byHttp),
    'to the notification': show(placed.notified),
    'to the portfolio': show(placed.shown),
    'CPU ms of the server an order, the portfolios with it': ((placed.cpu / placed.orders) * 1_000).toFixed(1),
    'server, its embedded database with it, of a core': percent(placed.serverLoad),
    'core of the load, a PostgreSQL server with it': percent(placed.loadCoreBusy),
    'others on the server’s core': percent(placed.disturbance),
    'refused or not filled': placed.unfilled,
    'without a notification or a portfolio': placed.untold,
    'portfolios whose cash no execution explains': placed.unexplained,
  });
  for (const text of placed.words) console.log(`   ${text}`);
  for (const [told, { p99 }] of Object.entries({ notification: placed.notified, portfolio: placed.shown })) {
    if (!(p99 <= GOAL_MS)) failures.push(`${name}: p99 to the ${told} is above ${GOAL_MS} ms`);
  }
  const wrong = placed.unfilled + placed.untold + placed.unexplained;
  if (wrong > 0) failures.push(`${name}: ${wrong} orders or portfolios went wrong`);
}
for (const failure of failures) console.error(failure);
process.exit(failures.length === 0 ? 0 : 1);
