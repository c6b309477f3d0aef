import type { Decimal } from './decimal.ts';
import type { OrderTicket, Rejection } from './order.ts';

/** What becomes of an order at once. */
export type Answer =
  | { readonly kind: 'fill'; readonly price: Decimal }
  /** It stays open: the broker fills it later, by {@link OrderBook.fill}. */
  | { readonly kind: 'rest' }
  | { readonly kind: 'reject'; readonly reason: Rejection };

/** An order that waits to be filled. */
export type OpenOrder = Pick<OrderTicket, 'symbol' | 'side'> & {
  readonly id: string;
  readonly userId: string;
  readonly quantity: Decimal;
  readonly limitPrice: Decimal;
};

/** The side of the ledger that a broker works on. */
export type OrderBook = {
  /** All that wait. */
  listOpen(): Promise<OpenOrder[]>;
  /** One of them; `null` where it waits no more. */
  findOpen(id: string): Promise<OpenOrder | null>;
  /** Fills the whole order, unless it waits no more: `false`. */
  fill(order: OpenOrder, price: Decimal): Promise<boolean>;
};

/** Whoever brings orders to a market. */
export interface Broker {
  /**
   * What becomes of a new order. The ledger asks before it looks at the account, and may then reject what the broker would fill.
   * @throws where the market cannot be asked
   */
  answer(ticket: OrderTicket): Promise<Answer>;
  /** Begins to work the orders that wait in the book. */
  start(book: OrderBook): void;
  close(): Promise<void>;
}
