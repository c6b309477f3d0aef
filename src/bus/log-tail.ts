import type { LogEntry } from './bus.ts';

/**
 * What was appended last, for the case that a failover has lost it: some seconds of a busy tape. Bounded by a number of entries:
 * whole batches are forgotten, the oldest first.
 */
export class LogTail {
  readonly #maxEntries: number;
  #batches: (readonly LogEntry[])[] = [];
  #count = 0;
  #floor = 0;

  /** 0: nothing is held. */
  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  /** Of all that was forgotten the highest offset: what was appended above it is here. */
  get floor(): number {
    return this.#floor;
  }

  /** Takes entries that were appended; the array must not change any more. */
  push(batch: readonly LogEntry[]): void {
    this.#batches.push(batch);
    this.#count += batch.length;
    while (this.#count > this.#maxEntries) {
      const oldest = this.#batches.shift()!;
      this.#count -= oldest.length;
      for (const { offset } of oldest) if (offset > this.#floor) this.#floor = offset;
    }
  }

  /** Those that fit, in the order of their offsets. */
  find(isWanted: (entry: LogEntry) => boolean): LogEntry[] {
    return this.#batches.flatMap((batch) => batch.filter(isWanted)).toSorted((a, b) => a.offset - b.offset);
  }

  clear(): void {
    this.#batches = [];
    this.#count = 0;
  }
}
