import { memo } from 'react';
import { directionOf } from '../format/price.ts';
import { useSpark } from '../market/sparks.ts';

const WIDTH = 56;
const HEIGHT = 20;

/** The last two hours as a line: a shape for the eye, whose figures stand beside it. */
export const Spark = memo(function Spark({
  symbol,
  direction,
}: {
  readonly symbol: string;
  readonly direction: number | null | undefined;
}) {
  const closes = useSpark(symbol);
  return (
    <svg className={`spark ${directionOf(direction)}`} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      {closes === null || closes.length < 2 ? (
        <path d={`M1 ${HEIGHT / 2}H${WIDTH - 1}`} className="spark-unknown" />
      ) : (
        <path d={drawLine(closes)} />
      )}
    </svg>
  );
});

export function drawLine(closes: readonly number[]): string {
  const low = Math.min(...closes);
  const span = Math.max(...closes) - low;
  const step = (WIDTH - 2) / (closes.length - 1);
  const points = closes.map((close, index) => {
    const share = span === 0 ? 0.5 : (close - low) / span;
    return `${(1 + index * step).toFixed(1)} ${(HEIGHT - 2 - share * (HEIGHT - 4)).toFixed(1)}`;
  });
  return `M${points.join('L')}`;
}
