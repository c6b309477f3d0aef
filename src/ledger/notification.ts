import type { OrderSide, OrderStatus, Rejection } from './order.ts';

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
      readonly code: Rejection;
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
