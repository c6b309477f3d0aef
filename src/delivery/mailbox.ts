import type { TimerWheel } from './timer-wheel.ts';

/**
 * What waits between the hub and one subscription's reader. A mailbox never holds more than its bound, whatever the
 * reader does; what happens at the bound follows from what it holds, state or log. It ends in one of two ways:
 * `return()` by the reader, or `fail(error)` by the writer, which the reader meets as a throw of `next()`.
 */
export abstract class Mailbox<T> implements AsyncIterableIterator<T> {
  #waiting: { resolve: (result: IteratorResult<T>) => void; reject: (error: Error) => void } | null = null;
  #ended = false;
  #held = false;
  #error: Error | null = null;
  readonly #onEnd: () => void;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  /** How many messages wait. */
  abstract readonly depth: number;
  /** About how much memory they hold. */
  abstract readonly bytes: number;
  /** The next message, or `undefined` where none may be handed over now. */
  protected abstract take(): T | undefined;
  protected abstract clear(): void;

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the reader has asked for more than there is. */
  get awaited(): boolean {
    return this.#waiting !== null;
  }

  /** Hands nothing over until {@link release}; what is put meanwhile waits as it does for a reader that is behind. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.wake();
  }

  protected get held(): boolean {
    return this.#held;
  }

  /** To be called after something was put: hands over to a reader that waits. */
  protected wake(): void {
    if (this.#waiting === null || this.#held) return;
    const value = this.take();
    // Taking may have ended it.
    if (value === undefined || this.#waiting === null) return;
    const { resolve } = this.#waiting;
    this.#waiting = null;
    resolve({ done: false, value });
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#error !== null) {
      const error = this.#error;
      this.#error = null;
      return Promise.reject(error);
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    const value = this.#held ? undefined : this.take();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    // There was no more to take than its end.
    if (this.ended) return this.next();
    // One reader at a time, as `for await` and graphql-ws do; a second one would wait for ever.
    if (this.#waiting !== null) return Promise.reject(new Error('a mailbox has one reader'));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Ends it for the reader with an error, at once: what still waits is dropped. */
  fail(error: Error): void {
    if (this.#ended) return;
    const waiting = this.#end();
    if (waiting !== null) waiting.reject(error);
    else this.#error = error;
  }

  return(): Promise<IteratorResult<T>> {
    if (!this.#ended) this.#end()?.resolve({ done: true, value: undefined });
    this.#error = null;
    return Promise.resolve({ done: true, value: undefined });
  }

  // graphql-ws takes only what has all three of next, return and throw for something it can end.
  async throw(error: unknown): Promise<IteratorResult<T>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #end() {
    const waiting = this.#waiting;
    this.#waiting = null;
    this.#ended = true;
    this.clear();
    this.#onEnd();
    return waiting;
  }
}

/** A quote of some twenty fields, with its place in the map. */
const SLOT_BYTES = 320;

/**
 * For state: one slot per key, the newest value wins, so the bound is the number of keys. With `minIntervalMs` a key is
 * handed over at most that often; between two times the newest is kept, and the last one always arrives.
 */
export class StateMailbox<T> extends Mailbox<T> {
  /** How many values were replaced before anybody read them. */
  conflated = 0;
  readonly #minIntervalMs: number;
  readonly #wheel: TimerWheel;
  readonly #now: () => number;
  /** May be handed over now, in the order in which their keys first changed. */
  readonly #ready = new Map<string, T>();
  /** Wait for their key's interval to pass. */
  readonly #early = new Map<string, T>();
  readonly #takenAt = new Map<string, number>();
  #wakeAt = Number.POSITIVE_INFINITY;
  #cancelWake: (() => void) | null = null;

  constructor(options: { minIntervalMs: number; wheel: TimerWheel; now?: () => number; onEnd: () => void }) {
    super(options.onEnd);
    this.#minIntervalMs = options.minIntervalMs;
    this.#wheel = options.wheel;
    this.#now = options.now ?? (() => performance.now());
  }

  get depth(): number {
    return this.#ready.size + this.#early.size;
  }

  get bytes(): number {
    return this.depth * SLOT_BYTES;
  }

  put(key: string, value: T): void {
    if (this.ended) return;
    if (this.#ready.has(key)) {
      this.conflated++;
      this.#ready.set(key, value);
      return;
    }
    const dueAt =
      this.#minIntervalMs === 0 ? 0 : (this.#takenAt.get(key) ?? Number.NEGATIVE_INFINITY) + this.#minIntervalMs;
    if (dueAt <= this.#now()) {
      // A value that waited for this moment is replaced by the newer one.
      if (this.#early.delete(key)) this.conflated++;
      this.#ready.set(key, value);
      this.wake();
      return;
    }
    if (this.#early.has(key)) this.conflated++;
    this.#early.set(key, value);
    this.#wakeNoLaterThan(dueAt);
  }

  protected take(): T | undefined {
    for (const [key, value] of this.#ready) {
      this.#ready.delete(key);
      if (this.#minIntervalMs > 0) this.#takenAt.set(key, this.#now());
      return value;
    }
    return undefined;
  }

  protected clear(): void {
    this.#ready.clear();
    this.#early.clear();
    this.#takenAt.clear();
    this.#cancelWake?.();
  }

  #wakeNoLaterThan(dueAt: number): void {
    if (dueAt >= this.#wakeAt) return;
    this.#cancelWake?.();
    this.#wakeAt = dueAt;
    this.#cancelWake = this.#wheel.schedule(dueAt - this.#now(), () => this.#releaseDue());
  }

  #releaseDue(): void {
    this.#wakeAt = Number.POSITIVE_INFINITY;
    const now = this.#now();
    let next = Number.POSITIVE_INFINITY;
    for (const [key, value] of this.#early) {
      const dueAt = (this.#takenAt.get(key) ?? 0) + this.#minIntervalMs;
      if (dueAt <= now) {
        this.#early.delete(key);
        this.#ready.set(key, value);
      } else if (dueAt < next) {
        next = dueAt;
      }
    }
    if (next !== Number.POSITIVE_INFINITY) this.#wakeNoLaterThan(next);
    this.wake();
  }
}
