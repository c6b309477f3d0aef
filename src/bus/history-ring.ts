import { OFFSETS_PER_MS } from '../market/log.ts';
import type { HistoryRange, LogEntry, LogKey } from './bus.ts';
import { historyKey, logOf } from './keys.ts';
import { LAST_ENTRY_MS } from './lifetimes.ts';

type Log = {
  entries: LogEntry[];
  /** Index of the oldest live entry: what is before it has been dropped and waits to be cut off. */
  head: number;
  /** The highest offset that was dropped before its time, for want of room. */
  droppedThrough: number;
};

export type HistoryRingOptions = {
  readonly historyMs: number;
  /** Bound per log; the oldest entries go first. */
  readonly maxEntriesPerLog: number;
  /** Bound over all logs; the oldest entries of all go first, but the newest of each log stays. */
  readonly maxEntries: number;
  readonly clock: () => number;
};

/** The recent log of every symbol in this process's memory. Entries must be appended in the order of their offsets. */
export class HistoryRing {
  readonly #options: HistoryRingOptions;
  readonly #logs = new Map<string, Log>();
  #count = 0;
  #sweepAt: number;

  constructor(options: HistoryRingOptions) {
    this.#options = options;
    this.#sweepAt = options.clock() + options.historyMs;
  }

  get count(): number {
    return this.#count;
  }

  append(entry: LogEntry): void {
    const key = historyKey(logOf(entry));
    let log = this.#logs.get(key);
    if (log === undefined) this.#logs.set(key, (log = { entries: [], head: 0, droppedThrough: 0 }));
    const newest = log.entries.at(-1);
    if (newest !== undefined && newest.epoch === entry.epoch && newest.offset >= entry.offset) {
      throw new Error(`offset ${entry.offset} of ${key} is not above the newest, ${newest.offset}`);
    }
    log.entries.push(entry);
    this.#count++;

    const excess = log.entries.length - log.head - this.#options.maxEntriesPerLog;
    if (excess > 0) this.#dropTo(log, log.head + excess, true);
    this.#dropTo(log, this.#firstAtOrAfter(log, this.#ageFloor()), false);
    if (this.#count > this.#options.maxEntries) this.#shrink();
    else if (this.#options.clock() >= this.#sweepAt) this.#sweep();
  }

  read(key: LogKey, range: HistoryRange): LogEntry[] {
    const log = this.#logs.get(historyKey(key));
    if (log === undefined) return [];
    const start = this.#firstAtOrAfter(log, this.#ageFloor());
    if ('last' in range) {
      return range.last <= 0 ? [] : log.entries.slice(Math.max(start, log.entries.length - range.last));
    }
    const from = Math.max(start, this.#firstAtOrAfter(log, range.after + 1));
    return log.entries.slice(from, range.limit === undefined ? undefined : from + range.limit);
  }

  readLast(key: LogKey): LogEntry | null {
    return this.#logs.get(historyKey(key))?.entries.at(-1) ?? null;
  }

  /** The lowest offset after which nothing of the log is missing. */
  readFloor(key: LogKey): number {
    return Math.max(this.#ageFloor() - 1, this.#logs.get(historyKey(key))?.droppedThrough ?? 0);
  }

  #ageFloor(): number {
    return Math.max(0, (this.#options.clock() - this.#options.historyMs) * OFFSETS_PER_MS);
  }

  /** Index of the first live entry whose offset is at least `offset`; the length where there is none. */
  #firstAtOrAfter(log: Log, offset: number): number {
    let low = log.head;
    let high = log.entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (log.entries[middle]!.offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Drops what is before `index`, never the newest entry. */
  #dropTo(log: Log, index: number, early: boolean): void {
    const head = Math.min(index, log.entries.length - 1);
    if (head <= log.head) return;
    if (early) log.droppedThrough = log.entries[head - 1]!.offset;
    this.#count -= head - log.head;
    log.head = head;
    // Cut in large pieces: a splice per append would move the whole array each time.
    if (head > 64 && head * 2 > log.entries.length) {
      log.entries.splice(0, head);
      log.head = 0;
    }
  }

  #sweep(): void {
    const now = this.#options.clock();
    this.#sweepAt = now + this.#options.historyMs;
    const floor = this.#ageFloor();
    const forgetBelow = (now - LAST_ENTRY_MS) * OFFSETS_PER_MS;
    for (const [key, log] of this.#logs) {
      this.#dropTo(log, this.#firstAtOrAfter(log, floor), false);
      if (log.entries.at(-1)!.offset >= forgetBelow) continue;
      this.#count -= log.entries.length - log.head;
      this.#logs.delete(key);
    }
  }

  /** Gives up the oldest tenth of the span, again and again, until a tenth of the room is free or each log is down to one. */
  #shrink(): void {
    this.#sweep();
    const target = this.#options.maxEntries * 0.9;
    let oldest = Infinity;
    let newest = 0;
    for (const log of this.#logs.values()) {
      oldest = Math.min(oldest, log.entries[log.head]!.offset);
      newest = Math.max(newest, log.entries.at(-1)!.offset);
    }
    for (let tenth = 1; tenth <= 10 && this.#count > target; tenth++) {
      const cutoff = oldest + ((newest - oldest) * tenth) / 10;
      for (const log of this.#logs.values()) this.#dropTo(log, this.#firstAtOrAfter(log, cutoff), true);
    }
  }
}
