import { isLaterEpoch, type LogPosition } from '../market/log.ts';
import { systemTimers } from '../market/timers.ts';
import type { Timers } from '../market/timers.ts';

/** How long an entry waits at most for those that may belong before it. More than it takes to find a silent node. */
const MAX_WAIT_MS = 6_000;
/** Beyond so many the newest is dropped: it is told as an interruption, and read from the history. */
const MAX_HELD = 100_000;

type Placed = Readonly<LogPosition>;
type Held = { readonly channel: string; readonly entry: Placed; readonly since: number };

/**
 * Puts log entries that come from several nodes of a Cluster into the one order of their offsets. Without it a cursor would be a
 * lie: a reader that has seen offset 12 of one symbol, and resumes from there elsewhere, would never see 10 of another.
 */
export class LogOrder {
  readonly #deliver: (channel: string, entry: Placed) => void;
  readonly #onDropped: (channel: string) => void;
  #held: Held[] = [];
  readonly #timers: Timers;
  /** Calls off the timer that runs. */
  #callOff: (() => void) | null = null;

  constructor(
    deliver: (channel: string, entry: Placed) => void,
    onDropped: (channel: string) => void,
    timers: Timers = systemTimers,
  ) {
    this.#deliver = deliver;
    this.#onDropped = onDropped;
    this.#timers = timers;
  }

  get held(): number {
    return this.#held.length;
  }

  /** Holds an entry until {@link release} says that none below it is still to come. */
  add(channel: string, entry: Placed): void {
    if (this.#held.length >= MAX_HELD) return this.#onDropped(channel);
    this.#held.push({ channel, entry, since: this.#timers.now() });
    this.#callOff ??= this.#timers.after(MAX_WAIT_MS, () => this.#releaseOverdue());
  }

  /** All entries up to `offset` have come. */
  release(offset: number): void {
    const due = this.#held.filter(({ entry }) => entry.offset <= offset);
    if (due.length === 0) return;
    this.#held = this.#held.filter(({ entry }) => entry.offset > offset);
    for (const { channel, entry } of due.toSorted((a, b) => a.entry.offset - b.entry.offset)) {
      this.#deliver(channel, entry);
    }
  }

  /** What is held of interrupted channels is left to the history: it may have been published and then not kept. */
  discard(channels: readonly string[]): void {
    const names = new Set(channels);
    this.#held = this.#held.filter(({ channel }) => !names.has(channel));
  }

  /** What was written before an epoch began counts no more. */
  discardBefore(epoch: string): void {
    this.#held = this.#held.filter(({ entry }) => !isLaterEpoch(epoch, entry.epoch));
  }

  close(): void {
    this.#callOff?.();
    this.#held = [];
  }

  /** A writer may have died before it could say that all was written. */
  #releaseOverdue(): void {
    this.#callOff = null;
    const now = this.#timers.now();
    const overdue = this.#held.filter(({ since }) => since <= now - MAX_WAIT_MS);
    this.release(overdue.reduce((highest, { entry }) => Math.max(highest, entry.offset), -1));
    const oldest = this.#held[0];
    if (oldest !== undefined) {
      const delayMs = Math.max(1, oldest.since + MAX_WAIT_MS - now);
      this.#callOff = this.#timers.after(delayMs, () => this.#releaseOverdue());
    }
  }
}
