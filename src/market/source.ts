import type { Bar, BarInterval } from './bar.ts';
import type { Instrument } from './instrument.ts';
import type { MarketHoliday, UpstreamMarketStatus } from './market-status.ts';
import type { Quote } from './quote.ts';
import type { Trade } from './trade.ts';

/**
 * What can be asked of an upstream at any time, beside its live feed. Every method throws {@link SourceUnavailableError}
 * where the upstream cannot be reached, refuses, or has no entitlement; an unknown symbol is no error but an empty answer.
 */
export interface MarketDataSource {
  /** The current quote of each symbol that the upstream knows; the others are absent. Stocks and indices may be mixed. */
  readQuotes(symbols: readonly string[], signal?: AbortSignal): Promise<Map<string, Quote>>;
  /** The last session's bar, or `null`. */
  readPreviousClose(symbol: string, signal?: AbortSignal): Promise<Bar | null>;
  /** Oldest first; `from` inclusive and `to` exclusive in Unix ms; at most `limit` (the first ones). */
  readBars(
    query: { symbol: string; interval: BarInterval; from: number; to: number; limit: number },
    signal?: AbortSignal,
  ): Promise<Bar[]>;
  /** Oldest first. Without `from`: the last `limit` prints up to `to`. With `from`: the first `limit` prints since. */
  readTrades(
    query: { symbol: string; from?: number; to?: number; limit: number },
    signal?: AbortSignal,
  ): Promise<Trade[]>;
  /** Stocks and indices whose symbol or name has `search` in it, at most `limit`, the likeliest first. */
  searchInstruments(query: { search: string; limit: number }, signal?: AbortSignal): Promise<Instrument[]>;
  readMarketStatus(signal?: AbortSignal): Promise<UpstreamMarketStatus>;
  readHolidays(signal?: AbortSignal): Promise<MarketHoliday[]>;
}

/** The upstream did not answer, or would not. */
export class SourceUnavailableError extends Error {
  override readonly name = 'SourceUnavailableError';
  /** When a new try makes sense, in ms; `null`: unknown or never (a bad key, a missing entitlement). */
  readonly retryAfterMs: number | null;

  constructor(message: string, options: { retryAfterMs?: number | null; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}
