import type { Bus } from '../bus/bus.ts';
import { ordersChannel } from '../bus/bus.ts';
import type { Logger } from '../market/logger.ts';
import { systemTimers, type Timers } from '../market/timers.ts';
import { type Account, Accounts, type OpeningPosition } from './accounts.ts';
import type { Broker, BrokerKind } from './broker.ts';
import type { Database } from './database.ts';
import { LedgerBook } from './ledger-book.ts';
import type { Notification } from './notification.ts';
import type { Order, OrderTicket } from './order.ts';
import { Orders } from './orders.ts';
import { Outbox } from './outbox.ts';
import { paperBroker } from './paper-broker.ts';
import { type Portfolio, valueAccount } from './portfolio.ts';
import type { FollowQuotes, LedgerQuote } from './quotes.ts';
import { UserNews } from './user-news.ts';
import { Valuation } from './valuation.ts';

export type LedgerOptions = {
  readonly database: Database;
  readonly openingCash: string;
  /** What a user's account is opened with beside the cash. Default: nothing. */
  readonly openingPositionsOf?: (userId: string) => readonly OpeningPosition[];
  readonly bus: Bus;
  /** In the order asked; `null` where nothing is known of a symbol. */
  readonly readQuotes: (symbols: readonly string[]) => Promise<readonly (LedgerQuote | null)[]>;
  readonly follow: FollowQuotes;
  readonly isMarketOpen: () => boolean;
  /** Who brings orders to a market. Default: the paper broker. */
  readonly broker?: BrokerKind;
  readonly timers?: Timers;
  /** Unix ms. */
  readonly now: () => number;
  readonly logger: Logger;
};

/** Users' accounts, orders and portfolios: all that is kept of a viewer, and what is told of it. */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #accounts: Accounts;
  readonly #orders: Orders;
  readonly #broker: Broker;
  readonly #outbox: Outbox;
  readonly #news: UserNews;
  readonly #valuation: Valuation;

  constructor(options: LedgerOptions) {
    this.#options = options;
    const { database, openingCash, bus, readQuotes, follow, isMarketOpen, now, logger } = options;
    const timers = options.timers ?? systemTimers;
    this.#accounts = new Accounts({
      database,
      openingCash,
      openingPositionsOf: options.openingPositionsOf ?? (() => []),
      now,
    });
    this.#news = new UserNews(bus, logger);
    this.#outbox = new Outbox({ database, bus, timers, now, logger });
    const { name, open } = options.broker ?? paperBroker;
    const onNotified = (userId: string, number: number): void => {
      this.#news.tell(userId, number);
      this.#outbox.publish(userId, number);
    };
    const book = new LedgerBook({ database, broker: name, onNotified, now });
    this.#broker = open({
      book,
      readQuote: async (symbol) => (await readQuotes([symbol]))[0] ?? null,
      follow,
      isMarketOpen,
      takeRole: (onLost) => database.takeRole(onLost),
      ...{ bus, timers, now, logger },
    });
    this.#orders = new Orders({
      database,
      accounts: this.#accounts,
      broker: this.#broker,
      brokerName: name,
      book,
      onNotified,
      onOpened: (id) => {
        // Where it is not heard of, it is found at the next reading of all that are open.
        bus
          .tell(ordersChannel, { id })
          .catch((error: unknown) => logger.debug({ err: error }, 'an open order was not told'));
      },
      now,
    });
    this.#valuation = new Valuation({
      readAccount: (userId) => this.#accounts.read(userId),
      readQuotes,
      follow,
      news: this.#news,
      timers,
      now,
      logger,
    });
    // Nothing is worked, and nothing can be overdue, before the database is open.
    database.onOpen(() => {
      this.#outbox.start();
      this.#broker.start();
    });
  }

  readAccount(userId: string): Promise<Account> {
    return this.#accounts.read(userId);
  }

  async readPortfolio(userId: string): Promise<Portfolio> {
    const { readQuotes, now } = this.#options;
    const account = await this.#accounts.read(userId);
    const symbols = account.holdings.map(({ symbol }) => symbol);
    const quotes = symbols.length === 0 ? [] : await readQuotes(symbols);
    const bySymbol = new Map(symbols.map((symbol, index) => [symbol, quotes[index] ?? null]));
    return valueAccount(account, (symbol) => bySymbol.get(symbol) ?? null, now());
  }

  /** See {@link Valuation.watch}. */
  watchPortfolio(userId: string, listener: (portfolio: Portfolio) => void): Promise<() => void> {
    return this.#valuation.watch(userId, listener);
  }

  /** See {@link Orders.place}. */
  placeOrder(userId: string, ticket: OrderTicket): Promise<Order> {
    return this.#orders.place(userId, ticket);
  }

  /** See {@link Orders.cancel}. */
  cancelOrder(userId: string, id: string): Promise<Order | null> {
    return this.#orders.cancel(userId, id);
  }

  /** See {@link Orders.list}. */
  listOrders(userId: string, before: number | null, limit: number): Promise<Order[]> {
    return this.#orders.list(userId, before, limit);
  }

  /** The user's log of notifications: its name, and the number of its newest entry. */
  readLogEnd(userId: string): Promise<{ readonly epoch: string; readonly offset: number }> {
    return this.#accounts.readLogEnd(userId);
  }

  /** Oldest first. */
  readNotifications(userId: string, after: number, limit: number): Promise<Notification[]> {
    return this.#accounts.readNotifications(userId, after, limit);
  }

  /** See {@link UserNews.listen}. */
  listenForNews(userId: string, listener: (number: number | null) => void): Promise<() => void> {
    return this.#news.listen(userId, listener);
  }

  readStats() {
    return this.#valuation.readStats();
  }

  /** The database is its owner's to close, after this. */
  async close(): Promise<void> {
    this.#valuation.close();
    await this.#broker.close();
    await this.#outbox.close();
    this.#news.close();
  }
}
