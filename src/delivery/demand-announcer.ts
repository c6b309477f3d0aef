import type { Bus } from '../bus/bus.ts';
import type { Logger } from '../market/logger.ts';
import { every, type Timers } from '../market/timers.ts';
import { backgroundTimers } from './background-timers.ts';

/** How long changes are gathered before they are announced: a watchlist that opens is one announcement. */
const GATHER_MS = 20;
/** The bus forgets a process's demand that is not renewed for 25 s. */
const RENEW_MS = 10_000;

/** Counts this process's subscriptions per symbol and keeps the bus told of them. */
export class DemandAnnouncer {
  readonly #bus: Bus;
  readonly #process: string;
  readonly #logger: Logger;
  readonly #counts = new Map<string, number>();
  readonly #changed = new Set<string>();
  readonly #timers: Timers;
  readonly #stopRenewal: () => void;
  readonly #stopWatching: () => void;
  #cancelGathering: (() => void) | null = null;
  /** Announcements go one after the other, so that an older count never overtakes a newer one. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: { bus: Bus; process: string; timers?: Timers; logger: Logger }) {
    this.#bus = options.bus;
    this.#process = options.process;
    this.#logger = options.logger;
    this.#timers = options.timers ?? backgroundTimers;
    this.#stopRenewal = every(this.#timers, RENEW_MS, () => this.#renew());
    this.#stopWatching = this.#bus.onState((state) => {
      if (state.connected) this.#renew();
    });
  }

  /** The number of distinct symbols wanted. */
  get symbols(): number {
    return this.#counts.size;
  }

  add(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#set(symbol, (this.#counts.get(symbol) ?? 0) + 1);
  }

  remove(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#set(symbol, (this.#counts.get(symbol) ?? 1) - 1);
  }

  async close(): Promise<void> {
    this.#stopRenewal();
    this.#stopWatching();
    for (const symbol of this.#counts.keys()) this.#changed.add(symbol);
    this.#counts.clear();
    this.#cancelGathering?.();
    this.#announce();
    await this.#last;
  }

  #set(symbol: string, count: number): void {
    if (count <= 0) this.#counts.delete(symbol);
    else this.#counts.set(symbol, count);
    this.#changed.add(symbol);
    this.#cancelGathering ??= this.#timers.after(GATHER_MS, () => this.#announce());
  }

  #announce(): void {
    this.#cancelGathering = null;
    if (this.#changed.size === 0) return;
    const counts = new Map([...this.#changed].map((symbol) => [symbol, this.#counts.get(symbol) ?? 0]));
    this.#changed.clear();
    this.#enqueue(() => this.#bus.setDemand(this.#process, counts));
  }

  #renew(): void {
    if (this.#counts.size > 0) this.#enqueue(() => this.#bus.renewDemand(this.#process, this.#counts));
  }

  #enqueue(tell: () => Promise<void>): void {
    // A failure is mended by the next renewal, which states everything anew.
    this.#last = this.#last.then(tell).catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'could not state the demand; it is stated again at the next renewal');
    });
  }
}
