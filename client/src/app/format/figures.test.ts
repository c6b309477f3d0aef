import { expect, it } from 'vitest';
import { formatMoney, formatSignedMoney } from './money.ts';
import { directionOf, formatChange, formatPercent, formatPrice } from './price.ts';
import { formatQuantity, formatVolume } from './quantity.ts';
import { formatSpan } from './time.ts';

it('writes prices with the decimals of their tick', () => {
  expect([248.1, 1234.5, 0.1234, 0, null].map(formatPrice)).toEqual(['248.10', '1,234.50', '0.1234', '0.00', '–']);
});

it('signs changes, but not what rounds to nothing', () => {
  expect([1.244, -0.5, 0.001, -0.001, null].map(formatChange)).toEqual(['+1.24', '−0.50', '0.00', '0.00', '–']);
  expect(formatPercent(-1.236)).toBe('−1.24\u00a0%');
  expect([0.01, -0.01, 0.004, undefined].map(directionOf)).toEqual(['up', 'down', 'flat', 'flat']);
});

it('writes amounts of the ledger without making floats of them', () => {
  expect(formatMoney('12345678901234567.89')).toBe('$12,345,678,901,234,567.89');
  expect(formatMoney('-10.5')).toBe('−$10.50');
  expect(['12.3', '-12.3', '0'].map(formatSignedMoney)).toEqual(['+$12.30', '−$12.30', '$0.00']);
});

it('writes shares whole, and volumes at a glance', () => {
  expect([1500, '0.125', null].map(formatQuantity)).toEqual(['1,500', '0.125', '–']);
  expect([999, 1200, 3_450_000].map(formatVolume)).toEqual(['999', '1.2K', '3.5M']);
});

it('writes spans in their two largest units', () => {
  const [second, minute, hour] = [1000, 60_000, 3_600_000];
  expect([9 * second, 5 * minute + 9 * second, 4 * hour + 5 * minute, 52 * hour, -second].map(formatSpan)).toEqual([
    '9 s',
    '5 min 09 s',
    '4 h 05 min',
    '2 d 4 h',
    '0 s',
  ]);
});
