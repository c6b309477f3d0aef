import { expect, it } from 'vitest';
import { DEFAULT_ORDER, parsePositionOrder, type PositionColumn, sortPositions, turnOrder } from './position-order.ts';

function makePosition(symbol: string, value: string, marketPrice: string | null = '1') {
  const amounts = { quantity: value, averagePrice: value, marketValue: value, unrealizedPnl: value, dayChange: value };
  return { symbol, marketPrice, ...amounts };
}

function sort(
  column: PositionColumn,
  direction: 'ascending' | 'descending',
  positions: ReturnType<typeof makePosition>[],
) {
  return sortPositions(positions, { column, direction }).map(({ symbol }) => symbol);
}

it('amounts are sorted as exact numbers, equal ones by symbol', () => {
  // As doubles the last two of the large ones are equal; as texts 9 is above 10.
  const positions = [
    makePosition('D', '9'),
    makePosition('C', '10.00'),
    makePosition('B', '10'),
    makePosition('A', '-1'),
    makePosition('F', '9007199254740993.0001'),
    makePosition('E', '9007199254740993.0002'),
  ];
  expect(sort('marketValue', 'descending', positions)).toEqual(['E', 'F', 'B', 'C', 'D', 'A']);
  expect(sort('marketValue', 'ascending', positions)).toEqual(['A', 'D', 'B', 'C', 'F', 'E']);
  expect(sort('symbol', 'descending', positions)).toEqual(['F', 'E', 'D', 'C', 'B', 'A']);
});

it('what has no price stands last either way', () => {
  const positions = [makePosition('A', '1', null), makePosition('B', '1', '5'), makePosition('C', '1', '7')];
  expect(sort('marketPrice', 'ascending', positions)).toEqual(['B', 'C', 'A']);
  expect(sort('marketPrice', 'descending', positions)).toEqual(['C', 'B', 'A']);
});

it('the same column is turned round, another begins with its largest, names with A', () => {
  const once = turnOrder(DEFAULT_ORDER, 'dayChange');
  expect(once).toEqual({ column: 'dayChange', direction: 'descending' });
  expect(turnOrder(once, 'dayChange').direction).toBe('ascending');
  expect(turnOrder(once, 'symbol')).toEqual({ column: 'symbol', direction: 'ascending' });
});

it('an order that was kept is read back, and nonsense is not', () => {
  expect(parsePositionOrder({ ...DEFAULT_ORDER })).toEqual(DEFAULT_ORDER);
  for (const value of [null, 'symbol', { column: 'shoe', direction: 'ascending' }, { column: 'symbol' }]) {
    expect(parsePositionOrder(value)).toBe(null);
  }
});
