import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualTime } from '../../test/manual-time.ts';
import { overrideBus } from '../../test/override-bus.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { ScriptedFeed, ScriptedSource } from '../../test/scripted-feed.ts';
import { quoteChannel, tradeChannel, type Bus } from '../bus/bus.ts';
import { createMemoryBus } from '../bus/memory.ts';
import { SourceUnavailableError } from '../market/source.ts';
import type { LoggedTrade, Trade } from '../market/trade.ts';
import { createIngest, type Ingest } from './ingest.ts';

/** A Friday, 11:00 in New York. */
const NOON = Date.UTC(2026, 10, 20, 16);

type House = {
  readonly time: ManualTime;
  readonly feed: ScriptedFeed;
  readonly source: ScriptedSource;
  readonly ingest: Ingest;
  readonly bus: Bus;
  readonly records: ReturnType<typeof recordingLogger>['records'];
  /** Number and `gapBefore` of each print in the log, `!` for the latter. */
  readonly readLog: (symbol?: string) => Promise<string[]>;
  readonly readTrades: (symbol?: string) => Promise<LoggedTrade[]>;
  readonly want: (...symbols: string[]) => Promise<void>;
};

/** Where a bus is given, the ingest follows another one that wrote on it. */
async function build(given: { bus?: Bus; time?: ManualTime; source?: ScriptedSource } = {}): Promise<House> {
  const { time = new ManualTime(NOON), source = new ScriptedSource() } = given;
  const { logger, records } = recordingLogger();
  const bus = given.bus ?? createMemoryBus({ historyMs: 300_000, clock: time.clock, logger });
  const feed = new ScriptedFeed();
  const ingest = createIngest({ feed, bus, source, clock: time.clock, timers: time.timers, logger, indices: [] });
  onTestFinished(() => ingest.close());
  await ingest.start();
  const readTrades = (symbol = 'AAPL') => bus.readHistory({ kind: 'trade', symbol }, { last: 100 });
  return {
    time,
    feed,
    source,
    ingest,
    bus,
    records,
    readTrades,
    readLog: async (symbol) => (await readTrades(symbol)).map(({ id, gapBefore }) => (gapBefore ? `!${id}` : id)),
    want: async (...symbols) => {
      await bus.setDemand('api-1', new Map(symbols.map((symbol) => [symbol, 1])));
      await time.advance(10);
    },
  };
}

/** The print of this number comes as many milliseconds after noon. */
function print(number: number, fields: Partial<Trade> = {}): Trade {
  const timestamp = NOON + number;
  return {
    kind: 'trade',
    id: String(number),
    symbol: 'AAPL',
    price: number,
    size: 10,
    exchange: 12,
    conditions: [],
    tape: 'C',
    offExchange: false,
    timestamp,
    receivedAt: timestamp + 5,
    ...fields,
  };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('prints that were missed', () => {
  test('are read from the history and written before what came since, each once and in order', async () => {
    const { want, feed, source, time, readLog, readTrades, ingest } = await build();
    await want('AAPL');
    feed.emit(print(1), print(2));
    feed.disconnect();
    source.history = range(1, 6).map((number) => print(number));
    feed.connect();
    feed.emit(print(5), print(6));
    await time.advance(1_000);
    expect(await readLog()).toEqual(['1', '2', '3', '4', '5', '6']);
    expect((await readTrades()).map(({ sequence }) => sequence)).toEqual(range(1, 6));
    feed.emit(print(7));
    await time.advance(10);
    expect(await readLog()).toEqual(['1', '2', '3', '4', '5', '6', '7']);
    expect(ingest.readStats()).toMatchObject({ gapsFilled: 1, gapsUnfilled: 0, gapsOpen: 0, printsFilled: 2 });
  });

  test('are delivered also where nothing has come since', async () => {
    const { want, feed, source, time, readLog } = await build();
    await want('AAPL');
    feed.emit(print(1));
    feed.disconnect();
    source.history = [print(1), print(2)];
    feed.connect();
    await time.advance(1_000);
    expect(await readLog()).toEqual(['1', '2']);
  });

  test('count in the day’s volume, and do not set the last price back', async () => {
    const { want, feed, source, time, bus } = await build();
    await want('AAPL');
    const quotes: { price: number; volume: number }[] = [];
    await bus.subscribe(quoteChannel('AAPL'), (quote) => void quotes.push(quote));
    feed.emit(print(1));
    feed.disconnect();
    source.history = range(1, 3).map((number) => print(number));
    feed.connect();
    feed.emit(print(3));
    await time.advance(2_000);
    expect(quotes.at(-1)).toMatchObject({ price: 3, volume: 30 });
  });

  test('are asked for since the newest one, with an overlap that does not go back to before the log', async () => {
    const { want, feed, source, time } = await build();
    await want('AAPL', 'MSFT', 'NVDA');
    feed.emit(print(1), print(4_000), print(3_000), print(50, { symbol: 'MSFT' }));
    feed.disconnect();
    feed.connect();
    await time.advance(1_000);
    expect(source.askedTrades).toEqual([
      { symbol: 'AAPL', from: NOON + 3_000, limit: 5_000 },
      { symbol: 'MSFT', from: NOON + 50, limit: 5_000 },
    ]);
  });

  test('are found over two losses in a row, and what came between keeps its place', async () => {
    const { want, feed, source, time, readLog } = await build();
    await want('AAPL');
    feed.emit(print(1));
    feed.disconnect();
    feed.connect();
    feed.emit(print(3));
    await time.advance(500);
    feed.disconnect();
    source.history = range(1, 5).map((number) => print(number));
    feed.connect();
    feed.emit(print(5));
    await time.advance(1_000);
    expect(await readLog()).toEqual(['1', '2', '3', '4', '5']);
  });

  test('are not held to be all where the history reaches beyond the first loss alone', async () => {
    const { want, feed, source, time, readLog } = await build();
    await want('AAPL');
    feed.emit(print(1));
    feed.disconnect();
    feed.connect();
    feed.emit(print(3));
    feed.disconnect();
    source.history = range(1, 3).map((number) => print(number));
    feed.connect();
    feed.emit(print(5));
    await time.advance(1_000);
    expect(await readLog()).toEqual(['1']);
    source.history = range(1, 5).map((number) => print(number));
    await time.advance(1_000);
    expect(await readLog()).toEqual(['1', '2', '3', '4', '5']);
  });

  test('are asked for again while the history lags behind what is live', async () => {
    const { want, feed, source, time, readLog } = await build();
    await want('AAPL');
    feed.emit(print(1));
    feed.disconnect();
    source.history = [print(1), print(2)];
    feed.connect();
    feed.emit(print(4));
    await time.advance(1_000);
    expect(await readLog()).toEqual(['1']);
    source.history = range(1, 4).map((number) => print(number));
    await time.advance(1_000);
    expect(await readLog()).toEqual(['1', '2', '3', '4']);
  });

  test('are read page by page where there are many: all of them, in order, though another loss comes between', async () => {
    const { want, feed, source, time, ingest, bus } = await build();
    await want('AAPL');
    const log: LoggedTrade[] = [];
    await bus.subscribe(tradeChannel('AAPL'), (trade) => void log.push(trade));
    feed.emit(print(1));
    feed.disconnect();
    source.history = range(1, 17_500).map((number) => print(number));
    feed.connect();
    // Between the two losses; it is in the middle of a page.
    feed.emit(print(11_111));
    await time.advance(500);
    feed.disconnect();
    const readPage = source.readTrades.bind(source);
    source.readTrades = async (query) => {
      const page = await readPage(query);
      if (source.askedTrades.length === 2) feed.disconnect();
      return page;
    };
    feed.connect();
    await time.advance(1_000);
    expect(ingest.readStats()).toMatchObject({ gapsOpen: 1, printsBehindGaps: 1 });
    // Its history lags: what it does not reach yet is not taken for all.
    source.history = range(1, 17_400).map((number) => print(number));
    feed.connect();
    feed.emit(print(17_500));
    await time.advance(1_000);
    expect(log.at(-1)).toMatchObject({ id: '14998' });
    source.history = range(1, 17_500).map((number) => print(number));
    await time.advance(1_000);
    expect(log.map(({ id }) => Number(id))).toEqual(range(1, 17_500));
    expect(log.map(({ sequence }) => sequence)).toEqual(range(1, 17_500));
    expect(log.filter(({ gapBefore }) => gapBefore)).toEqual([]);
    expect(source.askedTrades.map(({ from }) => from! - NOON)).toEqual([1, 5_000, 5_000, 9_999, 14_998, 14_998]);
    expect(ingest.readStats()).toMatchObject({ gapsFilled: 1, gapsUnfilled: 0, gapsOpen: 0, printsBehindGaps: 0 });
  });

  test('are asked for no faster than the bus takes them', async () => {
    const time = new ManualTime(NOON);
    const memory = createMemoryBus({ historyMs: 300_000, clock: time.clock, logger: recordingLogger().logger });
    let gate = Promise.resolve();
    const bus = overrideBus(memory, {
      append: async (entries) => {
        await gate;
        await memory.append(entries);
      },
    });
    const { want, feed, source, ingest, readTrades } = await build({ bus, time });
    await want('AAPL');
    feed.emit(print(1));
    feed.disconnect();
    source.history = range(1, 50_000).map((number) => print(number));
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    feed.connect();
    await time.advance(20_000);
    expect(source.askedTrades).toHaveLength(1);
    expect(ingest.readStats()['entriesWaiting']).toBe(4_999);
    resolve();
    await time.advance(100);
    expect((await readTrades()).at(-1)).toMatchObject({ sequence: 50_000, gapBefore: false });
  });

  test('are also those between two writers: the second reads them once it has the role', async () => {
    const first = await build();
    await first.want('AAPL');
    first.feed.emit(print(1), print(2));
    await first.ingest.close();
    first.source.history = range(1, 5).map((number) => print(number));
    const second = await build(first);
    await second.time.advance(10);
    second.feed.emit(print(5));
    await second.time.advance(2_000);
    expect(await second.readLog()).toEqual(['1', '2', '3', '4', '5']);
    expect((await second.readTrades()).map(({ sequence }) => sequence)).toEqual(range(1, 5));
  });

  test('are not those that the writer before had: a loss soon after the second has the role finds them known', async () => {
    const first = await build();
    await first.want('AAPL');
    first.feed.emit(print(1), print(2), print(3));
    await first.ingest.close();
    first.source.history = [1, 2, 3].map((number) => print(number));
    const second = await build(first);
    await second.time.advance(2_000);
    expect(await second.readLog()).toEqual(['1', '2', '3']);
    second.feed.disconnect();
    first.source.history = [1, 2, 3, 4].map((number) => print(number));
    second.feed.connect();
    await second.time.advance(2_000);
    expect(await second.readLog()).toEqual(['1', '2', '3', '4']);
  });

  test('are not those from before the log, also where the second writer meets the next loss', async () => {
    const first = await build();
    await first.want('AAPL');
    first.feed.emit(print(501), print(502));
    await first.ingest.close();
    first.source.history = [499, 500, 501, 502].map((number) => print(number));
    const second = await build(first);
    await second.time.advance(2_000);
    expect(await second.readLog()).toEqual(['501', '502']);
    second.feed.disconnect();
    second.feed.connect();
    await second.time.advance(2_000);
    expect(await second.readLog()).toEqual(['501', '502']);
  });

  test('are not those that were told as missed: they would come after newer ones', async () => {
    const { want, feed, source, time, readLog } = await build();
    await want('AAPL');
    feed.emit(print(1));
    feed.disconnect();
    source.history = new SourceUnavailableError('not in the plan');
    feed.connect();
    feed.emit(print(4));
    await time.advance(2_000);
    expect(await readLog()).toEqual(['1', '!4']);
    feed.disconnect();
    source.history = range(1, 6).map((number) => print(number));
    feed.connect();
    await time.advance(2_000);
    expect(await readLog()).toEqual(['1', '!4', '5', '6']);
  });

  test('are not those that the writer before told as missed', async () => {
    const first = await build();
    await first.want('AAPL');
    first.feed.emit(print(1));
    first.feed.disconnect();
    first.source.history = new SourceUnavailableError('not in the plan');
    first.feed.connect();
    first.feed.emit(print(4));
    await first.time.advance(2_000);
    await first.ingest.close();
    first.source.history = range(1, 6).map((number) => print(number));
    const second = await build(first);
    await second.time.advance(2_000);
    expect(await second.readLog()).toEqual(['1', '!4', '5', '6']);
  });

  test('between two writers are not those from before the log, which a reader of the one that was lost has had', async () => {
    const first = await build();
    await first.want('AAPL');
    first.feed.emit(print(501), print(502));
    await first.ingest.close();
    first.source.history = [print(1), print(500), print(501), print(502), print(503)];
    const second = await build(first);
    await second.time.advance(2_000);
    expect(await second.readLog()).toEqual(['501', '502', '503']);
  });
});

test('prints between two writers are asked for when all symbols are subscribed, or when this one is for certain', async () => {
  const first = await build();
  const symbols = [...range(1, 1_998).map((number) => `S${number}`), 'AAPL', 'MSFT'];
  await first.want(...symbols);
  first.feed.emit(print(1), print(1, { symbol: 'MSFT' }));
  await first.ingest.close();
  const second = await build(first);
  await second.time.advance(10);
  second.source.history = [print(1), print(1, { symbol: 'MSFT' })];
  second.source.askedTrades = [];
  await second.time.advance(3_000);
  expect(second.source.askedTrades).toEqual([]);
  second.source.history = [...second.source.history, print(5), print(2_900, { symbol: 'MSFT' }), print(3_500)];
  second.feed.emit(print(3_500));
  await second.time.advance(1_000);
  expect(second.source.askedTrades.map(({ symbol }) => symbol)).toEqual(['AAPL']);
  await second.time.advance(2_000);
  expect(await second.readLog()).toEqual(['1', '5', '3500']);
  expect(await second.readLog('MSFT')).toEqual(['1', '2900']);
});

describe('the next print says that some are missing', () => {
  const causes: Record<string, (source: ScriptedSource) => void> = {
    'where the history fails': (source) => {
      source.history = new SourceUnavailableError('out of order', { retryAfterMs: 1_000 });
    },
    'where the plan does not include it': (source) => {
      source.history = new SourceUnavailableError('not in the plan');
    },
    'where it does not hold the newest known print': (source) => {
      source.history = [print(2, { id: 'other' }), print(3, { id: 'another' })];
    },
  };
  test.each(Object.entries(causes))('%s', async (_, fail) => {
    const { want, feed, source, time, readLog, records, ingest } = await build();
    await want('AAPL', 'MSFT');
    feed.emit(print(1), print(1, { symbol: 'MSFT' }));
    feed.disconnect();
    fail(source);
    feed.connect();
    feed.emit(print(4));
    await time.advance(1_000);
    feed.emit(print(5), print(5, { symbol: 'MSFT' }));
    await time.advance(10);
    expect(await readLog()).toEqual(['1', '!4', '5']);
    expect(await readLog('MSFT')).toEqual(['1', '!5']);
    expect(ingest.readStats()).toMatchObject({ gapsFilled: 0, gapsUnfilled: 2, gapsOpen: 0, gapsTold: 2 });
    expect(records.filter(({ message }) => message.startsWith('Missed prints'))).toHaveLength(1);
  });

  test('after what was read, where the history never reaches up to what is live', async () => {
    const { want, feed, source, time, readLog } = await build();
    await want('AAPL');
    feed.emit(print(1));
    feed.disconnect();
    source.history = [print(1), print(2)];
    feed.connect();
    feed.emit(print(4), print(5));
    await time.advance(3_000);
    expect(await readLog()).toEqual(['1', '2', '!4', '5']);
  });

  test('where the history loses what comes next while it is read page by page, after what was read', async () => {
    const { want, feed, source, time, readTrades } = await build();
    await want('AAPL');
    feed.emit(print(1));
    feed.disconnect();
    source.history = range(1, 25_000).map((number) => print(number));
    const readPage = source.readTrades.bind(source);
    source.readTrades = async (query) => {
      const page = await readPage(query);
      source.history = range(15_000, 25_000).map((number) => print(number));
      return page;
    };
    feed.connect();
    feed.emit(print(25_000));
    await time.advance(1_000);
    expect((await readTrades()).slice(-2)).toMatchObject([
      { id: '5000', sequence: 5_000, gapBefore: false },
      { id: '25000', sequence: 5_001, gapBefore: true },
    ]);
  });

  test('where the history hangs: nothing waits longer than eleven seconds', async () => {
    const { want, feed, source, time, readLog } = await build();
    await want('AAPL');
    feed.emit(print(1));
    feed.disconnect();
    source.readTrades = () => new Promise(() => {});
    feed.connect();
    feed.emit(print(4));
    await time.advance(10_990);
    expect(await readLog()).toEqual(['1']);
    await time.advance(10);
    expect(await readLog()).toEqual(['1', '!4']);
  });

  test('where more came meanwhile than may wait', async () => {
    const { want, feed, source, time, bus, ingest } = await build();
    await want('AAPL');
    feed.emit(print(1));
    feed.disconnect();
    source.readTrades = () => new Promise(() => {});
    feed.connect();
    feed.emit(...range(2, 100_001).map((number) => print(number)));
    expect(ingest.readStats()['printsBehindGaps']).toBe(100_000);
    feed.emit(print(100_002));
    expect(ingest.readStats()['printsBehindGaps']).toBe(0);
    await time.advance(100);
    const [newest] = await bus.readHistory({ kind: 'trade', symbol: 'AAPL' }, { last: 1 });
    expect(newest).toMatchObject({ id: '100002', sequence: 100_002 });
    expect(ingest.readStats()['gapsTold']).toBe(1);
  });

  test('where it is still to say so of an earlier loss: what is known to be missing is not asked for', async () => {
    const { want, feed, source, time, readLog } = await build();
    await want('AAPL');
    feed.emit(print(1));
    feed.disconnect();
    source.history = new SourceUnavailableError('out of order');
    feed.connect();
    await time.advance(1_000);
    feed.disconnect();
    source.history = [print(1), print(2), print(4)];
    feed.connect();
    feed.emit(print(4));
    await time.advance(2_000);
    expect(await readLog()).toEqual(['1', '!4']);
    expect(source.askedTrades).toHaveLength(1);
  });

  test('after an outage of more than five minutes', async () => {
    const { want, feed, source, time, readLog } = await build();
    await want('AAPL');
    feed.emit(print(1));
    feed.disconnect();
    for (let twenty = 0; twenty <= 15; twenty += 1) {
      await time.advance(20_000);
      await want('AAPL');
    }
    source.history = [print(1), print(2), print(330_000)];
    feed.connect();
    feed.emit(print(330_000));
    await time.advance(10);
    expect((await readLog()).at(-1)).toBe('!330000');
    expect(source.askedTrades).toEqual([]);
  });

  test('where ingest ends before it could read: what waited is written', async () => {
    const { want, feed, time, readLog, ingest } = await build();
    await want('AAPL');
    feed.emit(print(1));
    feed.disconnect();
    feed.connect();
    feed.emit(print(4));
    await time.advance(10);
    await ingest.close();
    expect(await readLog()).toEqual(['1', '!4']);
  });

  test('where the writer before ended longer than a minute ago', async () => {
    const first = await build();
    await first.want('AAPL');
    first.feed.emit(print(1));
    await first.ingest.close();
    await first.time.advance(61_000);
    first.source.history = [print(1), print(2)];
    const second = await build(first);
    await second.want('AAPL');
    second.feed.emit(print(61_500));
    await second.time.advance(2_000);
    expect(await second.readLog()).toEqual(['1', '!61500']);
  });
});
