import { newYorkTime, parseDay } from '../../market/calendar-time.ts';
import { MICROS_PER_SHARE, formatShares } from './bar-window.ts';
import type { Print } from './print-log.ts';
import { badRequest, findInstrument, notFound, readLimit, readOrder } from './rest-answer.ts';
import type { RestRequest } from './rest-answer.ts';
import { quoteNanoseconds, toNanoseconds } from './wire.ts';

const MINUTES_PER_DAY = 1_440;

/** `GET /v2/last/trade/{ticker}` */
export function answerLastTrade(request: RestRequest): object {
  const instrument = findInstrument(request, request.parts[0]!);
  const print = instrument.lastPrint;
  if (print === null) throw notFound('Data not found.');
  const conditions = request.tape.conditionSets.at(print.conditionSet).ids;
  return {
    status: 'OK',
    results: {
      T: instrument.symbol,
      ...(conditions.length > 0 ? { c: conditions } : {}),
      ds: formatShares(print.micros),
      ...(print.trf === 0 ? {} : { f: toNanoseconds(print.trfTime), r: print.trf }),
      i: String(print.id),
      p: print.price,
      q: print.sequence,
      s: Math.floor(print.micros / MICROS_PER_SHARE),
      t: toNanoseconds(print.time, print.nanos),
      x: print.exchange,
      y: toNanoseconds(print.participantTime),
      z: instrument.tapeNumber,
    },
  };
}

/** `GET /v2/last/nbbo/{ticker}` */
export function answerLastQuote(request: RestRequest): object {
  const instrument = findInstrument(request, request.parts[0]!);
  return {
    status: 'OK',
    results: {
      T: instrument.symbol,
      p: instrument.bid,
      s: instrument.bidSize,
      x: instrument.bidExchange,
      P: instrument.ask,
      S: instrument.askSize,
      X: instrument.askExchange,
      q: instrument.quoteSequence,
      t: quoteNanoseconds(instrument),
      y: toNanoseconds(instrument.quoteParticipantTime),
      z: instrument.tapeNumber,
    },
  };
}

/** `GET /v3/trades/{ticker}`; unknown tickers have no trades. The position of a page is the number of a print. */
export function answerTrades(request: RestRequest): object {
  const { market, prints } = request.tape;
  const instrument = market.findInstrument(request.parts[0]!);
  const order = readOrder(request, 'order', 'desc');
  const limit = readLimit(request, 1_000, 50_000);
  const matches = readTimeFilter(request.query);
  if (instrument === undefined) return { status: 'OK', results: [] };
  const found: (Print & { readonly number: number })[] = [];
  const { position } = request;
  for (const print of prints.readBackwards(instrument.character.index)) {
    const time = toNanoseconds(print.time, print.nanos);
    if (order === 'desc') {
      if ((position === null || print.number < position) && matches(time)) found.push(print);
      if (found.length > limit) break;
    } else {
      if (position !== null && print.number <= position) break;
      if (matches(time)) found.push(print);
    }
  }
  if (order === 'asc') found.reverse();
  const page = found.slice(0, limit);
  return {
    status: 'OK',
    results: page.map((print) => {
      const conditions = request.tape.conditionSets.at(print.conditionSet).ids;
      return {
        ...(conditions.length > 0 ? { conditions } : {}),
        decimal_size: formatShares(print.micros),
        exchange: print.exchange,
        id: String(print.id),
        participant_timestamp: toNanoseconds(print.participantTime),
        price: print.price,
        sequence_number: print.sequence,
        sip_timestamp: toNanoseconds(print.time, print.nanos),
        size: Math.floor(print.micros / MICROS_PER_SHARE),
        tape: instrument.tapeNumber,
        ...(print.trf === 0 ? {} : { trf_id: print.trf, trf_timestamp: toNanoseconds(print.trfTime) }),
      };
    }),
    ...(found.length > limit ? { next_url: request.nextUrl(page.at(-1)!.number) } : {}),
  };
}

/** `GET /v3/quotes/{ticker}`: the simulator remembers the current quote alone. */
export function answerQuotes(request: RestRequest): object {
  const instrument = request.tape.market.findInstrument(request.parts[0]!);
  const matches = readTimeFilter(request.query);
  if (instrument === undefined) return { status: 'OK', results: [] };
  const time = quoteNanoseconds(instrument);
  const quote = {
    ask_exchange: instrument.askExchange,
    ask_price: instrument.ask,
    ask_size: instrument.askSize,
    bid_exchange: instrument.bidExchange,
    bid_price: instrument.bid,
    bid_size: instrument.bidSize,
    indicators: [604],
    participant_timestamp: toNanoseconds(instrument.quoteParticipantTime),
    sequence_number: instrument.quoteSequence,
    sip_timestamp: time,
    tape: instrument.tapeNumber,
  };
  return { status: 'OK', results: matches(time) ? [quote] : [] };
}

/** `timestamp` and its comparisons, in nanoseconds or as dates of New York or RFC 3339 times. */
function readTimeFilter(query: URLSearchParams): (nanoseconds: number) => boolean {
  const read = (name: string, end: boolean): number | null => {
    const text = query.get(name);
    return text === null ? null : parseNanoseconds(text, end);
  };
  const from = read('timestamp', false);
  const until = read('timestamp', true);
  const gte = read('timestamp.gte', false);
  const gt = read('timestamp.gt', true);
  const lte = read('timestamp.lte', true);
  const lt = read('timestamp.lt', false);
  return (time) =>
    (from === null || time >= from) &&
    (until === null || time <= until) &&
    (gte === null || time >= gte) &&
    (gt === null || time > gt) &&
    (lte === null || time <= lte) &&
    (lt === null || time < lt);
}

/** @param end of a date: its last moment instead of its first */
function parseNanoseconds(text: string, end: boolean): number {
  if (/^\d+$/.test(text)) return Number(text);
  if (/^\d{4}-\d\d-\d\d$/.test(text)) {
    try {
      const day = parseDay(text);
      return (end ? newYorkTime(day, MINUTES_PER_DAY) - 1 : newYorkTime(day, 0)) * 1e6;
    } catch {
      throw badRequest(`not a date: ${text}`);
    }
  }
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw badRequest(`not a timestamp: ${text}`);
  return time * 1e6;
}
