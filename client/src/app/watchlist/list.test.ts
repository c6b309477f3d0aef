import { expect, it } from 'vitest';
import { parseList } from './list.ts';

it('takes what the page kept', () => {
  const list = { symbols: ['AAPL', 'BRK.B'], sort: { key: 'change', descending: true } };
  expect(parseList(list)).toEqual(list);
});

it('drops what is no symbol, and what is there twice', () => {
  expect(parseList({ symbols: ['AAPL', 'aapl', 7, '<b>', 'MSFT'], sort: { key: 'colour', descending: true } })).toEqual(
    {
      symbols: ['AAPL', 'MSFT'],
      sort: null,
    },
  );
});

it.each([null, 'AAPL', [], { symbols: 'AAPL' }, { list: [] }])('ignores %j', (value) => {
  expect(parseList(value)).toBeNull();
});
