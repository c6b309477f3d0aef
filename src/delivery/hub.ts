import {
  barChannel,
  type Bus,
  type Channel,
  type LogEntry,
  type LogKey,
  type Messages,
  quoteChannel,
  tradeChannel,
} from '../bus/bus.ts';
import { ClientError } from '../errors.ts';
import type { LiveBarInterval, LoggedBar } from '../market/bar.ts';
import { encodeCursor, type LogPosition } from '../market/log.ts';
import type { Logger } from '../market/logger.ts';
import type { Quote } from '../market/quote.ts';
import type { LoggedTrade } from '../market/trade.ts';
import { DemandAnnouncer } from './demand-announcer.ts';
import { checkResume, readResumed } from './resume.ts';
import { LogMailbox, StateMailbox } from './mailbox.ts';
import { TimerWheel } from './timer-wheel.ts';

/** A quote as it is delivered: `stale` where it was served while its source is unreachable or silent. */
export type DeliveredQuote = Quote & { readonly stale: boolean };

export type HubOptions = {
  readonly bus: Bus;
  /** Names this process in the demand that it states; unique among the processes of the bus. */
  readonly process: string;
  /** The current quotes that a new subscriber is shown first. A rejection is survived: the live ones come anyway. */
  readonly readQuotes: (symbols: readonly string[]) => Promise<readonly (DeliveredQuote | null)[]>;
  /** How far back a log can be resumed. */
  readonly historyMs: number;
  /** How many entries of a log may wait for one subscriber before it is ended with SLOW_CONSUMER. Default 10,000. */
  readonly maxLogBacklog?: number;
  readonly now: () => number;
  readonly logger: Logger;
};

/**
 * Joins subscribers to the bus: one bus subscription per channel whatever the number of subscribers, one mailbox per
 * subscription, and the demand for each symbol by reference count.
 */
export class Hub {
  readonly #options: HubOptions;
  readonly #topics = new Map<string, Topic<never>>();
  readonly #demand: DemandAnnouncer;
  readonly #wheel = new TimerWheel();
  readonly #open = new Set<{ fail(error: Error): void; readonly depth: number }>();
  #conflated = 0;
  #slowConsumers = 0;

  constructor(options: HubOptions) {
    this.#options = options;
    this.#demand = new DemandAnnouncer(options);
  }

  /** The current quote of each symbol, then each change; newest wins where the reader is behind. */
  openQuotes(
    symbols: readonly string[],
    options: { maxRateHz?: number | null } = {},
  ): Promise<AsyncIterableIterator<DeliveredQuote>> {
    const mailbox: StateMailbox<DeliveredQuote> = new StateMailbox({
      minIntervalMs: options.maxRateHz ? 1000 / options.maxRateHz : 0,
      wheel: this.#wheel,
      onEnd: () => {
        this.#conflated += mailbox.conflated;
        this.#close(mailbox, symbols, leave);
      },
    });
    const live = new Set<string>();
    // What the snapshot showed: the bus may deliver the very same quote late, after the join.
    const shown = new Map<string, Quote>();
    const leave = this.#join(symbols.map(quoteChannel), (quote) => {
      live.add(quote.symbol);
      const before = shown.get(quote.symbol);
      if (before !== undefined) {
        shown.delete(quote.symbol);
        if (isSameQuote(before, quote)) return;
      }
      mailbox.put(quote.symbol, { ...quote, stale: false });
    });
    return this.#opened(mailbox, symbols, leave, async () => {
      // Subscribed first, snapshot second: what came live in between is newer than the snapshot.
      const quotes = await this.#options.readQuotes(symbols).catch((error: unknown) => {
        this.#options.logger.warn({ err: error }, 'no current quotes for a new subscriber');
        return [];
      });
      for (const quote of quotes) {
        if (quote === null || live.has(quote.symbol)) continue;
        if (!quote.stale) shown.set(quote.symbol, quote);
        mailbox.put(quote.symbol, quote);
      }
    });
  }

  /** Every print of the symbols, in order; those after `after` first, where it is given. */
  openTrades(symbols: readonly string[], after: LogPosition | null): Promise<AsyncIterableIterator<LoggedTrade>> {
    return this.#openLog(
      symbols,
      symbols.map(tradeChannel),
      () => true,
      after,
      (symbol) => ({ kind: 'trade', symbol }),
    );
  }

  /** Every bar of the interval, in order; those after `after` first, where it is given. */
  openBars(
    symbols: readonly string[],
    interval: LiveBarInterval,
    after: LogPosition | null,
  ): Promise<AsyncIterableIterator<LoggedBar>> {
    return this.#openLog(
      symbols,
      symbols.map(barChannel),
      (bar) => bar.interval === interval,
      after,
      (symbol) => ({ kind: 'bar', symbol, interval }),
    );
  }

  #openLog<K extends 'trade' | 'bar'>(
    symbols: readonly string[],
    channels: readonly Channel<K>[],
    accept: (entry: Messages[K]) => boolean,
    after: LogPosition | null,
    keyOf: (symbol: string) => LogKey & { kind: K },
  ): Promise<AsyncIterableIterator<Messages[K]>> {
    const mailbox: LogMailbox<Messages[K]> = new LogMailbox<Messages[K]>({
      maxEntries: this.#options.maxLogBacklog ?? 10_000,
      onOverflow: (last) => {
        this.#slowConsumers++;
        const cursor = last ?? after;
        return new ClientError(
          'SLOW_CONSUMER',
          'This subscription was too slow for its log and was ended; resume from the cursor.',
          {
            cursor: cursor === null ? null : encodeCursor(cursor),
          },
        );
      },
      onEnd: () => this.#close(mailbox, symbols, leave),
    });
    // Live entries that arrive while history is read wait here, bounded like the mailbox.
    let held: Messages[K][] | null = after === null ? null : [];
    // Up to where each symbol is known from its history. The bus may deliver such an entry late, also after the join.
    const joinedAt = new Map(after === null ? [] : symbols.map((symbol) => [symbol, after.offset]));
    const isKnown = (entry: Messages[K]): boolean => {
      const offset = joinedAt.get(entry.symbol);
      if (offset === undefined) return false;
      if (entry.offset <= offset) return true;
      // In order per channel: none that is known comes after it.
      joinedAt.delete(entry.symbol);
      return false;
    };
    const leave = this.#join(channels, (entry) => {
      if (!accept(entry)) return;
      if (held === null) {
        if (!isKnown(entry)) mailbox.put(entry);
      } else if (held.push(entry) > (this.#options.maxLogBacklog ?? 10_000)) {
        this.#slowConsumers++;
        mailbox.fail(
          new ClientError('SLOW_CONSUMER', 'The log is faster than its history can be read.', {
            cursor: encodeCursor(after!),
          }),
        );
      }
    });
    return this.#opened(mailbox, symbols, leave, async () => {
      if (after === null) return;
      const { bus, historyMs, now } = this.#options;
      const oldestMs = now() - historyMs;
      checkResume(after, { epoch: await bus.readEpoch(), oldestMs });
      const history = await readResumed(bus, symbols.map(keyOf), after, oldestMs);
      mailbox.preload(history as Messages[K][]);
      for (const entry of history) joinedAt.set(entry.symbol, entry.offset);
      mailbox.preload(held!.filter((entry) => !isKnown(entry)));
      held = null;
    });
  }

  /** Listens on the channels; the promise of `ready` resolves when all are subscribed. */
  #join<K extends keyof Messages>(
    channels: readonly Channel<K>[],
    listener: (message: Messages[K]) => void,
  ): Membership {
    const topics = channels.map((channel) => {
      let topic = this.#topics.get(channel.name) as Topic<Messages[K]> | undefined;
      if (topic === undefined) {
        topic = new Topic<Messages[K]>();
        this.#topics.set(channel.name, topic as Topic<never>);
        topic.open(this.#options.bus, channel);
      }
      topic.listeners.add(listener);
      return { channel, topic };
    });
    return {
      ready: Promise.all(topics.map(({ topic }) => topic.ready)).then(() => undefined),
      leave: () => {
        for (const { channel, topic } of topics) {
          if (!topic.listeners.delete(listener) || topic.listeners.size > 0) continue;
          this.#topics.delete(channel.name);
          topic.close().catch((error: unknown) => {
            this.#options.logger.warn({ err: error, channel: channel.name }, 'could not unsubscribe');
          });
        }
      },
    };
  }

  async #opened<
    M extends {
      fail(error: Error): void;
      return(): Promise<unknown>;
      readonly ended: boolean;
      readonly depth: number;
    },
  >(mailbox: M, symbols: readonly string[], membership: Membership, joined: () => Promise<void>): Promise<M> {
    this.#open.add(mailbox);
    this.#demand.add(symbols);
    try {
      await membership.ready;
      await joined();
    } catch (error) {
      await mailbox.return();
      throw error;
    }
    return mailbox;
  }

  #close(
    mailbox: { fail(error: Error): void; readonly depth: number },
    symbols: readonly string[],
    membership: Membership,
  ): void {
    if (!this.#open.delete(mailbox)) return;
    membership.leave();
    this.#demand.remove(symbols);
  }

  readStats() {
    let waiting = 0;
    for (const mailbox of this.#open) waiting += mailbox.depth;
    return {
      channels: this.#topics.size,
      symbolsWanted: this.#demand.symbols,
      mailboxes: this.#open.size,
      messagesWaiting: waiting,
      conflated: this.#conflated,
      slowConsumers: this.#slowConsumers,
    };
  }

  /** Ends all subscriptions in order and withdraws this process's demand. */
  async close(): Promise<void> {
    for (const mailbox of [...this.#open]) {
      await (mailbox as unknown as AsyncIterableIterator<LogEntry>).return?.();
    }
    await this.#demand.close();
  }
}

type Membership = { readonly ready: Promise<void>; leave(): void };

/** One channel of the bus, subscribed once in this process, and who listens to it. */
class Topic<T> {
  readonly listeners = new Set<(message: T) => void>();
  ready: Promise<void> = Promise.resolve();
  #unsubscribe: Promise<() => Promise<void>> | null = null;

  open<K extends keyof Messages>(bus: Bus, channel: Channel<K>): void {
    this.#unsubscribe = bus.subscribe(channel, (message) => {
      for (const listener of this.listeners) (listener as (message: Messages[K]) => void)(message);
    });
    this.ready = this.#unsubscribe.then(() => undefined);
    // Whoever joins awaits `ready`; where all have left before, a failure is nobody's concern.
    this.ready.catch(() => undefined);
  }

  async close(): Promise<void> {
    const unsubscribe = await this.#unsubscribe?.catch(() => null);
    await unsubscribe?.();
  }
}

function isSameQuote(a: Quote, b: Quote): boolean {
  return (Object.keys(b) as (keyof Quote)[]).every((field) => a[field] === b[field]);
}
