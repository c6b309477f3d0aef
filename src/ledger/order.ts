import type { Decimal } from './decimal.ts';

export type OrderSide = 'BUY' | 'SELL';
export type OrderType = 'MARKET' | 'LIMIT';
export type OrderStatus = 'PENDING' | 'FILLED' | 'PARTIALLY_FILLED' | 'CANCELLED' | 'REJECTED';
/** Whom an order was given to. */
export type BrokerName = 'paper' | 'alpaca';

/** Why an order is rejected; its `reason`. */
export type Rejection =
  | 'INSUFFICIENT_FUNDS'
  | 'INSUFFICIENT_POSITION'
  | 'MARKET_CLOSED'
  | 'NO_QUOTE'
  | 'REJECTED_BY_BROKER'
  | 'BROKER_UNAVAILABLE';

/** Orders in these states may still be filled. */
export const OPEN_STATUSES: readonly OrderStatus[] = ['PENDING', 'PARTIALLY_FILLED'];

export function isOpen({ status }: { readonly status: OrderStatus }): boolean {
  return OPEN_STATUSES.includes(status);
}

/** What a user asks for; `limitPrice` is that of a LIMIT order alone. */
export type OrderTicket = {
  /** The user's own name of it: the same one twice is the same order. */
  readonly clientOrderId: string;
  readonly symbol: string;
  readonly side: OrderSide;
  readonly type: OrderType;
  readonly quantity: Decimal;
  readonly limitPrice: Decimal | null;
};

export type Order = OrderTicket & {
  readonly id: string;
  /** The place among all orders. */
  readonly number: number;
  readonly userId: string;
  readonly filledQuantity: Decimal;
  readonly averagePrice: Decimal | null;
  readonly status: OrderStatus;
  readonly reason: string | null;
  readonly broker: BrokerName;
  /** The broker's name of it, once that is known. */
  readonly brokerOrderId: string | null;
  /** Of an order at market that waits: what a share of it counts, and costs at the most. */
  readonly heldPrice: Decimal | null;
  /** The user has asked to cancel it, which the broker decides. */
  readonly isCancelAsked: boolean;
  /** Unix ms. */
  readonly createdAt: number;
  readonly updatedAt: number;
};
