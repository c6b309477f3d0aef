import type { Logger } from '../../market/logger.ts';
import type { FeedEvent } from '../feed.ts';
import { Backoff } from './backoff.ts';
import { Connection, type ConnectionEnd } from './connection.ts';
import { FrameDecoder, type StatusMessage } from './frames.ts';
import type { FeedLimits } from './limits.ts';
import { Subscriber } from './subscriber.ts';
import type { Timers } from '../../market/timers.ts';

export type ClusterOptions = {
  readonly name: 'stocks' | 'indices';
  /** Of this cluster: `wss://host/stocks`. */
  readonly url: string;
  readonly topics: readonly string[];
  readonly apiKey: string;
  readonly limits: FeedLimits;
  readonly clock: () => number;
  readonly timers: Timers;
  readonly random: () => number;
  readonly logger: Logger;
  readonly onEvents: (events: readonly FeedEvent[]) => void;
  /** The answer of {@link Cluster.readState} may be another one. */
  readonly onChange: () => void;
};

export type ClusterState = {
  /** `idle`: not opened. `away`: connecting, or waiting for the next attempt. `refused`: for good, by the key or the plan. */
  readonly phase: 'idle' | 'away' | 'connected' | 'refused';
  /** It was connected at some time. */
  readonly wasConnected: boolean;
  /** Why it is not connected, or what is wrong although it is; `null`: nothing is. In plain words, without the key. */
  readonly reason: string | null;
};

/** Further ones of a connection are counted, but not logged. */
const MAX_LOGGED_STATUSES = 16;

/**
 * One cluster of the upstream over one socket at a time, for as long as the feed lives: it connects again when a
 * connection ends, and then asks again for all that is wanted, since the upstream remembers nothing.
 */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #decoder = new FrameDecoder();
  readonly #backoff: Backoff;
  readonly #wanted = new Set<string>();
  #phase: ClusterState['phase'] | 'closed' = 'idle';
  #wasConnected = false;
  #reason: string | null = null;
  #connection: Connection | null = null;
  #subscriber: Subscriber | null = null;
  #cancelRetry: (() => void) | null = null;
  readonly #loggedStatuses = new Set<string>();

  #attempts = 0;
  #losses = 0;
  #evictions = 0;
  #topicErrors = 0;
  #unknownStatuses = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.limits, options.random);
  }

  /** Begins to connect; without effect where it has begun already. */
  open(): void {
    if (this.#phase !== 'idle') return;
    this.#change('away', `connecting to ${this.#options.name}`);
    this.#connect();
  }

  /** How many symbols are wanted of it. */
  get demand(): number {
    return this.#wanted.size;
  }

  subscribe(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#wanted.add(symbol);
    this.#subscriber?.noteChange(symbols);
  }

  unsubscribe(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#wanted.delete(symbol);
    this.#subscriber?.noteChange(symbols);
  }

  readState(): ClusterState {
    const phase = this.#phase === 'closed' ? 'idle' : this.#phase;
    return { phase, wasConnected: this.#wasConnected, reason: this.#reason };
  }

  readStats(): Readonly<Record<string, number>> {
    const topics = this.#subscriber?.readStats();
    return {
      ...this.#decoder.readStats(),
      reconnects: Math.max(0, this.#attempts - 1),
      losses: this.#losses,
      evictions: this.#evictions,
      refusals: this.#phase === 'refused' ? 1 : 0,
      topicErrors: this.#topicErrors,
      unknownStatuses: this.#unknownStatuses,
      topicsConfirmed: topics?.confirmed ?? 0,
      topicsPending: topics?.pending ?? 0,
      topicsUnconfirmed: topics?.unconfirmed ?? 0,
    };
  }

  async close(): Promise<void> {
    this.#phase = 'closed';
    this.#cancelRetry?.();
    this.#subscriber?.stop();
    this.#subscriber = null;
    await this.#connection?.close();
  }

  #connect(): void {
    const { url, apiKey, limits, clock, timers, onEvents } = this.#options;
    this.#attempts += 1;
    this.#loggedStatuses.clear();
    this.#connection = new Connection(
      { url, apiKey, decoder: this.#decoder, limits, clock, timers },
      {
        onReady: () => this.#begin(),
        onEvents,
        onStatus: (status) => this.#handleStatus(status),
        onEnd: (end) => this.#handleEnd(end),
      },
    );
  }

  /** The key is accepted. It counts as connected once the subscriptions stand: until then events are still missing. */
  #begin(): void {
    const { name, topics, limits, timers, logger } = this.#options;
    logger.info({ cluster: name, symbols: this.#wanted.size }, 'authenticated with the upstream');
    this.#reason = null;
    this.#subscriber = new Subscriber({
      topics,
      wanted: this.#wanted,
      send: (message) => this.#connection?.send(message),
      onSettled: () => {
        this.#wasConnected = true;
        this.#change('connected', this.#reason);
      },
      limits,
      timers,
      logger: logger.child({ cluster: name }),
    });
  }

  #handleStatus(status: StatusMessage): void {
    const { name, logger } = this.#options;
    if (this.#subscriber?.confirm(status)) return;
    const isError = status.status === 'error';
    if (isError) this.#topicErrors += 1;
    else this.#unknownStatuses += 1;
    const text = `${status.status} ${status.message}`;
    if (!this.#loggedStatuses.has(text) && this.#loggedStatuses.size < MAX_LOGGED_STATUSES) {
      this.#loggedStatuses.add(text);
      const message = isError ? 'the upstream refuses a subscription' : 'unknown status of the upstream';
      logger.warn({ cluster: name, status: status.status, message: status.message }, message);
    }
    // It does not say which topic; the others go on.
    if (isError) this.#change(this.#phase, `${name}: the upstream refuses some topics: ${status.message || 'error'}`);
  }

  #handleEnd(end: ConnectionEnd): void {
    const { name, timers, logger } = this.#options;
    this.#subscriber?.stop();
    this.#subscriber = null;
    if (end.cause === 'refused') {
      logger.error({ cluster: name, reason: end.reason }, 'no further attempt to connect to the upstream');
      this.#change('refused', `${name}: ${end.reason}`);
      return;
    }
    const delayMs = Math.round(this.#backoff.next({ cause: end.cause, livedMs: end.livedMs }));
    const fields = { cluster: name, reason: end.reason, livedMs: Math.round(end.livedMs), delayMs };
    if (end.cause === 'crowded') {
      this.#evictions += 1;
      logger.error(fields, 'evicted by the upstream');
    } else {
      logger.warn(fields, 'no connection to the upstream');
    }
    if (end.livedMs > 0) this.#losses += 1;
    const ended = this.#connection;
    this.#cancelRetry = timers.after(delayMs, () => {
      // The old socket frees its place at the upstream before a new one asks for it.
      void ended?.closed.then(() => {
        if (this.#phase === 'away') this.#connect();
      });
    });
    this.#change('away', `${name}: ${end.reason}`);
  }

  #change(phase: ClusterState['phase'] | 'closed', reason: string | null): void {
    if (this.#phase === 'closed') return;
    this.#phase = phase;
    this.#reason = reason;
    this.#options.onChange();
  }
}
