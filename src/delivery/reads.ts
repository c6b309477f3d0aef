import type { Bus } from '../bus/bus.ts';
import type { Cache } from '../bus/cache.ts';
import { barsId, type MarketKinds, ONLY_ID } from '../bus/cache-kinds.ts';
import type { Bar, BarInterval } from '../market/bar.ts';
import type { Instrument } from '../market/instrument.ts';
import { OFFSETS_PER_MS } from '../market/log.ts';
import type { Quote } from '../market/quote.ts';
import type { MarketDataSource } from '../market/source.ts';
import { systemTimers, type Timers } from '../market/timers.ts';
import type { LoggedTrade, Trade } from '../market/trade.ts';
import type { DeliveredQuote } from './quote-hub.ts';
import { ReadBatch } from './read-batch.ts';
import { LatencyWindow } from './latency-window.ts';

export type CacheStats = ReturnType<Cache<MarketKinds>['readStats']>[string];

export type ReadsOptions = {
  readonly bus: Bus;
  readonly cache: Cache<MarketKinds>;
  readonly source: MarketDataSource;
  readonly indices: readonly string[];
  /** Whether what ingest keeps in the cache is current: it is alive and its feed is connected. */
  readonly isLive: () => boolean;
  /** The newest quote of a symbol that subscribers of this process follow; `null`: none does. */
  readonly followed: (symbol: string) => DeliveredQuote | null;
  readonly now: () => number;
  /** What the reads are measured with. Default: the machine's. */
  readonly timers?: Pick<Timers, 'now'>;
};

export type BarsRange = {
  readonly symbol: string;
  readonly interval: BarInterval;
  readonly from: number;
  readonly to: number | null;
  readonly limit: number;
};

/** How many lines of the directory are kept of a search, and the most that can be asked for. */
export const MAX_INSTRUMENTS = 100;

/** A span that ended so long ago lies in closed sessions. */
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * What queries read: the cache first, the upstream on a miss, the last known values where the upstream is away.
 * Throws SourceUnavailableError only where nothing is known and the upstream cannot be asked.
 */
export class Reads {
  readonly #options: ReadsOptions;
  /** Of the reads of quotes that were answered without the upstream. */
  readonly #cachedReads: LatencyWindow;
  readonly #batch: ReadBatch<DeliveredQuote>;

  constructor(options: ReadsOptions) {
    this.#options = options;
    this.#cachedReads = new LatencyWindow(options.now());
    this.#batch = new ReadBatch((symbols) => this.#readCached(symbols));
  }

  /** In the order asked; `null` where nothing is known of a symbol. One round trip for those that are cached. */
  async readQuotes(symbols: readonly string[]): Promise<(DeliveredQuote | null)[]> {
    const { followed, isLive } = this.#options;
    const live = isLive();
    const known = symbols.map((symbol) => (live ? followed(symbol) : null));
    const unknown = symbols.filter((_symbol, index) => known[index] === null);
    if (unknown.length === 0) return known;
    const cached = await this.readCachedQuotes(unknown);
    let next = 0;
    return known.map((quote) => quote ?? cached[next++] ?? null);
  }

  /** The same, past what is followed here: for those who follow it. */
  async readCachedQuotes(symbols: readonly string[]): Promise<(DeliveredQuote | null)[]> {
    const found = await this.#batch.read(symbols);
    return symbols.map((symbol) => found.get(symbol) ?? null);
  }

  async #readCached(symbols: readonly string[]): Promise<ReadonlyMap<string, DeliveredQuote>> {
    const { cache, source, isLive, now, timers = systemTimers } = this.#options;
    const startedAt = timers.now();
    let isCached = true;
    const load = (missing: string[]): Promise<Map<string, Quote>> => {
      isCached = false;
      return source.readQuotes(missing);
    };
    const found = await cache.read('quote', symbols, load, { trustLive: isLive() });
    if (isCached) this.#cachedReads.record(timers.now() - startedAt, 1, now());
    return new Map([...found].map(([symbol, { value, stale }]) => [symbol, { ...value, stale }]));
  }

  /** Of those that the configuration names, in its order; one of which nothing is known is left out. */
  async readIndices(): Promise<DeliveredQuote[]> {
    const { cache, indices, isLive } = this.#options;
    const load = async (): Promise<Map<string, readonly Quote[]>> => {
      const quotes = await this.readQuotes(indices);
      return new Map([[ONLY_ID, quotes.filter((quote) => quote !== null).map(({ stale: _, ...quote }) => quote)]]);
    };
    const entry = (await cache.read('indices', [ONLY_ID], load)).get(ONLY_ID);
    // Ingest keeps the indices up to date as long as it is alive.
    const stale = entry?.stale === true || !isLive();
    return entry?.value.map((quote) => ({ ...quote, stale })) ?? [];
  }

  /** Oldest first, at most `limit`, from `from` inclusive to `to` exclusive; `to` null: now. */
  async readBars(query: BarsRange): Promise<Bar[]> {
    const { cache, source, now } = this.#options;
    // A minute's grain makes one entry of all that ask for "until now".
    const whole = { ...query, to: query.to ?? Math.ceil(now() / 60_000) * 60_000 };
    const id = barsId(whole);
    const kind = whole.to <= now() - DAY_MS ? 'closedBars' : 'bars';
    const found = await cache.read(kind, [id], async () => new Map([[id, await source.readBars(whole)]]));
    return [...(found.get(id)?.value ?? [])];
  }

  /** What has `search` in its symbol or name, the likeliest first. */
  async searchInstruments(search: string, limit: number): Promise<readonly Instrument[]> {
    const { cache, source } = this.#options;
    const id = search.toUpperCase();
    const load = async (): Promise<Map<string, readonly Instrument[]>> =>
      new Map([[id, await source.searchInstruments({ search: id, limit: MAX_INSTRUMENTS })]]);
    return (await cache.read('instruments', [id], load)).get(id)?.value.slice(0, limit) ?? [];
  }

  /** How long the reads of quotes took that the cache answered, in ms, over the last one to two minutes. */
  readStats() {
    return { cachedReadMs: this.#cachedReads.read(this.#options.now()) };
  }

  /**
   * The last prints, oldest first: those of the log with their numbers, and before its begin those of the upstream's
   * history. Where nobody watches the symbol the log stands still, and the history alone is recent.
   */
  async readRecentTrades(symbol: string, last: number): Promise<LoggedTrade[]> {
    const { bus, cache, source } = this.#options;
    const [epoch, logged] = await Promise.all([
      bus.readEpoch().catch(() => 'none'),
      bus.readHistory({ kind: 'trade', symbol }, { last }).catch((): LoggedTrade[] => []),
    ]);
    const id = `{${symbol}}:${last}`;
    const load = async (): Promise<Map<string, readonly Trade[]>> =>
      new Map([[id, await source.readTrades({ symbol, limit: last })]]);
    try {
      const found = await cache.read('recentTrades', [id], load);
      return joinHistory(found.get(id)?.value ?? [], logged, last, epoch);
    } catch (error) {
      if (logged.length === 0) throw error;
      return logged;
    }
  }
}

/** A log whose newest print is older than the history's by more than this stands still. */
const LOG_LAG_MS = 5000;

/**
 * The last prints of both. What the log does not hold is numbered backwards from its first entry (from 0, where there is
 * no log), so that the sequence has no hole where the log begins; its place in the log is that of its time.
 */
export function joinHistory(
  history: readonly Trade[],
  log: readonly LoggedTrade[],
  last: number,
  epoch: string,
): LoggedTrade[] {
  const isCurrent = (history.at(-1)?.timestamp ?? 0) <= (log.at(-1)?.timestamp ?? 0) + LOG_LAG_MS;
  const logged = isCurrent ? log : [];
  const first = logged[0];
  const known = new Set(logged.map((trade) => trade.id));
  const older = history.filter(
    (trade) => !known.has(trade.id) && (first === undefined || trade.timestamp <= first.timestamp),
  );
  const wanted = older.slice(Math.max(0, older.length - (last - logged.length)));
  const next = first?.sequence ?? 1;
  const before = wanted.map((trade, index) => {
    const offset = Math.floor(trade.timestamp) * OFFSETS_PER_MS;
    return {
      ...trade,
      epoch,
      offset: first === undefined ? offset : Math.min(offset, first.offset - 1),
      sequence: next - wanted.length + index,
      gapBefore: false,
    };
  });
  return [...before, ...logged];
}
