import { afterEach, expect, test } from 'vitest';
import { barChannel, quoteChannel, tradeChannel, type Bus } from '../src/bus/bus.ts';
import { createMemoryBus } from '../src/bus/memory.ts';
import { createPolygonRest } from '../src/feeds/polygon/rest.ts';
import { createPolygonFeed } from '../src/feeds/polygon/socket.ts';
import { LISTINGS } from '../src/feeds/simulator/listings.ts';
import { startSimulator, type Simulator, type SimulatorOptions } from '../src/feeds/simulator/simulator.ts';
import { createIngest, type Ingest } from '../src/ingest/ingest.ts';
import type { Feed } from '../src/feeds/feed.ts';
import { systemTimers, type Timers } from '../src/market/timers.ts';
import type { Bar, LoggedBar } from '../src/market/bar.ts';
import type { MarketDataSource } from '../src/market/source.ts';
import type { Quote } from '../src/market/quote.ts';
import type { LoggedTrade } from '../src/market/trade.ts';
import { recordingLogger } from './recording-logger.ts';

/* The way of a tick as it is in production: the exchange's socket, the feed, ingest, a bus. */

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/**
 * The machine's timers, but for the delays of a second or more, which last a minute longer: after these, ingest does without an
 * answer of the exchange. Here it always answers, however slow the machine is.
 */
const PATIENT_TIMERS: Timers = {
  now: systemTimers.now,
  after: (delayMs, callback) => systemTimers.after(delayMs < 1_000 ? delayMs : delayMs + 60_000, callback),
};

/** Nobody renews the lease of the test's demand, so that it ends while a test runs for long: its symbols stay nevertheless. */
const LINGER_MS = 3_600_000;

type Path = {
  readonly simulator: Simulator;
  readonly feed: Feed;
  readonly bus: Bus;
  readonly source: MarketDataSource;
  readonly ingest: Ingest;
  readonly quotes: Map<string, Quote[]>;
  readonly trades: Map<string, LoggedTrade[]>;
  readonly bars: LoggedBar[];
  readonly want: (...symbols: string[]) => Promise<void>;
};

async function open(options: SimulatorOptions, now: () => number = Date.now): Promise<Path> {
  const { logger } = recordingLogger();
  const simulator = await startSimulator({ symbols: 40, eventsPerSecond: 4_000, ...options });
  closers.push(() => simulator.close());
  const bus = createMemoryBus({ historyMs: 300_000, clock: now, logger });
  closers.push(() => bus.close());
  const source = createPolygonRest({ baseUrl: simulator.restUrl, apiKey: 'key', clock: now, logger });
  closers.push(() => source.close());
  const feed = createPolygonFeed({
    url: simulator.wsUrl,
    apiKey: 'key',
    name: 'SIMULATED',
    clock: now,
    logger,
    limits: { initialDelayMs: 20, maxDelayMs: 50, settleTimeoutMs: 60_000 },
  });
  const ingest = createIngest({
    feed,
    bus,
    source,
    clock: now,
    timers: PATIENT_TIMERS,
    logger,
    quoteIntervalMs: 20,
    demandLingerMs: LINGER_MS,
    historyLagMs: 500,
    indices: ['I:SPX'],
  });
  closers.push(() => ingest.close());
  await ingest.start();
  const path: Path = {
    simulator,
    feed,
    bus,
    source,
    ingest,
    quotes: new Map(),
    trades: new Map(),
    bars: [],
    want: async (...symbols) => {
      for (const symbol of symbols) {
        const quotes: Quote[] = [];
        const trades: LoggedTrade[] = [];
        path.quotes.set(symbol, quotes);
        path.trades.set(symbol, trades);
        await bus.subscribe(quoteChannel(symbol), (quote) => quotes.push(quote));
        await bus.subscribe(tradeChannel(symbol), (trade) => trades.push(trade));
        await bus.subscribe(barChannel(symbol), (bar) => path.bars.push(bar));
      }
      await bus.setDemand('test', new Map(symbols.map((symbol) => [symbol, 1])));
    },
  };
  return path;
}

function expectContiguous(trades: readonly LoggedTrade[]): void {
  expect(trades.map(({ sequence }) => sequence)).toEqual(trades.map((_, index) => index + 1));
  // Not one assertion for each of many thousands: that would take most of the test's time.
  expect(trades.findIndex(({ offset }, index) => offset <= (trades[index - 1]?.offset ?? 0))).toBe(-1);
}

test('prices of the simulated exchange reach the bus: whole quotes, numbered prints, bars', async () => {
  const { want, quotes, trades, bars, bus, ingest } = await open({});
  await want('AAPL', 'MSFT', 'I:SPX');
  await expect.poll(() => trades.get('AAPL')!.length).toBeGreaterThan(50);
  await expect.poll(() => bars.some(({ symbol, interval }) => symbol === 'AAPL' && interval === 'SECOND')).toBe(true);
  await expect.poll(() => quotes.get('I:SPX')!.length).toBeGreaterThan(1);
  expectContiguous(trades.get('AAPL')!);
  const first = quotes.get('AAPL')![0]!;
  expect(first.previousClose).not.toBeNull();
  expect(first.open).not.toBeNull();
  expect(first.high).not.toBeNull();
  for (const { price, high, low, volume } of quotes.get('AAPL')!) {
    expect(high).toBeGreaterThanOrEqual(price);
    expect(low).toBeLessThanOrEqual(price);
    expect(volume).toBeGreaterThanOrEqual(first.volume);
  }
  expect(await bus.readStatus()).toMatchObject({ market: { isOpen: true }, feed: { connected: true } });
  expect(ingest.readStats()).toMatchObject({ eventsFaulty: 0, seedFailures: 0, feedGaps: 0, appendFailures: 0 });
});

test('events that come twice or out of order do no harm', async () => {
  const { want, trades, ingest } = await open({ faults: { duplicate: 0.3, 'out-of-order': 0.2 } });
  await want('AAPL');
  await expect.poll(() => ingest.readStats()['eventsDuplicate']).toBeGreaterThan(20);
  const prints = trades.get('AAPL')!;
  await expect.poll(() => prints.length).toBeGreaterThan(50);
  expectContiguous(prints);
  expect(new Set(prints.map(({ id }) => id)).size).toBe(prints.length);
});

test('what a cut connection missed is read from the history: the log is the tape', async () => {
  const { want, trades, simulator, ingest, source } = await open({});
  await want('AAPL', 'MSFT');
  const [apple, microsoft] = [trades.get('AAPL')!, trades.get('MSFT')!];
  await expect.poll(() => Math.min(apple.length, microsoft.length)).toBeGreaterThan(10);
  const cutAt = Date.now();
  simulator.setFault('upgrade-status', 503);
  simulator.dropConnections();
  // The tape goes on while nobody hears it.
  const readMissed = async (symbol: string) => (await source.readTrades({ symbol, from: cutAt, limit: 10 })).length;
  await expect.poll(() => readMissed('AAPL')).toBeGreaterThan(3);
  simulator.clearFault('upgrade-status');
  await expect.poll(() => ingest.readStats()['gapsFilled']).toBe(2);
  for (const [symbol, prints] of Object.entries({ AAPL: apple, MSFT: microsoft })) {
    const count = prints.length;
    await expect.poll(() => prints.length).toBeGreaterThan(count + 10);
    expectContiguous(prints);
    expect(prints.filter(({ gapBefore }) => gapBefore)).toEqual([]);
    const got = prints.map(({ id }) => id);
    const tape = await source.readTrades({ symbol, from: prints[0]!.timestamp, limit: 50_000 });
    const first = tape.findIndex(({ id }) => id === got[0]);
    expect(got).toEqual(tape.slice(first, first + got.length).map(({ id }) => id));
  }
  expect(ingest.readStats()['printsFilled']).toBeGreaterThan(0);
});

/**
 * A clock that goes on with each look of the exchange at it, some four in 5 ms: on a slow machine it goes slower, so that the tape
 * never has more events than are taken. A span passes in strides.
 */
class StridingClock {
  #now = Date.now();
  #left = 0;

  /** For the exchange alone, which makes the tape of what has passed since its last look. */
  now(): number {
    const stride = Math.min(this.#left, 60);
    this.#left -= stride;
    this.#now += Math.max(stride, 2);
    return this.#now;
  }

  read(): number {
    return this.#now;
  }

  async pass(ms: number): Promise<void> {
    this.#left += ms;
    await expect.poll(() => this.#left).toBe(0);
  }
}

test('after half a minute without the upstream at thousands of prints a second, every print and every bar is in the log once, in order', async () => {
  const clock = new StridingClock();
  const { want, trades, bars, simulator, feed, ingest, source } = await open(
    { clock, symbols: 10, eventsPerSecond: 5_000, printCapacity: 1 << 20 },
    () => clock.read(),
  );
  const symbols = LISTINGS.slice(0, 10).map(({ symbol }) => symbol);
  await want(...symbols, 'I:SPX');
  const prints = (symbol: string): LoggedTrade[] => trades.get(symbol)!;
  const countBars = (symbol: string, interval = 'SECOND'): number =>
    bars.filter((bar) => bar.symbol === symbol && bar.interval === interval).length;
  await expect.poll(() => Math.min(...symbols.map((symbol) => prints(symbol).length))).toBeGreaterThan(10);
  // What came before the first bar that a log holds cannot be told from what was never there.
  const withBars = [...symbols, 'I:SPX'];
  await expect.poll(() => Math.min(...withBars.map((symbol) => countBars(symbol)))).toBeGreaterThan(0);

  simulator.setFault('upgrade-status', 503);
  simulator.dropConnections();
  await expect.poll(() => feed.readStats()).toMatchObject({ 'connected.stocks': 0, 'connected.indices': 0 });
  await clock.pass(30_000);
  simulator.clearFault('upgrade-status');
  const { length } = symbols;
  await expect.poll(() => ingest.readStats()).toMatchObject({ gapsOpen: 0, gapsFilled: length, barGapsOpen: 0 });
  const before = withBars.map((symbol) => countBars(symbol));
  await expect.poll(() => withBars.every((symbol, index) => countBars(symbol) > before[index]!)).toBe(true);
  await ingest.close();

  for (const symbol of symbols) {
    const log = prints(symbol);
    expectContiguous(log);
    expect(log.filter(({ gapBefore }) => gapBefore)).toEqual([]);
    const tape = await source.readTrades({ symbol, from: log[0]!.timestamp, limit: 1_000_000 });
    const first = tape.findIndex(({ id }) => id === log[0]!.id);
    expect(log.map(({ id }) => id)).toEqual(tape.slice(first, first + log.length).map(({ id }) => id));
  }
  for (const symbol of withBars) {
    const seconds = bars.filter((bar) => bar.symbol === symbol && bar.interval === 'SECOND');
    const [from, to] = [seconds[0]!.start, seconds.at(-1)!.end];
    const history = await source.readBars({ symbol, interval: 'SECOND', from, to, limit: 1_000 });
    const shapeOf = ({ start, open: opened, high, low, close, volume }: Bar) => ({
      start,
      opened,
      high,
      low,
      close,
      volume,
    });
    expect(seconds.map(shapeOf)).toEqual(history.map(shapeOf));
    expect(seconds.filter(({ gapBefore }) => gapBefore)).toEqual([]);
  }
  expect(ingest.readStats()).toMatchObject({ gapsUnfilled: 0, gapsTold: 0, entriesGivenUp: 0 });
  // More than one page of one of them.
  expect(Math.max(...symbols.map((symbol) => prints(symbol).length))).toBeGreaterThan(5_000);
  expect(ingest.readStats()['barsFilled']).toBeGreaterThan(200);
});

test('a cut connection is told once per symbol where there is no history, and the numbers go on', async () => {
  const { want, trades, simulator, ingest } = await open({});
  await want('AAPL', 'MSFT');
  const [apple, microsoft] = [trades.get('AAPL')!, trades.get('MSFT')!];
  await expect.poll(() => Math.min(apple.length, microsoft.length)).toBeGreaterThan(10);
  simulator.setFault('rest-path', '/v3/trades');
  simulator.setFault('rest-status', 403);
  simulator.dropConnections();
  await expect.poll(() => ingest.readStats()['feedGaps']).toBe(1);
  const tellsGap = (prints: readonly LoggedTrade[]) => prints.filter(({ gapBefore }) => gapBefore).length;
  await expect.poll(() => [tellsGap(apple), tellsGap(microsoft)]).toEqual([1, 1]);
  const count = apple.length;
  await expect.poll(() => apple.length).toBeGreaterThan(count + 10);
  expect(tellsGap(apple)).toBe(1);
  expectContiguous(apple);
  expectContiguous(microsoft);
});

test('the quote agrees with the exchange’s own snapshot when the tape has come to rest', async () => {
  const { want, quotes, trades, simulator, source } = await open({ tape: false });
  await want('AAPL');
  await expect.poll(() => quotes.get('AAPL')!.length).toBe(1);
  const before = quotes.get('AAPL')![0]!;
  await expect.poll(() => simulator.readStats().connections.some(({ pairs }) => pairs.includes('T.AAPL'))).toBe(true);
  const t = Date.now();
  const print = { ev: 'T', sym: 'AAPL', x: 12, z: 3, s: 10 };
  simulator.push([
    { ...print, i: '1', p: before.price + 1, t: t + 2, ds: '10.0' },
    { ...print, i: '2', p: before.price + 2, t: t + 1, ds: '10.5' },
    { ...print, i: '3', p: before.price + 9, t: t + 3, ds: '0.25', c: [37] },
    { ev: 'Q', sym: 'AAPL', bx: 12, ax: 11, bp: 10, ap: 9, bs: 100, as: 200, t: t + 4, z: 3 },
    { ev: 'T', sym: 'AAPL', i: '4', x: 12, z: 3, p: 'free' },
  ]);
  await expect.poll(() => quotes.get('AAPL')!.at(-1)!.bid).toBe(10);
  expect(quotes.get('AAPL')!.at(-1)).toMatchObject({
    price: before.price + 1,
    high: Math.max(before.high ?? 0, before.price + 2),
    volume: before.volume + 20.75,
    ask: 9,
    timestamp: t + 4,
  });
  expect(trades.get('AAPL')!.map(({ sequence, size }) => [sequence, size])).toEqual([
    [1, 10],
    [2, 10.5],
    [3, 0.25],
  ]);
  const { bid, ask, high, low, volume, open: opened, previousClose } = quotes.get('AAPL')!.at(-1)!;
  const snapshot = (await source.readQuotes(['AAPL'])).get('AAPL');
  expect(snapshot).toMatchObject({ bid, ask, high, low, volume, open: opened, previousClose });
});
