import type { Bar, BarInterval } from '../../market/bar.ts';
import { newYorkDayOf, newYorkTime } from '../../market/calendar-time.ts';
import type { Condition, Eligibility } from '../../market/conditions.ts';
import type { Exchange } from '../../market/exchanges.ts';
import { OFF_EXCHANGE_ID } from '../../market/exchanges.ts';
import type { Instrument, InstrumentKind } from '../../market/instrument.ts';
import type { MarketHoliday, UpstreamMarketStatus } from '../../market/market-status.ts';
import { changeSince, type Quote } from '../../market/quote.ts';
import { parseSymbol } from '../../market/symbol.ts';
import type { Trade } from '../../market/trade.ts';
import { readConditions, readOptionalPrice, readPrice, readSize, readTape, readTimeMs, readTradeId } from './values.ts';

/**
 * The upstream's REST answers in our vocabulary; this file alone knows their names. Answers are untrusted: a reader
 * returns `null` for an element that does not hold, and the caller leaves it out and counts it.
 */

/** An object of an answer, whatever it holds; an empty one where there is none. */
type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

/** The elements under `name` of an answer, or of the answer itself where it is a bare list. */
export function listOf(answer: unknown, name: string): readonly unknown[] {
  const list: unknown = Array.isArray(answer) ? answer : fieldsOf(answer)[name];
  return Array.isArray(list) ? (list as unknown[]) : [];
}

/** How a snapshot becomes a quote. */
export type SnapshotRules = {
  /** Whether a trade of these conditions and time may be the last one. */
  readonly mayBeLast: (conditions: readonly number[], timestamp: number) => boolean;
  readonly now: number;
};

/** One ticker of `/v2/snapshot/locale/us/markets/stocks/tickers`. The day's figures are zeros before its first trade. */
export function readStockSnapshot(value: unknown, { mayBeLast, now }: SnapshotRules): Quote | null {
  const ticker = fieldsOf(value);
  const symbol = typeof ticker['ticker'] === 'string' ? parseSymbol(ticker['ticker']) : null;
  if (symbol === null) return null;
  const day = fieldsOf(ticker['day']);
  const minute = fieldsOf(ticker['min']);
  const trade = fieldsOf(ticker['lastTrade']);
  const nbbo = fieldsOf(ticker['lastQuote']);
  const previousClose = readOptionalPrice(fieldsOf(ticker['prevDay'])['c']);

  const tradedAt = readTimeMs(trade['t'], now);
  const conditions = readConditions(trade['c']);
  const tradePrice = readOptionalPrice(trade['p']);
  const isLast = conditions !== null && mayBeLast(conditions, Number.isNaN(tradedAt) ? now : tradedAt);
  const price =
    (isLast ? tradePrice : null) ?? readOptionalPrice(day['c']) ?? readOptionalPrice(minute['c']) ?? previousClose;
  if (price === null) return null;

  const bid = readOptionalPrice(nbbo['p']);
  const ask = readOptionalPrice(nbbo['P']);
  return {
    symbol,
    price,
    ...changeSince(price, previousClose),
    bid,
    bidSize: bid === null ? null : readOptionalSize(nbbo['s']),
    ask,
    askSize: ask === null ? null : readOptionalSize(nbbo['S']),
    open: readOptionalPrice(day['o']),
    high: readOptionalPrice(day['h']),
    low: readOptionalPrice(day['l']),
    previousClose,
    vwap: readOptionalPrice(day['vw']),
    volume: readSize(day['dv'], day['v']) || 0,
    timestamp: newestOf([ticker['updated'], trade['t'], nbbo['t'], minute['t']], now),
    receivedAt: now,
  };
}

/** One index of `/v3/snapshot`. An unknown ticker is an element with an `error`. */
export function readIndexSnapshot(value: unknown, now: number): Quote | null {
  const result = fieldsOf(value);
  const symbol = typeof result['ticker'] === 'string' ? parseSymbol(result['ticker']) : null;
  if (symbol === null) return null;
  const session = fieldsOf(result['session']);
  const previousClose = readOptionalPrice(session['previous_close']);
  const price =
    readOptionalPrice(result['value']) ??
    readOptionalPrice(session['price']) ??
    readOptionalPrice(session['close']) ??
    previousClose;
  if (price === null) return null;
  return {
    symbol,
    price,
    ...changeSince(price, previousClose),
    bid: null,
    bidSize: null,
    ask: null,
    askSize: null,
    open: readOptionalPrice(session['open']),
    high: readOptionalPrice(session['high']),
    low: readOptionalPrice(session['low']),
    previousClose,
    vwap: null,
    volume: 0,
    timestamp: newestOf([result['last_updated'], session['last_updated']], now),
    receivedAt: now,
  };
}

/** Whether an element of `/v3/snapshot` says that its ticker is not known. */
export function isUnknownTicker(value: unknown): boolean {
  return fieldsOf(value)['error'] !== undefined;
}

const DURATION_MS = { SECOND: 1000, MINUTE: 60_000, HOUR: 3_600_000 } as const;

/** One bar of `/v2/aggs`. A day is that of New York, whichever of its moments the answer names. */
export function readBar(value: unknown, symbol: string, interval: BarInterval, now: number): Bar | null {
  const bar = fieldsOf(value);
  const open = readPrice(bar['o']);
  const high = readPrice(bar['h']);
  const low = readPrice(bar['l']);
  const close = readPrice(bar['c']);
  const time = readTimeMs(bar['t'], now);
  // An index has no volume.
  const volume = bar['v'] === undefined && bar['dv'] === undefined ? 0 : readSize(bar['dv'], bar['v']);
  if (Number.isNaN(open + high + low + close + time + volume)) return null;
  const prices = { open, high, low, close, volume, vwap: readOptionalPrice(bar['vw']) };
  if (interval !== 'DAY') return { symbol, interval, ...prices, start: time, end: time + DURATION_MS[interval] };
  const day = newYorkDayOf(time);
  return { symbol, interval, ...prices, start: newYorkTime(day, 0), end: newYorkTime(day + 1, 0) };
}

/** One print of `/v3/trades`; its id is the one that the live feed gives the same print. */
export function readTrade(value: unknown, symbol: string, now: number): Trade | null {
  const trade = fieldsOf(value);
  const price = readPrice(trade['price']);
  const size = readSize(trade['decimal_size'], trade['size']);
  const timestamp = readTimeMs(trade['sip_timestamp'], now);
  const exchange = trade['exchange'];
  const conditions = readConditions(trade['conditions']);
  if (typeof exchange !== 'number' || !Number.isInteger(exchange) || exchange < 0 || conditions === null) return null;
  const id = readTradeId(exchange, trade['trf_id'], trade['id']);
  if (id === null || Number.isNaN(price + size + timestamp)) return null;
  return {
    kind: 'trade',
    id,
    symbol,
    price,
    size,
    exchange,
    conditions,
    tape: readTape(trade['tape']),
    offExchange: exchange === OFF_EXCHANGE_ID,
    timestamp,
    receivedAt: now,
  };
}

/** `/v1/marketstatus/now`. `continuous` is the simulated market's own word: it is in session at any hour. */
export function readUpstreamStatus(value: unknown): UpstreamMarketStatus | null {
  const status = fieldsOf(value);
  const { market } = status;
  const serverTime = typeof status['serverTime'] === 'string' ? Date.parse(status['serverTime']) : NaN;
  if ((market !== 'open' && market !== 'closed' && market !== 'extended-hours') || Number.isNaN(serverTime))
    return null;
  return {
    market,
    earlyHours: status['earlyHours'] === true,
    afterHours: status['afterHours'] === true,
    serverTime,
    alwaysOpen: status['continuous'] === true,
  };
}

/** One row of `/v1/marketstatus/upcoming`, with the exchange that it is of. */
export function readHoliday(value: unknown): (MarketHoliday & { readonly exchange: string }) | null {
  const row = fieldsOf(value);
  const { date, name, status, exchange } = row;
  if (typeof date !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(date) || Number.isNaN(Date.parse(date))) return null;
  if (typeof name !== 'string' || typeof exchange !== 'string') return null;
  if (status !== 'closed' && status !== 'early-close') return null;
  const open = readDate(row['open']);
  const close = readDate(row['close']);
  // An early close is nothing without its hour.
  if (status === 'early-close' && close === null) return null;
  return { date, name, status, open, close, exchange };
}

/** The vendor's codes of common stock and depositary receipts, and of what trades like a fund. */
const KIND_OF_TYPE: Readonly<Record<string, InstrumentKind>> = {
  CS: 'STOCK',
  OS: 'STOCK',
  ADRC: 'STOCK',
  GDR: 'STOCK',
  NYRS: 'STOCK',
  ETF: 'ETF',
  ETN: 'ETF',
  ETV: 'ETF',
  ETS: 'ETF',
};

/** One row of `/v3/reference/tickers`; `null` as well for what no feed of ours carries. */
export function readInstrument(value: unknown): Instrument | null {
  const row = fieldsOf(value);
  const symbol = typeof row['ticker'] === 'string' ? parseSymbol(row['ticker']) : null;
  // A symbol in lower case is another one upstream, and cannot be asked for.
  if (symbol === null || symbol !== row['ticker']) return null;
  const { market, type } = row;
  if (market !== 'stocks' && market !== 'indices') return null;
  const kind = market === 'indices' ? 'INDEX' : (KIND_OF_TYPE[typeof type === 'string' ? type : ''] ?? 'OTHER');
  return { symbol, name: readText(row['name']), kind };
}

/** One row of `/v3/reference/conditions`. */
export function readCondition(value: unknown): Condition | null {
  const row = fieldsOf(value);
  const { id, name } = row;
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || typeof name !== 'string' || name === '') return null;
  const letters = fieldsOf(row['sip_mapping']);
  const rules = fieldsOf(row['update_rules']);
  return {
    id,
    name,
    cta: readText(letters['CTA']),
    utp: readText(letters['UTP']),
    consolidated: readRules(rules['consolidated']),
    marketCenter: readRules(rules['market_center']),
    legacy: row['legacy'] === true,
  };
}

/** One row of `/v3/reference/exchanges`. */
export function readExchange(value: unknown): Exchange | null {
  const row = fieldsOf(value);
  const { id, name } = row;
  if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || typeof name !== 'string' || name === '') return null;
  return { id, mic: readText(row['mic']), name, participant: readText(row['participant_id']) };
}

function readRules(value: unknown): Eligibility | null {
  if (typeof value !== 'object' || value === null) return null;
  const rules = fieldsOf(value);
  return {
    last: rules['updates_open_close'] === true,
    highLow: rules['updates_high_low'] === true,
    volume: rules['updates_volume'] === true,
  };
}

function readOptionalSize(value: unknown): number | null {
  const size = readSize(undefined, value);
  return Number.isNaN(size) ? null : size;
}

function readText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function readDate(value: unknown): number | null {
  const time = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isNaN(time) ? null : time;
}

/** The newest of these times; now, where none is told. */
function newestOf(values: readonly unknown[], now: number): number {
  const times = values.map((value) => readTimeMs(value, now)).filter((time) => !Number.isNaN(time));
  return times.length === 0 ? now : Math.max(...times);
}
