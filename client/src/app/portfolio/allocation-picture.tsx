import { useMemo } from 'react';
import { formatMoney } from '../format/money.ts';
import { allocate, describeAllocation, type Holding, type Slice } from './allocation.ts';
import './allocation-picture.css';

/** What the whole is made of: a bar for eyes, and the same as a list, which names each colour. */
export function AllocationPicture({
  positions,
  cash,
}: {
  readonly positions: readonly Holding[];
  readonly cash: string;
}) {
  const slices = useMemo(() => allocate(positions, cash), [positions, cash]);
  if (slices.length === 0) return null;
  return (
    <figure className="portfolio-allocation">
      <figcaption className="portfolio-heading">Allocation</figcaption>
      <div className="portfolio-bar" role="img" aria-label={`Allocation: ${describeAllocation(slices)}`}>
        {slices.map((slice, index) => (
          <span
            key={`${slice.kind} ${slice.label}`}
            className="portfolio-bar-part"
            data-part={nameColour(slice, index)}
            style={{ flexGrow: slice.percent }}
          />
        ))}
      </div>
      <ul className="portfolio-legend">
        {slices.map((slice, index) => (
          <li key={`${slice.kind} ${slice.label}`}>
            <span className="portfolio-legend-mark" data-part={nameColour(slice, index)} aria-hidden="true" />
            <span>{slice.label}</span>
            <span className="portfolio-legend-share num">{slice.percent.toFixed(1)} %</span>
            <span className="portfolio-legend-value num">{formatMoney(slice.value)}</span>
          </li>
        ))}
      </ul>
    </figure>
  );
}

/** Positions have colours by rank, the rest and cash each one of its own. */
function nameColour({ kind }: Slice, index: number): string {
  return kind === 'position' ? String(index + 1) : kind;
}
