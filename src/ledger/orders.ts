import { and, desc, eq, lt } from './drizzle.ts';
import { ClientError } from '../errors.ts';
import type { Accounts } from './accounts.ts';
import type { Answer, Broker, OrderBook } from './broker.ts';
import type { Database, Transaction } from './database.ts';
import { amountOf, type Decimal } from './decimal.ts';
import { describeFailure } from './notification.ts';
import { type BrokerName, isOpen, type Order, type OrderTicket, type Rejection } from './order.ts';
import { changeOrder, findById, findNamed, insertOrder, toOrder } from './order-rows.ts';
import { findShortage, type LockedAccount, lockAccount, notify, settle } from './settlement.ts';
import { orders } from './tables.ts';

export type OrdersOptions = {
  readonly database: Database;
  readonly accounts: Accounts;
  readonly broker: Broker;
  readonly brokerName: BrokerName;
  readonly book: OrderBook;
  /** A user's log has grown to this number: called after the commit. */
  readonly onNotified: (userId: string, number: number) => void;
  /** An order waits from now on: called after the commit. */
  readonly onOpened: (id: string) => void;
  /** Unix ms. */
  readonly now: () => number;
};

/** What a transaction brought about, to be told when it is committed. */
type Outcome = { readonly order: Order; readonly notified: number | null; readonly isNew: boolean };

/** Users' orders: each is one transaction under the lock of its account. */
export class Orders {
  readonly #options: OrdersOptions;

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  /**
   * Places an order; the first one of that `clientOrderId`, where there is one already. What cannot be filled is an order that is
   * rejected.
   */
  async place(userId: string, ticket: OrderTicket): Promise<Order> {
    const { database, accounts, broker, book, onOpened } = this.#options;
    await accounts.open(userId);
    const earlier = await database.use((queries) => findNamed(queries, userId, ticket.clientOrderId));
    if (earlier !== null) return earlier;
    // Asked outside of the transaction: nobody waits for a market with an account locked.
    const answer = await broker.answer(ticket);
    const { order, notified, isNew } = await database.transact((tx) => this.#place(tx, userId, ticket, answer));
    if (notified !== null) this.#options.onNotified(userId, notified);
    if (!isNew || order.status !== 'PENDING') return order;
    onOpened(order.id);
    if (broker.send === undefined) return order;
    // It is kept by now: whatever happens while it is brought to the market, it is not forgotten.
    await broker.send(order);
    return (await book.find(order.id)) ?? order;
  }

  /** The order as it is then: one that is filled already stays filled. `null` where this user has no such order. */
  async cancel(userId: string, id: string): Promise<Order | null> {
    if (!UUID.test(id)) return null;
    const { database, broker, brokerName, book } = this.#options;
    const order = await database.transact(async (tx) => {
      if ((await lockAccount(tx, userId)) === null) return null;
      const found = await findById(tx, id);
      if (found?.userId !== userId) return null;
      if (!isOpen(found)) return found;
      // It waits nowhere but here.
      if (found.broker === 'paper') return changeOrder(tx, id, { status: 'CANCELLED' }, this.#at());
      if (found.broker !== brokerName) {
        throw new ClientError('UPSTREAM_UNAVAILABLE', 'The broker of this order is not connected.', {
          retryAfterMs: RETRY_AFTER_MS,
        });
      }
      return changeOrder(tx, id, { cancelAskedAt: this.#at() }, this.#at());
    });
    if (order === null || !isOpen(order) || broker.cancel === undefined) return order;
    await broker.cancel(order);
    return (await book.find(id)) ?? order;
  }

  /** Newest first, from before the one with the number `before`. */
  async list(userId: string, before: number | null, limit: number): Promise<Order[]> {
    await this.#options.accounts.open(userId);
    const rows = await this.#options.database.use((queries) =>
      queries
        .select()
        .from(orders)
        .where(and(eq(orders.userId, userId), before === null ? undefined : lt(orders.number, before)))
        .orderBy(desc(orders.number))
        .limit(limit),
    );
    return rows.map(toOrder);
  }

  async #place(tx: Transaction, userId: string, ticket: OrderTicket, answer: Answer): Promise<Outcome> {
    const account = (await lockAccount(tx, userId))!;
    const earlier = await findNamed(tx, userId, ticket.clientOrderId);
    if (earlier !== null) return { order: earlier, notified: null, isNew: false };
    const { brokerName: broker } = this.#options;
    const reason = await findRejection(tx, account, { ...ticket, broker }, answer);
    const at = this.#at();
    const heldPrice = answer.kind === 'rest' ? (answer.heldPrice ?? null) : null;
    const row = { reason, heldPrice, broker, at };
    if (reason !== null) {
      const order = await insertOrder(tx, userId, ticket, { ...row, status: 'REJECTED', filled: null });
      return { order, notified: await notify(tx, account, describeFailure(order, reason), at), isNew: true };
    }
    if (answer.kind !== 'fill') {
      const order = await insertOrder(tx, userId, ticket, { ...row, status: 'PENDING', filled: null });
      return { order, notified: null, isNew: true };
    }
    const { price } = answer;
    const order = await insertOrder(tx, userId, ticket, { ...row, status: 'FILLED', filled: price });
    return { order, notified: await settle(tx, account, { ...order, orderId: order.id, price }, at), isNew: true };
  }

  #at(): Date {
    return new Date(this.#options.now());
  }
}

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const RETRY_AFTER_MS = 10_000;

async function findRejection(
  tx: Transaction,
  account: LockedAccount,
  ticket: OrderTicket & { readonly broker: BrokerName },
  answer: Answer,
): Promise<Rejection | null> {
  if (answer.kind === 'reject') return answer.reason;
  const price = answer.kind === 'fill' ? answer.price : countedPriceOf(ticket, answer);
  // Rounded to nothing, it would be shares for nothing.
  if (amountOf(ticket.quantity, price).eq(0)) {
    throw new ClientError('BAD_USER_INPUT', 'Argument "input": the order is too small, it would move no cash', {
      argument: 'input',
    });
  }
  return findShortage(tx, account, ticket, price);
}

/** Every order that waits has one: its limit, or what the broker counts a share at market. */
function countedPriceOf(ticket: OrderTicket, answer: Extract<Answer, { kind: 'rest' }>): Decimal {
  return (ticket.limitPrice ?? answer.heldPrice)!;
}
