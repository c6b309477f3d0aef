import { describe, expect, onTestFinished, test } from 'vitest';
import { letRun, ManualTime } from '../../test/manual-time.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { ScriptedFeed, ScriptedSource } from '../../test/scripted-feed.ts';
import { quoteChannel, statusChannel, tradeChannel, type Bus, type IngestStatus } from '../bus/bus.ts';
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
    await letRun();
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
    const { want, feed, trades, source } = await build();
    await want('AAPL');
    await want('MSFT');
    feed.emit(print({ symbol: 'AAPL' }), print({ symbol: 'MSFT' }));
    feed.disconnect();
    source.asked = [];
    feed.connect();
    feed.emit(print({ symbol: 'AAPL' }), print({ symbol: 'AAPL' }));
    feed.emit(print({ symbol: 'MSFT' }));
    await letRun();
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
