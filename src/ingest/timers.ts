import type { Timers } from '../market/timers.ts';

/** Timers that are called off together. */
export class TimerGroup {
  readonly #timers: Timers;
  readonly #pending = new Set<() => void>();
  #closed = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Returns the function that calls it off; harmless when it is too late. */
  after(delayMs: number, callback: () => void): () => void {
    if (this.#closed) return () => {};
    const stop = this.#timers.after(delayMs, () => {
      this.#pending.delete(stop);
      callback();
    });
    this.#pending.add(stop);
    return () => {
      this.#pending.delete(stop);
      stop();
    };
  }

  /** Calls all of them off, and sets none any more. */
  close(): void {
    this.#closed = true;
    for (const stop of this.#pending) stop();
    this.#pending.clear();
  }
}
