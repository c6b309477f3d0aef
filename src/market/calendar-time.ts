/** A calendar day, counted from 1970-01-01: arithmetic on days without zones. */
export type Day = number;

export const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const MAX_DAY = Date.UTC(9998, 11, 31) / DAY_MS;

/** `month` from 1. */
export function toDay(year: number, month: number, dayOfMonth: number): Day {
  return Date.UTC(year, month - 1, dayOfMonth) / DAY_MS;
}

/** Reads `YYYY-MM-DD` from 1970 to 9998; throws a `RangeError` where the text is no such date. */
export function parseDay(date: string): Day {
  const day = /^\d{4}-\d\d-\d\d$/.test(date) ? Date.parse(date) / DAY_MS : NaN;
  // Date.parse takes February 30 for March 2.
  if (!(day >= 0 && day <= MAX_DAY) || formatDay(day) !== date)
    throw new RangeError(`not a date from 1970 to 9998: ${date}`);
  return day;
}

export function formatDay(day: Day): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

export function yearOf(day: Day): number {
  return new Date(day * DAY_MS).getUTCFullYear();
}

/** 0 is Sunday. */
export function weekdayOf(day: Day): number {
  return (day + 4) % 7;
}

const NEW_YORK = new Intl.DateTimeFormat('en-US', { timeZone: 'America/New_York', timeZoneName: 'longOffset' });

/** By UTC hour, at whose beginning clocks are changed: asking Intl costs microseconds. Emptied where it is full. */
const offsets = new Map<number, number>();
const MAX_OFFSETS = 4096;

/** What New York's clocks are ahead of UTC at a moment: −5 h or −4 h. */
function readOffsetMs(timeMs: number): number {
  const hour = Math.floor(timeMs / HOUR_MS);
  let offset = offsets.get(hour);
  if (offset === undefined) {
    const zone = NEW_YORK.formatToParts(timeMs).find((part) => part.type === 'timeZoneName')!.value;
    const [, sign, hours, minutes] = /^GMT([+-])(\d\d):(\d\d)$/.exec(zone)!;
    offset = (sign === '-' ? -1 : 1) * (Number(hours) * HOUR_MS + Number(minutes) * MINUTE_MS);
    if (offsets.size >= MAX_OFFSETS) offsets.clear();
    offsets.set(hour, offset);
  }
  return offset;
}

/** The day in New York. Throws a `RangeError` outside 1970 to 9998. */
export function newYorkDayOf(timeMs: number): Day {
  if (!(timeMs >= 0 && timeMs < (MAX_DAY + 1) * DAY_MS))
    throw new RangeError(`not a time from 1970 to 9998: ${timeMs}`);
  return Math.floor((timeMs + readOffsetMs(timeMs)) / DAY_MS);
}

/**
 * The moment, in Unix ms, at which New York's clocks show `minutes` after midnight of `day`; minutes before 0 and after
 * 1,440 are of the days around. Exact but from 01:00 to 03:00, where clocks are changed and no session begins or ends.
 */
export function newYorkTime(day: Day, minutes: number): number {
  const local = day * DAY_MS + minutes * MINUTE_MS;
  // The offset five hours behind UTC finds the moment or one hour after it, both on the same side of a change.
  return local - readOffsetMs(local + 5 * HOUR_MS);
}
