import { EARLY_CLOSE_MINUTES, listHolidays } from './calendar-holidays.ts';
import { formatDay, newYorkDayOf, newYorkTime, parseDay, weekdayOf, yearOf } from './calendar-time.ts';
import type { Day } from './calendar-time.ts';
import type { MarketHoliday, MarketStatus, Session, UpstreamMarketStatus } from './market-status.ts';

/** One stretch of the time line, `start` inclusive and `end` exclusive in Unix ms. */
export type SessionSpan = {
  readonly session: Session;
  /** `YYYY-MM-DD`: the day that a print of this stretch counts for; while closed, the trading day that has ended. */
  readonly tradeDate: string;
  readonly start: number;
  readonly end: number;
};

/**
 * When the US stock exchanges trade, by rules; it knows no storm and no halt but those it is given. Dates are
 * `YYYY-MM-DD` in New York, times Unix ms; any outside 1970 to 9998 throws a `RangeError`.
 */
export interface Calendar {
  /** `nextOpen` and `nextClose` are never `null`. */
  statusAt(timeMs: number): MarketStatus;
  /** Cheap enough to be asked for each event: successive times within one session cost a comparison. */
  sessionAt(timeMs: number): SessionSpan;
  tradeDateOf(timeMs: number): string;
  isTradingDay(date: string): boolean;
  /** The first trading day after `date`. */
  nextTradingDay(date: string): string;
  /** The last trading day before `date`. */
  previousTradingDay(date: string): string;
  /** The regular session of a date, or `null` where the exchange is closed. */
  regularHours(date: string): { readonly open: number; readonly close: number } | null;
}

/** Minutes after midnight of the trade date in New York; `close` and `end` of a full day. */
const FULL_DAY = { preMarket: 4 * 60, open: 9 * 60 + 30, close: 16 * 60, end: 20 * 60 };
/** After an early close the after-hours session keeps its length. */
const AFTER_HOURS_MINUTES = FULL_DAY.end - FULL_DAY.close;

/**
 * The overnight session begins at 21:00 on the eve of its trade date, for the first time on Sunday 2026-12-06: the eve of a
 * closed day has none, the evening of a closed day has one where the exchange trades on the morrow.
 */
const OVERNIGHT = { sinceTradeDate: parseDay('2026-12-07'), startMinutes: -3 * 60 };

/** Beyond this many years in memory, the cached ones are dropped. */
const MAX_CACHED_YEARS = 32;

/** An answer of the upstream that is older than this says nothing of now. */
const UPSTREAM_STATUS_TTL_MS = 120_000;

type SpecialDay = { readonly name: string; readonly hours: { readonly open: number; readonly close: number } | null };

/**
 * A calendar of rules, with `overrides` (the upstream's announcements) in place of the rules on their dates. An early
 * close whose hours are missing or impossible is taken for 09:30 to 13:00. Throws a `RangeError` at a date that is none.
 */
export function createCalendar({ overrides = [] }: { overrides?: readonly MarketHoliday[] } = {}): Calendar {
  const announced = new Map(overrides.map((holiday) => [parseDay(holiday.date), readAnnouncement(holiday)]));
  const years = new Map<number, Map<Day, SpecialDay>>();
  let current: SessionSpan = { session: 'CLOSED', tradeDate: '', start: 0, end: 0 };

  function findSpecialDay(day: Day): SpecialDay | undefined {
    const override = announced.get(day);
    if (override !== undefined) return override;
    const year = yearOf(day);
    let holidays = years.get(year);
    if (holidays === undefined) {
      holidays = new Map();
      for (const { day: date, name, closeMinutes } of listHolidays(year)) {
        holidays.set(date, { name, hours: closeMinutes === null ? null : readHours(date, closeMinutes) });
      }
      if (years.size >= MAX_CACHED_YEARS) years.clear();
      years.set(year, holidays);
    }
    return holidays.get(day);
  }

  function findHours(day: Day): { open: number; close: number } | null {
    if (weekdayOf(day) === 0 || weekdayOf(day) === 6) return null;
    const special = findSpecialDay(day);
    return special === undefined ? readHours(day, FULL_DAY.close) : special.hours;
  }

  function findTradingDay(from: Day, step: 1 | -1): Day {
    let day = from;
    while (findHours(day) === null) day += step;
    return day;
  }

  /** The sessions of a trading day in order, without gap. */
  function listSpans(day: Day): SessionSpan[] {
    const { open, close } = findHours(day)!;
    const preMarket = newYorkTime(day, FULL_DAY.preMarket);
    const end = Math.min(close + AFTER_HOURS_MINUTES * 60_000, newYorkTime(day, FULL_DAY.end));
    const tradeDate = formatDay(day);
    const spans: SessionSpan[] = [
      { session: 'PRE_MARKET', tradeDate, start: preMarket, end: open },
      { session: 'REGULAR', tradeDate, start: open, end: close },
      { session: 'AFTER_HOURS', tradeDate, start: close, end },
    ];
    if (day < OVERNIGHT.sinceTradeDate) return spans;
    const start = newYorkTime(day, OVERNIGHT.startMinutes);
    return [{ session: 'OVERNIGHT', tradeDate, start, end: preMarket }, ...spans];
  }

  function findSpan(timeMs: number): SessionSpan {
    // The first trading day that has not ended: today's, or the next one's.
    let day = findTradingDay(newYorkDayOf(timeMs), 1);
    let spans = listSpans(day);
    if (spans.at(-1)!.end <= timeMs) {
      day = findTradingDay(day + 1, 1);
      spans = listSpans(day);
    }
    const span = spans.find(({ start, end }) => start <= timeMs && timeMs < end);
    if (span !== undefined) return span;
    const ended = listSpans(findTradingDay(day - 1, -1)).at(-1)!;
    return { session: 'CLOSED', tradeDate: ended.tradeDate, start: ended.end, end: spans[0]!.start };
  }

  function sessionAt(timeMs: number): SessionSpan {
    if (!(current.start <= timeMs && timeMs < current.end)) current = findSpan(timeMs);
    return current;
  }

  /** The first opening or close of a regular session after a time. */
  function findNext(edge: 'open' | 'close', timeMs: number): number {
    const day = findTradingDay(newYorkDayOf(timeMs), 1);
    const time = findHours(day)![edge];
    return time > timeMs ? time : findHours(findTradingDay(day + 1, 1))![edge];
  }

  return {
    statusAt(timeMs) {
      const { session } = sessionAt(timeMs);
      return {
        isOpen: session === 'REGULAR',
        session,
        nextOpen: findNext('open', timeMs),
        nextClose: findNext('close', timeMs),
        holiday: findSpecialDay(newYorkDayOf(timeMs))?.name ?? null,
        timestamp: timeMs,
      };
    },
    sessionAt,
    tradeDateOf: (timeMs) => sessionAt(timeMs).tradeDate,
    isTradingDay: (date) => findHours(parseDay(date)) !== null,
    nextTradingDay: (date) => formatDay(findTradingDay(parseDay(date) + 1, 1)),
    previousTradingDay: (date) => formatDay(findTradingDay(parseDay(date) - 1, -1)),
    regularHours: (date) => findHours(parseDay(date)),
  };
}

function readHours(day: Day, closeMinutes: number): { open: number; close: number } {
  return { open: newYorkTime(day, FULL_DAY.open), close: newYorkTime(day, closeMinutes) };
}

function readAnnouncement({ date, name, status, open, close }: MarketHoliday): SpecialDay {
  if (status === 'closed') return { name, hours: null };
  const day = parseDay(date);
  const fallback = readHours(day, EARLY_CLOSE_MINUTES);
  const hours = { open: open ?? fallback.open, close: close ?? fallback.close };
  const isPossible =
    newYorkTime(day, FULL_DAY.preMarket) <= hours.open &&
    hours.open < hours.close &&
    hours.close <= newYorkTime(day, FULL_DAY.close);
  return { name, hours: isPossible ? hours : fallback };
}

/**
 * What holds now: the calendar, but for what the upstream contradicts. An answer counts for two minutes; whether it
 * contradicts is judged at its own time, so that one given just before the bell does not keep the market open after it.
 * A market that never closes is open whatever the age of the answer that said so.
 */
export function resolveMarketStatus(
  calendar: Calendar,
  upstream: UpstreamMarketStatus | null,
  now: number,
): MarketStatus {
  const expected = calendar.statusAt(now);
  if (upstream === null) return expected;
  if (upstream.alwaysOpen) {
    return { isOpen: true, session: 'REGULAR', nextOpen: null, nextClose: null, holiday: null, timestamp: now };
  }
  const { market, serverTime } = upstream;
  if (now - serverTime > UPSTREAM_STATUS_TTL_MS) return expected;
  if (market === MARKET_BY_SESSION[calendar.sessionAt(serverTime).session]) return expected;
  // An unforeseen session's end is not known.
  if (market === 'open') return { ...expected, isOpen: true, session: 'REGULAR', nextClose: null };
  const session = market === 'closed' ? 'CLOSED' : readExtendedSession(upstream);
  // What remains of a session that the calendar believes in is lost, unless its opening is only late.
  if (!expected.isOpen) return { ...expected, session };
  if (session === 'PRE_MARKET') return { ...expected, isOpen: false, session, nextOpen: null };
  const { nextClose } = calendar.statusAt(expected.nextClose!);
  return { ...expected, isOpen: false, session, nextClose };
}

const MARKET_BY_SESSION: Readonly<Record<Session, UpstreamMarketStatus['market']>> = {
  PRE_MARKET: 'extended-hours',
  REGULAR: 'open',
  AFTER_HOURS: 'extended-hours',
  OVERNIGHT: 'extended-hours',
  CLOSED: 'closed',
};

function readExtendedSession({ earlyHours, afterHours }: UpstreamMarketStatus): Session {
  if (earlyHours) return 'PRE_MARKET';
  return afterHours ? 'AFTER_HOURS' : 'OVERNIGHT';
}
