import { createCalendar, type Calendar, type SessionSpan } from '../market/calendar.ts';
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

  /** A market that never closes is in its regular session at any time; its days are those of the calendar. */
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
    const isOther = other.start <= timestamp && timestamp < other.end;
    this.#current = isOther ? other : this.#read(this.#calendar.sessionAt(timestamp));
    return this.#current;
  }

  #read({ session, tradeDate, start, end }: SessionSpan): Span {
    const isRegular = this.#isAlwaysOpen || session === 'REGULAR';
    return { start, end, isRegular, day: Number(tradeDate.replaceAll('-', '')) };
  }

  #forget(): void {
    this.#current = NOWHERE;
    this.#other = NOWHERE;
  }
}
