import type { Tape } from '../../market/trade.ts';

/**
 * Reading single values of the upstream's messages, which are untrusted: each reader returns what the value means in our
 * vocabulary, or `NaN` (`null` where it says so) where it means nothing. None throws, none allocates on the good path.
 */

/** 2000-01-01: no tick history of the upstream is older. */
export const EARLIEST_MS = 946_684_800_000;

/** A tick from further ahead is a broken clock, and would stand as the newest state for as long. */
const FUTURE_TOLERANCE_MS = 24 * 60 * 60 * 1000;

/**
 * Unix milliseconds from a time in nanoseconds, microseconds or milliseconds, told apart by magnitude because the
 * upstream's own documentation of the unit is wrong in places. Nanoseconds pass 2^53 and come rounded by up to 128 ns:
 * half a microsecond is added before the cut, so that one on the brink of a millisecond does not fall into the one before.
 */
export function readTimeMs(value: unknown, nowMs: number): number {
  if (typeof value !== 'number') return NaN;
  const ms = Math.floor(value > 1e17 ? value / 1e6 + 0.0005 : value > 1e14 ? value / 1e3 : value);
  return ms >= EARLIEST_MS && ms <= nowMs + FUTURE_TOLERANCE_MS ? ms : NaN;
}

/** A price: finite and above zero. */
export function readPrice(value: unknown): number {
  return typeof value === 'number' && value > 0 && value < Infinity ? value : NaN;
}

/** The same where the price may be missing: absent, `null` and 0 are `null`, and so is what is no price. */
export function readOptionalPrice(value: unknown): number | null {
  return typeof value === 'number' && value > 0 && value < Infinity ? value : null;
}

const DECIMAL = /^\d{1,18}(\.\d{1,18})?$/;

/**
 * A number of shares. The exact one is a decimal string beside a whole number that is cut off ("0.105" beside 0);
 * older messages have the number alone.
 */
export function readSize(exact: unknown, whole: unknown): number {
  if (exact !== undefined && exact !== null) {
    return typeof exact === 'string' && DECIMAL.test(exact) ? Number(exact) : NaN;
  }
  return typeof whole === 'number' && whole >= 0 && whole < Infinity ? whole : NaN;
}

const NO_CONDITIONS: readonly number[] = Object.freeze([]);

/** Sale condition ids: absent, one number or a list. `null` where it is none of these. Only 0 is the regular sale: no condition. */
export function readConditions(value: unknown): readonly number[] | null {
  if (value === undefined || value === null || value === 0) return NO_CONDITIONS;
  if (typeof value === 'number') return Number.isInteger(value) ? [value] : null;
  if (!Array.isArray(value)) return null;
  for (let index = 0; index < value.length; index += 1) if (!Number.isInteger(value[index])) return null;
  return value.length === 0 || (value.length === 1 && value[0] === 0) ? NO_CONDITIONS : (value as number[]);
}

/** The tape by the upstream's number; `null` where it is not told. */
export function readTape(value: unknown): Tape | null {
  return value === 1 ? 'A' : value === 2 ? 'B' : value === 3 ? 'C' : null;
}

const LONGEST_ID = 64;

/**
 * Our trade id, unique within a symbol: the upstream's own is unique only together with the exchange and, off exchange,
 * the reporting facility. "11-5096" is trade 5096 of exchange 11, "4-202-143541" is 143541 of facility 202.
 * `null` where there is no usable id.
 */
export function readTradeId(exchange: number, facility: unknown, id: unknown): string | null {
  const text = typeof id === 'number' ? String(id) : id;
  if (typeof text !== 'string' || text === '' || text.length > LONGEST_ID) return null;
  return typeof facility === 'number' ? `${exchange}-${facility}-${text}` : `${exchange}-${text}`;
}
