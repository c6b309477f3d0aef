import type { OrderFieldsFragment, OrderSide, TradeNotificationsSubscription } from '../../gql/graphql.ts';
import { formatMoney } from '../format/money.ts';
import { formatQuantity } from '../format/quantity.ts';
import { describeRejection } from './refusals.ts';

/** What the viewer is told of an order: it was traded, or it failed. */
export type Notice = {
  /** Names it among all: an execution by its own name, a failure by its order's. */
  readonly id: string;
  readonly orderId: string;
  readonly kind: 'executed' | 'failed';
  readonly symbol: string;
  readonly side: OrderSide;
  readonly quantity: string;
  /** Per share; `null` of a failure. */
  readonly price: string | null;
  /** Why it failed. */
  readonly code: string | null;
  readonly timestamp: string;
  /** Its place in the log; `null` where it was read from the order itself. */
  readonly cursor: string | null;
};

type Notification = TradeNotificationsSubscription['tradeNotifications'];

export function readNotice(notification: Notification): Notice {
  const { orderId, timestamp, cursor } = notification;
  if (notification.__typename === 'TradeExecuted') {
    const { id, symbol, side, quantity, price } = notification;
    return { id, orderId, kind: 'executed', symbol, side, quantity, price, code: null, timestamp, cursor };
  }
  const { code, signal } = notification;
  return { id: orderId, orderId, kind: 'failed', ...pickSignal(signal), price: null, code, timestamp, cursor };
}

function pickSignal({ symbol, side, quantity }: Pick<Notice, 'symbol' | 'side' | 'quantity'>) {
  return { symbol, side, quantity };
}

/** What an order says of itself once it is over; `null` where it would not be told of: it waits, or its viewer cancelled it. */
export function readNoticeOf(order: OrderFieldsFragment): Notice | null {
  const { id, symbol, side, status, averagePrice, reason, updatedAt: timestamp } = order;
  const common = { id, orderId: id, symbol, side, timestamp, cursor: null };
  if (status === 'FILLED') {
    return { ...common, kind: 'executed', quantity: order.filledQuantity, price: averagePrice ?? null, code: null };
  }
  return status === 'REJECTED'
    ? { ...common, kind: 'failed', quantity: order.quantity, price: null, code: reason ?? null }
    : null;
}

export type NoticeWords = { readonly title: string; readonly detail: string };

export function describeNotice({ kind, side, quantity, symbol, price, code }: Notice): NoticeWords {
  const what = `${formatQuantity(quantity)} ${symbol}`;
  if (kind === 'failed') {
    return { title: `Rejected: ${side === 'BUY' ? 'buy' : 'sell'} ${what}`, detail: describeRejection(code) };
  }
  return { title: `${side === 'BUY' ? 'Bought' : 'Sold'} ${what}`, detail: `at ${formatMoney(price)} a share` };
}

/** Many at once, such as after a night: one sentence, for nobody reads a hundred toasts. */
export function describeNotices(notices: readonly Notice[]): NoticeWords {
  const failed = notices.filter(({ kind }) => kind === 'failed').length;
  const executed = notices.length - failed;
  const parts = [executed > 0 ? `${executed} filled` : '', failed > 0 ? `${failed} rejected` : ''];
  const symbols = [...new Set(notices.map(({ symbol }) => symbol))];
  const named = symbols.slice(0, 4).join(', ');
  return {
    title: `${notices.length} orders: ${parts.filter(Boolean).join(', ')}`,
    detail: symbols.length > 4 ? `${named} and ${symbols.length - 4} more` : named,
  };
}
