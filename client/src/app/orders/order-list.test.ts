import { describe, expect, it } from 'vitest';
import type { Notice } from './notice.ts';
import { applyNotice, type KnownOrder, mergeOrders } from './order-list.ts';

const at = (second: number): string => `2026-11-20T10:00:${String(second).padStart(2, '0')}.000Z`;

function makeOrder(id: string, created: number, change: Partial<KnownOrder> = {}): KnownOrder {
  return {
    ...{ __typename: 'Order', id, clientOrderId: id, symbol: 'AAPL', side: 'BUY', type: 'LIMIT', quantity: '2' },
    ...{ limitPrice: '90', filledQuantity: '0', averagePrice: null, status: 'PENDING', reason: null },
    ...{ createdAt: at(created), updatedAt: at(created) },
    ...change,
  } as KnownOrder;
}

const NOTICE: Notice = {
  ...{ id: 'e', orderId: 'a', kind: 'executed', symbol: 'AAPL', side: 'BUY', quantity: '2' },
  ...{ price: '89.5', code: null, timestamp: at(9), cursor: 'c' },
};

describe('orders from several answers', () => {
  it('stand newest first, each once, in its youngest state', () => {
    const cancelled = makeOrder('a', 1, { status: 'CANCELLED', updatedAt: at(5) });
    const merged = mergeOrders([cancelled, makeOrder('b', 2)], [makeOrder('c', 3), makeOrder('a', 1)]);
    expect(merged.map(({ id, status }) => `${id} ${status}`)).toEqual(['c PENDING', 'b PENDING', 'a CANCELLED']);
    expect(mergeOrders([makeOrder('a', 1)], [cancelled])).toEqual([cancelled]);
  });

  it('do not open again by an answer of the same instant that was read earlier', () => {
    const filled = makeOrder('a', 1, { status: 'FILLED' });
    expect(mergeOrders([filled], [makeOrder('a', 1)])).toEqual([filled]);
  });
});

describe('a notice', () => {
  it('closes its order, also one that is on no page that is read again', () => {
    const [order] = applyNotice([makeOrder('a', 1)], NOTICE);
    expect(order).toMatchObject({ status: 'FILLED', filledQuantity: '2', averagePrice: '89.5', updatedAt: at(9) });
    const failure: Notice = { ...NOTICE, kind: 'failed', code: 'NO_QUOTE' };
    expect(applyNotice([makeOrder('a', 1)], failure)).toMatchObject([{ status: 'REJECTED', reason: 'NO_QUOTE' }]);
  });

  it('of a part leaves the order open', () => {
    const known = applyNotice([makeOrder('a', 1)], { ...NOTICE, quantity: '1' });
    expect(known).toMatchObject([{ status: 'PARTIALLY_FILLED' }]);
  });

  it('changes nothing where its order is not known, or is over', () => {
    for (const known of [[], [makeOrder('b', 1)], [makeOrder('a', 1, { status: 'CANCELLED' })]]) {
      expect(applyNotice(known, NOTICE)).toBe(known);
    }
  });
});
