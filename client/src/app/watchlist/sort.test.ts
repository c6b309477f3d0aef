import { expect, it } from 'vitest';
import type { LiveQuote } from '../market/quotes.ts';
import { nextSort, sortSymbols } from './sort.ts';

const quotes = new Map(
  [
    { symbol: 'B', price: 20, changePercent: -1, volume: 300 },
    { symbol: 'A', price: 10, changePercent: 2, volume: 100 },
    { symbol: 'D', price: 40, changePercent: null, volume: 200 },
  ].map((quote) => [quote.symbol, quote as LiveQuote]),
);
const read = (symbol: string) => quotes.get(symbol);
const symbols = ['B', 'A', 'C', 'D'];

it.each([
  [null, 'BACD'],
  [{ key: 'symbol', descending: false }, 'ABCD'],
  [{ key: 'symbol', descending: true }, 'DCBA'],
  [{ key: 'price', descending: true }, 'DBAC'],
  [{ key: 'price', descending: false }, 'ABDC'],
  [{ key: 'change', descending: true }, 'ABCD'],
  [{ key: 'change', descending: false }, 'BACD'],
  [{ key: 'volume', descending: true }, 'BDAC'],
] as const)('by %j, what is not known last', (sort, expected) => {
  expect(sortSymbols(symbols, sort, read).join('')).toBe(expected);
});

it('goes through both orders of a column back to the own one', () => {
  const first = nextSort(null, 'change');
  const second = nextSort(first, 'change');
  expect([first, second, nextSort(second, 'change')]).toEqual([
    { key: 'change', descending: true },
    { key: 'change', descending: false },
    null,
  ]);
  expect(nextSort(second, 'symbol')).toEqual({ key: 'symbol', descending: false });
});
