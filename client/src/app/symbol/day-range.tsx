import { formatPrice } from '../format/price.ts';
import type { LiveQuote } from '../market/quotes.ts';
import './day-range.css';

/** Where the price stands between the day's low and high, and where it opened and closed the day before. */
export function DayRange({ quote }: { readonly quote: LiveQuote | undefined }) {
  const { low = null, high = null, open = null, previousClose = null, price = null } = quote ?? {};
  const isKnown = low !== null && high !== null && price !== null;
  const place = (value: number): string => `${100 * toShare(value, low ?? 0, high ?? 0)}%`;
  const isWithin = (value: number | null): value is number =>
    isKnown && value !== null && value >= low && value <= high && high > low;
  return (
    <div className="day-range">
      <span className="day-range-end num">
        <span className="day-range-label">Low</span> {formatPrice(low)}
      </span>
      <div
        className="day-range-bar"
        role="img"
        aria-label={
          isKnown
            ? `Day range from ${formatPrice(low)} to ${formatPrice(high)}, last ${formatPrice(price)}`
            : 'Day range not known'
        }
      >
        {isWithin(open) && isKnown ? (
          <span
            className={`day-range-fill ${price >= open ? 'day-range-up' : 'day-range-down'}`}
            style={{
              left: place(Math.min(open, price)),
              right: `${100 - 100 * toShare(Math.max(open, price), low, high)}%`,
            }}
          />
        ) : null}
        {isWithin(previousClose) ? (
          <span
            className="day-range-close"
            style={{ left: place(previousClose) }}
            title={`Previous close ${formatPrice(previousClose)}`}
          />
        ) : null}
        {isWithin(open) ? (
          <span className="day-range-open" style={{ left: place(open) }} title={`Open ${formatPrice(open)}`} />
        ) : null}
        {isKnown ? <span className="day-range-last" style={{ left: place(price) }} /> : null}
      </div>
      <span className="day-range-end num">
        <span className="day-range-label">High</span> {formatPrice(high)}
      </span>
    </div>
  );
}

function toShare(value: number, low: number, high: number): number {
  return high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0.5;
}
