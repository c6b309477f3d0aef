import type { OrderFieldsFragment } from '../../gql/graphql.ts';
import { isOpen } from './estimate.ts';
import type { Notice } from './notice.ts';

export type KnownOrder = OrderFieldsFragment;

/** The known ones and others, newest first; of one that is in both, the state that is younger. */
export function mergeOrders(known: readonly KnownOrder[], others: readonly KnownOrder[]): KnownOrder[] {
  const byId = new Map(known.map((order) => [order.id, order]));
  for (const order of others) {
    const before = byId.get(order.id);
    // Times are texts of one form, which compare as they stand. What is over does not open again.
    if (before === undefined || (before.updatedAt <= order.updatedAt && !(isOpen(order) && !isOpen(before)))) {
      byId.set(order.id, order);
    }
  }
  return [...byId.values()].toSorted((a, b) => Number(a.createdAt < b.createdAt) - Number(a.createdAt > b.createdAt));
}

/** What has been read of the viewer's orders, from the newest back to some place. */
export type ReadOrders = {
  readonly orders: readonly KnownOrder[];
  /** Of the oldest that was read, to go on after it; `null` where there are none. */
  readonly end: string | null;
  /** Whether there are older ones. */
  readonly hasMore: boolean;
};

export const NOTHING_READ: ReadOrders = { orders: [], end: null, hasMore: false };

/** With the page that comes after the end, the older ones; or with the newest page, which was read again. */
export function addPage(read: ReadOrders, page: ReadOrders, isNewest: boolean): ReadOrders {
  const isJoined = page.orders.some(({ id }) => read.orders.some((order) => order.id === id));
  // So many are new that the newest page does not reach to what was read: it begins anew, rather than with a hole.
  if (isNewest && (read.orders.length === 0 || (page.hasMore && !isJoined))) return page;
  const orders = mergeOrders(read.orders, page.orders);
  return isNewest ? { ...read, orders } : { orders, end: page.end, hasMore: page.hasMore };
}

/**
 * What a notice tells of an order that is known: it may lie on a page of the past that is not read again. An execution tells its
 * own part only; the order is over where that was all that was left.
 */
export function applyNotice(known: readonly KnownOrder[], notice: Notice): readonly KnownOrder[] {
  const order = known.find(({ id }) => id === notice.orderId);
  if (order === undefined || !isOpen(order)) return known;
  const state: Partial<KnownOrder> =
    notice.kind === 'failed'
      ? { status: 'REJECTED', reason: notice.code }
      : notice.quantity === order.quantity
        ? { status: 'FILLED', filledQuantity: notice.quantity, averagePrice: notice.price }
        : { status: 'PARTIALLY_FILLED' };
  return known.map((other) => (other === order ? { ...order, ...state, updatedAt: notice.timestamp } : other));
}
