import { randomUUID } from 'node:crypto';
import { and, eq } from './drizzle.ts';
import type { Transaction } from './database.ts';
import { decimal, type Decimal } from './decimal.ts';
import type { BrokerName, Order, OrderStatus, OrderTicket, Rejection } from './order.ts';
import { orders } from './tables.ts';

type Reading = Pick<Transaction, 'select'>;

/** The order that a user gave a name to. */
export async function findNamed(queries: Reading, userId: string, clientOrderId: string): Promise<Order | null> {
  const [row] = await queries
    .select()
    .from(orders)
    .where(and(eq(orders.userId, userId), eq(orders.clientOrderId, clientOrderId)));
  return row === undefined ? null : toOrder(row);
}

export async function findById(queries: Reading, id: string): Promise<Order | null> {
  const [row] = await queries.select().from(orders).where(eq(orders.id, id));
  return row === undefined ? null : toOrder(row);
}

export type NewOrder = {
  readonly status: OrderStatus;
  readonly reason: Rejection | null;
  /** The price of all of it; null where nothing is filled. */
  readonly filled: Decimal | null;
  readonly heldPrice: Decimal | null;
  readonly broker: BrokerName;
  readonly at: Date;
};

export async function insertOrder(
  tx: Transaction,
  userId: string,
  ticket: OrderTicket,
  { status, reason, filled, heldPrice, broker, at }: NewOrder,
): Promise<Order> {
  const { clientOrderId, symbol, side, type, limitPrice } = ticket;
  const quantity = ticket.quantity.toFixed();
  const [row] = await tx
    .insert(orders)
    .values({
      ...{ id: randomUUID(), userId, clientOrderId, symbol, side, type, quantity, status, reason, broker },
      limitPrice: limitPrice?.toFixed() ?? null,
      filledQuantity: filled === null ? '0' : quantity,
      averagePrice: filled?.toFixed() ?? null,
      heldPrice: heldPrice?.toFixed() ?? null,
      createdAt: at,
      updatedAt: at,
    })
    .returning();
  return toOrder(row!);
}

export type OrderChange = {
  readonly status?: OrderStatus;
  readonly reason?: Rejection | null;
  readonly filledQuantity?: Decimal;
  readonly averagePrice?: Decimal;
  readonly cancelAskedAt?: Date;
};

export async function changeOrder(tx: Transaction, id: string, change: OrderChange, at: Date): Promise<Order> {
  const { filledQuantity, averagePrice, ...others } = change;
  const [row] = await tx
    .update(orders)
    .set({
      ...others,
      updatedAt: at,
      ...(filledQuantity !== undefined && { filledQuantity: filledQuantity.toFixed() }),
      ...(averagePrice !== undefined && { averagePrice: averagePrice.toFixed() }),
    })
    .where(eq(orders.id, id))
    .returning();
  return toOrder(row!);
}

export function toOrder({ cancelAskedAt, ...row }: typeof orders.$inferSelect): Order {
  return {
    ...row,
    quantity: decimal(row.quantity),
    limitPrice: toDecimal(row.limitPrice),
    filledQuantity: decimal(row.filledQuantity),
    averagePrice: toDecimal(row.averagePrice),
    heldPrice: toDecimal(row.heldPrice),
    isCancelAsked: cancelAskedAt !== null,
    createdAt: row.createdAt.getTime(),
    updatedAt: row.updatedAt.getTime(),
  };
}

function toDecimal(text: string | null): Decimal | null {
  return text === null ? null : decimal(text);
}
