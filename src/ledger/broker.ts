import type { Bus } from '../bus/bus.ts';
import type { Logger } from '../market/logger.ts';
import type { Timers } from '../market/timers.ts';
import type { Decimal } from './decimal.ts';
import type { BrokerName, Order, OrderTicket, Rejection } from './order.ts';
import type { FollowQuotes, LedgerQuote } from './quotes.ts';

/** What becomes of an order at once. */
export type Answer =
  | { readonly kind: 'fill'; readonly price: Decimal }
  /**
   * It stays open: the broker fills it later. `heldPrice` is what a share of an order at market counts until then; a buy is
   * never filled above it.
   */
  | { readonly kind: 'rest'; readonly heldPrice?: Decimal | null }
  | { readonly kind: 'reject'; readonly reason: Rejection };

/** A part of an order that a market has traded. */
export type Execution = {
  /** The broker's name of it. */
  readonly id: string;
  readonly quantity: Decimal;
  readonly price: Decimal;
  /** Of the order, with this one: its place among the order's executions. */
  readonly filledQuantity: Decimal;
};

/** How an order ends that was not filled, or not all of it. */
export type Ending = { readonly status: 'CANCELLED' } | { readonly status: 'REJECTED'; readonly reason: Rejection };

/** The side of the ledger that a broker works on: the orders that were given to it. */
export type OrderBook = {
  /** All that are open, oldest first. */
  listOpen(): Promise<Order[]>;
  /** One of them; `null` where it is open no more. */
  findOpen(id: string): Promise<Order | null>;
  /** One of them, open or not. */
  find(id: string): Promise<Order | null>;
  /** Fills the whole order, unless it waits no more. */
  fill(order: Order, price: Decimal): Promise<void>;
  /** Keeps the broker's name of an order. */
  noteSent(id: string, brokerOrderId: string): Promise<void>;
  /**
   * Books an execution that follows the one that was booked last; another one, because it is booked already or because one before
   * it is missing, changes nothing. Resolves with the order as it is then; `null` where there is none.
   */
  execute(id: string, execution: Execution): Promise<Order | null>;
  /** Ends an order that is open. Resolves with the order as it is then; `null` where there is none. */
  end(id: string, ending: Ending): Promise<Order | null>;
};

/** Whoever brings orders to a market. */
export interface Broker {
  /**
   * What becomes of a new order. The ledger asks before it looks at the account, and may then reject what the broker would fill.
   * @throws where the market cannot be asked
   */
  answer(ticket: OrderTicket): Promise<Answer>;
  /**
   * Brings a new order to the market, once it is kept as open. Resolves when it is known what has come of it, or that this is found
   * out later; never rejects. Without it, an order that is open only waits.
   */
  send?(order: Order): Promise<void>;
  /**
   * Asks the market to cancel an order; the ledger has kept that it was asked. Resolves when it is known what has come of it, or
   * that this is found out later; never rejects. Without it, orders are cancelled by the ledger alone.
   */
  cancel?(order: Order): Promise<void>;
  /** Begins to work the orders that are open. */
  start(): void;
  close(): Promise<void>;
}

/** What a broker is made of. */
export type BrokerParts = {
  readonly book: OrderBook;
  /** The current quote of a symbol; `null`: nothing is known of it. */
  readonly readQuote: (symbol: string) => Promise<LedgerQuote | null>;
  readonly follow: FollowQuotes;
  readonly isMarketOpen: () => boolean;
  /** See {@link Database.takeRole}. */
  readonly takeRole: (onLost: () => void) => Promise<(() => Promise<void>) | null>;
  readonly bus: Pick<Bus, 'subscribe'>;
  readonly timers: Timers;
  /** Unix ms. */
  readonly now: () => number;
  readonly logger: Logger;
};

export type BrokerKind = { readonly name: BrokerName; readonly open: (parts: BrokerParts) => Broker };
