import { formatDay, newYorkDayOf, newYorkTime, parseDay } from '../../market/calendar-time.ts';
import type { Calendar } from '../../market/calendar.ts';
import type { Session } from '../../market/market-status.ts';

/** One day of trading. Times in Unix ms. */
export type TradingDay = {
  /** `YYYY-MM-DD` in New York. */
  readonly date: string;
  /** Days since 1970-01-01. */
  readonly number: number;
  /** Midnight in New York. */
  readonly midnight: number;
  /** When the figures of the day before give way to its own. */
  readonly resetsAt: number;
  /** First and last moment with trades, the last exclusive. */
  readonly startsAt: number;
  readonly endsAt: number;
  /** The regular session. */
  readonly opensAt: number;
  readonly closesAt: number;
};

/** When the simulated exchange trades. */
export interface Schedule {
  /** In session at every hour of every day. */
  readonly continuous: boolean;
  /** The day whose figures are current: the last one whose `resetsAt` has come. */
  dayAt(timeMs: number): TradingDay;
  /** The trading day before. */
  dayBefore(day: TradingDay): TradingDay;
  /** `null`: no trading on that date. Throws a `RangeError` where the text is no date. */
  dayOf(date: string): TradingDay | null;
  sessionAt(timeMs: number): Session;
}

/** Bound of the days that a schedule remembers; when it is reached all are forgotten, and made again when asked for. */
const MAX_KEPT_DAYS = 4_096;

const MINUTES_PER_DAY = 1_440;

/** In New York, minutes after midnight. */
const RESET_MINUTES = 3 * 60 + 30;
const PRE_MARKET_MINUTES = 4 * 60;

/** A market that never closes: a trading day is a date of New York, all of it regular session. */
export class ContinuousSchedule implements Schedule {
  readonly continuous = true;
  readonly #days = new Map<number, TradingDay>();

  dayAt(timeMs: number): TradingDay {
    return this.#make(newYorkDayOf(timeMs));
  }

  dayBefore(day: TradingDay): TradingDay {
    return this.#make(day.number - 1);
  }

  dayOf(date: string): TradingDay {
    return this.#make(parseDay(date));
  }

  sessionAt(): Session {
    return 'REGULAR';
  }

  #make(number: number): TradingDay {
    return remember(this.#days, number, () => {
      const midnight = newYorkTime(number, 0);
      const end = newYorkTime(number, MINUTES_PER_DAY);
      return {
        date: formatDay(number),
        number,
        midnight,
        resetsAt: midnight,
        startsAt: midnight,
        endsAt: end,
        opensAt: midnight,
        closesAt: end,
      };
    });
  }
}

/**
 * The hours and holidays of New York, from the pre-market to the end of the after-hours session. The overnight session
 * is quiet here. A day's figures stand until 03:30 of the next trading day.
 */
export class NewYorkSchedule implements Schedule {
  readonly continuous = false;
  readonly #calendar: Calendar;
  readonly #days = new Map<number, TradingDay>();

  constructor(calendar: Calendar) {
    this.#calendar = calendar;
  }

  dayAt(timeMs: number): TradingDay {
    const number = newYorkDayOf(timeMs);
    const date = formatDay(number);
    const begun = this.#calendar.isTradingDay(date) && timeMs >= newYorkTime(number, RESET_MINUTES);
    return this.#make(begun ? number : parseDay(this.#calendar.previousTradingDay(date)));
  }

  dayBefore(day: TradingDay): TradingDay {
    return this.#make(parseDay(this.#calendar.previousTradingDay(day.date)));
  }

  dayOf(date: string): TradingDay | null {
    const number = parseDay(date);
    return this.#calendar.isTradingDay(date) ? this.#make(number) : null;
  }

  sessionAt(timeMs: number): Session {
    const { session } = this.#calendar.sessionAt(timeMs);
    return session === 'OVERNIGHT' ? 'CLOSED' : session;
  }

  #make(number: number): TradingDay {
    return remember(this.#days, number, () => {
      const date = formatDay(number);
      const { open, close } = this.#calendar.regularHours(date)!;
      return {
        date,
        number,
        midnight: newYorkTime(number, 0),
        resetsAt: newYorkTime(number, RESET_MINUTES),
        startsAt: newYorkTime(number, PRE_MARKET_MINUTES),
        endsAt: this.#calendar.sessionAt(close).end,
        opensAt: open,
        closesAt: close,
      };
    });
  }
}

function remember(days: Map<number, TradingDay>, number: number, make: () => TradingDay): TradingDay {
  let day = days.get(number);
  if (day === undefined) {
    if (days.size >= MAX_KEPT_DAYS) days.clear();
    day = make();
    days.set(number, day);
  }
  return day;
}
