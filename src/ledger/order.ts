import type { Decimal } from './decimal.ts';

export type OrderSide = 'BUY' | 'SELL';
export type OrderType = 'MARKET' | 'LIMIT';
export type OrderStatus = 'PENDING' | 'FILLED' | 'PARTIALLY_FILLED' | 'CANCELLED' | 'REJECTED';

/** Why an order is rejected; its `reason`. */
export type Rejection = 'INSUFFICIENT_FUNDS' | 'INSUFFICIENT_POSITION' | 'MARKET_CLOSED' | 'NO_QUOTE';

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
  /** Unix ms. */
  readonly createdAt: number;
  readonly updatedAt: number;
};
