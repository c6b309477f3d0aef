import type { OrderSide, OrderStatus } from '../../gql/graphql.ts';
import { formatMoney } from '../format/money.ts';
import { formatQuantity } from '../format/quantity.ts';
import type { KnownOrder } from './order-list.ts';

export const STATUS_WORDS: Readonly<Record<OrderStatus, string>> = {
  PENDING: 'Waiting',
  PARTIALLY_FILLED: 'Partly filled',
  FILLED: 'Filled',
  CANCELLED: 'Cancelled',
  REJECTED: 'Rejected',
};

type Named = { readonly side: OrderSide; readonly quantity: string; readonly symbol: string };

/** "buy 10 AAPL" */
export function nameOrder({ side, quantity, symbol }: Named): string {
  return `${side === 'BUY' ? 'buy' : 'sell'} ${formatQuantity(quantity)} ${symbol}`;
}

/** "bought 10 AAPL at $189.12", or what else became of it. */
export function describeOrder(order: KnownOrder): string {
  const { side, symbol, status, filledQuantity, averagePrice } = order;
  if (status !== 'FILLED') return `${nameOrder(order)} is ${STATUS_WORDS[status].toLowerCase()}`;
  return `${side === 'BUY' ? 'bought' : 'sold'} ${formatQuantity(filledQuantity)} ${symbol} at ${formatMoney(averagePrice)}`;
}
