import type { UnnumberedEntry } from './sequencer.ts';

/** Entries that wait for the bus, in the order in which they came. Its bound is its user's. */
export class LogQueue {
  #entries: UnnumberedEntry[] = [];
  /** What is before it has been taken. */
  #head = 0;

  push(entry: UnnumberedEntry): void {
    this.#entries.push(entry);
  }

  /** Takes the oldest ones, as many as there are up to `count`. */
  take(count: number): UnnumberedEntry[] {
    const end = Math.min(this.#entries.length, this.#head + count);
    const taken = this.#entries.slice(this.#head, end);
    this.#head = end;
    // Cut in large pieces: what was taken would be kept as long as anything waits, and each cut moves all the rest.
    if (end === this.#entries.length) this.#entries = [];
    else if (end * 2 > this.#entries.length) this.#entries = this.#entries.slice(end);
    else return taken;
    this.#head = 0;
    return taken;
  }

  clear(): void {
    this.#entries = [];
    this.#head = 0;
  }
}
