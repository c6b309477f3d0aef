import type { Timers } from '../src/ingest/timers.ts';

type Timer = { readonly dueAt: number; readonly callback: () => void };

/** Time for tests: it passes only when it is told to. */
export class ManualTime {
  #now: number;
  readonly #pending = new Set<Timer>();

  constructor(now: number) {
    this.#now = now;
  }

  readonly clock = (): number => this.#now;

  readonly timers: Timers = {
    after: (delayMs, callback) => {
      const timer = { dueAt: this.#now + delayMs, callback };
      this.#pending.add(timer);
      return () => void this.#pending.delete(timer);
    },
  };

  get pendingTimers(): number {
    return this.#pending.size;
  }

  /** Moves on, calling each timer when its time comes, and lets promises and deliveries of the bus run between. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await letRun();
    for (let next = this.#findNext(end); next !== undefined; next = this.#findNext(end)) {
      this.#pending.delete(next);
      this.#now = Math.max(this.#now, next.dueAt);
      next.callback();
      await letRun();
    }
    this.#now = end;
  }

  #findNext(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#pending) {
      if (timer.dueAt <= end && (next === undefined || timer.dueAt < next.dueAt)) next = timer;
    }
    return next;
  }
}

/** Some turns of the event loop: what is due without waiting happens in them. */
export async function letRun(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
