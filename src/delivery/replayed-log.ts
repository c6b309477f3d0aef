import type { LogPosition } from '../market/log.ts';
import type { Timers } from '../market/timers.ts';
import { backgroundTimers } from './background-timers.ts';
import { Mailbox } from './mailbox.ts';

export type ReplayedLogOptions<T> = {
  /** What comes after this place is wanted. */
  readonly start: LogPosition;
  /** The entries after an offset, oldest first; fewer than `limit`: there are no more. */
  readonly read: (after: number, limit: number) => Promise<readonly T[]>;
  readonly onEnd: () => void;
  /** Default: the machine's. */
  readonly timers?: Timers;
};

/** How many entries wait for one reader; the rest waits where it is kept. */
const PAGE_SIZE = 50;
/** About what an entry holds. */
const ENTRY_BYTES = 512;
const RETRY_MS = 500;

/**
 * A log that is kept for good, and read from where it is kept, a page at a time as the reader takes them: whoever is behind costs
 * no memory, and is never ended for it. What is told live says only that there is more, so that nothing is missed where it is not
 * heard, and nothing comes twice where it is heard twice.
 */
export class ReplayedLog<T extends LogPosition> extends Mailbox<T> {
  readonly #options: ReplayedLogOptions<T>;
  #page: T[] = [];
  /** The offset of the last entry that was read. */
  #read: number;
  /** There may be more than was read. */
  #hasMore = true;
  #isReading = false;
  #cancelRetry: (() => void) | null = null;

  constructor(options: ReplayedLogOptions<T>) {
    super(options.onEnd);
    this.#options = options;
    this.#read = options.start.offset;
  }

  /** The place from which it can be resumed before its first entry. */
  get start(): LogPosition {
    return this.#options.start;
  }

  get depth(): number {
    return this.#page.length;
  }

  get bytes(): number {
    return this.#page.length * ENTRY_BYTES;
  }

  /** There is an entry of this offset, as far as is known; `null`: nobody knows, there may be more. */
  wake(offset: number | null): void {
    if (offset !== null && offset <= this.#read) return;
    this.#hasMore = true;
    this.pull();
  }

  protected take(): T | undefined {
    const entry = this.#page.shift();
    if (entry === undefined && this.#hasMore && !this.#isReading && this.#cancelRetry === null) void this.#readPage();
    return entry;
  }

  protected clear(): void {
    this.#page = [];
    this.#cancelRetry?.();
    this.#cancelRetry = null;
  }

  async #readPage(): Promise<void> {
    this.#isReading = true;
    this.#hasMore = false;
    try {
      const entries = await this.#options.read(this.#read, PAGE_SIZE);
      if (this.ended) return;
      this.#page = [...entries];
      this.#read = entries.at(-1)?.offset ?? this.#read;
      // What came while it was read has woken it again.
      if (entries.length === PAGE_SIZE) this.#hasMore = true;
    } catch {
      // Told where it is kept; the reader waits, and misses nothing.
      this.#hasMore = true;
      if (!this.ended) {
        const { timers = backgroundTimers } = this.#options;
        this.#cancelRetry = timers.after(RETRY_MS, () => {
          this.#cancelRetry = null;
          this.pull();
        });
      }
      return;
    } finally {
      this.#isReading = false;
    }
    this.pull();
  }
}
