import type { Bar, BarInterval } from '../../market/bar.ts';
import type { Condition } from '../../market/conditions.ts';
import type { Exchange } from '../../market/exchanges.ts';
import { type Instrument, rankInstruments } from '../../market/instrument.ts';
import type { Logger } from '../../market/logger.ts';
import type { MarketHoliday, UpstreamMarketStatus } from '../../market/market-status.ts';
import type { Quote } from '../../market/quote.ts';
import { ReferenceBook, type ReferenceSource } from '../../market/reference-book.ts';
import { type MarketDataSource, SourceUnavailableError } from '../../market/source.ts';
import { isIndex, parseSymbol } from '../../market/symbol.ts';
import type { Trade } from '../../market/trade.ts';
import {
  isUnknownTicker,
  listOf,
  readBar,
  readCondition,
  readExchange,
  readHoliday,
  readIndexSnapshot,
  readInstrument,
  readStockSnapshot,
  readTrade,
  readUpstreamStatus,
} from './answers.ts';
import { REST_LIMITS, RestClient, type RestLimits } from './rest-client.ts';
import { systemTimers, type Timers } from '../../market/timers.ts';
import { EARLIEST_MS } from './values.ts';

export type PolygonRestOptions = {
  /** `https://api.massive.com`, or where it is found at the time of each request. */
  readonly baseUrl: string | (() => Promise<string>);
  readonly apiKey: string;
  readonly logger: Logger;
  /** What a trade's conditions let it set. Default: the built-in table. */
  readonly reference?: ReferenceBook;
  /** Whether a time is outside the regular session: a Form T trade then sets the last price. Default: never. */
  readonly isExtendedHours?: (timestamp: number) => boolean;
  /** Where one is missing, its default stands. */
  readonly limits?: Partial<RestLimits>;
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch;
  /** Wall time in Unix ms. Default: `Date.now`. */
  readonly clock?: () => number;
  readonly timers?: Timers;
  /** In [0, 1), for the jitter of retries. Default: `Math.random`. */
  readonly random?: () => number;
};

/** What Polygon's REST API can be asked. An aborted `signal` rejects with its own reason. */
export interface PolygonRest extends MarketDataSource, ReferenceSource {
  readConditions(signal?: AbortSignal): Promise<Condition[]>;
  readExchanges(signal?: AbortSignal): Promise<Exchange[]>;
  /** Requests, retries, failures, refused pages, and `badElements`: parts of answers that were left out. */
  readStats(): Readonly<Record<string, number>>;
  /** Ends the requests under way; they and later ones fail. */
  close(): void;
}

/** The vendor's bound of tickers per request. */
const MAX_TICKERS = 250;
const MAX_TICKERS_LENGTH = 4000;
/** The vendor's bound of rows per page of its directory. */
const MAX_TICKER_PAGE = 1000;
/** The vendor's bound of elements per page. */
const MAX_PAGE = 50_000;

const TIMESPAN: Readonly<Record<BarInterval, string>> = {
  SECOND: 'second',
  MINUTE: 'minute',
  HOUR: 'hour',
  DAY: 'day',
};
/** The vendor's `limit` counts the bars that longer ones are made of; further pages make up for what this misses. */
const BASE_BARS: Readonly<Record<BarInterval, number>> = { SECOND: 1, MINUTE: 1, HOUR: 60, DAY: 1 };

export function createPolygonRest(options: PolygonRestOptions): PolygonRest {
  const { logger, isExtendedHours = () => false, reference = new ReferenceBook(), clock = Date.now } = options;
  const client = new RestClient({
    baseUrl: options.baseUrl,
    apiKey: options.apiKey,
    limits: { ...REST_LIMITS, ...options.limits },
    fetch: options.fetch ?? globalThis.fetch,
    clock,
    timers: options.timers ?? systemTimers,
    random: options.random ?? Math.random,
    logger,
  });
  let badElements = 0;

  /** What `read` makes of the elements; those that do not hold are counted. */
  function readAll<T>(elements: readonly unknown[], read: (element: unknown) => T | null): T[] {
    const values = elements.map(read).filter((value) => value !== null);
    badElements += elements.length - values.length;
    return values;
  }

  /** Page after page, until there are `limit` or no more. */
  async function collect<T>(
    path: string,
    read: (element: unknown) => T | null,
    limit: number,
    signal: AbortSignal | undefined,
  ): Promise<T[]> {
    const values: T[] = [];
    for await (const page of client.getPages(path, signal)) {
      for (const value of readAll(listOf(page, 'results'), read)) values.push(value);
      if (values.length >= limit) break;
    }
    return values;
  }

  async function readStocks(symbols: readonly string[], signal: AbortSignal | undefined): Promise<Quote[]> {
    const path = `/v2/snapshot/locale/us/markets/stocks/tickers?tickers=${encodeTickers(symbols)}`;
    const mayBeLast = (conditions: readonly number[], timestamp: number) =>
      reference.conditions.judge(conditions, isExtendedHours(timestamp)).last;
    const body = await client.get(path, signal);
    const now = clock();
    return readAll(listOf(body, 'tickers'), (ticker) => readStockSnapshot(ticker, { mayBeLast, now }));
  }

  async function readIndices(symbols: readonly string[], signal: AbortSignal | undefined): Promise<Quote[]> {
    const path = `/v3/snapshot?ticker.any_of=${encodeTickers(symbols)}&limit=${MAX_TICKERS}`;
    const quotes: Quote[] = [];
    for await (const page of client.getPages(path, signal)) {
      const known = listOf(page, 'results').filter((result) => !isUnknownTicker(result));
      quotes.push(...readAll(known, (result) => readIndexSnapshot(result, clock())));
    }
    return quotes;
  }

  return {
    async readQuotes(symbols, signal) {
      const asked = new Set(symbols.map(parseSymbol).filter((symbol) => symbol !== null));
      const indices = [...asked].filter(isIndex);
      const stocks = [...asked].filter((symbol) => !isIndex(symbol));
      const reads = [
        ...splitTickers(stocks).map((batch) => readStocks(batch, signal)),
        ...splitTickers(indices).map((batch) => readIndices(batch, signal)),
      ];
      const quotes = new Map<string, Quote>();
      const refused: Promise<Quote[]>[] = [];
      for (const [index, answer] of (await Promise.allSettled(reads)).entries()) {
        if (answer.status === 'fulfilled') {
          // Nobody asked for what an answer has beyond the question.
          for (const quote of answer.value) if (asked.has(quote.symbol)) quotes.set(quote.symbol, quote);
        } else if (isRefusal(answer.reason)) {
          refused.push(reads[index]!);
        } else {
          await reads[index];
        }
      }
      // A plan without indices still answers for its stocks: what it will never tell of is not known of.
      if (refused.length === reads.length) await refused[0];
      return quotes;
    },

    async readPreviousClose(symbol, signal) {
      const body = await client.get(`/v2/aggs/ticker/${encodeURIComponent(symbol)}/prev?adjusted=true`, signal);
      return readAll(listOf(body, 'results'), (bar) => readBar(bar, symbol, 'DAY', clock()))[0] ?? null;
    },

    async readBars({ symbol, interval, from, to, limit }, signal) {
      if (limit < 1 || to <= from || to <= EARLIEST_MS) return [];
      // A time before all history may be taken for a mistake.
      const window = `1/${TIMESPAN[interval]}/${Math.max(EARLIEST_MS, Math.floor(from))}/${Math.ceil(to) - 1}`;
      const page = Math.min(MAX_PAGE, limit * BASE_BARS[interval] + BASE_BARS[interval]);
      const path = `/v2/aggs/ticker/${encodeURIComponent(symbol)}/range/${window}?adjusted=true&sort=asc&limit=${page}`;
      const read = (value: unknown) => readBar(value, symbol, interval, clock());
      const bars = new Map<number, Bar>();
      for await (const answer of client.getPages(path, signal)) {
        for (const bar of readAll(listOf(answer, 'results'), read)) {
          // The vendor widens the range to whole windows.
          if (bar.start >= from && bar.start < to) bars.set(bar.start, bar);
        }
        if (bars.size >= limit) break;
      }
      return [...bars.values()].sort((a, b) => a.start - b.start).slice(0, limit);
    },

    async readTrades({ symbol, from, to, limit }, signal) {
      // An index has no prints.
      if (limit < 1 || isIndex(symbol)) return [];
      const query = new URLSearchParams({ sort: 'timestamp', limit: String(Math.min(limit, MAX_PAGE)) });
      query.set('order', from === undefined ? 'desc' : 'asc');
      // In nanoseconds, as text: they pass 2^53.
      if (from !== undefined) query.set('timestamp.gte', `${Math.max(EARLIEST_MS, Math.ceil(from))}000000`);
      if (to !== undefined) query.set('timestamp.lt', `${Math.ceil(to)}000000`);
      const read = (value: unknown) => readTrade(value, symbol, clock());
      const path = `/v3/trades/${encodeURIComponent(symbol)}?${query}`;
      const trades: Trade[] = (await collect(path, read, limit, signal)).slice(0, limit);
      return from === undefined ? trades.reverse() : trades;
    },

    async searchInstruments({ search, limit }, signal) {
      // The vendor sorts by the alphabet: a symbol that is asked for by its whole name might be on a later page.
      const symbol = parseSymbol(search);
      const exact = symbol === null ? [] : symbol.includes(':') ? [symbol] : [symbol, `I:${symbol}`];
      const query = new URLSearchParams({ search, active: 'true', sort: 'ticker', limit: String(MAX_TICKER_PAGE) });
      const paths = [
        `/v3/reference/tickers?${query}`,
        ...exact.map((ticker) => `/v3/reference/tickers?${new URLSearchParams({ ticker, active: 'true' })}`),
      ];
      const rows = await Promise.all(paths.map((path) => client.get(path, signal)));
      const found: Instrument[] = rows.flatMap((body) =>
        listOf(body, 'results')
          .map(readInstrument)
          .filter((row) => row !== null),
      );
      return rankInstruments(found, search).slice(0, limit);
    },

    async readMarketStatus(signal): Promise<UpstreamMarketStatus> {
      const status = readUpstreamStatus(await client.get('/v1/marketstatus/now', signal));
      if (status === null) throw new SourceUnavailableError("the upstream's market status cannot be understood");
      return status;
    },

    async readHolidays(signal) {
      const rows = readAll(listOf(await client.get('/v1/marketstatus/upcoming', signal), 'results'), readHoliday);
      const days = new Map<string, MarketHoliday>();
      // The stock exchanges keep the same days; where they ever differ, NYSE's word stands.
      for (const wanted of ['NASDAQ', 'NYSE']) {
        for (const { exchange, ...holiday } of rows) if (exchange === wanted) days.set(holiday.date, holiday);
      }
      return [...days.values()].sort((a, b) => (a.date < b.date ? -1 : 1));
    },

    async readConditions(signal) {
      const path = '/v3/reference/conditions?asset_class=stocks&data_type=trade&limit=1000';
      return collect(path, readCondition, Infinity, signal);
    },

    async readExchanges(signal) {
      return collect('/v3/reference/exchanges?asset_class=stocks&locale=us', readExchange, Infinity, signal);
    },

    readStats: () => ({ ...client.readStats(), badElements }),
    close: () => client.close(),
  };
}

/** A failure that no later try will mend: a missing entitlement. */
function isRefusal(failure: unknown): boolean {
  return failure instanceof SourceUnavailableError && failure.retryAfterMs === null;
}

/** Batches within the bounds of tickers per request and of a URL's length. */
function splitTickers(symbols: readonly string[]): string[][] {
  const batches: string[][] = [];
  let length = Infinity;
  for (const symbol of symbols) {
    const more = encodeURIComponent(symbol).length + 1;
    if (length + more > MAX_TICKERS_LENGTH || batches.at(-1)!.length >= MAX_TICKERS) {
      batches.push([]);
      length = 0;
    }
    batches.at(-1)!.push(symbol);
    length += more;
  }
  return batches;
}

function encodeTickers(symbols: readonly string[]): string {
  return symbols.map(encodeURIComponent).join(',');
}
