import type { TimerWheel } from './timer-wheel.ts';

/** Whoever is charged for the work of a connection. */
export type Spender = {
  charge(ms: number): void;
  /** How long it has to wait until it may go on; 0: not at all. */
  readonly waitMs: number;
  /** It has done less than half of what it may do at once. */
  readonly isRested: boolean;
  /** Who it is that spends. */
  account: string;
};

export type PaceOptions = {
  readonly wheel: TimerWheel;
  /** Stops reading from the client, and goes on. */
  readonly setReading: (isReading: boolean) => void;
  readonly handle: (text: string) => void;
  /** Its messages wait now, and did not before. */
  readonly onSlowed: () => void;
  /** It has waited long enough: the connection is to be ended. */
  readonly onRefused: () => void;
};

/** What a message costs before anything is known of it: a frame, a queue, a JSON text that is read twice. */
const MESSAGE_MS = 0.02;
const CHARACTER_MS = 5e-6;
/** Messages that came together are handled in parts of this: between them come those of other connections. */
const SLICE_MS = 1;
/**
 * Who has had to wait again and again for so long, without a pause in between, is refused: long enough for an honest client that was
 * carried away once, and well below the pings of clients and proxies.
 */
const PATIENCE_MS = 10_000;
/** It is looked again at least this often whether the time is over. */
const MAX_WAIT_MS = 1000;
/** While messages of one chunk are handled in parts, no more than this is read beside it. */
const READ_AHEAD_CHARACTERS = 16 * 1024;
/**
 * Characters of messages that wait. While they wait nothing more is read from the socket: what has been read by then is one chunk of
 * 64 KiB, and the message that ends in it.
 */
const MAX_HELD_CHARACTERS = 256 * 1024;

/**
 * The messages of one connection, handled as soon as they come as long as it spends no more than it may. Else they wait here, in their
 * order, and the rest waits in the socket, at the sender's; who overspends for longer is refused.
 */
export class MessagePace {
  readonly #options: PaceOptions;
  readonly #spender: Spender;
  /** `null`: nothing waits. */
  #held: string[] | null = null;
  #heldCharacters = 0;
  #sliceMs = 0;
  #slowedAt: number | null = null;
  #isReading = true;
  #isOver = false;
  #cancel: (() => void) | null = null;

  constructor(spender: Spender, options: PaceOptions) {
    this.#spender = spender;
    this.#options = options;
  }

  /** Nothing is read from the client, which so cannot answer. */
  get isPaused(): boolean {
    return !this.#isReading;
  }

  take(text: string): void {
    if (this.#isOver) return;
    if (this.#held !== null) {
      this.#hold(this.#held, text);
      return;
    }
    const { waitMs } = this.#spender;
    if (waitMs > 0) {
      this.#hold((this.#held = []), text);
      this.#wait(waitMs);
      return;
    }
    this.#handle(text);
    if (this.#sliceMs < SLICE_MS || this.#isOver) return;
    this.#held = [];
    setImmediate(this.#drain);
  }

  /** The connection is over: what waits is not begun. */
  stop(): void {
    this.#isOver = true;
    this.#cancel?.();
    this.#held = null;
  }

  #hold(held: string[], text: string): void {
    held.push(text);
    this.#heldCharacters += text.length;
    if (this.#heldCharacters > MAX_HELD_CHARACTERS) this.#refuse();
    else if (this.#heldCharacters > READ_AHEAD_CHARACTERS) this.#read(false);
  }

  #handle(text: string): void {
    const { wheel, handle } = this.#options;
    if (this.#slowedAt !== null && this.#spender.isRested) this.#slowedAt = null;
    const start = wheel.now();
    this.#spender.charge(MESSAGE_MS + text.length * CHARACTER_MS);
    handle(text);
    this.#sliceMs += wheel.now() - start;
  }

  readonly #drain = (): void => {
    this.#cancel = null;
    this.#sliceMs = 0;
    const held = this.#held;
    if (this.#isOver || held === null) return;
    let next = 0;
    while (next < held.length) {
      const { waitMs } = this.#spender;
      if (waitMs > 0 || this.#sliceMs >= SLICE_MS) {
        held.splice(0, next);
        if (waitMs > 0) this.#wait(waitMs);
        else setImmediate(this.#drain);
        return;
      }
      const text = held[next++]!;
      this.#heldCharacters -= text.length;
      this.#handle(text);
      if (this.#isOver) return;
    }
    this.#held = null;
    this.#read(true);
  };

  #wait(waitMs: number): void {
    const { wheel, onSlowed } = this.#options;
    const now = wheel.now();
    if (this.#slowedAt === null) {
      this.#slowedAt = now;
      onSlowed();
    } else if (now - this.#slowedAt > PATIENCE_MS) {
      this.#refuse();
      return;
    }
    this.#read(false);
    this.#cancel = wheel.schedule(Math.min(waitMs, MAX_WAIT_MS), this.#drain);
  }

  #refuse(): void {
    this.stop();
    // It has to be read, and thrown away, until the client has seen that it was refused.
    this.#read(true);
    this.#options.onRefused();
  }

  #read(isReading: boolean): void {
    if (this.#isReading === isReading) return;
    this.#isReading = isReading;
    this.#options.setReading(isReading);
  }
}
