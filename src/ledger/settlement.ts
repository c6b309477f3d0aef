import { randomUUID } from 'node:crypto';
import { and, eq, inArray, sql } from './drizzle.ts';
import { CASH, MARKET, movementAccountOf } from './accounts.ts';
import type { Transaction } from './database.ts';
import { amountOf, decimal, type Decimal, shareOf, ZERO } from './decimal.ts';
import type { NotificationBody } from './notification.ts';
import {
  type BrokerName,
  OPEN_STATUSES,
  type OrderSide,
  type OrderStatus,
  type OrderTicket,
  type Rejection,
} from './order.ts';
import { accounts, executions, movements, notifications, orders, positions } from './tables.ts';

/** An account whose row this transaction has locked: whatever else changes it waits. */
export type LockedAccount = {
  readonly userId: string;
  readonly logId: string;
  readonly cash: Decimal;
  readonly notified: number;
};

/** `null` where there is none. */
export async function lockAccount(tx: Transaction, userId: string): Promise<LockedAccount | null> {
  const [row] = await tx.select().from(accounts).where(eq(accounts.userId, userId)).for('update');
  return row === undefined ? null : { userId, logId: row.logId, cash: decimal(row.cash), notified: row.notified };
}

/** Why the account cannot afford an order at a price, besides those that are open already; `null`: it can. */
export async function findShortage(
  tx: Transaction,
  account: LockedAccount,
  ticket: Pick<OrderTicket, 'symbol' | 'side' | 'quantity'> & { readonly broker: BrokerName },
  price: Decimal,
): Promise<Rejection | null> {
  const { userId, cash } = account;
  const { symbol, side, quantity, filledQuantity, limitPrice, heldPrice, broker } = orders;
  const open = await tx
    .select({ symbol, side, quantity, filledQuantity, limitPrice, heldPrice, broker })
    .from(orders)
    .where(and(eq(orders.userId, userId), inArray(orders.status, [...OPEN_STATUSES])));
  if (ticket.side === 'BUY') {
    const promised = open
      .filter((order) => order.side === 'BUY')
      .map((order) => costOf(order, remainderOf(order), decimal((order.limitPrice ?? order.heldPrice)!)))
      .reduce((sum, amount) => sum.plus(amount), ZERO);
    return cash.minus(promised).lt(costOf(ticket, ticket.quantity, price)) ? 'INSUFFICIENT_FUNDS' : null;
  }
  const promised = open
    .filter((order) => order.side === 'SELL' && order.symbol === ticket.symbol)
    .reduce((sum, order) => sum.plus(remainderOf(order)), ZERO);
  const held = await readHolding(tx, userId, ticket.symbol);
  return held.quantity.minus(promised).lt(ticket.quantity) ? 'INSUFFICIENT_POSITION' : null;
}

/**
 * What an order may cost at a price. A market may trade a fraction of a share in many parts, of which each is rounded for itself: a
 * cent is enough for some hundred of them.
 */
function costOf({ broker }: { readonly broker: BrokerName }, quantity: Decimal, price: Decimal): Decimal {
  const amount = amountOf(quantity, price);
  return broker === 'paper' || quantity.round(0).eq(quantity) ? amount : amount.plus(CENT);
}

const CENT = decimal('0.01');

function remainderOf(order: { readonly quantity: string; readonly filledQuantity: string }): Decimal {
  return decimal(order.quantity).minus(decimal(order.filledQuantity));
}

export type Fill = {
  readonly orderId: string;
  readonly symbol: string;
  readonly side: OrderSide;
  readonly quantity: Decimal;
  readonly price: Decimal;
  /** Of the order, after it. */
  readonly status: OrderStatus;
  /** The broker's name of the execution. Default: it has none. */
  readonly brokerExecutionId?: string;
};

/**
 * Settles an execution of an order: the execution, the position, the cash, both movements, and the notification. The
 * order's own row is the caller's. Returns the number of the notification.
 */
export async function settle(tx: Transaction, account: LockedAccount, fill: Fill, at: Date): Promise<number> {
  const { userId } = account;
  const { orderId, symbol, side, quantity, price, status, brokerExecutionId = null } = fill;
  const amount = amountOf(quantity, price);
  const id = randomUUID();
  await tx.insert(executions).values({
    ...{ id, orderId, userId, symbol, side, brokerExecutionId, executedAt: at },
    ...{ quantity: quantity.toFixed(), price: price.toFixed(), amount: amount.toFixed() },
  });
  await changeHolding(tx, userId, fill, amount);
  const own = movementAccountOf(userId);
  const [buyer, seller] = side === 'BUY' ? [own, MARKET] : [MARKET, own];
  const moved = { executionId: id, movedAt: at };
  const shares = { ...moved, asset: symbol, amount: quantity.toFixed(), source: seller, target: buyer };
  const money = { ...moved, asset: CASH, amount: amount.toFixed(), source: buyer, target: seller };
  // A market may trade so small a part of an order that its price is rounded to nothing.
  await tx.insert(movements).values(amount.eq(0) ? [shares] : [money, shares]);
  const cash = side === 'BUY' ? account.cash.minus(amount) : account.cash.plus(amount);
  const body: NotificationBody = {
    ...{ kind: 'TradeExecuted', id, orderId, symbol, side, status },
    ...{ quantity: quantity.toFixed(), price: price.toFixed() },
  };
  return notify(tx, account, body, at, cash);
}

/** Adds to the user's log, and sets the cash where it has changed. Returns the entry's number. */
export async function notify(
  tx: Transaction,
  account: LockedAccount,
  body: NotificationBody,
  at: Date,
  cash: Decimal = account.cash,
): Promise<number> {
  const { userId } = account;
  const number = account.notified + 1;
  await tx.update(accounts).set({ cash: cash.toFixed(), notified: number }).where(eq(accounts.userId, userId));
  await tx.insert(notifications).values({ userId, number, body, createdAt: at });
  return number;
}

async function readHolding(tx: Transaction, userId: string, symbol: string) {
  const [row] = await tx
    .select({ quantity: positions.quantity, cost: positions.cost })
    .from(positions)
    .where(and(eq(positions.userId, userId), eq(positions.symbol, symbol)));
  return row === undefined
    ? { quantity: ZERO, cost: ZERO }
    : { quantity: decimal(row.quantity), cost: decimal(row.cost) };
}

/** Bought shares add their cost; sold ones take their part of it with them, so that the average stays. */
async function changeHolding(tx: Transaction, userId: string, fill: Fill, amount: Decimal): Promise<void> {
  const { symbol, side, quantity } = fill;
  if (side === 'BUY') {
    await tx
      .insert(positions)
      .values({ userId, symbol, quantity: quantity.toFixed(), cost: amount.toFixed() })
      .onConflictDoUpdate({
        target: [positions.userId, positions.symbol],
        set: {
          quantity: sql`${positions.quantity} + excluded.quantity`,
          cost: sql`${positions.cost} + excluded.cost`,
        },
      });
    return;
  }
  const held = await readHolding(tx, userId, symbol);
  const left = held.quantity.minus(quantity);
  const place = and(eq(positions.userId, userId), eq(positions.symbol, symbol));
  if (left.eq(0)) {
    await tx.delete(positions).where(place);
    return;
  }
  const cost = held.cost.minus(shareOf(held.cost, quantity, held.quantity));
  // The table refuses less than nothing, whatever was checked before.
  await tx.update(positions).set({ quantity: left.toFixed(), cost: cost.toFixed() }).where(place);
}
