import { and, asc, eq, inArray } from './drizzle.ts';
import type { Ending, Execution, OrderBook } from './broker.ts';
import type { Database, Transaction } from './database.ts';
import { averagePriceOf, decimal, type Decimal, ZERO } from './decimal.ts';
import { describeFailure } from './notification.ts';
import { type BrokerName, isOpen, OPEN_STATUSES, type Order } from './order.ts';
import { changeOrder, findById, type OrderChange, toOrder } from './order-rows.ts';
import { type LockedAccount, lockAccount, notify, settle } from './settlement.ts';
import { executions, orders } from './tables.ts';

export type LedgerBookOptions = {
  readonly database: Database;
  /** Whose orders it shows. */
  readonly broker: BrokerName;
  /** A user's log has grown to this number: called after the commit. */
  readonly onNotified: (userId: string, number: number) => void;
  /** Unix ms. */
  readonly now: () => number;
};

/** What a change of an order brought about, to be told when it is committed. */
type Outcome = { readonly order: Order; readonly notified: number | null };

/** What a broker has to say of orders, booked: each is one transaction under the lock of its account. */
export class LedgerBook implements OrderBook {
  readonly #options: LedgerBookOptions;

  constructor(options: LedgerBookOptions) {
    this.#options = options;
  }

  async listOpen(): Promise<Order[]> {
    const rows = await this.#options.database.use((queries) =>
      queries
        .select()
        .from(orders)
        .where(and(inArray(orders.status, [...OPEN_STATUSES]), eq(orders.broker, this.#options.broker)))
        .orderBy(asc(orders.number)),
    );
    return rows.map(toOrder);
  }

  async findOpen(id: string): Promise<Order | null> {
    const order = await this.find(id);
    return order !== null && isOpen(order) ? order : null;
  }

  async find(id: string): Promise<Order | null> {
    const order = await this.#options.database.use((queries) => findById(queries, id));
    return order?.broker === this.#options.broker ? order : null;
  }

  async noteSent(id: string, brokerOrderId: string): Promise<void> {
    await this.#options.database.use((queries) =>
      queries.update(orders).set({ brokerOrderId }).where(eq(orders.id, id)),
    );
  }

  async fill({ id }: Order, price: Decimal): Promise<void> {
    await this.#change(id, async (tx, account, order, at) => {
      // Cancelled meanwhile, or filled by another process.
      if (order.status !== 'PENDING') return { order, notified: null };
      return this.#settle(tx, account, order, { price, quantity: order.quantity, average: price }, at);
    });
  }

  execute(id: string, { id: brokerExecutionId, quantity, price, filledQuantity }: Execution): Promise<Order | null> {
    return this.#change(id, async (tx, account, order, at) => {
      if (!filledQuantity.minus(quantity).eq(order.filledQuantity)) return { order, notified: null };
      const average = await averageWith(tx, id, quantity, price);
      return this.#settle(tx, account, order, { quantity, price, average, brokerExecutionId }, at);
    });
  }

  end(id: string, ending: Ending): Promise<Order | null> {
    return this.#change(id, async (tx, account, order, at) => {
      if (!isOpen(order)) return { order, notified: null };
      if (ending.status === 'REJECTED' && order.filledQuantity.eq(0)) {
        const { status, reason } = ending;
        const rejected = await changeOrder(tx, id, { status, reason }, at);
        return { order: rejected, notified: await notify(tx, account, describeFailure(rejected, reason), at) };
      }
      const ended = await changeOrder(tx, id, { status: 'CANCELLED' }, at);
      // Who has asked for it is not told of it.
      if (order.isCancelAsked) return { order: ended, notified: null };
      return { order: ended, notified: await notify(tx, account, describeFailure(ended, 'ENDED_BY_BROKER'), at) };
    });
  }

  async #settle(
    tx: Transaction,
    account: LockedAccount,
    order: Order,
    fill: { quantity: Decimal; price: Decimal; average: Decimal; brokerExecutionId?: string },
    at: Date,
  ): Promise<Outcome> {
    const { average: averagePrice, ...execution } = fill;
    const filledQuantity = order.filledQuantity.plus(fill.quantity);
    const change: OrderChange & { status: Order['status'] } = {
      // What was traded is a fact, also of an order that had ended for us.
      status: filledQuantity.eq(order.quantity)
        ? 'FILLED'
        : order.status === 'CANCELLED'
          ? 'CANCELLED'
          : 'PARTIALLY_FILLED',
      reason: null,
      ...{ filledQuantity, averagePrice },
    };
    const changed = await changeOrder(tx, order.id, change, at);
    const { symbol, side } = order;
    const { status } = change;
    return {
      order: changed,
      notified: await settle(tx, account, { orderId: order.id, symbol, side, status, ...execution }, at),
    };
  }

  /** `null` where there is no such order. */
  async #change(
    id: string,
    work: (tx: Transaction, account: LockedAccount, order: Order, at: Date) => Promise<Outcome>,
  ): Promise<Order | null> {
    const { database, broker, onNotified, now } = this.#options;
    const outcome = await database.transact(async (tx) => {
      const known = await findById(tx, id);
      if (known?.broker !== broker) return null;
      const account = (await lockAccount(tx, known.userId))!;
      // Read again: until the account was locked, somebody else may have changed it.
      return work(tx, account, (await findById(tx, id))!, new Date(now()));
    });
    if (outcome === null) return null;
    if (outcome.notified !== null) onNotified(outcome.order.userId, outcome.notified);
    return outcome.order;
  }
}

/** The average price of all executions of an order and of one more. */
async function averageWith(tx: Transaction, orderId: string, quantity: Decimal, price: Decimal): Promise<Decimal> {
  const earlier = await tx
    .select({ quantity: executions.quantity, price: executions.price })
    .from(executions)
    .where(eq(executions.orderId, orderId));
  const all = [
    ...earlier.map((row) => [decimal(row.quantity), decimal(row.price)] as const),
    [quantity, price] as const,
  ];
  const shares = all.reduce((sum, [part]) => sum.plus(part), ZERO);
  const amount = all.reduce((sum, [part, each]) => sum.plus(part.times(each)), ZERO);
  return averagePriceOf(amount, shares);
}
