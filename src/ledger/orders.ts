import { randomUUID } from 'node:crypto';
import { and, asc, desc, eq, lt } from 'drizzle-orm';
import { ClientError } from '../errors.ts';
import type { Accounts } from './accounts.ts';
import type { Answer, Broker, OpenOrder, OrderBook } from './broker.ts';
import type { Database, Transaction } from './database.ts';
import { amountOf, decimal, type Decimal } from './decimal.ts';
import type { NotificationBody } from './notification.ts';
import type { Order, OrderStatus, OrderTicket, Rejection } from './order.ts';
import { findShortage, type LockedAccount, lockAccount, notify, settle } from './settlement.ts';
import { orders } from './tables.ts';

export type OrdersOptions = {
  readonly database: Database;
  readonly accounts: Accounts;
  readonly broker: Broker;
  /** A user's log has grown to this number: called after the commit. */
  readonly onNotified: (userId: string, number: number) => void;
  /** An order waits from now on: called after the commit. */
  readonly onOpened: (id: string) => void;
  /** Unix ms. */
  readonly now: () => number;
};

const MESSAGES: Record<Rejection, string> = {
  INSUFFICIENT_FUNDS: 'The cash does not suffice for this order and those that are open.',
  INSUFFICIENT_POSITION: 'There are not so many shares to sell, beside those in orders that are open.',
  MARKET_CLOSED: 'The market is closed.',
  NO_QUOTE: 'There is no current price for this symbol on that side.',
};

/** What a transaction brought about, to be told when it is committed. */
type Outcome = { readonly order: Order; readonly notified: number | null };

/** Users' orders: each is one transaction under the lock of its account. */
export class Orders implements OrderBook {
  readonly #options: OrdersOptions;

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  /**
   * Places an order; the first one of that `clientOrderId`, where there is one already. What cannot be filled is an order that is
   * rejected.
   */
  async place(userId: string, ticket: OrderTicket): Promise<Order> {
    const { database, accounts, broker, onOpened } = this.#options;
    await accounts.open(userId);
    const earlier = await database.use((queries) => find(queries, userId, ticket.clientOrderId));
    if (earlier !== null) return earlier;
    // Asked outside of the transaction: nobody waits for a market with an account locked.
    const answer = await broker.answer(ticket);
    const { order, notified } = await database.transact((tx) => this.#place(tx, userId, ticket, answer));
    if (notified !== null) this.#options.onNotified(userId, notified);
    if (order.status === 'PENDING') onOpened(order.id);
    return order;
  }

  /** The order as it is then: one that is filled already stays filled. `null` where this user has no such order. */
  async cancel(userId: string, id: string): Promise<Order | null> {
    if (!UUID.test(id)) return null;
    return this.#options.database.transact(async (tx) => {
      if ((await lockAccount(tx, userId)) === null) return null;
      const order = await findById(tx, userId, id);
      if (order === null || order.status !== 'PENDING') return order;
      return close(tx, order, { status: 'CANCELLED', updatedAt: this.#at() });
    });
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

  async listOpen(): Promise<OpenOrder[]> {
    const rows = await this.#options.database.use((queries) =>
      queries.select().from(orders).where(eq(orders.status, 'PENDING')).orderBy(asc(orders.number)),
    );
    return rows.map(toOrder).map(toOpenOrder);
  }

  async findOpen(id: string): Promise<OpenOrder | null> {
    const [row] = await this.#options.database.use((queries) =>
      queries
        .select()
        .from(orders)
        .where(and(eq(orders.id, id), eq(orders.status, 'PENDING'))),
    );
    return row === undefined ? null : toOpenOrder(toOrder(row));
  }

  async fill({ id, userId }: OpenOrder, price: Decimal): Promise<boolean> {
    const notified = await this.#options.database.transact(async (tx) => {
      const account = await lockAccount(tx, userId);
      const order = account === null ? null : await findById(tx, userId, id);
      // Cancelled meanwhile, or filled by another process.
      if (account === null || order === null || order.status !== 'PENDING') return null;
      const at = this.#at();
      await close(tx, order, { status: 'FILLED', filledQuantity: order.quantity, averagePrice: price, updatedAt: at });
      return settle(tx, account, { ...order, orderId: id, price }, at);
    });
    if (notified !== null) this.#options.onNotified(userId, notified);
    return notified !== null;
  }

  async #place(tx: Transaction, userId: string, ticket: OrderTicket, answer: Answer): Promise<Outcome> {
    const account = (await lockAccount(tx, userId))!;
    const earlier = await find(tx, userId, ticket.clientOrderId);
    if (earlier !== null) return { order: earlier, notified: null };
    const reason = await findRejection(tx, account, ticket, answer);
    const at = this.#at();
    if (reason !== null) {
      const order = await insert(tx, userId, ticket, { status: 'REJECTED', reason, filled: null, at });
      return { order, notified: await notify(tx, account, failureOf(order, reason), at) };
    }
    if (answer.kind !== 'fill') {
      return {
        order: await insert(tx, userId, ticket, { status: 'PENDING', reason, filled: null, at }),
        notified: null,
      };
    }
    const { price } = answer;
    const order = await insert(tx, userId, ticket, { status: 'FILLED', reason, filled: price, at });
    return { order, notified: await settle(tx, account, { ...order, orderId: order.id, price }, at) };
  }

  #at(): Date {
    return new Date(this.#options.now());
  }
}

async function findRejection(
  tx: Transaction,
  account: LockedAccount,
  ticket: OrderTicket,
  answer: Answer,
): Promise<Rejection | null> {
  if (answer.kind === 'reject') return answer.reason;
  const price = answer.kind === 'fill' ? answer.price : ticket.limitPrice!;
  // Rounded to nothing, it would be shares for nothing.
  if (amountOf(ticket.quantity, price).eq(0)) {
    throw new ClientError('BAD_USER_INPUT', 'Argument "input": the order is too small, it would move no cash', {
      argument: 'input',
    });
  }
  return findShortage(tx, account, ticket, price);
}

function failureOf(order: Order, code: Rejection): NotificationBody {
  const { id: orderId, symbol, side, quantity } = order;
  return { kind: 'TradeFailed', orderId, error: MESSAGES[code], code, symbol, side, quantity: quantity.toFixed() };
}

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

type Reading = Pick<Transaction, 'select'>;

async function find(queries: Reading, userId: string, clientOrderId: string): Promise<Order | null> {
  const [row] = await queries
    .select()
    .from(orders)
    .where(and(eq(orders.userId, userId), eq(orders.clientOrderId, clientOrderId)));
  return row === undefined ? null : toOrder(row);
}

async function findById(queries: Reading, userId: string, id: string): Promise<Order | null> {
  const [row] = await queries
    .select()
    .from(orders)
    .where(and(eq(orders.id, id), eq(orders.userId, userId)));
  return row === undefined ? null : toOrder(row);
}

async function insert(
  tx: Transaction,
  userId: string,
  ticket: OrderTicket,
  state: { status: OrderStatus; reason: Rejection | null; filled: Decimal | null; at: Date },
): Promise<Order> {
  const { status, reason, filled, at } = state;
  const { clientOrderId, symbol, side, type, limitPrice } = ticket;
  const quantity = ticket.quantity.toFixed();
  const [row] = await tx
    .insert(orders)
    .values({
      ...{ id: randomUUID(), userId, clientOrderId, symbol, side, type, quantity, status, reason },
      limitPrice: limitPrice?.toFixed() ?? null,
      filledQuantity: filled === null ? '0' : quantity,
      averagePrice: filled?.toFixed() ?? null,
      createdAt: at,
      updatedAt: at,
    })
    .returning();
  return toOrder(row!);
}

async function close(
  tx: Transaction,
  order: Order,
  state: { status: OrderStatus; filledQuantity?: Decimal; averagePrice?: Decimal; updatedAt: Date },
): Promise<Order> {
  const { status, filledQuantity, averagePrice, updatedAt } = state;
  const [row] = await tx
    .update(orders)
    .set({
      status,
      updatedAt,
      ...(filledQuantity !== undefined && { filledQuantity: filledQuantity.toFixed() }),
      ...(averagePrice !== undefined && { averagePrice: averagePrice.toFixed() }),
    })
    .where(eq(orders.id, order.id))
    .returning();
  return toOrder(row!);
}

function toOrder(row: typeof orders.$inferSelect): Order {
  return {
    ...row,
    quantity: decimal(row.quantity),
    limitPrice: row.limitPrice === null ? null : decimal(row.limitPrice),
    filledQuantity: decimal(row.filledQuantity),
    averagePrice: row.averagePrice === null ? null : decimal(row.averagePrice),
    createdAt: row.createdAt.getTime(),
    updatedAt: row.updatedAt.getTime(),
  };
}

/** Only limit orders wait. */
function toOpenOrder({ id, userId, symbol, side, quantity, limitPrice }: Order): OpenOrder {
  return { id, userId, symbol, side, quantity, limitPrice: limitPrice! };
}
