import Big from 'big.js';
import { describe, expect, it } from 'vitest';
import { countMeans, countShares, estimateOrder } from './estimate.ts';
import type { CheckedOrder } from './order-draft.ts';

const QUOTE = { price: 100, bid: 99.9, ask: 100.1 };
const MEANS = { cash: new Big('1000'), shares: new Big('10.5') };

function makeOrder(order: Partial<CheckedOrder> = {}): CheckedOrder {
  return { side: 'BUY', type: 'MARKET', quantity: '2', limitPrice: null, ...order };
}

function estimate(order: Partial<CheckedOrder>, quote: typeof QUOTE | null = QUOTE) {
  const result = estimateOrder(makeOrder(order), quote ?? undefined, MEANS);
  if (result === null) return null;
  const { price, amount, cashAfter, isMet, shortage } = result;
  const [cost, left] = [amount.toFixed(), cashAfter.toFixed()];
  return { price: price.toFixed(), cost, left, isMet, shortage: shortage?.toFixed() ?? null };
}

describe('an estimate', () => {
  it('takes the opposite side of the quote, exactly', () => {
    expect(estimate({})).toEqual({ price: '100.1', cost: '200.2', left: '799.8', isMet: true, shortage: null });
    expect(estimate({ side: 'SELL', quantity: '3' })).toMatchObject({ price: '99.9', cost: '299.7', left: '1299.7' });
    expect(estimate({ quantity: '0.333333' })).toMatchObject({ cost: '33.3666' });
  });

  it('of a limit that the market meets is at the market, else at the limit', () => {
    const limit = { type: 'LIMIT', limitPrice: '105' } as const;
    expect(estimate(limit)).toMatchObject({ price: '100.1', isMet: true });
    expect(estimate({ ...limit, limitPrice: '90' })).toMatchObject({ price: '90', cost: '180', isMet: false });
    expect(estimate({ ...limit, side: 'SELL' })).toMatchObject({ price: '105', isMet: false });
    expect(estimate({ ...limit, side: 'SELL', limitPrice: '90' })).toMatchObject({ price: '99.9', isMet: true });
  });

  it('says what is missing: cash of a buy, shares of a sale', () => {
    expect(estimate({ quantity: '10' })).toMatchObject({ shortage: '1' });
    expect(estimate({ side: 'SELL', quantity: '11' })).toMatchObject({ shortage: '0.5' });
  });

  it('is none without a price', () => {
    expect(estimate({}, null)).toBe(null);
    expect(estimateOrder(makeOrder(), { price: 100, ask: null }, MEANS)).toBe(null);
    expect(estimate({ type: 'LIMIT', limitPrice: '90' }, null)).toMatchObject({ price: '90', isMet: false });
  });
});

it('open orders keep back what they need', () => {
  const order = { symbol: 'AAPL', status: 'PENDING', filledQuantity: '0' } as const;
  const orders = [
    { ...order, side: 'BUY', quantity: '2', limitPrice: '100.5' },
    { ...order, side: 'BUY', quantity: '4', filledQuantity: '3', status: 'PARTIALLY_FILLED', limitPrice: '10' },
    { ...order, side: 'SELL', quantity: '3', limitPrice: '200' },
    { ...order, side: 'SELL', quantity: '3', limitPrice: '200', symbol: 'MSFT' },
    { ...order, side: 'BUY', quantity: '100', limitPrice: '1', status: 'CANCELLED' },
  ] as const;
  const holdings = { cash: '1000.00', positions: [{ symbol: 'AAPL', quantity: '10' }] };
  const { cash, shares } = countMeans(holdings, orders, 'AAPL');
  expect([cash.toFixed(), shares.toFixed()]).toEqual(['789', '7']);
  expect(countMeans(holdings, [], 'TSLA').shares.toFixed()).toBe('0');
});

it('a part of the means is whole shares of a buy, and to the last fraction of a sale', () => {
  const buy = { side: 'BUY', limitPrice: null } as const;
  expect(countShares(1, buy, QUOTE, MEANS)).toBe('9');
  expect(countShares(0.5, { ...buy, limitPrice: '50' }, QUOTE, MEANS)).toBe('10');
  expect(countShares(1, buy, undefined, MEANS)).toBe(null);
  expect(countShares(1, buy, QUOTE, { ...MEANS, cash: new Big('-5') })).toBe('0');
  const sell = { side: 'SELL', limitPrice: null } as const;
  expect(countShares(1, sell, undefined, MEANS)).toBe('10.5');
  expect(countShares(0.25, sell, undefined, MEANS)).toBe('2.625');
});
