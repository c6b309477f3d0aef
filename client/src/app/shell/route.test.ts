import { expect, it } from 'vitest';
import { hrefOfSymbol, parseRoute } from './route.ts';

it.each([
  ['', { view: 'watchlist' }],
  ['#/', { view: 'watchlist' }],
  ['#/portfolio', { view: 'portfolio' }],
  ['#/symbol/AAPL', { view: 'symbol', symbol: 'AAPL' }],
  ['#/symbol/brk.b', { view: 'symbol', symbol: 'BRK.B' }],
  ['#/symbol/', { view: 'watchlist' }],
  ['#/symbol/%E0%A4%A', { view: 'watchlist' }],
  ['#/symbol/<b>', { view: 'watchlist' }],
  ['#/nowhere', { view: 'watchlist' }],
])('reads %j', (hash, route) => {
  expect(parseRoute(hash)).toEqual(route);
});

it.each(['AAPL', 'I:SPX', 'O:AAPL261218C00250000', 'BTC/USD'])('names %s so that it is found again', (symbol) => {
  expect(parseRoute(hrefOfSymbol(symbol))).toEqual({ view: 'symbol', symbol });
});
