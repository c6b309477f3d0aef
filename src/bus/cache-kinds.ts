import type { Bar, BarInterval } from '../market/bar.ts';
import type { Instrument } from '../market/instrument.ts';
import type { MarketHoliday, UpstreamMarketStatus } from '../market/market-status.ts';
import type { Quote } from '../market/quote.ts';
import type { Trade } from '../market/trade.ts';
import { codecs } from './codec.ts';
import { demandTotalKey, quoteKey } from './keys.ts';

/** How one kind of data is cached. An id names an entry within its kind. */
export type CacheKind<V> = {
  key(id: string): string;
  /** How long an entry answers without asking its source again. */
  readonly freshMs: number;
  /** How long it is kept at all, to be served as stale while its source is away. */
  readonly keepMs: number;
  /** How long "there is none" answers without asking again; remembered in this process alone. */
  readonly absentMs: number;
  encode(value: V, writtenAt: number): string;
  /** `null` where the text is none of this kind. */
  decode(text: string): CacheEntry<V> | null;
  /** A key whose count above 0 says that some process keeps the entry up to date. */
  liveKey?(id: string): string;
  /**
   * How long an entry that is kept up to date counts as fresh. Not for ever: one that had been left for hours is taken up
   * again, and would pass for current until its first change. One that stays quiet is asked for again that often.
   */
  readonly liveMs?: number;
};

/** `writtenAt`: when its source gave it, in Unix ms. */
export type CacheEntry<V> = { readonly value: V; readonly writtenAt: number };

export type BarsQuery = {
  readonly symbol: string;
  readonly interval: BarInterval;
  readonly from: number;
  readonly to: number;
  readonly limit: number;
};

/** The id of a list of bars, for the kinds `bars` and `closedBars`. */
export function barsId({ symbol, interval, from, to, limit }: BarsQuery): string {
  return `{${symbol}}:${interval}:${from}:${to}:${limit}`;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Of what there is one, the id is the empty text: `cache:indices`. */
export const ONLY_ID = '';

export const marketKinds = {
  /** Id: the symbol. Plain JSON of a quote, as ingest publishes it; one that was asked for has `cachedAt` beside it. */
  quote: {
    key: quoteKey,
    liveKey: demandTotalKey,
    liveMs: MINUTE,
    freshMs: 10 * SECOND,
    keepMs: DAY,
    absentMs: 30 * SECOND,
    encode: (quote: Quote, writtenAt: number) => JSON.stringify({ ...quote, cachedAt: writtenAt }),
    decode: decodeQuote,
  },
  /** Id: {@link ONLY_ID}. A list of plain quotes, each with `cachedAt`. */
  indices: {
    key: () => 'cache:indices',
    freshMs: 5 * SECOND,
    keepMs: DAY,
    absentMs: 5 * SECOND,
    encode: (quotes: readonly Quote[], writtenAt: number) =>
      JSON.stringify(quotes.map((quote) => ({ ...quote, cachedAt: writtenAt }))),
    decode: decodeQuotes,
  },
  /** Id: the symbol. The last session's bar. */
  previousClose: defineKind<Bar>('previous-close', { freshMs: 10 * MINUTE, keepMs: 2 * DAY, absentMs: MINUTE }),
  /** Id: {@link barsId}. A span that is still growing. */
  bars: defineKind<readonly Bar[]>('bars', { freshMs: 5 * SECOND, keepMs: HOUR, absentMs: 5 * SECOND }),
  /** Id: {@link barsId}. A span that lies wholly in closed sessions: it changes only by late corrections. */
  closedBars: defineKind<readonly Bar[]>('closed-bars', { freshMs: 6 * HOUR, keepMs: 2 * DAY, absentMs: MINUTE }),
  /** Id: `{SYMBOL}:last`. The newest prints, where no live history holds them. */
  recentTrades: defineKind<readonly Trade[]>('trades', { freshMs: 2 * SECOND, keepMs: HOUR, absentMs: 5 * SECOND }),
  /** Id: what was searched for, in capitals. The directory changes by days. */
  instruments: defineKind<readonly Instrument[]>('instruments', { freshMs: HOUR, keepMs: DAY, absentMs: MINUTE }),
  /** Id: {@link ONLY_ID}. */
  marketStatus: defineKind<UpstreamMarketStatus>('market-status', {
    freshMs: 15 * SECOND,
    keepMs: HOUR,
    absentMs: 5 * SECOND,
  }),
  /** Id: {@link ONLY_ID}. */
  holidays: defineKind<readonly MarketHoliday[]>('holidays', { freshMs: 6 * HOUR, keepMs: 7 * DAY, absentMs: MINUTE }),
};

export type MarketKinds = typeof marketKinds;

/** A kind that no outside program reads: kept in an envelope that carries its time. */
function defineKind<V>(name: string, times: Pick<CacheKind<V>, 'freshMs' | 'keepMs' | 'absentMs'>): CacheKind<V> {
  return {
    ...times,
    key: (id) => (id === ONLY_ID ? `cache:${name}` : `cache:${name}:${id}`),
    encode: (value, writtenAt) => JSON.stringify({ writtenAt, value }),
    decode: (text) => {
      const entry = parseObject(text);
      return entry !== null && Number.isFinite(entry['writtenAt']) && 'value' in entry
        ? (entry as unknown as CacheEntry<V>)
        : null;
    },
  };
}

function decodeQuote(text: string): CacheEntry<Quote> | null {
  const quote = codecs.quote.decode(text) as (Quote & { cachedAt?: unknown }) | null;
  if (quote === null) return null;
  if (quote.cachedAt === undefined) return { value: quote, writtenAt: quote.receivedAt };
  const { cachedAt, ...value } = quote;
  return { value, writtenAt: typeof cachedAt === 'number' ? cachedAt : quote.receivedAt };
}

function decodeQuotes(text: string): CacheEntry<readonly Quote[]> | null {
  const list = parseJson(text);
  if (!Array.isArray(list)) return null;
  const entries: CacheEntry<Quote>[] = [];
  for (const item of list) {
    const entry = decodeQuote(JSON.stringify(item));
    if (entry === null) return null;
    entries.push(entry);
  }
  return {
    value: entries.map((entry) => entry.value),
    writtenAt: Math.min(...entries.map((entry) => entry.writtenAt)),
  };
}

function parseObject(text: string): Record<string, unknown> | null {
  const value = parseJson(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
