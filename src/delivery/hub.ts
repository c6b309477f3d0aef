import type { Bus } from '../bus/bus.ts';
import type { LiveBarInterval, LoggedBar } from '../market/bar.ts';
import type { LogPosition } from '../market/log.ts';
import type { Logger } from '../market/logger.ts';
import type { Timers } from '../market/timers.ts';
import type { LoggedTrade } from '../market/trade.ts';
import { DemandAnnouncer } from './demand-announcer.ts';
import { LogHub } from './log-hub.ts';
import type { LogBounds, LogStream } from './log-stream.ts';
import type { StateMailbox } from './mailbox.ts';
import { type DeliveredQuote, QuoteHub, type ReadQuotes } from './quote-hub.ts';
import { TimerWheel } from './timer-wheel.ts';

export type HubOptions = {
  readonly bus: Bus;
  /** Names this process in the demand that it states; unique among the processes of the bus. */
  readonly process: string;
  /** The current quotes that a new subscriber is shown first. A rejection is survived: the live ones come anyway. */
  readonly readQuotes: ReadQuotes;
  /** Whether the quotes that are heard are current. */
  readonly isLive: () => boolean;
  /** How far back a log can be resumed. */
  readonly historyMs: number;
  /** What may wait for one subscriber of a log. Default: 10,000 entries, 256 KiB, stalled for 500 ms, behind for 10 s. */
  readonly logBounds?: Partial<LogBounds>;
  /** Unix ms. */
  readonly now: () => number;
  /** Default: the machine's. */
  readonly timers?: Timers;
  readonly logger: Logger;
};

const LOG_BOUNDS: LogBounds = { maxEntries: 10_000, maxBytes: 256 * 1024, stallMs: 500, behindMs: 10_000 };

/**
 * Joins subscribers to the bus: one bus subscription per channel whatever the number of subscribers, one mailbox per
 * subscription, and the demand for each symbol by reference count.
 */
export class Hub {
  readonly #demand: DemandAnnouncer;
  readonly #quotes: QuoteHub;
  readonly #logs: LogHub;

  constructor(options: HubOptions) {
    const wheel = new TimerWheel(options.timers === undefined ? {} : { timers: options.timers });
    this.#demand = new DemandAnnouncer(options);
    this.#quotes = new QuoteHub({ ...options, wheel });
    this.#logs = new LogHub({ ...options, bounds: { ...LOG_BOUNDS, ...options.logBounds }, wheel });
  }

  /** The current quote of each symbol, then each change; newest wins where the reader is behind. */
  openQuotes(
    symbols: readonly string[],
    options: { maxRateHz?: number | null } = {},
  ): Promise<StateMailbox<DeliveredQuote>> {
    return this.#quotes.open(symbols, { maxRateHz: options.maxRateHz ?? null, onEnd: this.#want(symbols) });
  }

  /** The newest quote of a symbol that somebody follows here; `null`: nobody does. */
  newestQuoteOf(symbol: string): DeliveredQuote | null {
    return this.#quotes.newestOf(symbol);
  }

  /** Every print of the symbols, in order; those after `after` first, where it is given. */
  openTrades(symbols: readonly string[], after: LogPosition | null): Promise<LogStream<LoggedTrade>> {
    return this.#logs.open(
      symbols.map((symbol) => ({ kind: 'trade', symbol })),
      after,
      this.#want(symbols),
    );
  }

  /** Every bar of the interval, in order; those after `after` first, where it is given. */
  openBars(
    symbols: readonly string[],
    interval: LiveBarInterval,
    after: LogPosition | null,
  ): Promise<LogStream<LoggedBar>> {
    return this.#logs.open(
      symbols.map((symbol) => ({ kind: 'bar', symbol, interval })),
      after,
      this.#want(symbols),
    );
  }

  /**
   * Holds market events back: subscriptions stay open, and new ones are accepted and wait. On {@link resume} each gets the
   * newest quotes and every print and bar since, or is told that they are lost.
   */
  pause(): void {
    this.#quotes.hold();
    this.#logs.hold();
  }

  resume(): void {
    this.#quotes.release();
    this.#logs.release();
  }

  readStats() {
    const quotes = this.#quotes.readStats();
    const logs = this.#logs.readStats();
    return {
      channels: quotes.channels + logs.channels,
      symbolsWanted: this.#demand.symbols,
      mailboxes: quotes.mailboxes + logs.mailboxes,
      messagesWaiting: quotes.messagesWaiting + logs.messagesWaiting,
      bytesWaiting: quotes.bytesWaiting + logs.bytesWaiting,
      conflated: quotes.conflated,
      slowConsumers: logs.slowConsumers,
      historyReads: logs.historyReads,
    };
  }

  /** Ends all subscriptions in order and withdraws this process's demand. */
  async close(): Promise<void> {
    await this.#quotes.close();
    await this.#logs.close();
    await this.#demand.close();
  }

  /** States the demand for the symbols; the returned function withdraws it. */
  #want(symbols: readonly string[]): () => void {
    this.#demand.add(symbols);
    return () => this.#demand.remove(symbols);
  }
}
