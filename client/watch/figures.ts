/** How figures are written, in every view alike. */

/** What is not known. */
export const UNKNOWN = '–';

const quantities = new Intl.NumberFormat('en-US', { maximumFractionDigits: 3 });

/** Two decimals, four below 1: the tick sizes of US equities. */
export function formatPrice(price: number | null): string {
  if (price === null) return UNKNOWN;
  return price.toFixed(Math.abs(price) < 1 && price !== 0 ? 4 : 2);
}

/** With the decimals of a price of 1 and more: a change is mostly smaller than that. */
export function formatChange(change: number | null): string {
  return change === null ? UNKNOWN : `${readSign(change)}${Math.abs(change).toFixed(2)}`;
}

export function formatPercent(percent: number | null): string {
  return percent === null ? UNKNOWN : `${readSign(percent)}${Math.abs(percent).toFixed(2)}%`;
}

export function formatQuantity(quantity: number): string {
  return quantities.format(quantity);
}

/** One side of the book: price × shares. */
export function formatSide(price: number | null, size: number | null): string {
  return price === null ? UNKNOWN : `${formatPrice(price)} × ${size === null ? UNKNOWN : formatQuantity(size)}`;
}

/** The time of day, in UTC, of an instant as the API writes it. */
export function formatTime(timestamp: string): string {
  return timestamp.slice(11, 23);
}

function readSign(value: number): string {
  return value > 0 ? '+' : value < 0 ? '−' : '';
}
