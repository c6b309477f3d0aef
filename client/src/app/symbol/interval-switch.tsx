import type { BarInterval } from '../../gql/graphql.ts';
import './interval-switch.css';

const INTERVALS: readonly { readonly interval: BarInterval; readonly label: string; readonly name: string }[] = [
  { interval: 'SECOND', label: '1s', name: 'One second' },
  { interval: 'MINUTE', label: '1m', name: 'One minute' },
  { interval: 'HOUR', label: '1h', name: 'One hour' },
  { interval: 'DAY', label: '1D', name: 'One day' },
];

/** How long a candle is. */
export function IntervalSwitch({
  chosen,
  onChoose,
}: {
  readonly chosen: BarInterval;
  readonly onChoose: (interval: BarInterval) => void;
}) {
  return (
    <fieldset className="interval-switch">
      <legend className="visually-hidden">Length of a candle</legend>
      {INTERVALS.map(({ interval, label, name }) => (
        <label key={interval} className="interval-choice" title={name}>
          <input
            type="radio"
            name="interval"
            className="visually-hidden"
            value={interval}
            checked={chosen === interval}
            onChange={() => onChoose(interval)}
            aria-label={name}
          />
          <span aria-hidden="true">{label}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function parseInterval(value: unknown): BarInterval | null {
  return INTERVALS.find(({ interval }) => interval === value)?.interval ?? null;
}
