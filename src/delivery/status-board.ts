import { type Bus, type IngestStatus, statusChannel } from '../bus/bus.ts';
import { STATUS_KEEP_MS } from '../bus/lifetimes.ts';
import type { Logger } from '../market/logger.ts';
import type { MarketStatus } from '../market/market-status.ts';
import type { FeedName, ServiceStatus } from '../market/service-status.ts';
import { every, type Timers } from '../market/timers.ts';
import { backgroundTimers } from './background-timers.ts';
import type { StateMailbox } from './mailbox.ts';
import type { PauseSwitch } from './pause-switch.ts';
import { StateBroadcast } from './state-broadcast.ts';

/** Ingest gives a sign of life every 5 s; after this long without one it counts as away. */
const SILENCE_MS = 15_000;
const CHECK_INTERVAL_MS = 1000;

export type StatusBoardOptions = {
  readonly bus: Bus;
  readonly pause: Pick<PauseSwitch, 'state' | 'onChange'>;
  /** The feed that the configuration names, until ingest has told of its own. */
  readonly feed: FeedName;
  /** The market's status by the calendar, while ingest is away. */
  readonly marketStatusAt: (timeMs: number) => MarketStatus;
  readonly now: () => number;
  /** Default: the machine's. */
  readonly timers?: Timers;
  readonly logger: Logger;
};

/** What this process knows of the market's and of the service's state; tells each change to whoever listens. */
export class StatusBoard {
  readonly #options: StatusBoardOptions;
  readonly #timers: Timers;
  readonly #market = new StateBroadcast<MarketStatus>(withoutTimestamp);
  readonly #service = new StateBroadcast<ServiceStatus>(withoutTimestamp);
  #ingest: IngestStatus | null = null;
  /** By the timers. */
  #heardAt = Number.NEGATIVE_INFINITY;
  #shuttingDown = false;
  #stops: (() => void | Promise<void>)[] = [];

  constructor(options: StatusBoardOptions) {
    this.#options = options;
    this.#timers = options.timers ?? backgroundTimers;
    this.#service.set(this.readServiceStatus());
  }

  /** Begins to listen. A bus that is away is survived: it is tried again at each check. */
  start(): void {
    const { bus, pause, now } = this.#options;
    const timers = this.#timers;
    this.#stops.push(
      bus.onState(() => this.#update()),
      pause.onChange(() => this.#update()),
      every(timers, CHECK_INTERVAL_MS, () => this.#update()),
    );
    // Subscribed first, read second; the older one does not replace the newer.
    bus
      .subscribe(statusChannel, (status) => this.#hear(status, 0))
      .then(async (unsubscribe) => {
        this.#stops.push(unsubscribe);
        const kept = await bus.readStatus();
        if (kept === null || this.#ingest !== null) return;
        // The clocks of two hosts may differ by more than the bus keeps a state for.
        const ageMs = now() - kept.timestamp;
        this.#hear(kept, ageMs >= 0 && ageMs <= STATUS_KEEP_MS ? ageMs : 0);
      })
      .catch((error: unknown) => this.#options.logger.warn({ err: error }, 'could not read the status of ingest'));
  }

  readServiceStatus(): ServiceStatus {
    const { bus, now } = this.#options;
    return {
      ...this.#readState(),
      feed: this.#ingest?.feed.feed ?? this.#options.feed,
      feedConnected: this.#ingest?.feed.connected === true && !this.#isSilent(),
      redisConnected: bus.shared ? bus.readState().connected : null,
      timestamp: now(),
    };
  }

  readMarketStatus(): MarketStatus {
    const { now, marketStatusAt } = this.#options;
    if (this.#ingest !== null && !this.#isSilent()) return { ...this.#ingest.market, timestamp: now() };
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
    return !this.#shuttingDown && this.#findProblem() === null;
  }

  /** Whether ingest has been heard of since the start. */
  get heard(): boolean {
    return this.#ingest !== null;
  }

  openMarketStatus(): StateMailbox<MarketStatus> {
    this.#market.set(this.readMarketStatus());
    return this.#market.open();
  }

  openServiceStatus(): StateMailbox<ServiceStatus> {
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

  #readState(): Pick<ServiceStatus, 'state' | 'reason'> {
    if (this.#shuttingDown) return { state: 'SHUTTING_DOWN', reason: 'This process is shutting down.' };
    const { paused, reason } = this.#options.pause.state;
    if (paused) return { state: 'PAUSED', reason: reason ?? 'Market events are paused.' };
    const problem = this.#findProblem();
    return problem === null ? { state: 'OPERATIONAL', reason: null } : { state: 'DEGRADED', reason: problem };
  }

  /** What is away, in plain words; `null`: nothing. */
  #findProblem(): string | null {
    const busState = this.#options.bus.readState();
    if (!busState.connected) return busState.reason ?? 'Redis is not connected.';
    if (busState.reason !== null) return busState.reason;
    if (this.#ingest === null) return 'Ingest has not reported yet.';
    if (this.#isSilent()) return 'Ingest is silent.';
    const { feed, problem = null } = this.#ingest;
    if (problem !== null) return problem;
    const { connected, reason } = feed;
    return connected ? null : (reason ?? 'The feed is not connected.');
  }

  #isSilent(): boolean {
    return this.#timers.now() - this.#heardAt > SILENCE_MS;
  }

  #hear(status: IngestStatus, ageMs: number): void {
    this.#ingest = status;
    this.#heardAt = this.#timers.now() - ageMs;
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
