import type { Redis } from 'ioredis';
import type { Timers } from '../market/timers.ts';
import { encodeLogMark, LOG_MARK_CHANNEL } from './log-mark.ts';
import type { LogPlace } from './log-mark.ts';

const MARK_AGAIN_MS = 100;

/** Tells the readers of a Cluster how far the log is complete, and where it is written. */
export class LogMarker {
  readonly #listMasters: () => readonly Redis[];
  readonly #timers: Timers;
  /** Calls off the repetition of the last mark. */
  #callOff: (() => void) | null = null;
  /** Where the logs of each slot were last written to. */
  readonly #places = new Map<number, string>();
  /** Of those, what the next mark tells, by slot. */
  #newPlaces = new Map<number, LogPlace>();

  constructor(listMasters: () => readonly Redis[], timers: Timers) {
    this.#listMasters = listMasters;
    this.#timers = timers;
  }

  /** All entries up to `offset` have been appended. */
  announce(offset: number): void {
    this.#mark(offset);
    // Once more when it has become quiet: for who was just connecting, or where the first got lost.
    this.#callOff?.();
    this.#callOff = this.#timers.after(MARK_AGAIN_MS, () => this.#mark(offset));
  }

  /** A log of this slot was written to a node; `isAhead`: to the one to which the slot is just moving. */
  notePlace(slot: number, to: string, isAhead: boolean): void {
    const before = this.#places.get(slot);
    if (to === before && !isAhead) return;
    this.#places.set(slot, to);
    this.#newPlaces.set(slot, [slot, to, isAhead ? 'ahead' : before === undefined ? 'first' : 'moved']);
  }

  close(): void {
    this.#callOff?.();
  }

  /**
   * At every master by itself, though one would pass it on to all: between nodes small messages wait for each other, up to
   * 40 ms (Nagle's algorithm). A subscriber takes the first that comes.
   */
  #mark(offset: number): void {
    const places = this.#newPlaces;
    this.#newPlaces = new Map();
    const text = encodeLogMark({ offset, places: [...places.values()] });
    for (const redis of this.#listMasters()) {
      redis.publish(LOG_MARK_CHANNEL, text).catch(() => {
        this.#newPlaces = new Map([...places, ...this.#newPlaces]);
      });
    }
  }
}
