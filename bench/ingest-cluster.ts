/**
 * How many prints a second ingest appends to a Redis Cluster of three masters with a replica each, all on loopback and all on this
 * machine: each is numbered, kept and published, and known to a replica before the next batch leaves. In half of the rows another
 * process follows all of them, as an api process does, and says how many came.
 * `node bench/ingest-cluster.ts [seconds per row, default 5]`. Prints come as fast as they are taken, as far as 20,000 may wait.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Bus } from '../src/bus/bus.ts';
import { tradeChannel } from '../src/bus/bus.ts';
import { createRedisBus } from '../src/bus/redis.ts';
import type { Feed, FeedListener } from '../src/feeds/feed.ts';
import { createIngest, type Ingest } from '../src/ingest/ingest.ts';
import type { Logger } from '../src/market/logger.ts';
import { SourceUnavailableError, type MarketDataSource } from '../src/market/source.ts';
import { systemTimers } from '../src/market/timers.ts';
import type { Trade } from '../src/market/trade.ts';
import { findProgram, REDIS_SERVER } from '../test/programs.ts';
import { startRedisCluster } from '../test/redis-cluster.ts';

const PRINTS_PER_TURN = 200;
const MAX_WAITING = 20_000;
/** The compiler's. */
const WARM_UP_MS = 2_000;
/** Prints a second. */
const GOAL = 20_000;
const LEASE_MS = 5_000;
const RENEW_MS = 1_000;

const [first = '5', clusterUrl, symbolCountText] = process.argv.slice(2);
/** What the following process is called with in the place of seconds. */
const FOLLOW = 'follow';
const seconds = Number(first);

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

class DirectFeed implements Feed {
  readonly name = 'SIMULATED';
  listener: FeedListener | null = null;

  start(listener: FeedListener): void {
    this.listener = listener;
    listener.onPrintFlow(true);
    listener.onStatus({ feed: this.name, connected: true, reason: null });
  }

  subscribe(): void {}
  unsubscribe(): void {}
  readStats(): Readonly<Record<string, number>> {
    return {};
  }
  async close(): Promise<void> {}
}

const unavailable = async (): Promise<never> => {
  throw new SourceUnavailableError('the bench has none');
};
const source: MarketDataSource = {
  readQuotes: async () => new Map(),
  readPreviousClose: unavailable,
  readBars: unavailable,
  readTrades: unavailable,
  readMarketStatus: unavailable,
  readHolidays: unavailable,
  searchInstruments: unavailable,
};

let state = 1;
/** A small generator of its own: the same run each time. */
function random(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

let prints = 0;
function makePrint(symbols: readonly string[]): Trade {
  prints += 1;
  const now = Date.now();
  return {
    kind: 'trade',
    id: `12:${prints}`,
    // A few symbols have most of the prints.
    symbol: symbols[Math.floor(random() ** 3 * symbols.length)]!,
    price: 100 + Math.floor(random() * 200) / 100,
    size: Math.ceil(random() * 200),
    exchange: 12,
    conditions: [14, 37, 41],
    tape: 'C',
    offExchange: false,
    timestamp: now,
    receivedAt: now,
  };
}

type Row = {
  readonly symbols: number;
  readonly isFollowed: boolean;
  readonly printsPerSecond: number;
  readonly cpuMicros: number;
  /** Of all that were appended, also before the measuring. */
  readonly followed: string;
};

const listSymbols = (count: number): string[] => Array.from({ length: count }, (_, index) => `S${index}`);

async function connect(url: string): Promise<Bus> {
  const bus = createRedisBus({ url, historyMs: 5_000, maxHistoryEntriesPerLog: 2_000, logger: silent });
  while (!bus.readState().connected) await new Promise((resolve) => setTimeout(resolve, 5));
  return bus;
}

/** The process that follows. Says when it is ready; later, whenever it is asked, how many prints have come. */
async function follow(url: string, symbolCount: number): Promise<void> {
  const bus = await connect(url);
  let heard = 0;
  await Promise.all(listSymbols(symbolCount).map((symbol) => bus.subscribe(tradeChannel(symbol), () => (heard += 1))));
  process.on('message', () => process.send!(heard));
  process.once('disconnect', () => process.exit());
  process.send!(heard);
}

async function countFollowed(follower: ChildProcess): Promise<number> {
  follower.send('how many');
  const [heard] = (await once(follower, 'message')) as [number];
  return heard;
}

async function measure(symbolCount: number, isFollowed: boolean): Promise<Row> {
  await using cluster = await startRedisCluster();
  const bus = await connect(cluster.url);
  const follower = isFollowed ? fork(import.meta.filename, [FOLLOW, cluster.url, String(symbolCount)]) : null;
  if (follower !== null) await once(follower, 'message');
  const lease = (await bus.acquireWriter('bench', LEASE_MS))!;
  const renewal = setInterval(() => void lease.renew().catch(() => undefined), RENEW_MS);
  const feed = new DirectFeed();
  const ingest = createIngest({
    feed,
    bus,
    writer: lease.writer,
    source,
    clock: Date.now,
    timers: systemTimers,
    logger: silent,
    indices: [],
  });
  const symbols = listSymbols(symbolCount);
  const demand = new Map(symbols.map((symbol) => [symbol, 1]));
  await bus.setDemand('bench', demand);
  const renewedDemand = setInterval(() => void bus.renewDemand('bench', demand).catch(() => undefined), 10_000);
  await ingest.start();
  while (ingest.readStats()['symbols'] !== symbols.length) await new Promise((resolve) => setTimeout(resolve, 5));
  await run(ingest, feed, symbols, WARM_UP_MS);
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const appended = await run(ingest, feed, symbols, seconds * 1_000);
  const elapsed = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  await ingest.close();
  const all = ingest.readStats()['tradesAppended']!;
  let followed = follower === null ? 0 : await countFollowed(follower);
  for (let waited = 0; follower !== null && followed < all && waited < 50; waited += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    followed = await countFollowed(follower);
  }
  follower?.disconnect();
  clearInterval(renewal);
  clearInterval(renewedDemand);
  await bus.close();
  return {
    symbols: symbolCount,
    isFollowed,
    printsPerSecond: appended / elapsed,
    cpuMicros: (user + system) / appended,
    followed: isFollowed ? `${((followed / all) * 100).toFixed(2)} %` : '',
  };
}

/** Returns how many were appended meanwhile. */
async function run(ingest: Ingest, feed: DirectFeed, symbols: readonly string[], forMs: number): Promise<number> {
  const before = ingest.readStats()['tradesAppended']!;
  const endsAt = performance.now() + forMs;
  while (performance.now() < endsAt) {
    feed.listener!.onEvents(Array.from({ length: PRINTS_PER_TURN }, () => makePrint(symbols)));
    do await new Promise((resolve) => setImmediate(resolve));
    while (ingest.readStats()['entriesWaiting']! > MAX_WAITING);
  }
  return ingest.readStats()['tradesAppended']! - before;
}

async function runAll(): Promise<void> {
  if (findProgram(REDIS_SERVER) === null) {
    console.log('there is no redis-server on this machine: nothing is measured');
    return;
  }
  const rows: Row[] = [];
  for (const symbolCount of [50, 500, 5_000]) {
    for (const isFollowed of [false, true]) rows.push(await measure(symbolCount, isFollowed));
  }
  console.table(
    rows.map(({ symbols, isFollowed, printsPerSecond, cpuMicros, followed }) => ({
      symbols,
      followed: isFollowed ? 'by a process' : 'by nobody',
      'prints/s': Math.round(printsPerSecond),
      'CPU µs a print, of ingest': cpuMicros.toFixed(1),
      'came to the follower': followed,
    })),
  );
  const lowest = Math.min(...rows.map(({ printsPerSecond }) => printsPerSecond));
  console.log(`at least ${Math.round(lowest).toLocaleString('en')} prints/s; the goal is ${GOAL.toLocaleString('en')}`);
}

if (first === FOLLOW) await follow(clusterUrl!, Number(symbolCountText));
else {
  await runAll();
  process.exit(0);
}
