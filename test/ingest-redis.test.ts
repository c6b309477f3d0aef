import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { quoteChannel, tradeChannel, type Bus } from '../src/bus/bus.ts';
import { createRedisBus } from '../src/bus/redis.ts';
import { createIngest, type Ingest } from '../src/ingest/ingest.ts';
import { systemTimers } from '../src/market/timers.ts';
import type { Quote } from '../src/market/quote.ts';
import type { LoggedTrade, Trade } from '../src/market/trade.ts';
import { recordingLogger } from './recording-logger.ts';
import { startRedis, type TestRedis } from './redis.ts';
import { ScriptedFeed, ScriptedSource } from './scripted-feed.ts';

/* Ingest in one process and its reader in another, as far as Redis can tell. */

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function connect(): Bus {
  const bus = createRedisBus({ url: redis.url, historyMs: 300_000, logger: recordingLogger().logger });
  closers.push(() => bus.close());
  return bus;
}

function isConnected(bus: Bus): boolean {
  return bus.readState().connected;
}

type House = {
  readonly feed: ScriptedFeed;
  readonly ingest: Ingest;
  readonly reader: Bus;
  readonly quotes: Quote[];
  readonly trades: LoggedTrade[];
  readonly readLog: () => Promise<LoggedTrade[]>;
};

async function build(symbol: string): Promise<House> {
  const feed = new ScriptedFeed();
  const [writer, reader] = [connect(), connect()];
  await expect.poll(() => isConnected(reader)).toBe(true);
  const ingest = createIngest({
    feed,
    bus: writer,
    source: new ScriptedSource(),
    clock: Date.now,
    timers: systemTimers,
    logger: recordingLogger().logger,
    quoteIntervalMs: 10,
    historyLagMs: 10,
    indices: [],
  });
  closers.push(() => ingest.close());
  await ingest.start();
  const quotes: Quote[] = [];
  const trades: LoggedTrade[] = [];
  await reader.subscribe(quoteChannel(symbol), (quote) => quotes.push(quote));
  await reader.subscribe(tradeChannel(symbol), (trade) => trades.push(trade));
  const counts = new Map([[symbol, 1]]);
  await reader.setDemand('reader', counts);
  const renewal = setInterval(() => void reader.renewDemand('reader', counts).catch(() => {}), 200);
  closers.push(async () => clearInterval(renewal));
  await expect.poll(() => feed.symbols.has(symbol)).toBe(true);
  const readLog = () => reader.readHistory({ kind: 'trade', symbol }, { last: 10_000 });
  return { feed, ingest, reader, quotes, trades, readLog };
}

let ids = 0;
function print(symbol: string, price: number): Trade {
  const now = Date.now();
  return {
    kind: 'trade',
    id: String((ids += 1)),
    symbol,
    price,
    size: 1,
    exchange: 12,
    conditions: [],
    tape: 'C',
    offExchange: false,
    timestamp: now,
    receivedAt: now,
  };
}

/** A print every millisecond or so, until it is called off; resolves to how many there were. */
function stream(feed: ScriptedFeed, symbol: string): () => number {
  let count = 0;
  const timer = setInterval(() => feed.emit(print(symbol, (count += 1))), 1);
  closers.push(async () => clearInterval(timer));
  return () => {
    clearInterval(timer);
    return count;
  };
}

function sequencesOf(trades: readonly LoggedTrade[]): number[] {
  return trades.map(({ sequence }) => sequence);
}

function countTo(last: number, first = 1): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

test('what happens while Redis restarts is written when it is back: every print once, in order, without a hole', async () => {
  const { feed, ingest, readLog, trades, quotes } = await build('AAPL');
  const stop = stream(feed, 'AAPL');
  await expect.poll(() => trades.length).toBeGreaterThan(50);
  const before = ingest.readStats()['tradesAppended']!;
  await redis.restart({ keepData: true });
  await expect.poll(() => ingest.readStats()['tradesAppended']).toBeGreaterThan(before + 50);
  const count = stop();
  await expect.poll(async () => (await readLog()).length).toBe(count);
  const log = await readLog();
  expect(sequencesOf(log)).toEqual(countTo(count));
  expect(log.map(({ price }) => price)).toEqual(countTo(count));
  expect(log.every(({ gapBefore }) => !gapBefore)).toBe(true);
  expect(new Set(log.map(({ epoch }) => epoch)).size).toBe(1);
  await expect.poll(() => quotes.at(-1)!.price).toBe(count);
});

test('a Redis that comes back empty gets a new log; the numbers go on, and nothing is unsubscribed', async () => {
  const { feed, ingest, readLog, trades, reader } = await build('MSFT');
  const stop = stream(feed, 'MSFT');
  await expect.poll(() => trades.length).toBeGreaterThan(20);
  const epoch = await reader.readEpoch();
  await redis.restart();
  await expect.poll(() => isConnected(reader)).toBe(true);
  await expect.poll(async () => (await readLog()).length).toBeGreaterThan(20);
  const count = stop();
  await expect.poll(() => ingest.readStats()['entriesWaiting']).toBe(0);
  const log = await readLog();
  expect(await reader.readEpoch()).not.toBe(epoch);
  expect(new Set(log.map((trade) => trade.epoch))).toEqual(new Set([await reader.readEpoch()]));
  expect(sequencesOf(log)).toEqual(countTo(count, log[0]!.sequence));
  expect(log[0]!.sequence).toBeGreaterThan(1);
  expect(feed.calls.filter((call) => call.startsWith('-'))).toEqual([]);
});

test('a bus that does not answer for a while costs nothing but time', async () => {
  const { feed, ingest, readLog, trades } = await build('TSLA');
  const stop = stream(feed, 'TSLA');
  await expect.poll(() => trades.length).toBeGreaterThan(20);
  redis.pause();
  await expect.poll(() => ingest.readStats()['entriesWaiting']).toBeGreaterThan(200);
  redis.resume();
  const count = stop();
  await expect.poll(() => ingest.readStats()['entriesWaiting']).toBe(0);
  expect(sequencesOf(await readLog())).toEqual(countTo(count));
});

test('another ingest continues the numbers of the one before, and says that prints may be missing', async () => {
  const first = await build('NVDA');
  first.feed.emit(print('NVDA', 1), print('NVDA', 2));
  await expect.poll(() => first.trades.length).toBe(2);
  await first.ingest.close();
  const second = await build('NVDA');
  second.feed.emit(print('NVDA', 3), print('NVDA', 4));
  await expect.poll(() => second.trades.length).toBe(2);
  const log = await second.readLog();
  expect(log.map(({ sequence, gapBefore }) => [sequence, gapBefore])).toEqual([
    [1, false],
    [2, false],
    [3, true],
    [4, false],
  ]);
});
