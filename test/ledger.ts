import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Bus } from '../src/bus/bus.ts';
import { createMemoryBus } from '../src/bus/memory.ts';
import { Database, type DatabasePatience } from '../src/ledger/database.ts';
import { decimal } from '../src/ledger/decimal.ts';
import type { EmbeddedPostgres } from '../src/ledger/embedded-postgres.ts';
import { Ledger, type LedgerOptions } from '../src/ledger/ledger.ts';
import type { Order, OrderTicket } from '../src/ledger/order.ts';
import type { LedgerQuote } from '../src/ledger/quotes.ts';
import { atExit } from './at-exit.ts';
import { DEADLINE_MS } from './deadline.ts';
import { makeQuote } from './market-samples.ts';
import { type LogRecord, recordingLogger } from './recording-logger.ts';

/** The market behind a ledger, as far as it can tell: quotes that the test sets. */
export class TestMarket {
  readonly #quotes = new Map<string, LedgerQuote>();
  readonly #followers = new Map<string, Set<(quote: LedgerQuote) => void>>();
  isOpen = true;
  /** Called before each reading. */
  onRead: () => void = () => {};

  set(symbol: string, fields: Partial<LedgerQuote>): void {
    const quote = { ...(this.#quotes.get(symbol) ?? { ...makeQuote(symbol), stale: false }), ...fields };
    this.#quotes.set(symbol, quote);
    for (const follower of this.#followers.get(symbol) ?? []) follower(quote);
  }

  readonly read = async (symbols: readonly string[]): Promise<(LedgerQuote | null)[]> => {
    this.onRead();
    return symbols.map((symbol) => this.#quotes.get(symbol) ?? null);
  };

  readonly follow = (symbol: string, onQuote: (quote: LedgerQuote) => void): (() => void) => {
    const followers = this.#followers.get(symbol) ?? new Set();
    this.#followers.set(symbol, followers.add(onQuote));
    setImmediate(() => {
      const quote = this.#quotes.get(symbol);
      if (quote !== undefined && followers.has(onQuote)) onQuote(quote);
    });
    return () => followers.delete(onQuote);
  };

  /** How many follow a symbol. */
  countFollowers(symbol: string): number {
    return this.#followers.get(symbol)?.size ?? 0;
  }
}

export type TestLedger = AsyncDisposable & {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly market: TestMarket;
  readonly bus: Bus;
  readonly records: readonly LogRecord[];
  place(user: string, ticket: Partial<OrderTicket> | Record<string, string>): Promise<Order>;
  close(): Promise<void>;
};

export type TestLedgerOptions = Partial<Omit<LedgerOptions, 'database' | 'logger'>> & {
  /** Of a real server; without it an embedded one in `dataDir`. */
  readonly url?: string | null;
  readonly dataDir?: string;
  /** In `dataDir`, and closed by the test: opened once for several ledgers. */
  readonly embedded?: EmbeddedPostgres;
  readonly market?: TestMarket;
  /** Default: {@link PATIENT}. */
  readonly patience?: Partial<DatabasePatience>;
};

/** However slow the machine is, the database is waited for. */
export const PATIENT: DatabasePatience = { openingMs: DEADLINE_MS, operationMs: DEADLINE_MS, lookMs: DEADLINE_MS };

/** A ledger with its database, behind a market of the test's. */
export async function startLedger(options: TestLedgerOptions = {}): Promise<TestLedger> {
  const { url = null, embedded, patience: _, market = new TestMarket(), ...others } = options;
  const dataDir = options.dataDir ?? (url === null ? await makeDataDir() : '/nowhere');
  const { logger, records } = recordingLogger();
  const bus = options.bus ?? createMemoryBus({ historyMs: 1000, logger });
  const database = new Database({
    ...{ url, dataDir, logger },
    patience: { ...PATIENT, ...options.patience },
    ...(embedded !== undefined && { embedded }),
  });
  const ledger = new Ledger({
    openingCash: '100000.00',
    readQuotes: market.read,
    follow: market.follow,
    isMarketOpen: () => market.isOpen,
    now: Date.now,
    logger,
    ...others,
    bus,
    database,
  });
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> =>
    (closing ??= (async () => {
      await ledger.close();
      await database.close();
      if (options.bus === undefined) await bus.close();
    })());
  return {
    ...{ database, ledger, market, bus, records, close },
    place: (user, ticket) => ledger.placeOrder(user, makeTicket(ticket)),
    [Symbol.asyncDispose]: close,
  };
}

/** Removed when the test file ends. */
export async function makeDataDir(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'tapeql-data-'));
  atExit(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

let tickets = 0;

/** A market order for one share of AAPL, but for what is given; amounts as texts or decimals. */
export function makeTicket(fields: Partial<OrderTicket> | Record<string, string>): OrderTicket {
  const { quantity = '1', limitPrice = null, ...others } = fields as Record<string, string | null>;
  return {
    clientOrderId: `order-${++tickets}`,
    symbol: 'AAPL',
    side: 'BUY',
    type: limitPrice === null ? 'MARKET' : 'LIMIT',
    ...others,
    quantity: decimal(String(quantity)),
    limitPrice: limitPrice === null ? null : decimal(String(limitPrice)),
  } as OrderTicket;
}
