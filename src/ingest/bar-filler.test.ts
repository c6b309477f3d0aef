import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualTime } from '../../test/manual-time.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { ScriptedFeed, ScriptedSource } from '../../test/scripted-feed.ts';
import type { Bus } from '../bus/bus.ts';
import { createMemoryBus } from '../bus/memory.ts';
import { LIVE_BAR_MS, type LiveBar, type LiveBarInterval } from '../market/bar.ts';
import { SourceUnavailableError } from '../market/source.ts';
import { createIngest, type Ingest } from './ingest.ts';

/** A Friday, 11:00 in New York: a minute and a second begin. */
const NOON = Date.UTC(2026, 10, 20, 16);

type House = {
  readonly time: ManualTime;
  readonly feed: ScriptedFeed;
  readonly source: ScriptedSource;
  readonly ingest: Ingest;
  readonly bus: Bus;
  readonly records: ReturnType<typeof recordingLogger>['records'];
  /** Window and close of each bar in the log, `!` for `gapBefore`. */
  readonly readLog: (interval?: LiveBarInterval, symbol?: string) => Promise<string[]>;
  readonly want: (...symbols: string[]) => Promise<void>;
  /** Moves on to so many ms after noon, and keeps the demand alive. */
  readonly goTo: (ms: number) => Promise<void>;
};

/** Where a bus is given, the ingest follows another one that wrote on it. */
async function build(given: { bus?: Bus; time?: ManualTime; source?: ScriptedSource } = {}): Promise<House> {
  const { time = new ManualTime(NOON), source = new ScriptedSource() } = given;
  const { logger, records } = recordingLogger();
  const bus = given.bus ?? createMemoryBus({ historyMs: 900_000, clock: time.clock, logger });
  const feed = new ScriptedFeed();
  const ingest = createIngest({
    feed,
    bus,
    source,
    clock: time.clock,
    timers: time.timers,
    logger,
    indices: [],
    demandLingerMs: 100,
  });
  onTestFinished(() => ingest.close());
  await ingest.start();
  let wanted: string[] = ['AAPL'];
  const want = async (...symbols: string[]): Promise<void> => {
    const left = wanted.filter((symbol) => !symbols.includes(symbol)).map((symbol) => [symbol, 0] as const);
    wanted = symbols;
    await bus.setDemand('api-1', new Map([...left, ...symbols.map((symbol) => [symbol, 1] as const)]));
    await time.advance(10);
  };
  return {
    time,
    feed,
    source,
    ingest,
    bus,
    records,
    want,
    readLog: async (interval = 'SECOND', symbol = 'AAPL') => {
      const bars = await bus.readHistory({ kind: 'bar', symbol, interval }, { last: 1_000 });
      return bars.map(
        ({ start, close, gapBefore }) =>
          `${gapBefore ? '!' : ''}${(start - NOON) / LIVE_BAR_MS[interval]}${close === 100 ? '' : `=${close}`}`,
      );
    },
    goTo: async (ms) => {
      while (time.clock() < NOON + ms) {
        await bus.renewDemand('api-1', new Map(wanted.map((symbol) => [symbol, 1])));
        await time.advance(Math.min(10_000, NOON + ms - time.clock()));
      }
    },
  };
}

/** The bar of this window, counted from noon. */
function bar(number: number, fields: Partial<LiveBar> = {}): LiveBar {
  const { interval = 'SECOND' } = fields;
  const start = NOON + number * LIVE_BAR_MS[interval];
  return {
    kind: 'bar',
    symbol: 'AAPL',
    interval,
    open: 100,
    high: 110,
    low: 90,
    close: 100,
    volume: 10,
    vwap: 100,
    start,
    end: start + LIVE_BAR_MS[interval],
    dayOpen: 99,
    dayVolume: 5_000,
    dayVwap: 100.5,
    receivedAt: start + LIVE_BAR_MS[interval] + 10,
    ...fields,
  };
}

const minute = (number: number, fields: Partial<LiveBar> = {}): LiveBar =>
  bar(number, { interval: 'MINUTE', ...fields });
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const texts = (from: number, to: number): string[] => range(from, to).map(String);

describe('bars that were missed', () => {
  test('are read from the history and written before those that came since, each once and in order', async () => {
    const { want, feed, source, goTo, readLog, ingest } = await build();
    await want('AAPL');
    await goTo(2_100);
    feed.emit(bar(0), bar(1));
    feed.disconnect();
    await goTo(6_400);
    feed.connect();
    await goTo(7_010);
    feed.emit(bar(6));
    source.barHistory = range(0, 7).map((number) => bar(number));
    await goTo(7_500);
    expect(await readLog()).toEqual(texts(0, 6));
    await goTo(8_010);
    feed.emit(bar(7));
    await goTo(8_100);
    expect(await readLog()).toEqual(texts(0, 7));
    expect(source.askedBars).toEqual([{ symbol: 'AAPL', interval: 'SECOND', from: NOON, to: NOON + 6_001 }]);
    expect(ingest.readStats()).toMatchObject({ barsFilled: 4, barGapsOpen: 0, barGapsUnfilled: 0, barGapsTold: 0 });
  });

  test('of a quiet symbol are delivered though nothing has come since, and a second without a trade has none', async () => {
    const { want, feed, source, goTo, readLog } = await build();
    await want('AAPL');
    feed.emit(bar(0));
    await goTo(30_100);
    feed.disconnect();
    await goTo(36_000);
    source.barHistory = [bar(0), bar(32), bar(34)];
    feed.connect();
    await goTo(37_000);
    expect(await readLog()).toEqual(['0', '32', '34']);
  });

  test('are not those of the window that is open when the connection returns: it comes live, and whole', async () => {
    const { want, feed, source, goTo, readLog } = await build();
    await want('AAPL');
    await goTo(1_010);
    feed.emit(bar(0));
    feed.disconnect();
    await goTo(2_700);
    feed.connect();
    await goTo(3_690);
    // What the history has of the window that has just ended may not be all of it.
    source.barHistory = [bar(0), bar(1), bar(2), bar(3, { close: 95 })];
    await goTo(3_700);
    expect(await readLog()).toEqual(['0', '1', '2']);
    feed.emit(bar(3));
    await goTo(3_710);
    expect(await readLog()).toEqual(['0', '1', '2', '3']);
  });

  test('and come live after all are not written twice, but corrected where they differ', async () => {
    const { want, feed, source, goTo, readLog, ingest } = await build();
    await want('AAPL');
    await goTo(1_010);
    feed.emit(bar(0));
    feed.disconnect();
    await goTo(4_000);
    source.barHistory = range(0, 3).map((number) => bar(number));
    feed.connect();
    await goTo(5_000);
    expect(await readLog()).toEqual(['0', '1', '2', '3']);
    feed.emit(bar(3), bar(2, { close: 105 }), bar(4), bar(4));
    await goTo(5_100);
    expect(await readLog()).toEqual(['0', '1', '2', '3', '2=105', '4']);
    expect(ingest.readStats()['eventsDuplicate']).toBe(2);
  });

  test('include one that was late when the connection was lost', async () => {
    const { want, feed, source, goTo, readLog } = await build();
    await want('AAPL');
    await goTo(4_100);
    feed.emit(bar(0), bar(1), bar(3));
    feed.disconnect();
    source.barHistory = range(0, 3).map((number) => bar(number));
    feed.connect();
    await goTo(5_200);
    expect(await readLog()).toEqual(['0', '1', '3', '2']);
  });

  test('are not those from before the log began', async () => {
    const { want, feed, source, goTo, readLog } = await build();
    await want('AAPL');
    await goTo(6_010);
    feed.emit(bar(5));
    feed.disconnect();
    await goTo(8_000);
    source.barHistory = range(0, 7).map((number) => bar(number));
    feed.connect();
    await goTo(9_000);
    expect(await readLog()).toEqual(['5', '6', '7']);
  });

  test('are found over two losses in a row, and what came between keeps its place', async () => {
    const { want, feed, source, goTo, readLog } = await build();
    await want('AAPL');
    await goTo(1_010);
    feed.emit(bar(0));
    feed.disconnect();
    await goTo(2_500);
    feed.connect();
    await goTo(3_010);
    feed.emit(bar(2));
    feed.disconnect();
    await goTo(5_500);
    source.barHistory = range(0, 5).map((number) => bar(number));
    feed.connect();
    await goTo(6_010);
    feed.emit(bar(5));
    await goTo(7_000);
    expect(await readLog()).toEqual(texts(0, 5));
  });

  test('are asked for again while the history lags behind what is live', async () => {
    const { want, feed, source, goTo, readLog } = await build();
    await want('AAPL');
    await goTo(1_010);
    feed.emit(bar(0));
    feed.disconnect();
    await goTo(3_500);
    source.barHistory = [bar(0), bar(1)];
    feed.connect();
    await goTo(4_010);
    feed.emit(bar(3));
    await goTo(4_600);
    expect(await readLog()).toEqual(['0']);
    source.barHistory = range(0, 3).map((number) => bar(number));
    await goTo(5_600);
    expect(await readLog()).toEqual(texts(0, 3));
  });

  test('of a minute are read where a minute ended meanwhile, and not asked for where none did', async () => {
    const { want, feed, source, goTo, readLog } = await build();
    await want('AAPL');
    await goTo(60_010);
    feed.emit(minute(0));
    await goTo(85_000);
    feed.disconnect();
    await goTo(90_000);
    feed.connect();
    await goTo(110_000);
    expect(source.askedBars.filter(({ interval }) => interval === 'MINUTE')).toEqual([]);
    feed.disconnect();
    await goTo(190_000);
    source.barHistory = range(0, 3).map((number) => minute(number));
    feed.connect();
    await goTo(240_010);
    feed.emit(minute(3));
    await goTo(240_100);
    expect(await readLog('MINUTE')).toEqual(texts(0, 3));
  });

  test('are also those between two writers, though the last one that the first wrote was a late one', async () => {
    const first = await build();
    await first.want('AAPL');
    await first.goTo(5_010);
    first.feed.emit(bar(1), bar(2), bar(4), bar(3));
    await first.ingest.close();
    await first.goTo(9_500);
    first.source.barHistory = range(0, 12).map((number) => bar(number));
    const second = await build(first);
    await second.goTo(10_010);
    second.feed.emit(bar(9));
    await second.goTo(12_000);
    expect(await second.readLog()).toEqual(['1', '2', '4', '3', '5', '6', '7', '8', '9']);
  });

  test('of an index are those of its own connection', async () => {
    const { want, feed, source, goTo, readLog } = await build();
    await want('AAPL', 'I:SPX');
    const index = (number: number): LiveBar => bar(number, { symbol: 'I:SPX', volume: 0 });
    await goTo(1_010);
    feed.emit(bar(0), index(0));
    feed.setIndexFlow(false);
    await goTo(4_000);
    source.barHistory = range(0, 3).flatMap((number) => [bar(number), index(number)]);
    feed.setIndexFlow(true);
    await goTo(5_000);
    expect(await readLog('SECOND', 'I:SPX')).toEqual(texts(0, 3));
    expect(source.askedBars.map(({ symbol }) => symbol)).toEqual(['I:SPX']);
    feed.emit(index(4));
    await goTo(5_100);
    expect(await readLog('SECOND', 'I:SPX')).toEqual(texts(0, 4));
  });
});

describe('the next bar says that some are missing', () => {
  const causes: Record<string, (source: ScriptedSource) => void> = {
    'where the history fails': (source) => {
      source.barHistory = new SourceUnavailableError('out of order', { retryAfterMs: 1_000 });
    },
    'where the plan does not include it': (source) => {
      source.barHistory = new SourceUnavailableError('not in the plan');
    },
    'where it does not hold the newest known bar': (source) => {
      source.barHistory = [bar(1), bar(2)];
    },
    'where it hangs': (source) => {
      source.readBars = () => new Promise(() => {});
    },
  };
  test.each(Object.entries(causes))('%s', async (_, fail) => {
    const { want, feed, source, goTo, readLog, records, ingest } = await build();
    await want('AAPL', 'MSFT');
    await goTo(1_010);
    feed.emit(bar(0), bar(0, { symbol: 'MSFT' }));
    feed.disconnect();
    await goTo(2_500);
    fail(source);
    feed.connect();
    await goTo(3_010);
    feed.emit(bar(2));
    await goTo(13_600);
    expect(await readLog()).toEqual(['0', '!2']);
    feed.emit(bar(12), bar(12, { symbol: 'MSFT' }));
    await goTo(13_700);
    expect(await readLog()).toEqual(['0', '!2', '12']);
    expect(await readLog('SECOND', 'MSFT')).toEqual(['0', '!12']);
    expect(ingest.readStats()).toMatchObject({ barGapsUnfilled: 2, barGapsOpen: 0, barGapsTold: 2, barsFilled: 0 });
    expect(records.filter(({ message }) => message.startsWith('Missed bars')).length).toBeLessThanOrEqual(1);
  });

  test('after what was read, where the history never reaches up to what is live', async () => {
    const { want, feed, source, goTo, readLog } = await build();
    await want('AAPL');
    await goTo(1_010);
    feed.emit(bar(0));
    feed.disconnect();
    await goTo(4_500);
    source.barHistory = [bar(0), bar(1)];
    feed.connect();
    await goTo(5_010);
    feed.emit(bar(4));
    await goTo(8_000);
    expect(await readLog()).toEqual(['0', '1', '!4']);
  });

  test('where nothing is known of the bars before, once a window has ended', async () => {
    const { want, feed, goTo, readLog } = await build();
    await want('AAPL');
    await goTo(20_500);
    feed.disconnect();
    await goTo(22_500);
    feed.connect();
    await goTo(24_010);
    feed.emit(bar(23));
    await goTo(60_010);
    feed.emit(minute(0));
    await goTo(60_100);
    expect([await readLog(), await readLog('MINUTE')]).toEqual([['!23'], ['0']]);
  });

  test('where it is still to say so of an earlier loss: what is known to be missing is not asked for', async () => {
    const { want, feed, source, goTo, readLog } = await build();
    await want('AAPL');
    await goTo(1_010);
    feed.emit(bar(0));
    feed.disconnect();
    await goTo(2_500);
    source.barHistory = new SourceUnavailableError('out of order');
    feed.connect();
    await goTo(4_000);
    feed.disconnect();
    await goTo(6_500);
    source.barHistory = range(0, 6).map((number) => bar(number));
    feed.connect();
    await goTo(7_010);
    feed.emit(bar(6));
    await goTo(8_000);
    expect(await readLog()).toEqual(['0', '!6']);
    expect(source.askedBars).toHaveLength(1);
  });

  test('after an outage of more than five minutes', async () => {
    const { want, feed, source, goTo, readLog } = await build();
    await want('AAPL');
    await goTo(60_010);
    feed.emit(bar(59), minute(0));
    feed.disconnect();
    await goTo(361_000);
    source.barHistory = range(0, 361).map((number) => bar(number));
    feed.connect();
    await goTo(363_010);
    feed.emit(bar(362), minute(5));
    await goTo(363_100);
    expect([await readLog(), await readLog('MINUTE')]).toEqual([
      ['59', '!362'],
      ['0', '!5'],
    ]);
    expect(source.askedBars).toEqual([]);
  });

  test('where the symbol was left and is wanted again, of each length', async () => {
    const { want, feed, source, goTo, readLog } = await build();
    await want('AAPL');
    await goTo(60_010);
    feed.emit(bar(59), minute(0));
    await want();
    await goTo(70_000);
    expect([...feed.symbols]).toEqual([]);
    await want('AAPL');
    await goTo(120_010);
    feed.emit(bar(119), minute(1));
    await goTo(121_010);
    feed.emit(bar(120));
    await goTo(121_100);
    expect([await readLog(), await readLog('MINUTE')]).toEqual([
      ['59', '!119', '120'],
      ['0', '!1'],
    ]);
    // A loss later on does not bring back what was told.
    feed.disconnect();
    source.barHistory = range(50, 121).map((number) => bar(number));
    feed.connect();
    await goTo(122_300);
    expect(await readLog()).toEqual(['59', '!119', '120']);
  });

  test('where ingest ends before it could read: what waited is written', async () => {
    const { want, feed, goTo, readLog, ingest } = await build();
    await want('AAPL');
    await goTo(1_010);
    feed.emit(bar(0));
    feed.disconnect();
    await goTo(2_500);
    feed.connect();
    await goTo(3_010);
    feed.emit(bar(2));
    await ingest.close();
    expect(await readLog()).toEqual(['0', '!2']);
  });

  test('where more came meanwhile than may wait', async () => {
    const { want, feed, source, goTo, readLog, ingest } = await build();
    await want('AAPL');
    await goTo(1_010);
    feed.emit(bar(0));
    feed.disconnect();
    source.readBars = () => new Promise(() => {});
    await goTo(2_010);
    feed.connect();
    feed.emit(...range(1, 50_000).map((number) => bar(number)));
    expect(ingest.readStats()['barsBehindGaps']).toBe(50_000);
    feed.emit(bar(50_001));
    expect(ingest.readStats()['barsBehindGaps']).toBe(0);
    await goTo(2_100);
    expect((await readLog()).at(-1)).toBe('50001');
    expect(ingest.readStats()['barGapsTold']).toBe(1);
  });
});
