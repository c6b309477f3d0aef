import { newYorkDayOf, newYorkTime, formatDay } from '../market/calendar-time.ts';
import { createCalendar, type Calendar } from '../market/calendar.ts';
import type { MarketHoliday } from '../market/market-status.ts';
import type { MarketTime } from './quote-book.ts';

type Span = { readonly start: number; readonly end: number; readonly isRegular: boolean; readonly day: number };

const NOWHERE: Span = { start: 0, end: 0, isRegular: false, day: 0 };

/**
 * The calendar as the fold asks it, for every event. Two stretches of time are at hand, so that the prints around an
 * opening bell, which come out of order and are the most of the day, cost a comparison too.
 */
export class MarketHours implements MarketTime {
  #calendar: Calendar;
  #isAlwaysOpen = false;
  #current = NOWHERE;
  #other = NOWHERE;

  constructor(calendar: Calendar = createCalendar()) {
    this.#calendar = calendar;
  }

  get calendar(): Calendar {
    return this.#calendar;
  }

  /** The rules of the exchange, but for these days. */
  setHolidays(overrides: readonly MarketHoliday[]): void {
    this.#calendar = createCalendar({ overrides });
    this.#forget();
  }

  /** A market that never closes is in its regular session at any time; its trade dates are the dates of New York. */
  setAlwaysOpen(isAlwaysOpen: boolean): void {
    if (isAlwaysOpen === this.#isAlwaysOpen) return;
    this.#isAlwaysOpen = isAlwaysOpen;
    this.#forget();
  }

  isRegular(timestamp: number): boolean {
    return this.#find(timestamp).isRegular;
  }

  dayOf(timestamp: number): number {
    return this.#find(timestamp).day;
  }

  #find(timestamp: number): Span {
    const current = this.#current;
    if (current.start <= timestamp && timestamp < current.end) return current;
    const other = this.#other;
    this.#other = current;
    this.#current = other.start <= timestamp && timestamp < other.end ? other : this.#read(timestamp);
    return this.#current;
  }

  #read(timestamp: number): Span {
    if (this.#isAlwaysOpen) {
      const date = newYorkDayOf(timestamp);
      const [start, end] = [newYorkTime(date, 0), newYorkTime(date + 1, 0)];
      return { start, end, isRegular: true, day: toNumber(formatDay(date)) };
    }
    const { session, tradeDate, start, end } = this.#calendar.sessionAt(timestamp);
    return { start, end, isRegular: session === 'REGULAR', day: toNumber(tradeDate) };
  }

  #forget(): void {
    this.#current = NOWHERE;
    this.#other = NOWHERE;
  }
}

function toNumber(date: string): number {
  return Number(date.replaceAll('-', ''));
}
