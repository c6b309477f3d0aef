import type { Bus } from '../bus/bus.ts';
import type { Cache } from '../bus/cache.ts';
import type { Bar, BarInterval } from '../market/bar.ts';
import { type LogPosition, OFFSETS_PER_MS } from '../market/log.ts';
import type { Quote } from '../market/quote.ts';
import type { MarketDataSource } from '../market/source.ts';
import type { LoggedTrade, Trade } from '../market/trade.ts';
import type { DeliveredQuote } from './hub.ts';

export type ReadsOptions = {
  readonly bus: Bus;
  readonly cache: Cache;
  readonly source: MarketDataSource;
  readonly indices: readonly string[];
  /** Whether what ingest keeps in the cache is current: it is alive and its feed is connected. */
  readonly isLive: () => boolean;
  readonly now: () => number;
};

/**
 * What queries read: the cache first, the upstream on a miss, the last known values where the upstream is away.
 * Throws SourceUnavailableError only where nothing is known and the upstream cannot be asked.
 */
export class Reads {
  readonly #options: ReadsOptions;

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  /** In the order asked; `null` where nothing is known of a symbol. */
  async readQuotes(symbols: readonly string[]): Promise<(DeliveredQuote | null)[]> {
    const { cache, source } = this.#options;
    const found = await cache.read<Quote>('quote', symbols, (missing) => source.readQuotes(missing));
    return symbols.map((symbol) => {
      const entry = found.get(symbol);
      return entry === undefined ? null : { ...entry.value, stale: entry.stale };
    });
  }

  readIndices(): Promise<(DeliveredQuote | null)[]> {
    return this.readQuotes(this.#options.indices);
  }

  /** Oldest first, at most `limit`, from `from` inclusive to `to` exclusive; `to` null: now. */
  async readBars(query: {
    symbol: string;
    interval: BarInterval;
    from: number;
    to: number | null;
    limit: number;
  }): Promise<Bar[]> {
    const { cache, source, now } = this.#options;
    // A minute's grain makes one entry of all that ask for "until now".
    const to = query.to ?? Math.ceil(now() / 60_000) * 60_000;
    const id = [query.symbol, query.interval, query.from, to, query.limit].join(' ');
    const found = await cache.read<readonly Bar[]>(
      'bars',
      [id],
      async () => new Map([[id, await source.readBars({ ...query, to })]]),
    );
    return [...(found.get(id)?.value ?? [])];
  }

  /** The last prints, oldest first: of the log, and before its begin of the upstream's history. */
  async readRecentTrades(symbol: string, last: number): Promise<LoggedTrade[]> {
    const { bus, cache, source } = this.#options;
    const logged = await bus.readHistory({ kind: 'trade', symbol }, { last }).catch((): LoggedTrade[] => []);
    if (logged.length === last) return logged;
    const id = `${symbol} ${last}`;
    const found = await cache.read<readonly Trade[]>(
      'recentTrades',
      [id],
      async () => new Map([[id, await source.readTrades({ symbol, limit: last })]]),
    );
    return joinHistory(found.get(id)?.value ?? [], logged, last, await bus.readEpoch().catch(() => 'none'));
  }
}

/**
 * Upstream history, then the log: numbered backwards from the log's first entry, so that the sequence has no hole where
 * the log begins. Positions before the log are those of their time.
 */
export function joinHistory(
  history: readonly Trade[],
  logged: readonly LoggedTrade[],
  last: number,
  epoch: string,
): LoggedTrade[] {
  const first = logged[0];
  const known = new Set(logged.map((trade) => trade.id));
  const older = history.filter(
    (trade) => !known.has(trade.id) && (first === undefined || trade.timestamp <= first.timestamp),
  );
  const wanted = older.slice(Math.max(0, older.length - (last - logged.length)));
  const firstSequence = first?.sequence ?? 1;
  const before = wanted.map((trade, index) => ({
    ...trade,
    ...positionBefore(trade, first, epoch),
    sequence: firstSequence - wanted.length + index,
    gapBefore: false,
  }));
  return [...before, ...logged];
}

function positionBefore(trade: Trade, first: LoggedTrade | undefined, epoch: string): LogPosition {
  const offset = Math.floor(trade.timestamp) * OFFSETS_PER_MS;
  return first === undefined ? { epoch, offset } : { epoch: first.epoch, offset: Math.min(offset, first.offset - 1) };
}
