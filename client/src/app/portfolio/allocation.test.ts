import { expect, it } from 'vitest';
import { allocate, describeAllocation } from './allocation.ts';

const hold = (symbol: string, marketValue: string) => ({ symbol, marketValue });

it('the largest stand first, each with its part, and cash last', () => {
  const slices = allocate([hold('MSFT', '2500'), hold('AAPL', '5000.00')], '2500.00');
  expect(slices).toEqual([
    { label: 'AAPL', kind: 'position', value: '5000', percent: 50 },
    { label: 'MSFT', kind: 'position', value: '2500', percent: 25 },
    { label: 'Cash', kind: 'cash', value: '2500.00', percent: 25 },
  ]);
  expect(describeAllocation(slices)).toBe('AAPL 50.0 %, MSFT 25.0 %, Cash 25.0 %');
});

it('what is small, or beyond the colours, is one', () => {
  const many = Array.from({ length: 12 }, (_, index) => hold(`S${index}`, String(1200 - index * 10)));
  const slices = allocate(many, '0.00');
  expect(slices.map(({ label }) => label)).toEqual(['S0', 'S1', 'S2', 'S3', 'S4', '7 others']);
  const small = allocate([hold('BIG', '9900'), hold('A', '50'), hold('B', '50')], '0');
  expect(small.map(({ label, value }) => `${label} ${value}`)).toEqual(['BIG 9900', '2 others 100']);
});

it('one that would be a group of one keeps its name', () => {
  const slices = allocate([hold('BIG', '9900'), hold('TINY', '100')], '0');
  expect(slices.map(({ label, kind }) => `${label} ${kind}`)).toEqual(['BIG position', 'TINY rest']);
});

it('the parts make up the whole', () => {
  const slices = allocate([hold('A', '1'), hold('B', '1'), hold('C', '1')], '0.0001');
  expect(slices.reduce((sum, { percent }) => sum + percent, 0)).toBeCloseTo(100, 2);
});

it('of nothing there is no picture, and what is worth nothing has no part', () => {
  expect(allocate([], '0.00')).toEqual([]);
  expect(allocate([hold('GONE', '0')], '10').map(({ label }) => label)).toEqual(['Cash']);
});
