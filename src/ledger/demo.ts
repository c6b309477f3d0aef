import type { OpeningPosition } from './accounts.ts';

/** Who is signed in where no way to tell users apart is configured. */
export const DEMO_USER = 'demo';

/** So that the first look at a portfolio shows one that moves. */
export const DEMO_POSITIONS: readonly OpeningPosition[] = [
  { symbol: 'AAPL', quantity: '50', price: '180.00' },
  { symbol: 'MSFT', quantity: '20', price: '400.00' },
  { symbol: 'NVDA', quantity: '40', price: '120.00' },
  { symbol: 'SPY', quantity: '10', price: '550.00' },
];
