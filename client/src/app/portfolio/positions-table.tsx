import { useMemo, useState } from 'react';
import { recall, remember } from '../remembered.ts';
import type { Position } from './portfolio-store.ts';
import {
  DEFAULT_ORDER,
  parsePositionOrder,
  type PositionColumn,
  type PositionOrder,
  sortPositions,
  turnOrder,
} from './position-order.ts';
import { PositionRow } from './position-row.tsx';
import './positions-table.css';

const HEADINGS: readonly { readonly column: PositionColumn; readonly label: string }[] = [
  { column: 'symbol', label: 'Symbol' },
  { column: 'quantity', label: 'Shares' },
  { column: 'averagePrice', label: 'Avg. cost' },
  { column: 'marketPrice', label: 'Price' },
  { column: 'marketValue', label: 'Value' },
  { column: 'unrealizedPnl', label: 'Gain' },
  { column: 'dayChange', label: 'Today' },
];

const MEMORY = { name: 'positions-order', version: 1 } as const;

export function PositionsTable({ positions }: { readonly positions: readonly Position[] }) {
  const [order, setOrder] = useState<PositionOrder>(() => recall(MEMORY, parsePositionOrder) ?? DEFAULT_ORDER);
  const sorted = useMemo(() => sortPositions(positions, order), [positions, order]);

  const sortBy = (column: PositionColumn): void => {
    const next = turnOrder(order, column);
    setOrder(next);
    remember(MEMORY, next);
  };

  return (
    <div className="portfolio-positions">
      <table className="portfolio-table">
        <caption className="portfolio-heading">Positions</caption>
        <thead>
          <tr>
            {HEADINGS.map(({ column, label }) => (
              <th
                key={column}
                scope="col"
                data-column={column}
                aria-sort={order.column === column ? order.direction : undefined}
              >
                <button type="button" className="portfolio-sort" onClick={() => sortBy(column)}>
                  {label}
                  <span className="portfolio-sort-arrow" aria-hidden="true">
                    {order.column !== column ? '' : order.direction === 'ascending' ? '↑' : '↓'}
                  </span>
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.map((position) => (
            <PositionRow key={position.symbol} position={position} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
