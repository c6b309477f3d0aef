/** How figures of the market are written. What is not known is a dash, never a zero. */

export const UNKNOWN = '–';
/** As wide as a plus. */
const MINUS = '−';

const cents = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const subPennies = new Intl.NumberFormat('en-US', { minimumFractionDigits: 4, maximumFractionDigits: 4 });

type Known = number | null | undefined;

/** Two decimals, four below 1: the tick sizes of US equities. */
export function formatPrice(price: Known): string {
  if (price == null) return UNKNOWN;
  const format = Math.abs(price) < 1 && price !== 0 ? subPennies : cents;
  return format.format(price).replace('-', MINUS);
}

/** Signed, "+1.24". What rounds to nothing has no sign. */
export function formatChange(change: Known): string {
  return change == null ? UNKNOWN : `${signOf(change)}${cents.format(Math.abs(change))}`;
}

/** Signed, "+1.24 %", with a space that does not break. */
export function formatPercent(percent: Known): string {
  return percent == null ? UNKNOWN : `${signOf(percent)}${cents.format(Math.abs(percent))}\u00a0%`;
}

export type Direction = 'up' | 'down' | 'flat';

/** Which way a change goes, as far as two decimals show it. */
export function directionOf(change: Known): Direction {
  if (change == null || Math.abs(change) < 0.005) return 'flat';
  return change > 0 ? 'up' : 'down';
}

function signOf(value: number): string {
  const direction = directionOf(value);
  return direction === 'up' ? '+' : direction === 'down' ? MINUS : '';
}
