import { DAY_MS, newYorkDayOf, newYorkTime, parseDay, weekdayOf } from '../../market/calendar-time.ts';
import { BarWindow, MICROS_PER_SHARE, freezeBar, vwapOf } from './bar-window.ts';
import type { PastBar } from './bar-window.ts';
import type { Index, Instrument } from './instrument.ts';
import { badRequest, isIndexItem, notFound, readLimit, readOrder } from './rest-answer.ts';
import type { RestRequest } from './rest-answer.ts';
import type { TradingDay } from './schedule.ts';

const MINUTES_PER_DAY = 1_440;
const TIMESPANS = ['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'] as const;
type Timespan = (typeof TIMESPANS)[number];

function toResult(item: Instrument | Index, bar: PastBar): Record<string, unknown> {
  const prices = { o: bar.open, c: bar.close, h: bar.high, l: bar.low, t: bar.start };
  if (isIndexItem(item)) return prices;
  return { v: bar.micros / MICROS_PER_SHARE, vw: vwapOf(bar), ...prices, n: bar.count };
}

function envelope(symbol: string, baseCount: number, results: readonly object[]): Record<string, unknown> {
  return {
    ticker: symbol,
    queryCount: baseCount,
    resultsCount: results.length,
    adjusted: true,
    status: 'OK',
    ...(results.length > 0 ? { results } : {}),
  };
}

/** `GET /v2/aggs/ticker/{ticker}/prev` */
export function answerPreviousDay(request: RestRequest): object {
  const [symbol = ''] = request.parts;
  const item = request.tape.market.find(symbol);
  const bar = item?.readPreviousDay() ?? null;
  if (item === undefined || bar === null) return envelope(symbol, 0, []);
  return envelope(symbol, 1, [{ T: symbol, ...toResult(item, bar) }]);
}

/** `GET /v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}` */
export function answerRange(request: RestRequest): object {
  const [symbol = '', multiplierText = '', span = '', fromText = '', toText = ''] = request.parts;
  const multiplier = Number(multiplierText);
  if (!Number.isInteger(multiplier) || multiplier < 1)
    throw badRequest('the multiplier must be a whole number above 0');
  const timespan = TIMESPANS.find((known) => known === span);
  if (timespan === undefined) throw badRequest(`the timespan must be one of ${TIMESPANS.join(', ')}`);
  const order = readOrder(request, 'sort', 'asc');
  const limit = readLimit(request, 5_000, 50_000);
  let from = parseBound(fromText, false);
  let to = parseBound(toText, true);
  if (to < from) throw badRequest("'to' must not be before 'from'");
  if (request.position !== null) {
    if (order === 'asc') from = request.position;
    else to = request.position;
  }
  const item = request.tape.market.find(symbol);
  if (item === undefined) return envelope(symbol, 0, []);

  const base = readBase(request, item, timespan, from, to, order);
  const merged: PastBar[] = [];
  let count = 0;
  let next: number | null = null;
  for (const bar of base) {
    const start = bucketOf(bar.start, timespan, multiplier);
    const last = merged.at(-1);
    if (last?.start === start) merged[merged.length - 1] = merge(last, bar, order);
    else if (count >= limit) {
      next = bar.start;
      break;
    } else merged.push({ ...bar, start });
    count += 1;
  }
  return {
    ...envelope(
      symbol,
      count,
      merged.map((bar) => toResult(item, bar)),
    ),
    ...(next === null ? {} : { next_url: request.nextUrl(next) }),
  };
}

/** `GET /v2/aggs/grouped/locale/us/market/stocks/{date}`: here `t` is the end of the day. */
export function answerGrouped(request: RestRequest): object {
  const day = readDay(request, request.parts[0]!);
  const results =
    day === null
      ? []
      : request.tape.market.instruments.flatMap((instrument) => {
          const [bar] = request.tape.market.daysBetween(instrument, day.midnight, day.midnight, request.now);
          return bar === undefined ? [] : [{ T: instrument.symbol, ...toResult(instrument, bar), t: day.closesAt }];
        });
  const { ticker: _, ...rest } = envelope('', results.length, results);
  return rest;
}

/** `GET /v1/open-close/{ticker}/{date}` */
export function answerOpenClose(request: RestRequest): object {
  const [symbol = '', date = ''] = request.parts;
  const { market } = request.tape;
  const item = market.find(symbol);
  const day = readDay(request, date);
  const [bar] =
    item === undefined || day === null ? [] : market.daysBetween(item, day.midnight, day.midnight, request.now);
  if (item === undefined || day === null || bar === undefined) throw notFound('Data not found.');
  const prices = { open: bar.open, high: bar.high, low: bar.low, close: bar.close };
  if (isIndexItem(item)) return { status: 'OK', from: date, symbol, ...prices };
  const [early] = market.minutesBetween(item, day.startsAt, day.opensAt, 'asc');
  const [late] = market.minutesBetween(item, day.closesAt, day.endsAt - 1, 'desc');
  return {
    status: 'OK',
    from: date,
    symbol,
    ...prices,
    volume: bar.micros / MICROS_PER_SHARE,
    preMarket: early?.open ?? bar.open,
    afterHours: late?.close ?? bar.close,
  };
}

function readBase(
  request: RestRequest,
  item: Instrument | Index,
  timespan: Timespan,
  from: number,
  to: number,
  order: 'asc' | 'desc',
): Iterable<PastBar> {
  const { market } = request.tape;
  if (timespan === 'second') {
    const bars = isIndexItem(item) ? secondsOf(item, from, to) : sumSeconds(request, item, from, to);
    return order === 'asc' ? bars.reverse() : bars;
  }
  if (timespan === 'minute' || timespan === 'hour') return market.minutesBetween(item, from, to, order);
  const days = market.daysBetween(item, from, to, request.now);
  return order === 'asc' ? days : days.reverse();
}

/** Newest first. */
function secondsOf({ seconds }: Index, from: number, to: number): PastBar[] {
  return seconds.filter(({ start }) => start >= from && start <= to).reverse();
}

/** Second bars of the prints that are remembered, newest first. */
function sumSeconds(request: RestRequest, instrument: Instrument, from: number, to: number): PastBar[] {
  const { prints, conditionSets } = request.tape;
  const bars: PastBar[] = [];
  let second: { price: number; micros: number; set: number }[] = [];
  let start = -1;
  const finish = (): void => {
    const window = new BarWindow();
    window.reset(start);
    for (const { price, micros, set } of second.reverse()) window.add(price, micros, conditionSets.at(set).bar);
    if (window.exists) bars.push(freezeBar(window));
    second = [];
  };
  for (const print of prints.readBackwards(instrument.character.index)) {
    const of = Math.floor(print.time / 1_000) * 1_000;
    if (of > to) continue;
    if (of < from) break;
    if (of !== start && second.length > 0) finish();
    start = of;
    second.push({ price: print.price, micros: print.micros, set: print.conditionSet });
  }
  if (second.length > 0) finish();
  return bars;
}

function merge(one: PastBar, other: PastBar, order: 'asc' | 'desc'): PastBar {
  const [earlier, later] = order === 'asc' ? [one, other] : [other, one];
  return {
    start: one.start,
    open: earlier.open,
    close: later.close,
    high: Math.max(one.high, other.high),
    low: Math.min(one.low, other.low),
    micros: one.micros + other.micros,
    notional: one.notional + other.notional,
    count: one.count + other.count,
  };
}

/** Where the bar that holds this time begins. Parts of a day are counted from midnight in New York. */
function bucketOf(time: number, timespan: Timespan, multiplier: number): number {
  const day = newYorkDayOf(time);
  if (timespan === 'second' || timespan === 'minute' || timespan === 'hour') {
    const size = { second: 1_000, minute: 60_000, hour: 3_600_000 }[timespan] * multiplier;
    const midnight = newYorkTime(day, 0);
    return midnight + Math.floor((time - midnight) / size) * size;
  }
  if (timespan === 'day') return newYorkTime(day - (day % multiplier), 0);
  if (timespan === 'week') {
    const sunday = day - weekdayOf(day);
    return newYorkTime(sunday - (((sunday - 3) / 7) % multiplier) * 7, 0);
  }
  const date = new Date(day * DAY_MS);
  const months = date.getUTCFullYear() * 12 + date.getUTCMonth();
  const size = { month: 1, quarter: 3, year: 12 }[timespan] * multiplier;
  const first = months - (months % size);
  return newYorkTime(Date.UTC(Math.floor(first / 12), first % 12, 1) / DAY_MS, 0);
}

/** A date in New York, whose last moment is meant where it ends a range, or Unix ms. */
function parseBound(text: string, end: boolean): number {
  if (/^\d{5,14}$/.test(text)) return Number(text);
  try {
    const day = parseDay(text);
    return end ? newYorkTime(day, MINUTES_PER_DAY) - 1 : newYorkTime(day, 0);
  } catch {
    throw badRequest(`not a date or a time in ms: ${text}`);
  }
}

function readDay(request: RestRequest, date: string): TradingDay | null {
  try {
    return request.tape.market.schedule.dayOf(date);
  } catch {
    throw badRequest(`not a date: ${date}`);
  }
}
