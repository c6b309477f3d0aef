import { noteLate } from './late-events.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** Who takes the messages of a mailbox, as they come. */
export type Reader<T> = {
  /** Whether it takes a message now. Where it does not, it calls {@link Mailbox.pull} when it does again. */
  readonly ready: boolean;
  take(message: T): void;
  /** There is no more; with the error that ended it. */
  end(error: Error | null): void;
};

/**
 * What waits between the hub and one subscription's reader. A mailbox never holds more than its bound, whatever the
 * reader does; what happens at the bound follows from what it holds, state or log. It ends in one of two ways:
 * `return()` by the reader, or `fail(error)` by the writer, which the reader meets as its end.
 *
 * It is read in one of two ways: by a {@link Reader}, which is handed each message in the turn in which it came; or as an
 * iterator.
 */
export abstract class Mailbox<T> implements AsyncIterableIterator<T> {
  #reader: Reader<T> | null = null;
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

  /** Whether the reader would take more than there is. */
  get awaited(): boolean {
    return this.#reader === null ? this.#waiting !== null : this.#reader.ready;
  }

  /** Hands nothing over until {@link release}; what is put meanwhile waits as it does for a reader that is behind. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.pull();
  }

  protected get held(): boolean {
    return this.#held;
  }

  /** Gives all that comes to `reader`, from what waits already. Not to be iterated then. */
  attach(reader: Reader<T>): void {
    this.#reader = reader;
    if (this.#ended) this.#finish(reader);
    else this.pull();
  }

  /** Hands over what waits, as far as the reader takes it. Called when there is more of either. */
  pull(): void {
    while (!this.#held && !this.#ended && this.awaited) {
      const message = this.take();
      // Taking may have ended it.
      if (message === undefined || this.#ended) return;
      this.#hand(message);
    }
  }

  /** Hands over at once, past what could wait; false where the reader does not take it now. */
  protected offer(message: T): boolean {
    if (this.#held || !this.awaited) return false;
    this.#hand(message);
    return true;
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#error !== null) {
      const error = this.#error;
      this.#error = null;
      return Promise.reject(error);
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    // One at a time, as `for await` does; a second one would wait for ever.
    if (this.#waiting !== null) return Promise.reject(new Error('a mailbox has one reader'));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.pull();
    });
  }

  /** Ends it for the reader with an error, at once: what still waits is dropped. */
  fail(error: Error): void {
    if (this.#ended) return;
    this.#error = error;
    this.#end();
  }

  return(): Promise<IteratorResult<T>> {
    if (!this.#ended) this.#end();
    this.#error = null;
    return Promise.resolve({ done: true, value: undefined });
  }

  // graphql-js takes only what has all three of next, return and throw for something it can end.
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

  #hand(message: T): void {
    if (this.#reader !== null) {
      this.#reader.take(message);
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve({ done: false, value: message });
  }

  #end(): void {
    this.#ended = true;
    this.clear();
    this.#onEnd();
    if (this.#reader !== null) this.#finish(this.#reader);
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting === null) return;
    if (this.#error === null) waiting.resolve({ done: true, value: undefined });
    else waiting.reject(this.#error);
    this.#error = null;
  }

  #finish(reader: Reader<T>): void {
    const error = this.#error;
    this.#error = null;
    reader.end(error);
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
  /** May be handed over now, in the order in which their keys first changed. */
  #ready: Map<string, T> | null = null;
  /** Only where the rate is bounded. */
  #pace: Pace<T> | null = null;

  constructor(options: { minIntervalMs: number; wheel: TimerWheel; onEnd: () => void }) {
    super(options.onEnd);
    this.#minIntervalMs = options.minIntervalMs;
    this.#wheel = options.wheel;
  }

  get depth(): number {
    return (this.#ready?.size ?? 0) + (this.#pace?.early.size ?? 0);
  }

  get bytes(): number {
    return this.depth * SLOT_BYTES;
  }

  put(key: string, value: T): void {
    if (this.ended) return;
    if (this.#minIntervalMs > 0) {
      this.#putPaced(key, value);
      return;
    }
    // Nothing waits: the reader that takes it at once has it in order.
    if ((this.#ready === null || this.#ready.size === 0) && this.offer(value)) return;
    this.#keep(key, value);
  }

  protected take(): T | undefined {
    if (this.#ready === null) return undefined;
    for (const [key, value] of this.#ready) {
      this.#ready.delete(key);
      this.#pace?.takenAt.set(key, this.#wheel.now());
      return value;
    }
    return undefined;
  }

  #keep(key: string, value: T): void {
    this.#ready ??= new Map();
    if (this.#ready.has(key)) this.conflated++;
    this.#ready.set(key, value);
    noteLate(value);
  }

  #putPaced(key: string, value: T): void {
    const pace = (this.#pace ??= {
      early: new Map(),
      takenAt: new Map(),
      wakeAt: Number.POSITIVE_INFINITY,
      cancel: null,
    });
    if (this.#ready?.has(key) === true) {
      this.#keep(key, value);
      return;
    }
    const dueAt = (pace.takenAt.get(key) ?? Number.NEGATIVE_INFINITY) + this.#minIntervalMs;
    if (dueAt <= this.#wheel.now()) {
      // A value that waited for this moment is replaced by the newer one.
      if (pace.early.delete(key)) this.conflated++;
      this.#keep(key, value);
      this.pull();
      return;
    }
    if (pace.early.has(key)) this.conflated++;
    pace.early.set(key, value);
    this.#wakeNoLaterThan(pace, dueAt);
  }

  protected clear(): void {
    this.#ready = null;
    this.#pace?.cancel?.();
    this.#pace = null;
  }

  #wakeNoLaterThan(pace: Pace<T>, dueAt: number): void {
    if (dueAt >= pace.wakeAt) return;
    pace.cancel?.();
    pace.wakeAt = dueAt;
    pace.cancel = this.#wheel.schedule(dueAt - this.#wheel.now(), () => this.#releaseDue(pace));
  }

  #releaseDue(pace: Pace<T>): void {
    pace.wakeAt = Number.POSITIVE_INFINITY;
    const now = this.#wheel.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [key, value] of pace.early) {
      const dueAt = (pace.takenAt.get(key) ?? 0) + this.#minIntervalMs;
      if (dueAt <= now) {
        pace.early.delete(key);
        this.#keep(key, value);
      } else if (dueAt < next) {
        next = dueAt;
      }
    }
    if (next !== Number.POSITIVE_INFINITY) this.#wakeNoLaterThan(pace, next);
    this.pull();
  }
}

/** What a bounded rate needs to know of each key. */
type Pace<T> = {
  /** Wait for their key's interval to pass. */
  readonly early: Map<string, T>;
  readonly takenAt: Map<string, number>;
  wakeAt: number;
  cancel: (() => void) | null;
};
