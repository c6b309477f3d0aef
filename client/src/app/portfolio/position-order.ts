import Big from 'big.js';

export const POSITION_COLUMNS = [
  'symbol',
  'quantity',
  'averagePrice',
  'marketPrice',
  'marketValue',
  'unrealizedPnl',
  'dayChange',
] as const;
export type PositionColumn = (typeof POSITION_COLUMNS)[number];

export type PositionOrder = { readonly column: PositionColumn; readonly direction: 'ascending' | 'descending' };

export const DEFAULT_ORDER: PositionOrder = { column: 'marketValue', direction: 'descending' };

type Sortable = Readonly<Record<Exclude<PositionColumn, 'marketPrice'>, string>> & {
  readonly marketPrice?: string | null;
};

/** By exact decimals; what has no value stands last, whichever way; equals stand by symbol, so that live rows do not dance. */
export function sortPositions<T extends Sortable>(positions: readonly T[], { column, direction }: PositionOrder): T[] {
  const sign = direction === 'ascending' ? 1 : -1;
  return positions.toSorted((a, b) => {
    const bySymbol = a.symbol < b.symbol ? -1 : Number(a.symbol > b.symbol);
    if (column === 'symbol') return sign * bySymbol;
    const [first, second] = [a[column] ?? null, b[column] ?? null];
    if (first === null || second === null) return Number(first === null) - Number(second === null) || bySymbol;
    return sign * new Big(first).cmp(second) || bySymbol;
  });
}

/** A second click on a column turns it round; figures begin with the largest, names with A. */
export function turnOrder(order: PositionOrder, column: PositionColumn): PositionOrder {
  if (order.column !== column) return { column, direction: column === 'symbol' ? 'ascending' : 'descending' };
  return { column, direction: order.direction === 'ascending' ? 'descending' : 'ascending' };
}

/** As it was kept; `null` for what is none. */
export function parsePositionOrder(value: unknown): PositionOrder | null {
  if (typeof value !== 'object' || value === null) return null;
  const { column, direction } = value as Record<string, unknown>;
  const known = POSITION_COLUMNS.find((name) => name === column);
  if (known === undefined || (direction !== 'ascending' && direction !== 'descending')) return null;
  return { column: known, direction };
}
