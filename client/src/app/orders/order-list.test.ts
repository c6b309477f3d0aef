import { describe, expect, it } from 'vitest';
import type { Notice } from './notice.ts';
import { addPage, applyNotice, type KnownOrder, mergeOrders, NOTHING_READ, type ReadOrders } from './order-list.ts';

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

describe('pages', () => {
  const makePage = (ids: readonly number[], hasMore: boolean): ReadOrders => ({
    orders: ids.map((id) => makeOrder(String(id), id)),
    end: `after ${ids.at(-1)}`,
    hasMore,
  });
  const show = ({ orders, end, hasMore }: ReadOrders): string =>
    `${orders.map(({ id }) => id).join(' ')}, ${end}, ${hasMore ? 'more' : 'all'}`;

  it('of older ones move the end, the newest one that is read again does not', () => {
    const first = addPage(NOTHING_READ, makePage([9, 8, 7], true), true);
    const older = addPage(first, makePage([6, 5], false), false);
    expect(show(older)).toBe('9 8 7 6 5, after 5, all');
    expect(show(addPage(older, makePage([11, 10, 9], true), true))).toBe('11 10 9 8 7 6 5, after 5, all');
  });

  it('begin anew where the newest one does not reach to what was read', () => {
    const first = addPage(NOTHING_READ, makePage([3, 2, 1], false), true);
    expect(show(addPage(first, makePage([9, 8, 7], true), true))).toBe('9 8 7, after 7, more');
    expect(show(addPage(first, makePage([4], false), true))).toBe('4 3 2 1, after 1, all');
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
