import type { BusWriter } from '../bus/bus.ts';
import { resolveMarketStatus } from '../market/calendar.ts';
import type { Logger } from '../market/logger.ts';
import type { MarketStatus, UpstreamMarketStatus } from '../market/market-status.ts';
import type { FeedName, FeedStatus } from '../market/service-status.ts';
import type { MarketDataSource } from '../market/source.ts';
import type { MarketHours } from './market-hours.ts';
import type { Timers } from '../market/timers.ts';
import { TimerGroup } from './timers.ts';

/** Sessions begin and end on minutes: looking once a second, on the second, tells it at once. */
const TICK_MS = 1_000;
const SIGN_OF_LIFE_MS = 5_000;
const FIRST_STATE_MS = 1_000;
const STATUS_READ_MS = 60_000;
const HOLIDAYS_READ_MS = 6 * 60 * 60 * 1_000;
/** After a failure. */
const RETRY_MS = 5_000;

export type StatusPublisherOptions = {
  readonly bus: Pick<BusWriter, 'publishStatus'>;
  readonly source: Pick<MarketDataSource, 'readMarketStatus' | 'readHolidays'>;
  /** Told what the source announces. */
  readonly hours: MarketHours;
  readonly feed: FeedName;
  /** What else keeps ingest from its work; `null`: nothing. Default: nothing ever does. */
  readonly readProblem?: () => string | null;
  readonly clock: () => number;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Called every second. */
  readonly onTick: () => void;
};

/** Publishes the state of market and feed: at every change, and every five seconds as a sign of life. */
export class StatusPublisher {
  readonly #options: StatusPublisherOptions;
  readonly #abort = new AbortController();
  readonly #timers: TimerGroup;
  readonly #pending = new Set<Promise<void>>();
  #feed: FeedStatus;
  #upstream: UpstreamMarketStatus | null = null;
  #market: MarketStatus | null = null;
  /** Both by the timers. */
  #publishedAt = -Infinity;
  #heldUntil = -Infinity;
  #published = 0;
  #publishFailures = 0;
  #readFailures = 0;

  constructor(options: StatusPublisherOptions) {
    this.#options = options;
    this.#timers = new TimerGroup(options.timers);
    this.#feed = { feed: options.feed, connected: false, reason: 'not connected yet' };
  }

  /**
   * Resolves after the first answers of the source, or their failures. A first state waits for them, for a second at most:
   * a market that never closes shall not be told to be closed at first.
   */
  async start(): Promise<void> {
    const { source, hours } = this.#options;
    this.#heldUntil = this.#options.timers.now() + FIRST_STATE_MS;
    this.#tick();
    const status = this.#follow('market status', STATUS_READ_MS, async (signal) => {
      this.#upstream = await source.readMarketStatus(signal);
      hours.setAlwaysOpen(this.#upstream.alwaysOpen);
    });
    const holidays = this.#follow('holidays', HOLIDAYS_READ_MS, async (signal) => {
      hours.setHolidays(await source.readHolidays(signal));
    });
    await Promise.all([status, holidays]);
    this.#heldUntil = -Infinity;
    this.publish();
  }

  setFeed(status: FeedStatus): void {
    this.#feed = status;
    this.publish();
  }

  /** Publishes the state as it is now. */
  publish(): void {
    const { clock, timers } = this.#options;
    const timestamp = clock();
    if (this.#abort.signal.aborted || timers.now() < this.#heldUntil) return;
    const market = resolveMarketStatus(this.#options.hours.calendar, this.#upstream, timestamp);
    this.#market = market;
    this.#publishedAt = timers.now();
    const problem = this.#options.readProblem?.() ?? null;
    const publication = this.#send({ market, feed: this.#feed, problem, timestamp });
    this.#pending.add(publication);
    void publication.finally(() => this.#pending.delete(publication));
  }

  readStats(): Readonly<Record<string, number>> {
    return {
      statusPublished: this.#published,
      statusFailures: this.#publishFailures,
      statusReadFailures: this.#readFailures,
    };
  }

  /** Stops; what is on its way is waited for, so that nothing is published after. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#timers.close();
    await Promise.all(this.#pending);
  }

  async #send(status: Parameters<BusWriter['publishStatus']>[0]): Promise<void> {
    try {
      await this.#options.bus.publishStatus(status);
      this.#published += 1;
    } catch {
      // The next one, in five seconds at the latest, is whole again: nothing is lost that a reader would miss.
      this.#publishFailures += 1;
    }
  }

  #tick(): void {
    const { clock, timers, hours, onTick } = this.#options;
    onTick();
    const now = clock();
    const market = resolveMarketStatus(hours.calendar, this.#upstream, now);
    if (timers.now() - this.#publishedAt >= SIGN_OF_LIFE_MS || this.#hasChanged(market)) this.publish();
    this.#timers.after(TICK_MS - (now % TICK_MS), () => this.#tick());
  }

  #hasChanged(market: MarketStatus): boolean {
    const known = this.#market;
    return (
      known === null ||
      market.session !== known.session ||
      market.isOpen !== known.isOpen ||
      market.holiday !== known.holiday
    );
  }

  /** Reads again and again; a failure is survived, and logged once until the next success. */
  async #follow(what: string, intervalMs: number, read: (signal: AbortSignal) => Promise<void>): Promise<void> {
    let isFailing = false;
    const run = async (): Promise<void> => {
      let delayMs = intervalMs;
      try {
        await read(this.#abort.signal);
        isFailing = false;
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        this.#readFailures += 1;
        delayMs = Math.min(intervalMs, RETRY_MS);
        const reason = error instanceof Error ? error.message : String(error);
        if (!isFailing)
          this.#options.logger.warn({ error: reason }, `The ${what} could not be read; the calendar stands alone.`);
        isFailing = true;
      }
      this.#timers.after(delayMs, () => void run());
    };
    await run();
  }
}
