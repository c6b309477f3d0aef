import { describe, expect, onTestFinished, test } from 'vitest';
import { letRun, ManualTime } from '../../test/manual-time.ts';
import { overrideBus } from '../../test/override-bus.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { ScriptedFeed, ScriptedSource } from '../../test/scripted-feed.ts';
import { quoteChannel, statusChannel, tradeChannel, type Bus, type BusState, type IngestStatus } from '../bus/bus.ts';
import { createMemoryBus } from '../bus/memory.ts';
import type { LiveBar } from '../market/bar.ts';
import type { Quote } from '../market/quote.ts';
import type { LoggedTrade, Trade } from '../market/trade.ts';
import { createIngest, type Ingest, type IngestOptions } from './ingest.ts';

/** A Friday, 11:00 in New York. */
const NOON = Date.UTC(2026, 10, 20, 16);

type House = {
  time: ManualTime;
  feed: ScriptedFeed;
  source: ScriptedSource;
  bus: Bus;
  ingest: Ingest;
  quotes: Quote[];
  trades: LoggedTrade[];
  statuses: IngestStatus[];
  readonly want: (symbol: string, count?: number) => Promise<void>;
};

async function build(options: Partial<IngestOptions> & { source?: ScriptedSource; now?: number } = {}): Promise<House> {
  const time = new ManualTime(options.now ?? NOON);
  const feed = new ScriptedFeed();
  const source = options.source ?? new ScriptedSource();
  const bus =
    options.bus ?? createMemoryBus({ historyMs: 300_000, clock: time.clock, logger: recordingLogger().logger });
  const ingest = createIngest({
    feed,
    bus,
    source,
    clock: time.clock,
    timers: time.timers,
    logger: recordingLogger().logger,
    indices: [],
    ...options,
  });
  onTestFinished(() => ingest.close());
  const house: House = {
    time,
    feed,
    source,
    bus,
    ingest,
    quotes: [],
    trades: [],
    statuses: [],
    want: async (symbol, count = 1) => {
      await bus.subscribe(quoteChannel(symbol), (quote) => void house.quotes.push(quote));
      await bus.subscribe(tradeChannel(symbol), (trade) => void house.trades.push(trade));
      await bus.setDemand('api-1', new Map([[symbol, count]]));
      await time.advance(10);
    },
  };
  await bus.subscribe(statusChannel, (status) => void house.statuses.push(status));
  await ingest.start();
  return house;
}

let ids = 0;
function print(fields: Partial<Trade> & { symbol: string }): Trade {
  const timestamp = fields.timestamp ?? NOON;
  return {
    kind: 'trade',
    id: String((ids += 1)),
    price: 100,
    size: 10,
    exchange: 12,
    conditions: [],
    tape: 'C',
    offExchange: false,
    receivedAt: timestamp + 5,
    ...fields,
    timestamp,
  };
}

function secondBar(fields: Partial<LiveBar> & { symbol: string; start: number }): LiveBar {
  return {
    kind: 'bar',
    interval: 'SECOND',
    open: 100,
    high: 100,
    low: 100,
    close: 100,
    volume: 10,
    vwap: 100,
    end: fields.start + 1_000,
    dayOpen: 99,
    dayVolume: 5_000,
    dayVwap: 100.5,
    receivedAt: fields.start + 1_010,
    ...fields,
  };
}

function snapshot(fields: Partial<Quote> & { symbol: string }): Quote {
  return {
    price: 90,
    change: null,
    changePercent: null,
    bid: 89,
    bidSize: 100,
    ask: 91,
    askSize: 200,
    open: 88,
    high: 95,
    low: 85,
    previousClose: 80,
    vwap: 90,
    volume: 1_000,
    timestamp: NOON - 100,
    receivedAt: NOON,
    ...fields,
  };
}

describe('demand', () => {
  test('a symbol that is wanted is subscribed upstream at once, and unsubscribed after the linger', async () => {
    const { feed, want, time } = await build();
    await want('AAPL');
    expect([...feed.symbols]).toEqual(['AAPL']);
    await want('AAPL', 0);
    await time.advance(9_000);
    expect([...feed.symbols]).toEqual(['AAPL']);
    await time.advance(6_000);
    expect([...feed.symbols]).toEqual([]);
  });

  test('a symbol that returns within the linger is never unsubscribed', async () => {
    const { feed, want, time } = await build();
    await want('AAPL');
    await want('AAPL', 0);
    await time.advance(6_000);
    await want('AAPL');
    await time.advance(30_000);
    expect(feed.calls).toEqual(['+AAPL']);
  });

  test('indices stay subscribed though nobody asks', async () => {
    const { feed, time } = await build({ indices: ['I:SPX'] });
    await time.advance(60_000);
    expect(feed.calls).toEqual(['+I:SPX']);
  });

  test('events of a symbol that is not wanted are dropped and counted', async () => {
    const { feed, ingest } = await build();
    feed.emit(print({ symbol: 'MSFT' }));
    expect(ingest.readStats()).toMatchObject({ eventsUnknownSymbol: 1, eventsTrade: 0, tradesAppended: 0 });
  });
});

describe('becoming wanted', () => {
  test('the snapshot is published at once, though the market is quiet', async () => {
    const source = new ScriptedSource();
    source.quotes.set('AAPL', snapshot({ symbol: 'AAPL' }));
    const { want, quotes } = await build({ source });
    await want('AAPL');
    expect(quotes).toEqual([{ ...snapshot({ symbol: 'AAPL' }), change: 10, changePercent: 12.5 }]);
  });

  test('what came before the snapshot is set over it, and the first quote is whole', async () => {
    const { promise: gate, resolve } = Promise.withResolvers<void>();
    const source = new ScriptedSource();
    source.gate = gate;
    source.quotes.set('AAPL', snapshot({ symbol: 'AAPL', timestamp: NOON + 10 }));
    const { want, quotes, trades, feed } = await build({ source });
    await want('AAPL');
    feed.emit(print({ symbol: 'AAPL', price: 70, size: 1, timestamp: NOON + 9 }));
    feed.emit(print({ symbol: 'AAPL', price: 93, size: 2, timestamp: NOON + 11 }));
    await letRun();
    expect(quotes).toEqual([]);
    expect(trades.map(({ price }) => price)).toEqual([70, 93]);
    resolve();
    await letRun();
    expect(quotes).toHaveLength(1);
    expect(quotes[0]).toMatchObject({ price: 93, volume: 1_002, low: 70, high: 95, bid: 89, previousClose: 80 });
  });

  test('a snapshot that cannot be read is tried again, and the quote goes out without it', async () => {
    const source = new ScriptedSource();
    source.failures = 2;
    source.quotes.set('AAPL', snapshot({ symbol: 'AAPL' }));
    const { want, quotes, feed, time, ingest } = await build({ source });
    await want('AAPL');
    feed.emit(print({ symbol: 'AAPL', price: 93, timestamp: NOON + 20 }));
    await letRun();
    expect(quotes.at(-1)).toMatchObject({ price: 93, previousClose: null, high: null, volume: 10 });
    await time.advance(5_000);
    expect(quotes.at(-1)).toMatchObject({ price: 93, previousClose: 80, high: 95, volume: 1_010 });
    expect(ingest.readStats()).toMatchObject({ seedFailures: 2, seedsRead: 1 });
  });

  test('a snapshot that hangs holds the first quote back for a second, not for longer', async () => {
    const source = new ScriptedSource();
    source.gate = new Promise(() => {});
    const { want, quotes, feed, time } = await build({ source });
    await want('AAPL');
    feed.emit(print({ symbol: 'AAPL', price: 93 }));
    await time.advance(900);
    expect(quotes).toEqual([]);
    await time.advance(200);
    expect(quotes).toHaveLength(1);
  });
});

describe('the log', () => {
  test('prints are numbered without a hole, also over a restart, which it tells', async () => {
    const time = new ManualTime(NOON);
    const bus = createMemoryBus({ historyMs: 300_000, clock: time.clock, logger: recordingLogger().logger });
    const first = await build({ bus });
    await first.want('AAPL');
    first.feed.emit(print({ symbol: 'AAPL' }), print({ symbol: 'AAPL' }), print({ symbol: 'AAPL' }));
    await first.ingest.close();
    const second = await build({ bus });
    await second.want('AAPL');
    second.feed.emit(print({ symbol: 'AAPL' }), print({ symbol: 'AAPL' }));
    await second.time.advance(1_000);
    const log = await bus.readHistory({ kind: 'trade', symbol: 'AAPL' }, { last: 10 });
    expect(log.map(({ sequence, gapBefore }) => [sequence, gapBefore])).toEqual([
      [1, false],
      [2, false],
      [3, false],
      [4, true],
      [5, false],
    ]);
    const offsets = log.map(({ offset }) => offset);
    expect(offsets).toEqual([...new Set(offsets)].toSorted((a, b) => a - b));
  });

  test('a print that comes twice is appended once, and does not count twice', async () => {
    const { want, feed, ingest, trades, quotes } = await build();
    await want('AAPL');
    const twice = print({ symbol: 'AAPL', size: 7 });
    feed.emit(twice, twice);
    feed.emit(twice);
    await letRun();
    expect(trades).toHaveLength(1);
    expect(quotes.at(-1)!.volume).toBe(7);
    expect(ingest.readStats().eventsDuplicate).toBe(2);
  });

  test('a loss upstream is told with the next print of each symbol, once, and the state is read anew', async () => {
    const { want, feed, trades, source, time } = await build();
    await want('AAPL');
    await want('MSFT');
    feed.emit(print({ symbol: 'AAPL' }), print({ symbol: 'MSFT' }));
    feed.disconnect();
    source.asked = [];
    feed.connect();
    feed.emit(print({ symbol: 'AAPL' }), print({ symbol: 'AAPL' }));
    feed.emit(print({ symbol: 'MSFT' }));
    await time.advance(1_000);
    expect(trades.map(({ symbol, gapBefore }) => [symbol, gapBefore])).toEqual([
      ['AAPL', false],
      ['MSFT', false],
      ['AAPL', true],
      ['AAPL', false],
      ['MSFT', true],
    ]);
    expect(source.asked).toEqual([['AAPL', 'MSFT']]);
  });

  test('bars have their place in the log, and the day’s figures of the quote are theirs', async () => {
    const { want, feed, bus, quotes, time } = await build();
    await want('AAPL');
    feed.emit(print({ symbol: 'AAPL', price: 101, timestamp: NOON + 1 }));
    feed.emit(secondBar({ symbol: 'AAPL', start: NOON, dayVolume: 5_000 }));
    feed.emit(secondBar({ symbol: 'AAPL', start: NOON, dayVolume: 5_003 }));
    await time.advance(200);
    const bars = await bus.readHistory({ kind: 'bar', symbol: 'AAPL', interval: 'SECOND' }, { last: 9 });
    expect(bars.map(({ dayVolume }) => dayVolume)).toEqual([5_000, 5_003]);
    expect(quotes.at(-1)).toMatchObject({ price: 101, open: 99, volume: 5_003, vwap: 100.5 });
  });
});

describe('quotes', () => {
  test('a busy symbol is published once per interval, and its last value always arrives', async () => {
    const { want, feed, quotes, time } = await build({ quoteIntervalMs: 100 });
    await want('AAPL');
    for (let step = 0; step < 35; step += 1) {
      feed.emit(print({ symbol: 'AAPL', price: 100 + step, timestamp: NOON + 1_000 + step }));
      await time.advance(10);
    }
    await time.advance(100);
    expect(quotes.map(({ price }) => price)).toEqual([100, 109, 119, 129, 134]);
  });

  test('an interval of 0 publishes at the end of every frame', async () => {
    const { want, feed, quotes } = await build({ quoteIntervalMs: 0 });
    await want('AAPL');
    feed.emit(print({ symbol: 'AAPL', price: 1 }), print({ symbol: 'AAPL', price: 2 }));
    feed.emit(print({ symbol: 'AAPL', price: 3 }));
    await letRun();
    expect(quotes.map(({ price }) => price)).toEqual([2, 3]);
  });

  test('at the begin of the trade date the day’s figures are empty, and the close is the previous one', async () => {
    const source = new ScriptedSource();
    source.quotes.set('AAPL', snapshot({ symbol: 'AAPL' }));
    const mondayAt4 = Date.UTC(2026, 10, 23, 9);
    const { want, feed, quotes, time } = await build({ source, now: mondayAt4 - 10_000 });
    await want('AAPL');
    feed.emit(print({ symbol: 'AAPL', price: 96, timestamp: NOON + 1 }));
    await time.advance(8_000);
    expect(quotes.at(-1)).toMatchObject({ price: 96, previousClose: 80, high: 96 });
    source.quotes.clear();
    await time.advance(5_000);
    expect(quotes.at(-1)).toMatchObject({ price: 96, previousClose: 96, change: 0, high: null, open: null, volume: 0 });
  });
});

describe('status', () => {
  test('it is published at every change and every five seconds', async () => {
    const { feed, statuses, time } = await build();
    await time.advance(12_000);
    expect(statuses.length).toBeGreaterThanOrEqual(3);
    expect(statuses.at(-1)).toMatchObject({ market: { session: 'REGULAR', isOpen: true }, feed: { connected: true } });
    const count = statuses.length;
    feed.disconnect();
    await letRun();
    expect(statuses).toHaveLength(count + 1);
    expect(statuses.at(-1)!.feed).toEqual({ feed: 'SIMULATED', connected: false, reason: 'pulled' });
  });
});

describe('trouble', () => {
  /** A bus of which parts can be broken. */
  function breakable(time: ManualTime) {
    const memory = createMemoryBus({ historyMs: 300_000, clock: time.clock, logger: recordingLogger().logger });
    const listeners: ((state: BusState) => void)[] = [];
    const control = { epoch: 'one', isAway: false, state: { connected: true, reason: null } as BusState };
    const guard = async <T>(work: Promise<T>): Promise<T> => {
      if (control.isAway) throw new Error('away');
      return await work;
    };
    const bus = overrideBus(memory, {
      openEpoch: () => guard(Promise.resolve(control.epoch)),
      readLastEntries: (keys) => guard(memory.readLastEntries(keys)),
      append: async (entries) => {
        if (control.isAway) throw new Error('away');
        await memory.append(entries);
      },
      publishQuotes: async (quotes) => {
        if (control.isAway) throw new Error('away');
        await memory.publishQuotes(quotes);
      },
      readState: () => control.state,
      onState: (listener) => {
        listeners.push(listener);
        return () => void listeners.splice(listeners.indexOf(listener), 1);
      },
    });
    const setConnected = (connected: boolean, isAway = !connected): void => {
      control.isAway = isAway;
      control.state = { connected, reason: connected ? null : 'away' };
      for (const listener of listeners) listener(control.state);
    };
    return { bus, control, setConnected };
  }

  test('a symbol whose place in the log cannot be read is not subscribed before it can', async () => {
    const time = new ManualTime(NOON);
    const { bus, control } = breakable(time);
    const { feed, want, ingest, time: own } = await build({ bus });
    control.isAway = true;
    await want('AAPL');
    await own.advance(3_000);
    expect(feed.calls).toEqual([]);
    expect(ingest.readStats()).toMatchObject({ symbolsEntering: 1, symbols: 0 });
    control.isAway = false;
    await own.advance(1_000);
    expect(feed.calls).toEqual(['+AAPL']);
  });

  test('a symbol that left before it was placed is never subscribed', async () => {
    const { bus, control } = breakable(new ManualTime(NOON));
    const { feed, want, time, ingest } = await build({ bus, demandLingerMs: 1_000 });
    control.isAway = true;
    await want('AAPL');
    await bus.setDemand('api-1', new Map([['AAPL', 0]]));
    await time.advance(8_000);
    control.isAway = false;
    await time.advance(8_000);
    expect(feed.calls).toEqual([]);
    expect(ingest.readStats()).toMatchObject({ symbolsEntering: 0, symbols: 0 });
  });

  test('while the bus is away reading goes on; when it is back the newest quote and every print are there', async () => {
    const { bus, setConnected } = breakable(new ManualTime(NOON));
    const { feed, want, trades, quotes, time } = await build({ bus });
    await want('AAPL');
    setConnected(false);
    for (let price = 1; price <= 20; price += 1) {
      feed.emit(print({ symbol: 'AAPL', price, timestamp: NOON + price }));
      await time.advance(50);
    }
    expect([trades, quotes]).toEqual([[], []]);
    setConnected(true);
    await letRun();
    expect(quotes.map(({ price }) => price)).toEqual([20]);
    expect(trades.map(({ sequence, price }) => [sequence, price])).toEqual(
      Array.from({ length: 20 }, (_, index) => [index + 1, index + 1]),
    );
  });

  test('a bus that comes back with another log is asked for its name before anything is written', async () => {
    const { bus, control, setConnected } = breakable(new ManualTime(NOON));
    const { feed, want, trades, time } = await build({ bus });
    await want('AAPL');
    feed.emit(print({ symbol: 'AAPL' }));
    await letRun();
    setConnected(false);
    feed.emit(print({ symbol: 'AAPL' }));
    control.epoch = 'two';
    setConnected(true, true);
    await time.advance(2_000);
    expect(trades).toHaveLength(1);
    control.isAway = false;
    await time.advance(2_000);
    expect(trades.map(({ sequence, epoch }) => [sequence, epoch])).toEqual([
      [1, 'one'],
      [2, 'two'],
    ]);
  });

  test('a log that is lost without a word is noticed within seconds', async () => {
    const { bus, control } = breakable(new ManualTime(NOON));
    const { feed, want, trades, time } = await build({ bus });
    await want('AAPL');
    control.epoch = 'two';
    await time.advance(6_000);
    feed.emit(print({ symbol: 'AAPL' }));
    await letRun();
    expect(trades.map(({ epoch }) => epoch)).toEqual(['two']);
  });

  test('a start does not wait for a bus or an upstream that does not answer', async () => {
    const { bus, setConnected } = breakable(new ManualTime(NOON));
    setConnected(false);
    const time = new ManualTime(NOON);
    const feed = new ScriptedFeed();
    const source = new ScriptedSource();
    source.readMarketStatus = () => new Promise(() => {});
    const { logger } = recordingLogger();
    const ingest = createIngest({
      feed,
      bus: overrideBus(bus, { subscribe: () => new Promise(() => {}) }),
      source,
      clock: time.clock,
      timers: time.timers,
      logger,
      indices: ['I:SPX'],
    });
    const started = ingest.start();
    await time.advance(2_000);
    await started;
    const closed = ingest.close();
    await time.advance(1_000);
    await closed;
    await ingest.close();
    expect(time.pendingTimers).toBe(0);
  });

  test('an event that no fold can take harms no other of its frame', async () => {
    const { feed, want, quotes, ingest } = await build();
    await want('AAPL');
    const breakPrint = (): Trade => ({ ...print({ symbol: 'AAPL' }), timestamp: Number.NEGATIVE_INFINITY });
    feed.emit(breakPrint(), print({ symbol: 'AAPL', price: 7 }), breakPrint());
    await letRun();
    expect(quotes.at(-1)!.price).toBe(7);
    expect(ingest.readStats().eventsFaulty).toBe(2);
  });

  test('closing writes what is left, and a feed that fails to close does not hinder it', async () => {
    const { feed, want, trades, quotes, ingest, time, bus } = await build({ quoteIntervalMs: 60_000 });
    await want('AAPL');
    feed.emit(print({ symbol: 'AAPL', price: 1 }));
    await letRun();
    feed.emit(print({ symbol: 'AAPL', price: 2, timestamp: NOON + 1 }));
    feed.close = () => Promise.reject(new Error('no'));
    await ingest.close();
    await letRun();
    expect(trades).toHaveLength(2);
    expect(quotes.map(({ price }) => price)).toEqual([1, 2]);
    await time.advance(60_000);
    expect(time.pendingTimers).toBe(0);
    await bus.close();
  });
});
