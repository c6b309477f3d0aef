import { directionOf, formatChange, formatPercent } from './price.ts';
import './change.css';

const ARROWS = { up: '▲', down: '▼', flat: '' } as const;

/**
 * Up or down by arrow, sign and colour, so that it is read without the colour. The arrow is for eyes: the sign says the same.
 * `text` in place of the figures' own, for amounts of money.
 */
export function Change({
  value,
  percent,
  text,
}: {
  readonly value?: number | null | undefined;
  readonly percent?: number | null | undefined;
  readonly text?: string | undefined;
}) {
  const direction = directionOf(value ?? percent);
  return (
    <span className={`change num ${direction}`}>
      <span className="change-arrow" aria-hidden="true">
        {ARROWS[direction]}
      </span>
      {text ?? (value === undefined ? null : <span>{formatChange(value)}</span>)}
      {percent === undefined ? null : <span className="change-percent">{formatPercent(percent)}</span>}
    </span>
  );
}
