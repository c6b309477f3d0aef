import { describe, expect, test, vi } from 'vitest';
import { makeQuote, makeTrade } from '../../test/market-samples.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { createCache } from '../bus/cache.ts';
import { marketKinds } from '../bus/cache-kinds.ts';
import { createMemoryBus } from '../bus/memory.ts';
import { createMemoryStore } from '../bus/memory-store.ts';
import { type MarketDataSource, SourceUnavailableError } from '../market/source.ts';
import { joinHistory, Reads } from './reads.ts';

const START = 1_795_000_000_000;

/** At a time that stands still where no `now` is given: nothing in the cache grows old by itself. */
function createReads(source: Partial<MarketDataSource>, options: { isLive?: () => boolean; now?: () => number } = {}) {
  const { logger } = recordingLogger();
  const now = options.now ?? (() => START);
  const store = createMemoryStore({ clock: now });
  const bus = createMemoryBus({ historyMs: 300_000, store, clock: now, logger });
  const cache = createCache({ store, kinds: marketKinds, clock: now, logger });
  const reads = new Reads({
    bus,
    cache,
    source: source as MarketDataSource,
    indices: ['I:SPX', 'I:VIX'],
    isLive: options.isLive ?? (() => true),
    followed: () => null,
    now,
  });
  return { reads, bus, cache };
}

describe('quotes', () => {
  test('come from the upstream once, then from the cache, in the order asked', async () => {
    const readQuotes = vi.fn(async (symbols: readonly string[]) => {
      const known = symbols.filter((symbol) => symbol !== 'NONE');
      return new Map(known.map((symbol) => [symbol, makeQuote(symbol)]));
    });
    const { reads, cache } = createReads({ readQuotes });
    const symbols = ['B', 'NONE', 'A'];
    for (let round = 0; round < 3; round++) {
      const quotes = await reads.readQuotes(symbols);
      expect(quotes.map((quote) => quote?.symbol ?? null)).toEqual(['B', null, 'A']);
      expect(quotes[0]?.stale).toBe(false);
    }
    expect(readQuotes).toHaveBeenCalledTimes(1);
    expect(cache.readStats()['quote']).toMatchObject({ hits: 6, misses: 3 });
    expect(reads.readStats().cachedReadMs).toMatchObject({ count: 2, p99: expect.any(Number) });
  });

  test('are the last known, marked stale, while the upstream is away', async () => {
    let time = START;
    const readQuotes = vi.fn<MarketDataSource['readQuotes']>(async () => new Map([['A', makeQuote('A')]]));
    const { reads } = createReads({ readQuotes }, { now: () => time });
    await reads.readQuotes(['A']);
    readQuotes.mockRejectedValue(new SourceUnavailableError('away'));
    time += 60_000;
    expect(await reads.readQuotes(['A'])).toMatchObject([{ symbol: 'A', stale: true }]);
    await expect(reads.readQuotes(['B'])).rejects.toThrow(SourceUnavailableError);
  });

  test('of indices are those that are known, stale while nothing keeps them up to date', async () => {
    let live = true;
    const readQuotes = async () => new Map([['I:SPX', makeQuote('I:SPX')]]);
    const { reads } = createReads({ readQuotes }, { isLive: () => live });
    expect(await reads.readIndices()).toMatchObject([{ symbol: 'I:SPX', stale: false }]);
    live = false;
    expect(await reads.readIndices()).toMatchObject([{ symbol: 'I:SPX', stale: true }]);
  });
});

describe('bars', () => {
  test('are asked for once per minute where they reach up to now', async () => {
    let time = START;
    const readBars = vi.fn<MarketDataSource['readBars']>(async () => []);
    const { reads } = createReads({ readBars }, { now: () => time });
    const query = { symbol: 'A', interval: 'MINUTE', from: time - 3_600_000, to: null, limit: 10 } as const;
    await reads.readBars(query);
    time += 1;
    await reads.readBars(query);
    expect(readBars).toHaveBeenCalledTimes(1);
    expect(readBars.mock.calls[0]![0].to % 60_000).toBe(0);
  });
});

describe('recent trades', () => {
  const history = [1, 2, 3, 4, 5].map((n) => {
    const { epoch: _, offset: __, sequence: ___, gapBefore: ____, ...trade } = makeTrade('A', n, { id: `12-${n}` });
    return { ...trade, timestamp: 1000 + n };
  });
  const logged = (n: number, sequence: number) =>
    makeTrade('A', 5000 + n, { sequence, id: history[n - 1]!.id, timestamp: 1000 + n });

  test('join the upstream history and the log without a hole in the numbering', () => {
    const joined = joinHistory(history, [logged(4, 1), logged(5, 2)], 4, 'epoch');
    expect(joined.map(({ id, sequence }) => [id, sequence])).toEqual([
      ['12-2', -1],
      ['12-3', 0],
      ['12-4', 1],
      ['12-5', 2],
    ]);
    const offsets = joined.map(({ offset }) => offset);
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
  });

  test('are those of the history where the log stands still', () => {
    const old = makeTrade('A', 7, { sequence: 7, id: 'old', timestamp: 1000 - 60_000 });
    expect(joinHistory(history, [old], 3, 'epoch').map(({ id, sequence }) => [id, sequence])).toEqual([
      ['12-3', -2],
      ['12-4', -1],
      ['12-5', 0],
    ]);
  });

  test('are those of the log alone while the upstream is away, and an error where there is neither', async () => {
    const readTrades = () => Promise.reject(new SourceUnavailableError('away'));
    const { reads, bus } = createReads({ readTrades });
    const epoch = await bus.readEpoch();
    const trade = makeTrade('A', START * 1024, { sequence: 1, epoch });
    await bus.append([trade]);
    expect(await reads.readRecentTrades('A', 10)).toEqual([trade]);
    await expect(reads.readRecentTrades('B', 10)).rejects.toThrow(SourceUnavailableError);
  });
});
