import { systemTimers } from '../src/market/timers.ts';
import type { Timers } from '../src/market/timers.ts';

type Timer = { readonly dueAt: number; readonly callback: () => void };

/** Timers that a test moves by hand, starting at `now`. */
export class ManualTimers implements Timers {
  #now: number;
  readonly #pending = new Set<Timer>();

  constructor(now = 0) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { dueAt: this.#now + delayMs, callback };
    this.#pending.add(timer);
    return () => void this.#pending.delete(timer);
  }

  /** How far ahead each waiting call is, soonest first. */
  get delays(): number[] {
    return [...this.#pending].map(({ dueAt }) => dueAt - this.#now).toSorted((a, b) => a - b);
  }

  /** Moves time on, and calls what falls due on the way, each at its time. */
  advance(ms: number): void {
    const end = this.#now + ms;
    while (this.runNext(end)) continue;
    this.#now = end;
  }

  /** Calls the next timer that falls due up to `end`, at its time; `false` where there is none. */
  runNext(end: number): boolean {
    let next: Timer | undefined;
    for (const timer of this.#pending) {
      if (timer.dueAt <= end && (next === undefined || timer.dueAt < next.dueAt)) next = timer;
    }
    if (next === undefined) return false;
    this.#pending.delete(next);
    this.#now = Math.max(this.#now, next.dueAt);
    next.callback();
    return true;
  }
}

/** Clock and timers for tests whose code awaits between them: time passes only when it is told to. */
export class ManualTime {
  readonly timers: ManualTimers;

  constructor(now: number) {
    this.timers = new ManualTimers(now);
  }

  readonly clock = (): number => this.timers.now();

  get pendingTimers(): number {
    return this.timers.delays.length;
  }

  /** Moves on, calling each timer when its time comes, and lets promises and deliveries of the bus run between. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.timers.now() + milliseconds;
    await letRun();
    while (this.timers.runNext(end)) await letRun();
    this.timers.advance(end - this.timers.now());
  }
}

/** Some turns of the event loop: what is due without waiting happens in them. */
export async function letRun(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * The machine's own timers, except that whatever is due in `fromMs` or later comes thirty times as late: for a test whose parts have
 * to go on by themselves, and in which no deadline of the product may strike, however slow the machine is.
 */
export function patientTimers(fromMs: number): Timers {
  return {
    now: () => systemTimers.now(),
    after: (delayMs, callback) => systemTimers.after(delayMs < fromMs ? delayMs : 30 * delayMs, callback),
  };
}
