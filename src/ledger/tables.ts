import {
  bigint,
  bigserial,
  check,
  index,
  jsonb,
  numeric,
  pgTable,
  primaryKey,
  sql,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from './drizzle.ts';
import type { BrokerName, OrderSide, OrderStatus, OrderType } from './order.ts';
import type { NotificationBody } from './notification.ts';

/*
 * The tables as the migrations make them; a test holds the two equal. Amounts are `numeric`, read as decimal texts.
 */

const time = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 3 });

/** One per user, opened at its first sight. Its row is locked by whatever changes the account: one change at a time. */
export const accounts = pgTable(
  'accounts',
  {
    userId: text('user_id').primaryKey(),
    /** Names the log of the user's notifications: a cursor of another user, or of another database, does not fit. */
    logId: text('log_id').notNull(),
    cash: numeric('cash').notNull(),
    /** The number of the newest notification. */
    notified: bigint('notified', { mode: 'number' }).notNull().default(0),
    openedAt: time('opened_at').notNull().defaultNow(),
  },
  (table) => [check('accounts_cash_check', sql`${table.cash} >= 0`)],
);

export const orders = pgTable(
  'orders',
  {
    /** The order of placement. */
    number: bigserial('number', { mode: 'number' }).primaryKey(),
    id: uuid('id').notNull().unique(),
    userId: text('user_id')
      .notNull()
      .references(() => accounts.userId),
    clientOrderId: text('client_order_id').notNull(),
    symbol: text('symbol').notNull(),
    side: text('side').$type<OrderSide>().notNull(),
    type: text('type').$type<OrderType>().notNull(),
    quantity: numeric('quantity').notNull(),
    limitPrice: numeric('limit_price'),
    filledQuantity: numeric('filled_quantity').notNull().default('0'),
    averagePrice: numeric('average_price'),
    status: text('status').$type<OrderStatus>().notNull(),
    reason: text('reason'),
    broker: text('broker').$type<BrokerName>().notNull().default('paper'),
    brokerOrderId: text('broker_order_id'),
    heldPrice: numeric('held_price'),
    cancelAskedAt: time('cancel_asked_at'),
    createdAt: time('created_at').notNull(),
    updatedAt: time('updated_at').notNull(),
  },
  (table) => [
    uniqueIndex('orders_user_client_order').on(table.userId, table.clientOrderId),
    index('orders_user_number').on(table.userId, table.number),
    index('orders_open')
      .on(table.userId)
      .where(sql`${table.status} IN ('PENDING', 'PARTIALLY_FILLED')`),
  ],
);

export const executions = pgTable(
  'executions',
  {
    id: uuid('id').primaryKey(),
    orderId: uuid('order_id')
      .notNull()
      .references(() => orders.id),
    userId: text('user_id').notNull(),
    symbol: text('symbol').notNull(),
    side: text('side').$type<OrderSide>().notNull(),
    quantity: numeric('quantity').notNull(),
    price: numeric('price').notNull(),
    /** The cash that it moved: quantity × price, rounded. */
    amount: numeric('amount').notNull(),
    /** The broker's name of it; null: it was the paper broker's. */
    brokerExecutionId: text('broker_execution_id'),
    executedAt: time('executed_at').notNull(),
  },
  (table) => [uniqueIndex('executions_broker').on(table.orderId, table.brokerExecutionId)],
);

/** What a user holds; no row where that is nothing. */
export const positions = pgTable(
  'positions',
  {
    userId: text('user_id')
      .notNull()
      .references(() => accounts.userId),
    symbol: text('symbol').notNull(),
    quantity: numeric('quantity').notNull(),
    /** What the held shares have cost together. */
    cost: numeric('cost').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.symbol] }),
    check('positions_quantity_check', sql`${table.quantity} > 0`),
  ],
);

/**
 * Double entry: each row moves an amount of one asset (`USD`, or shares of a symbol) from one account to another, so that all
 * accounts together always hold nothing. What a user holds is the sum of what came and went, which the audit compares.
 */
export const movements = pgTable(
  'movements',
  {
    number: bigserial('number', { mode: 'number' }).primaryKey(),
    executionId: uuid('execution_id').references(() => executions.id),
    asset: text('asset').notNull(),
    amount: numeric('amount').notNull(),
    /** The account that gives. */
    source: text('source').notNull(),
    /** The account that gets. */
    target: text('target').notNull(),
    movedAt: time('moved_at').notNull(),
  },
  (table) => [
    check('movements_amount_check', sql`${table.amount} > 0`),
    index('movements_source').on(table.source, table.asset),
    index('movements_target').on(table.target, table.asset),
  ],
);

/** What users are told, numbered per user without a hole; also the outbox of what is to be published. */
export const notifications = pgTable(
  'notifications',
  {
    userId: text('user_id')
      .notNull()
      .references(() => accounts.userId),
    number: bigint('number', { mode: 'number' }).notNull(),
    body: jsonb('body').$type<NotificationBody>().notNull(),
    createdAt: time('created_at').notNull(),
    /** Null until the bus has taken it. */
    publishedAt: time('published_at'),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.number] }),
    index('notifications_unpublished')
      .on(table.createdAt)
      .where(sql`${table.publishedAt} IS NULL`),
  ],
);

/** Keys of third parties; of the key itself only a hash is kept. */
export const apiKeys = pgTable('api_keys', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  hash: text('hash').notNull().unique(),
  scopes: text('scopes').array().notNull(),
  createdAt: time('created_at').notNull().defaultNow(),
  revokedAt: time('revoked_at'),
  /** Whose account it acts on; null: its own. */
  userId: text('user_id'),
});

/** Tokens that were revoked before their time, by their `jti`. */
export const revokedTokens = pgTable('revoked_tokens', {
  id: text('id').primaryKey(),
  revokedAt: time('revoked_at').notNull().defaultNow(),
});
