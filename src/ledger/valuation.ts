import type { Logger } from '../market/logger.ts';
import type { Timers } from '../market/timers.ts';
import type { Account } from './accounts.ts';
import { type Portfolio, type Price, priceOf, sumUp, type ValuedPosition, valuePosition } from './portfolio.ts';
import type { FollowQuotes, LedgerQuote } from './quotes.ts';
import type { UserNews } from './user-news.ts';

/** A viewer is told of moved prices at most this often. */
const INTERVAL_MS = 1_000;
/** Viewers whose time has come are looked through in one go, so often; and so soon again where nothing has moved. */
const TICK_MS = 50;
const IDLE_TICKS = 4;
/** A ring of ticks that reaches further than an interval. */
const SLOTS = INTERVAL_MS / TICK_MS + 2;
/** Executions are told at once, but a burst of them this much apart; when prices were told last does not matter. */
const BURST_MS = 200;
const RETRY_MS = 1_000;

export type ValuationOptions = {
  readonly readAccount: (userId: string) => Promise<Account>;
  /** The current quotes, in the order asked. A rejection is survived. */
  readonly readQuotes: (symbols: readonly string[]) => Promise<readonly (LedgerQuote | null)[]>;
  readonly follow: FollowQuotes;
  readonly news: Pick<UserNews, 'listen'>;
  readonly timers: Timers;
  /** Unix ms. */
  readonly now: () => number;
  readonly logger: Logger;
};

/** A symbol that some viewer holds: followed once, whatever the number of viewers. */
type HeldSymbol = { holders: number; quote: LedgerQuote | null; price: Price | null; stop: () => void };

/** A user whose portfolio is watched here. */
type Watched = {
  readonly userId: string;
  readonly listeners: Set<(portfolio: Portfolio) => void>;
  account: Account | null;
  /** By the holding's place in the account, what it is worth and at which price. */
  valued: { price: Price | null; position: ValuedPosition }[];
  portfolio: Portfolio | null;
  /** In which it is looked at next; -1: in none. */
  slot: number;
  /** The number of the newest entry of the user's log that was heard of. */
  heard: number;
  /** When it was read again last for an execution, by `timers.now()`. */
  reloadedAt: number;
  loading: Promise<void> | null;
  /** News came while the account was read. */
  isOutdated: boolean;
  cancelLoad: (() => void) | null;
  stopNews: () => void;
};

/**
 * The live value of the portfolios that are watched in this process. A price is looked up once for all who hold the symbol; of a
 * portfolio only what has moved is worked out again, once a second; and an execution is told at once.
 */
export class Valuation {
  readonly #options: ValuationOptions;
  readonly #symbols = new Map<string, HeldSymbol>();
  readonly #watched = new Map<string, Watched>();
  readonly #slots: Set<Watched>[] = Array.from({ length: SLOTS }, () => new Set());
  #slot = 0;
  #cancelTick: (() => void) | null = null;
  #revaluations = 0;

  constructor(options: ValuationOptions) {
    this.#options = options;
  }

  /**
   * Calls `listener` with the current portfolio, and with each change from then on. Resolves with the function that ends it, after
   * the first call.
   */
  async watch(userId: string, listener: (portfolio: Portfolio) => void): Promise<() => void> {
    let watched = this.#watched.get(userId);
    if (watched === undefined) this.#watched.set(userId, (watched = this.#begin(userId)));
    const { listeners } = watched;
    listeners.add(listener);
    const leave = (): void => {
      if (listeners.delete(listener) && listeners.size === 0) this.#end(watched);
    };
    if (watched.portfolio !== null) {
      listener(watched.portfolio);
      return leave;
    }
    try {
      await watched.loading;
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  readStats() {
    return { portfolios: this.#watched.size, symbols: this.#symbols.size, revaluations: this.#revaluations };
  }

  close(): void {
    this.#cancelTick?.();
    for (const watched of [...this.#watched.values()]) this.#end(watched);
  }

  #begin(userId: string): Watched {
    const watched: Watched = {
      ...{ userId, listeners: new Set(), account: null, valued: [], portfolio: null, slot: -1, heard: 0 },
      ...{ reloadedAt: Number.NEGATIVE_INFINITY, loading: null, isOutdated: false, cancelLoad: null },
      stopNews: () => {},
    };
    watched.loading = this.#open(watched).finally(() => {
      watched.loading = null;
      if (watched.isOutdated) this.#reloadSoon(watched);
    });
    return watched;
  }

  #end(watched: Watched): void {
    if (this.#watched.get(watched.userId) === watched) this.#watched.delete(watched.userId);
    if (watched.slot !== -1) this.#slots[watched.slot]!.delete(watched);
    watched.listeners.clear();
    watched.cancelLoad?.();
    watched.stopNews();
    for (const { symbol } of watched.account?.holdings ?? []) this.#release(symbol);
    watched.account = null;
  }

  /** Listened first, read second: nothing that happens in between is missed. */
  async #open(watched: Watched): Promise<void> {
    watched.stopNews = await this.#options.news.listen(watched.userId, (number) => this.#hear(watched, number));
    if (watched.listeners.size === 0) watched.stopNews();
    await this.#load(watched);
  }

  async #load(watched: Watched): Promise<void> {
    const { readAccount, readQuotes, logger } = this.#options;
    watched.isOutdated = false;
    const account = await readAccount(watched.userId);
    if (watched.listeners.size === 0) return;
    const fresh = account.holdings.map(({ symbol }) => symbol).filter((symbol) => this.#hold(symbol));
    if (fresh.length > 0) {
      try {
        const quotes = await readQuotes(fresh);
        for (const [index, quote] of quotes.entries()) if (quote !== null) this.#seed(fresh[index]!, quote);
      } catch (error) {
        logger.debug({ err: error }, 'no current quotes could be read; the live ones come');
      }
    }
    const before = watched.listeners.size === 0 ? account : watched.account;
    for (const { symbol } of before?.holdings ?? []) this.#release(symbol);
    if (watched.listeners.size === 0) return;
    watched.account = account;
    watched.valued = [];
    watched.portfolio = null;
    this.#revalue(watched);
    this.#tell(watched);
  }

  /** Entries are told after their commit, and some twice: here, and by the bus. What was heard before is read already, or will be. */
  #hear(watched: Watched, number: number | null): void {
    if (number !== null && number <= watched.heard) return;
    watched.heard = number ?? watched.heard;
    this.#reloadSoon(watched);
  }

  /** An execution: at once, or at the end of a burst's interval. */
  #reloadSoon(watched: Watched): void {
    if (watched.loading !== null) {
      watched.isOutdated = true;
      return;
    }
    if (watched.cancelLoad !== null || watched.listeners.size === 0) return;
    const { timers, logger } = this.#options;
    const load = (): void => {
      watched.cancelLoad = null;
      watched.reloadedAt = timers.now();
      watched.loading = this.#load(watched)
        .catch((error: unknown) => {
          logger.debug({ err: error }, 'a portfolio is read again later');
          if (watched.listeners.size > 0) watched.cancelLoad = timers.after(RETRY_MS, load);
        })
        .finally(() => {
          watched.loading = null;
          if (watched.isOutdated) this.#reloadSoon(watched);
        });
    };
    const waitMs = watched.reloadedAt + BURST_MS - timers.now();
    if (waitMs > 0) watched.cancelLoad = timers.after(waitMs, load);
    else load();
  }

  #lookAfter(watched: Watched, ticks: number): void {
    if (watched.slot !== -1) this.#slots[watched.slot]!.delete(watched);
    watched.slot = (this.#slot + ticks) % SLOTS;
    this.#slots[watched.slot]!.add(watched);
    this.#cancelTick ??= this.#options.timers.after(TICK_MS, () => this.#tick());
  }

  #tick(): void {
    this.#cancelTick = null;
    this.#slot = (this.#slot + 1) % SLOTS;
    const due = [...this.#slots[this.#slot]!];
    this.#slots[this.#slot]!.clear();
    for (const watched of due) {
      watched.slot = -1;
      if (this.#revalue(watched)) this.#tell(watched);
      else this.#lookAfter(watched, IDLE_TICKS);
    }
    if (this.#watched.size > 0) this.#cancelTick ??= this.#options.timers.after(TICK_MS, () => this.#tick());
  }

  /** Whether anything has moved. */
  #revalue(watched: Watched): boolean {
    const { account, valued } = watched;
    if (account === null) return false;
    let hasMoved = watched.portfolio === null;
    for (const [index, holding] of account.holdings.entries()) {
      const price = this.#priceOf(holding.symbol);
      const before = valued[index];
      if (before !== undefined && before.price === price) continue;
      valued[index] = { price, position: valuePosition(holding, price, before?.position) };
      this.#revaluations++;
      hasMoved = true;
    }
    if (!hasMoved) return false;
    const positions = valued.map(({ position }) => position);
    watched.portfolio = sumUp(account, positions, this.#options.now());
    return true;
  }

  #tell(watched: Watched): void {
    const { portfolio } = watched;
    if (portfolio === null) return;
    for (const listener of watched.listeners) listener(portfolio);
    // One tick more, for the one that runs has partly passed.
    this.#lookAfter(watched, INTERVAL_MS / TICK_MS + 1);
  }

  /** The same object as long as the prices are the same. */
  #priceOf(symbol: string): Price | null {
    const held = this.#symbols.get(symbol);
    if (held === undefined || held.quote === null) return null;
    return (held.price ??= priceOf(held.quote));
  }

  /** Whether its price is not known yet. */
  #hold(symbol: string): boolean {
    let held = this.#symbols.get(symbol);
    if (held === undefined) {
      const opened: HeldSymbol = { holders: 0, quote: null, price: null, stop: () => {} };
      this.#symbols.set(symbol, (held = opened));
      opened.stop = this.#options.follow(symbol, (quote) => setQuote(opened, quote));
    }
    held.holders++;
    return held.quote === null;
  }

  #release(symbol: string): void {
    const held = this.#symbols.get(symbol);
    if (held === undefined || --held.holders > 0) return;
    held.stop();
    this.#symbols.delete(symbol);
  }

  /** What was read, where nothing has come live before. */
  #seed(symbol: string, quote: LedgerQuote): void {
    const held = this.#symbols.get(symbol);
    if (held !== undefined && held.quote === null) setQuote(held, quote);
  }
}

/** A quote of which neither the price nor the close has changed moves no portfolio. */
function setQuote(held: HeldSymbol, quote: LedgerQuote): void {
  const { quote: before } = held;
  if (before !== null && (before.price !== quote.price || before.previousClose !== quote.previousClose))
    held.price = null;
  held.quote = quote;
}
