import type { Order, OrderSide, OrderStatus, Rejection } from './order.ts';

/** Why an order was not filled, or not all of it. */
export type Failure = Rejection | 'ENDED_BY_BROKER';

/** What a user is told of an order, as it is kept: amounts are decimal texts. */
export type NotificationBody =
  | {
      readonly kind: 'TradeExecuted';
      /** Of the execution. */
      readonly id: string;
      readonly orderId: string;
      readonly symbol: string;
      readonly side: OrderSide;
      readonly quantity: string;
      readonly price: string;
      readonly status: OrderStatus;
    }
  | {
      readonly kind: 'TradeFailed';
      readonly orderId: string;
      readonly error: string;
      readonly code: Failure;
      readonly symbol: string;
      readonly side: OrderSide;
      readonly quantity: string;
    };

/** An entry of a user's log: `epoch` and `offset` are its place, `offset` counts from 1 without a hole. */
export type Notification = NotificationBody & {
  readonly epoch: string;
  readonly offset: number;
  /** Unix ms. */
  readonly timestamp: number;
};

const MESSAGES: Record<Failure, string> = {
  INSUFFICIENT_FUNDS: 'The cash does not suffice for this order and those that are open.',
  INSUFFICIENT_POSITION: 'There are not so many shares to sell, beside those in orders that are open.',
  MARKET_CLOSED: 'The market is closed.',
  NO_QUOTE: 'There is no current price for this symbol on that side.',
  REJECTED_BY_BROKER: 'The broker does not take this order.',
  BROKER_UNAVAILABLE: 'The broker could not be reached in time; nothing was traded.',
  ENDED_BY_BROKER:
    'The broker has ended this order before it was filled: its time was over, or it was cancelled there.',
};

/** Of the shares that were not traded. */
export function describeFailure(order: Order, code: Failure): NotificationBody {
  const { id: orderId, symbol, side } = order;
  const quantity = order.quantity.minus(order.filledQuantity).toFixed();
  return { kind: 'TradeFailed', orderId, error: MESSAGES[code], code, symbol, side, quantity };
}
