import type { Logger } from '../../market/logger.ts';
import type { StatusMessage } from './frames.ts';
import type { FeedLimits } from './limits.ts';
import type { Timers } from '../../market/timers.ts';

export type SubscriberOptions = {
  /** What each symbol is subscribed to: `T`, `Q`, … */
  readonly topics: readonly string[];
  /** The symbols wanted now: read at the time of sending, so that calls of one turn, and changes undone, cost nothing. */
  readonly wanted: ReadonlySet<string>;
  readonly send: (message: { readonly action: 'subscribe' | 'unsubscribe'; readonly params: string }) => void;
  /** Once: all that was wanted at the beginning is confirmed, or has had its time. */
  readonly onSettled: () => void;
  readonly limits: FeedLimits;
  readonly timers: Timers;
  readonly logger: Logger;
};

/** How many unconfirmed topics a log line names. */
const NAMED_IN_LOG = 10;
const ENVELOPE_LENGTH = JSON.stringify({ action: 'unsubscribe', params: '' }).length;

/**
 * Brings what one connection is subscribed to in line with what is wanted, and keeps account of the confirmations.
 * The upstream confirms each topic of each symbol ("pair") by a text of its own, promises no time for it, and passes over
 * what it does not know: a missing confirmation is told, not treated as a failure. All that is kept here is bounded by
 * the number of symbols wanted.
 */
export class Subscriber {
  readonly #options: SubscriberOptions;
  /** Symbols to be looked at: wanted and not asked for, or the reverse. */
  readonly #changed: Set<string>;
  readonly #asked = new Set<string>();
  /** Pair to the time at which its confirmation is overdue, in the order of asking. */
  readonly #pending = new Map<string, number>();
  readonly #confirmed = new Set<string>();
  readonly #unconfirmed = new Set<string>();
  #settled = false;
  #stopped = false;
  #flushScheduled = false;
  #cancelSend: (() => void) | null = null;
  #cancelAck: (() => void) | null = null;
  #cancelSettle: (() => void) | null = null;

  /** Begins to ask for all that is wanted, in the next turn. */
  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.#changed = new Set(options.wanted);
    this.#scheduleFlush();
  }

  /** Says that these symbols are newly wanted, or no longer. */
  noteChange(symbols: Iterable<string>): void {
    for (const symbol of symbols) this.#changed.add(symbol);
    this.#scheduleFlush();
  }

  /** Takes a confirmation. `false`: the status is none. */
  confirm({ status, message }: StatusMessage): boolean {
    if (status !== 'success') return false;
    const match = /^(un)?subscribed to: *(\S+) *$/i.exec(message);
    if (match === null) return false;
    const pair = match[2]!;
    const isSubscribed = match[1] === undefined;
    // Only what was asked for is noted: the upstream's word alone adds nothing.
    if (isSubscribed && (this.#pending.delete(pair) || this.#unconfirmed.delete(pair))) {
      this.#confirmed.add(pair);
      this.#settleIfDone();
    }
    return true;
  }

  readStats(): { readonly confirmed: number; readonly pending: number; readonly unconfirmed: number } {
    return { confirmed: this.#confirmed.size, pending: this.#pending.size, unconfirmed: this.#unconfirmed.size };
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelSend?.();
    this.#cancelAck?.();
    this.#cancelSettle?.();
  }

  #scheduleFlush(): void {
    // While the pause after a message runs, its end will look.
    if (this.#flushScheduled || this.#cancelSend !== null || this.#stopped) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      if (!this.#stopped) this.#flush();
    });
  }

  /** Sends one message, if there is one to send, and comes back after a pause. */
  #flush(): void {
    const { send, timers, limits } = this.#options;
    const action = this.#pickAction();
    if (action === null) {
      this.#settleIfDone();
      return;
    }
    const pairs = this.#takePairs(action);
    send({ action, params: pairs.join(',') });
    for (const pair of pairs) this.#forget(pair);
    if (action === 'subscribe') this.#expectAcks(pairs);
    this.#cancelSend = timers.after(limits.sendIntervalMs, () => {
      this.#cancelSend = null;
      this.#flush();
    });
    if (this.#changed.size === 0 && !this.#settled) {
      this.#cancelSettle ??= timers.after(limits.settleTimeoutMs, () => this.#settle());
    }
  }

  /** What the first symbol in need of something needs; those that need nothing are forgotten. */
  #pickAction(): 'subscribe' | 'unsubscribe' | null {
    for (const symbol of this.#changed) {
      const action = this.#actionFor(symbol);
      if (action !== null) return action;
      this.#changed.delete(symbol);
    }
    return null;
  }

  #actionFor(symbol: string): 'subscribe' | 'unsubscribe' | null {
    const isWanted = this.#options.wanted.has(symbol);
    return isWanted === this.#asked.has(symbol) ? null : isWanted ? 'subscribe' : 'unsubscribe';
  }

  /** The pairs of one message: all topics of as many symbols as fit, at least one. */
  #takePairs(action: 'subscribe' | 'unsubscribe'): string[] {
    const { topics, limits } = this.#options;
    const pairs: string[] = [];
    let length = ENVELOPE_LENGTH;
    for (const symbol of this.#changed) {
      if (this.#actionFor(symbol) !== action) continue;
      const more = topics.map((topic) => `${topic}.${symbol}`);
      length += more.join(',').length + 1;
      const isFull = pairs.length + more.length > limits.maxPairsPerMessage || length > limits.maxMessageLength;
      if (isFull && pairs.length > 0) break;
      pairs.push(...more);
      this.#changed.delete(symbol);
      if (action === 'subscribe') this.#asked.add(symbol);
      else this.#asked.delete(symbol);
    }
    return pairs;
  }

  #forget(pair: string): void {
    this.#pending.delete(pair);
    this.#confirmed.delete(pair);
    this.#unconfirmed.delete(pair);
  }

  #expectAcks(pairs: readonly string[]): void {
    const { timers, limits } = this.#options;
    const overdueAt = timers.now() + limits.ackTimeoutMs;
    for (const pair of pairs) this.#pending.set(pair, overdueAt);
    this.#cancelAck ??= timers.after(limits.ackTimeoutMs, () => this.#checkAcks());
  }

  #checkAcks(): void {
    const { timers, logger } = this.#options;
    this.#cancelAck = null;
    const now = timers.now();
    const overdue: string[] = [];
    for (const [pair, overdueAt] of this.#pending) {
      if (overdueAt > now) {
        this.#cancelAck = timers.after(overdueAt - now, () => this.#checkAcks());
        break;
      }
      overdue.push(pair);
    }
    for (const pair of overdue) {
      this.#pending.delete(pair);
      this.#unconfirmed.add(pair);
    }
    if (overdue.length > 0) {
      const fields = { count: overdue.length, topics: overdue.slice(0, NAMED_IN_LOG) };
      logger.warn(fields, 'subscriptions that the upstream did not confirm');
    }
  }

  #settleIfDone(): void {
    if (this.#changed.size === 0 && this.#pending.size === 0) this.#settle();
  }

  #settle(): void {
    if (this.#settled || this.#stopped) return;
    this.#settled = true;
    this.#cancelSettle?.();
    this.#options.onSettled();
  }
}
