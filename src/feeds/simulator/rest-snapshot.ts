import { MICROS_PER_SHARE, formatShares, vwapOf } from './bar-window.ts';
import type { BarWindow, PastBar } from './bar-window.ts';
import type { Index, Instrument } from './instrument.ts';
import { badRequest, findInstrument, isIndexItem, readLimit, round } from './rest-answer.ts';
import type { RestRequest } from './rest-answer.ts';
import { quoteNanoseconds, toNanoseconds } from './wire.ts';

const MAX_TICKERS = 250;
const MOVERS = 20;

function ofDay(bar: BarWindow | PastBar | null): Record<string, unknown> {
  // Between the reset and the first trade all figures are zero.
  if (bar === null || bar.open === 0) return { o: 0, h: 0, l: 0, c: 0, v: 0, vw: 0 };
  const { open: o, high: h, low: l, close: c, micros } = bar;
  return { o, h, l, c, v: micros / MICROS_PER_SHARE, vw: vwapOf(bar), dv: formatShares(micros) };
}

/** The minute under way, or the last one that had a bar. */
function currentMinute(item: Instrument | Index): PastBar | null {
  return item.minute.exists ? item.minute : item.lastMinute;
}

function lastPriceOf(item: Instrument | Index): number {
  return isIndexItem(item) ? item.value : (item.lastPrint?.price ?? item.lastPrice);
}

function changeOf(price: number, item: Instrument | Index): { change: number; percent: number } {
  const previous = item.readPreviousDay()?.close ?? price;
  return { change: round(price - previous, 6), percent: round(((price - previous) / previous) * 100, 6) };
}

function updatedAt(instrument: Instrument): number {
  return Math.max(instrument.quoteTime, instrument.lastPrint?.time ?? 0);
}

function toTicker(request: RestRequest, instrument: Instrument): Record<string, unknown> {
  const { change, percent } = changeOf(lastPriceOf(instrument), instrument);
  const minute = currentMinute(instrument);
  const print = instrument.lastPrint;
  // A regular sale has none, and the field is left out as on the wire.
  const conditions = request.tape.conditionSets.at(print?.conditionSet ?? 0).ids;
  return {
    ticker: instrument.symbol,
    todaysChange: change,
    todaysChangePerc: percent,
    updated: toNanoseconds(updatedAt(instrument)),
    day: ofDay(instrument.day),
    min: {
      ...ofDay(minute),
      av: instrument.day.micros / MICROS_PER_SHARE,
      dav: formatShares(instrument.day.micros),
      t: minute?.start ?? 0,
      n: minute?.count ?? 0,
    },
    prevDay: ofDay(instrument.readPreviousDay()),
    ...(print === null
      ? {}
      : {
          lastTrade: {
            ...(conditions.length > 0 ? { c: conditions } : {}),
            i: String(print.id),
            p: print.price,
            s: Math.floor(print.micros / MICROS_PER_SHARE),
            ds: formatShares(print.micros),
            t: toNanoseconds(print.time, print.nanos),
            x: print.exchange,
          },
        }),
    lastQuote: {
      p: instrument.bid,
      s: instrument.bidSize,
      P: instrument.ask,
      S: instrument.askSize,
      t: quoteNanoseconds(instrument),
    },
  };
}

/** `GET /v2/snapshot/locale/us/markets/stocks/tickers` */
export function answerTickers(request: RestRequest): object {
  const wanted = request.query.getAll('tickers').join(',');
  const { market } = request.tape;
  const instruments =
    wanted === ''
      ? market.instruments
      : wanted.split(',').flatMap((symbol) => market.findInstrument(symbol.trim()) ?? []);
  return { count: instruments.length, status: 'OK', tickers: instruments.map((item) => toTicker(request, item)) };
}

/** `GET /v2/snapshot/locale/us/markets/stocks/tickers/{ticker}` */
export function answerTicker(request: RestRequest): object {
  return { status: 'OK', ticker: toTicker(request, findInstrument(request, request.parts[0]!)) };
}

/** `GET /v2/snapshot/locale/us/markets/stocks/{gainers|losers}` */
export function answerMovers(request: RestRequest): object {
  const sign = request.parts[0] === 'gainers' ? -1 : 1;
  const ranked = request.tape.market.instruments
    .map((instrument) => ({ instrument, percent: changeOf(lastPriceOf(instrument), instrument).percent }))
    .sort((one, other) => sign * (one.percent - other.percent))
    .slice(0, MOVERS);
  return { status: 'OK', tickers: ranked.map(({ instrument }) => toTicker(request, instrument)) };
}

/** `GET /v3/snapshot` and `GET /v3/snapshot/indices` */
export function answerUniversal(request: RestRequest, indicesOnly: boolean): object {
  const { query, tape } = request;
  const listed = [...tape.market.instruments, ...tape.market.indices];
  const anyOf = query.get('ticker.any_of');
  const exact = query.get('ticker');
  let symbols: readonly string[];
  if (anyOf !== null && anyOf !== '') symbols = [...new Set(anyOf.split(',').map((symbol) => symbol.trim()))];
  else if (exact !== null) symbols = [exact];
  else {
    const type = indicesOnly ? 'indices' : query.get('type');
    symbols = listed
      .filter((item) => type === null || type === (isIndexItem(item) ? 'indices' : 'stocks'))
      .map((item) => item.symbol)
      .filter((symbol) => isWithin(symbol, query))
      .sort();
  }
  if (anyOf !== null && symbols.length > MAX_TICKERS) {
    throw badRequest(`'ticker.any_of' takes at most ${MAX_TICKERS} tickers`);
  }
  // Tickers that are named are all answered in one page where the limit is left out.
  const limit = readLimit(request, anyOf === null ? 10 : MAX_TICKERS, MAX_TICKERS);
  const from = request.position ?? 0;
  const page = symbols.slice(from, from + limit);
  return {
    status: 'OK',
    results: page.map((symbol) => {
      const item = tape.market.find(symbol);
      if (item === undefined || (indicesOnly && !isIndexItem(item))) {
        return { error: 'NOT_FOUND', message: 'Ticker not found.', ticker: symbol };
      }
      return isIndexItem(item) ? toIndexResult(request, item) : toStockResult(request, item);
    }),
    ...(from + limit < symbols.length ? { next_url: request.nextUrl(from + limit) } : {}),
  };
}

function isWithin(symbol: string, query: URLSearchParams): boolean {
  const [gte, gt, lte, lt] = ['gte', 'gt', 'lte', 'lt'].map((name) => query.get(`ticker.${name}`));
  return !(
    (gte != null && symbol < gte) ||
    (gt != null && symbol <= gt) ||
    (lte != null && symbol > lte) ||
    (lt != null && symbol >= lt)
  );
}

function marketStatus(request: RestRequest): string {
  const session = request.tape.market.schedule.sessionAt(request.now);
  if (session === 'REGULAR') return 'open';
  if (session === 'PRE_MARKET') return 'early_trading';
  return session === 'AFTER_HOURS' ? 'late_trading' : 'closed';
}

function sessionOf(item: Instrument | Index): Record<string, unknown> {
  const price = lastPriceOf(item);
  const { change, percent } = changeOf(price, item);
  const day = item.day.exists ? item.day : item.readPreviousDay();
  return {
    change,
    change_percent: percent,
    open: item.day.exists ? item.day.open : 0,
    high: item.day.exists ? item.day.high : 0,
    low: item.day.exists ? item.day.low : 0,
    close: day?.close ?? price,
    previous_close: item.readPreviousDay()?.close ?? 0,
  };
}

function toIndexResult(request: RestRequest, index: Index): Record<string, unknown> {
  return {
    ticker: index.symbol,
    type: 'indices',
    name: index.listing.name,
    market_status: marketStatus(request),
    timeframe: 'REAL-TIME',
    value: index.value,
    last_updated: toNanoseconds(index.time),
    session: sessionOf(index),
  };
}

function toStockResult(request: RestRequest, instrument: Instrument): Record<string, unknown> {
  const print = instrument.lastPrint;
  // A regular sale has none, and the field is left out as on the wire.
  const conditions = request.tape.conditionSets.at(print?.conditionSet ?? 0).ids;
  const minute = currentMinute(instrument);
  const { bid, ask } = instrument;
  return {
    ticker: instrument.symbol,
    type: 'stocks',
    name: instrument.listing.name,
    market_status: marketStatus(request),
    session: {
      ...sessionOf(instrument),
      early_trading_change: 0,
      early_trading_change_percent: 0,
      late_trading_change: 0,
      late_trading_change_percent: 0,
      volume: instrument.day.micros / MICROS_PER_SHARE,
      decimal_volume: formatShares(instrument.day.micros),
      price: lastPriceOf(instrument),
      last_updated: toNanoseconds(updatedAt(instrument)),
    },
    ...(print === null
      ? {}
      : {
          last_trade: {
            ...(conditions.length > 0 ? { conditions } : {}),
            exchange: print.exchange,
            id: String(print.id),
            price: print.price,
            size: Math.floor(print.micros / MICROS_PER_SHARE),
            decimal_size: formatShares(print.micros),
            last_updated: toNanoseconds(print.time, print.nanos),
            sip_timestamp: toNanoseconds(print.time, print.nanos),
            participant_timestamp: toNanoseconds(print.participantTime),
            timeframe: 'REAL-TIME',
          },
        }),
    last_quote: {
      bid,
      bid_size: instrument.bidSize,
      bid_exchange: instrument.bidExchange,
      ask,
      ask_size: instrument.askSize,
      ask_exchange: instrument.askExchange,
      midpoint: round((bid + ask) / 2, 6),
      last_updated: quoteNanoseconds(instrument),
      timeframe: 'REAL-TIME',
    },
    ...(minute === null
      ? {}
      : {
          last_minute: {
            open: minute.open,
            high: minute.high,
            low: minute.low,
            close: minute.close,
            volume: minute.micros / MICROS_PER_SHARE,
            decimal_volume: formatShares(minute.micros),
            vwap: vwapOf(minute),
            transactions: minute.count,
            last_updated: toNanoseconds(minute.start),
          },
        }),
  };
}
