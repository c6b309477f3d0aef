import { formatDay, toDay, weekdayOf } from './calendar-time.ts';
import type { Day } from './calendar-time.ts';

/** A day on which the exchange is closed (`closeMinutes` null) or closes early. */
export type Holiday = {
  readonly day: Day;
  /** The holiday that is the reason: an early close bears the name of the holiday it precedes or follows. */
  readonly name: string;
  /** Minutes after midnight in New York. */
  readonly closeMinutes: number | null;
};

const [SUNDAY, MONDAY, THURSDAY, FRIDAY, SATURDAY] = [0, 1, 4, 5, 6] as const;
export const EARLY_CLOSE_MINUTES = 13 * 60;

type Rule = {
  readonly name: string;
  /** The first year in which the exchange kept it. */
  readonly since?: number;
  readonly find: (year: number) => Day;
  /** Where the exchange rests instead if the day is a Saturday or Sunday: days to add; `null`: nowhere. */
  readonly ifSaturday?: -1 | null;
  readonly ifSunday?: 1;
};

/** Closures by rule; the NYSE's Rule 7.2 with its exception for New Year's Day on a Saturday. */
const CLOSURES: readonly Rule[] = [
  { name: "New Year's Day", find: (year) => toDay(year, 1, 1), ifSaturday: null, ifSunday: 1 },
  { name: 'Martin Luther King Jr. Day', since: 1998, find: (year) => findNth(year, 1, MONDAY, 3) },
  { name: "Washington's Birthday", find: (year) => findNth(year, 2, MONDAY, 3) },
  { name: 'Good Friday', find: (year) => findEaster(year) - 2 },
  { name: 'Memorial Day', find: (year) => findNth(year, 6, MONDAY, 1) - 7 },
  { name: 'Juneteenth', since: 2022, find: (year) => toDay(year, 6, 19), ifSaturday: -1, ifSunday: 1 },
  { name: 'Independence Day', find: (year) => toDay(year, 7, 4), ifSaturday: -1, ifSunday: 1 },
  { name: 'Labor Day', find: (year) => findNth(year, 9, MONDAY, 1) },
  { name: 'Thanksgiving', find: (year) => findNth(year, 11, THURSDAY, 4) },
  { name: 'Christmas', find: (year) => toDay(year, 12, 25), ifSaturday: -1, ifSunday: 1 },
];

/** Early closes by rule: the day found, where it falls on one of `weekdays`. */
const EARLY_CLOSES: readonly (Rule & { readonly weekdays: readonly [first: number, last: number] })[] = [
  { name: 'Independence Day', find: (year) => toDay(year, 7, 3), weekdays: [MONDAY, THURSDAY] },
  { name: 'Thanksgiving', find: (year) => findNth(year, 11, THURSDAY, 4) + 1, weekdays: [FRIDAY, FRIDAY] },
  { name: 'Christmas', find: (year) => toDay(year, 12, 24), weekdays: [MONDAY, THURSDAY] },
];

/** Closures that no rule foresaw. The next ones come as overrides from the upstream before they come here. */
const AD_HOC: readonly { readonly day: Day; readonly name: string }[] = [
  { day: toDay(2025, 1, 9), name: 'National Day of Mourning' },
];

/** The closures and early closes of a year by rule and record. Rules are those of today, kept since 2022. */
export function listHolidays(year: number): Holiday[] {
  const closed = CLOSURES.filter(({ since = 0 }) => year >= since).flatMap((rule) => {
    const day = observe(rule, year);
    return day === null ? [] : [{ day, name: rule.name, closeMinutes: null }];
  });
  const early = EARLY_CLOSES.map((rule) => ({ ...rule, day: rule.find(year) }))
    .filter(({ day, weekdays: [first, last] }) => weekdayOf(day) >= first && weekdayOf(day) <= last)
    .map(({ day, name }) => ({ day, name, closeMinutes: EARLY_CLOSE_MINUTES }));
  const adHoc = AD_HOC.filter(({ day }) => formatDay(day).startsWith(`${year}-`)).map((entry) => ({
    ...entry,
    closeMinutes: null,
  }));
  return [...closed, ...early, ...adHoc];
}

function observe({ find, ifSaturday = null, ifSunday = 1 }: Rule, year: number): Day | null {
  const day = find(year);
  if (weekdayOf(day) === SATURDAY) return ifSaturday === null ? null : day + ifSaturday;
  return weekdayOf(day) === SUNDAY ? day + ifSunday : day;
}

/** The nth given weekday of a month. */
function findNth(year: number, month: number, weekday: number, nth: number): Day {
  const first = toDay(year, month, 1);
  return first + ((weekday - weekdayOf(first) + 7) % 7) + 7 * (nth - 1);
}

/** Easter Sunday of the Gregorian calendar, by the anonymous computus (Nature, 1876). */
function findEaster(year: number): Day {
  const a = year % 19;
  const b = Math.floor(year / 100);
  const c = year % 100;
  const f = Math.floor((b + 8) / 25);
  const g = Math.floor((b - f + 1) / 3);
  const h = (19 * a + b - Math.floor(b / 4) - g + 15) % 30;
  const l = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - h - (c % 4)) % 7;
  const m = Math.floor((a + 11 * h + 22 * l) / 451);
  const n = h + l - 7 * m + 114;
  return toDay(year, Math.floor(n / 31), (n % 31) + 1);
}
