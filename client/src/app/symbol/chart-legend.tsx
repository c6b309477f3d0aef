import type { BarInterval } from '../../gql/graphql.ts';
import { directionOf, formatPercent, formatPrice } from '../format/price.ts';
import { formatVolume } from '../format/quantity.ts';
import type { Candle } from './bar-series.ts';
import { formatStart } from './chart-time.ts';
import './chart-legend.css';

/** The figures of one candle: of the one that is pointed to, else of the newest. */
export function ChartLegend({ candle, interval }: { readonly candle: Candle | null; readonly interval: BarInterval }) {
  if (candle === null) return <p className="chart-legend" />;
  const { open, high, low, close, volume } = candle;
  return (
    <p className={`chart-legend num ${directionOf(close - open)}`} data-testid="chart-legend">
      <span className="chart-legend-time">{formatStart(interval, candle.start)}</span>
      <Value name="O" value={formatPrice(open)} />
      <Value name="H" value={formatPrice(high)} />
      <Value name="L" value={formatPrice(low)} />
      <Value name="C" value={formatPrice(close)} />
      <Value name="V" value={formatVolume(volume)} />
      <span className="chart-legend-move">{formatPercent((100 * (close - open)) / open)}</span>
    </p>
  );
}

function Value({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <span className="chart-legend-value">
      <span className="chart-legend-name">{name}</span>
      {value}
    </span>
  );
}

/** The same in words. */
export function describeCandle({ start, open, high, low, close, volume }: Candle, interval: BarInterval): string {
  return (
    `${formatStart(interval, start)}: open ${formatPrice(open)}, high ${formatPrice(high)}, low ${formatPrice(low)}, ` +
    `close ${formatPrice(close)}, volume ${formatVolume(volume)}`
  );
}

const LENGTHS: Record<BarInterval, string> = {
  SECOND: 'one second',
  MINUTE: 'one minute',
  HOUR: 'one hour',
  DAY: 'one day',
};

/** What the chart shows, for those who do not see it. */
export function describeSeries(symbol: string, candles: readonly Candle[], interval: BarInterval): string {
  const first = candles[0];
  const last = candles.at(-1);
  if (first === undefined || last === undefined) return `Candles of ${LENGTHS[interval]} of ${symbol}: none yet.`;
  let high = first;
  let low = first;
  for (const candle of candles) {
    if (candle.high > high.high) high = candle;
    if (candle.low < low.low) low = candle;
  }
  return (
    `${candles.length} candles of ${LENGTHS[interval]} of ${symbol}, from ${formatStart(interval, first.start)} to ` +
    `${formatStart(interval, last.start)}. They open at ${formatPrice(first.open)} and close at ${formatPrice(last.close)}. ` +
    `Highest ${formatPrice(high.high)} (${formatStart(interval, high.start)}), lowest ${formatPrice(low.low)} ` +
    `(${formatStart(interval, low.start)}).`
  );
}
