import { type Bus, type IngestStatus, statusChannel } from '../bus/bus.ts';
import type { Logger } from '../market/logger.ts';
import type { MarketStatus } from '../market/market-status.ts';
import type { FeedName, ServiceStatus } from '../market/service-status.ts';
import { StateBroadcast } from './state-broadcast.ts';

/** Ingest gives a sign of life every 5 s; after this long without one it counts as away. */
const SILENCE_MS = 15_000;
const CHECK_INTERVAL_MS = 1000;

export type StatusBoardOptions = {
  readonly bus: Bus;
  /** The feed that the configuration names, until ingest has told of its own. */
  readonly feed: FeedName;
  /** The market's status by the calendar, while ingest is away. */
  readonly marketStatusAt: (timeMs: number) => MarketStatus;
  readonly now: () => number;
  readonly logger: Logger;
};

/** What this process knows of the market's and of the service's state; tells each change to whoever listens. */
export class StatusBoard {
  readonly #options: StatusBoardOptions;
  readonly #market = new StateBroadcast<MarketStatus>(withoutTimestamp);
  readonly #service = new StateBroadcast<ServiceStatus>(withoutTimestamp);
  #ingest: IngestStatus | null = null;
  #heardAt = Number.NEGATIVE_INFINITY;
  #shuttingDown = false;
  #stops: (() => void | Promise<void>)[] = [];

  constructor(options: StatusBoardOptions) {
    this.#options = options;
    this.#service.set(this.readServiceStatus());
  }

  /** Begins to listen. A bus that is away is survived: it is tried again at each check. */
  start(): void {
    const { bus, now } = this.#options;
    this.#stops.push(bus.onState(() => this.#update()));
    const check = setInterval(() => this.#update(), CHECK_INTERVAL_MS);
    check.unref();
    this.#stops.push(() => clearInterval(check));
    // Subscribed first, read second; the older one does not replace the newer.
    bus
      .subscribe(statusChannel, (status) => this.#hear(status, now()))
      .then(async (unsubscribe) => {
        this.#stops.push(unsubscribe);
        const kept = await bus.readStatus();
        if (kept !== null && this.#ingest === null) this.#hear(kept, kept.timestamp);
      })
      .catch((error: unknown) => this.#options.logger.warn({ err: error }, 'could not read the status of ingest'));
  }

  readServiceStatus(): ServiceStatus {
    const { bus, now } = this.#options;
    const busState = bus.readState();
    const silent = now() - this.#heardAt > SILENCE_MS;
    const feed = this.#ingest?.feed ?? null;
    const feedConnected = !silent && feed !== null && feed.connected;
    const reason = this.#shuttingDown
      ? 'This process is shutting down.'
      : !busState.connected
        ? (busState.reason ?? 'Redis is not connected.')
        : feed === null
          ? 'Ingest has not reported yet.'
          : silent
            ? 'Ingest is silent.'
            : feed.connected
              ? null
              : (feed.reason ?? 'The feed is not connected.');
    return {
      state: this.#shuttingDown ? 'SHUTTING_DOWN' : reason === null ? 'OPERATIONAL' : 'DEGRADED',
      reason,
      feed: feed?.feed ?? this.#options.feed,
      feedConnected,
      redisConnected: bus.shared ? busState.connected : null,
      timestamp: now(),
    };
  }

  readMarketStatus(): MarketStatus {
    const { now, marketStatusAt } = this.#options;
    if (this.#ingest !== null && now() - this.#heardAt <= SILENCE_MS)
      return { ...this.#ingest.market, timestamp: now() };
    return marketStatusAt(now());
  }

  /** Whether a time lies in a session other than the regular one: a Form T trade then sets the last price. */
  isExtendedHours(timeMs: number): boolean {
    const { isOpen, nextClose } = this.readMarketStatus();
    // A market that never closes has no other session.
    if (isOpen && nextClose === null) return false;
    const { session } = this.#options.marketStatusAt(timeMs);
    return session !== 'REGULAR' && session !== 'CLOSED';
  }

  /** Whether what the cache holds of live symbols is current. */
  get live(): boolean {
    return this.readServiceStatus().state === 'OPERATIONAL';
  }

  /** Whether ingest has been heard of since the start. */
  get heard(): boolean {
    return this.#ingest !== null;
  }

  openMarketStatus(): AsyncIterableIterator<MarketStatus> {
    this.#market.set(this.readMarketStatus());
    return this.#market.open();
  }

  openServiceStatus(): AsyncIterableIterator<ServiceStatus> {
    this.#service.set(this.readServiceStatus());
    return this.#service.open();
  }

  /** Tells every listener that this process is about to end. */
  announceShutdown(): void {
    this.#shuttingDown = true;
    this.#update();
  }

  async close(): Promise<void> {
    for (const stop of this.#stops.toReversed()) await stop();
    this.#stops = [];
    await this.#market.close();
    await this.#service.close();
  }

  #hear(status: IngestStatus, heardAt: number): void {
    this.#ingest = status;
    this.#heardAt = heardAt;
    this.#update();
  }

  #update(): void {
    const before = this.#service.current;
    const after = this.readServiceStatus();
    this.#service.set(after);
    if (before?.state !== after.state)
      this.#options.logger.info({ state: after.state, reason: after.reason }, 'service status');
    this.#market.set(this.readMarketStatus());
  }
}

function withoutTimestamp<T extends { timestamp: number }>({ timestamp: _, ...rest }: T): string {
  return JSON.stringify(rest);
}
