import { randomUUID } from 'node:crypto';
import { and, asc, eq, gt } from './drizzle.ts';
import { LRUCache } from 'lru-cache';
import { amountOf, decimal, type Decimal } from './decimal.ts';
import type { Database, Queries, Transaction } from './database.ts';
import type { Notification } from './notification.ts';
import { accounts, movements, notifications, positions } from './tables.ts';

/** The asset that cash is. */
export const CASH = 'USD';
/** Where the cash and the shares come from with which an account is opened. */
const FUNDING = 'house:funding';
/** Who is on the other side of all trades. */
export const MARKET = 'house:market';

/** A user's account among those that movements name. */
export function movementAccountOf(userId: string): string {
  return `user:${userId}`;
}

export type Holding = {
  readonly symbol: string;
  readonly quantity: Decimal;
  /** Of all of it. */ readonly cost: Decimal;
};

export type Account = {
  readonly userId: string;
  readonly cash: Decimal;
  /** By symbol. */
  readonly holdings: readonly Holding[];
};

/** What a user begins with, beside the cash. */
export type OpeningPosition = { readonly symbol: string; readonly quantity: string; readonly price: string };

export type AccountsOptions = {
  readonly database: Database;
  readonly openingCash: string;
  readonly openingPositionsOf: (userId: string) => readonly OpeningPosition[];
  /** Unix ms. */
  readonly now: () => number;
};

/** Users that are known to have an account are remembered up to this number. */
const MAX_KNOWN = 50_000;

/** The users' accounts: each is opened at its user's first sight. */
export class Accounts {
  readonly #options: AccountsOptions;
  /** By user, the name of the log of notifications. */
  readonly #known = new LRUCache<string, string>({ max: MAX_KNOWN });

  constructor(options: AccountsOptions) {
    this.#options = options;
  }

  /** Opens the account where there is none; resolves with the name of its log of notifications. */
  async open(userId: string): Promise<string> {
    const known = this.#known.get(userId);
    if (known !== undefined) return known;
    const { database } = this.#options;
    // First without a change: who has an account can see it while the database is read-only.
    const logId =
      (await database.use((queries) => findLog(queries, userId))) ??
      (await database.transact(async (tx) => (await this.#insert(tx, userId)) ?? (await findLog(tx, userId))!));
    this.#known.set(userId, logId);
    return logId;
  }

  async read(userId: string): Promise<Account> {
    await this.open(userId);
    // One statement sees one state: cash and shares of the same moment.
    const rows = await this.#options.database.use((queries) =>
      queries
        .select({
          cash: accounts.cash,
          symbol: positions.symbol,
          quantity: positions.quantity,
          cost: positions.cost,
        })
        .from(accounts)
        .leftJoin(positions, eq(positions.userId, accounts.userId))
        .where(eq(accounts.userId, userId))
        .orderBy(asc(positions.symbol)),
    );
    const holdings = rows.flatMap(({ symbol, quantity, cost }) =>
      symbol === null ? [] : [{ symbol, quantity: decimal(quantity!), cost: decimal(cost!) }],
    );
    return { userId, cash: decimal(rows[0]!.cash), holdings };
  }

  /** The user's log, and the number of its newest notification. */
  async readLogEnd(userId: string): Promise<{ readonly epoch: string; readonly offset: number }> {
    const epoch = await this.open(userId);
    const [account] = await this.#options.database.use((queries) =>
      queries.select({ notified: accounts.notified }).from(accounts).where(eq(accounts.userId, userId)),
    );
    return { epoch, offset: account!.notified };
  }

  /** Oldest first. */
  async readNotifications(userId: string, after: number, limit: number): Promise<Notification[]> {
    const epoch = await this.open(userId);
    const rows = await this.#options.database.use((queries) =>
      queries
        .select()
        .from(notifications)
        .where(and(eq(notifications.userId, userId), gt(notifications.number, after)))
        .orderBy(asc(notifications.number))
        .limit(limit),
    );
    return rows.map(({ number, body, createdAt }) => ({
      ...body,
      epoch,
      offset: number,
      timestamp: createdAt.getTime(),
    }));
  }

  /** `null` where there is one already. */
  async #insert(tx: Transaction, userId: string): Promise<string | null> {
    const { openingCash, openingPositionsOf, now } = this.#options;
    const logId = `n-${randomUUID()}`;
    const openedAt = new Date(now());
    const opened = await tx
      .insert(accounts)
      .values({ userId, logId, cash: openingCash, openedAt })
      .onConflictDoNothing()
      .returning();
    if (opened.length === 0) return null;
    const target = movementAccountOf(userId);
    if (!decimal(openingCash).eq(0)) {
      await tx
        .insert(movements)
        .values({ asset: CASH, amount: openingCash, source: FUNDING, target, movedAt: openedAt });
    }
    for (const { symbol, quantity, price } of openingPositionsOf(userId)) {
      const cost = amountOf(decimal(quantity), decimal(price)).toFixed();
      await tx.insert(positions).values({ userId, symbol, quantity, cost });
      await tx
        .insert(movements)
        .values({ asset: symbol, amount: quantity, source: FUNDING, target, movedAt: openedAt });
    }
    return logId;
  }
}

/** The name of a user's log of notifications; `null` where there is no account. */
async function findLog(queries: Queries, userId: string): Promise<string | null> {
  const [account] = await queries.select({ logId: accounts.logId }).from(accounts).where(eq(accounts.userId, userId));
  return account?.logId ?? null;
}
