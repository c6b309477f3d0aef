import {
  LogLostError,
  WriterSupersededError,
  type Bus,
  type BusWriter,
  type LogEntry,
  type LogKey,
} from '../bus/bus.ts';
import type { LiveBar } from '../market/bar.ts';
import type { Logger } from '../market/logger.ts';
import type { Trade } from '../market/trade.ts';
import { counterOf, noteEntry, type BarCounter, type LogCounter } from './log-counter.ts';
import { LogProgress } from './log-progress.ts';
import { LogQueue } from './log-queue.ts';
import type { Sequencer, UnnumberedEntry } from './sequencer.ts';
import type { Timers } from '../market/timers.ts';

/** So many entries that wait take about 64 MiB. */
const MAX_WAITING = 200_000;
/** In one call of the bus. */
const MAX_BATCH = 5_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;
/** A batch that a connected bus rejects so often is at fault itself: some 15 s of tries. */
const MAX_REJECTIONS = 12;

export type LogWriterOptions = {
  readonly bus: Pick<Bus, 'readState'>;
  readonly writer: Pick<BusWriter, 'append' | 'readLastEntries'>;
  readonly sequencer: Sequencer;
  readonly timers: Timers;
  readonly logger: Logger;
  /** The bus has lost the log: nothing is written until {@link LogWriter.resume}, which is to come when the epoch is known. */
  readonly onLost: () => void;
  /**
   * Entries that may wait while the bus is away. Beyond it the oldest are given up, and the next one of each log that lost
   * some has `gapBefore`. Default 200,000, about 64 MiB.
   */
  readonly maxWaiting?: number;
};

/**
 * Writes prints and bars to the bus in the order in which they came: one call in flight, all that arrived meanwhile in the
 * next. What the bus rejects may have got through in part: it is tried again from the first entry that is not in its log.
 * Where another process has become the writer, all that waits is given up: it is for that one to find.
 */
export class LogWriter {
  readonly #options: LogWriterOptions;
  readonly #maxWaiting: number;
  /** Bounded by `maxWaiting` together with the batch. */
  readonly #queue = new LogQueue();
  readonly #progress = new LogProgress();
  /** What is on its way, or was rejected and is to be written first. */
  #batch: LogEntry[] = [];
  #batchCounters: LogCounter[] = [];
  #isRetry = false;
  #rejections = 0;
  #isWriting = false;
  #cancelRetry: (() => void) | null = null;
  #retryDelayMs = FIRST_RETRY_MS;
  /** Logs of which entries were given up, until their next one tells it. */
  readonly #cut = new Set<LogCounter | BarCounter>();
  #isOverflowing = false;
  #isHeld = false;
  #closed = false;
  #tradesAppended = 0;
  #barsAppended = 0;
  #appendFailures = 0;
  #givenUp = 0;
  #gapsTold = 0;
  #barGapsTold = 0;

  constructor(options: LogWriterOptions) {
    this.#options = options;
    this.#maxWaiting = options.maxWaiting ?? MAX_WAITING;
  }

  /** Takes an entry; it is written at the next {@link LogWriter.flush}. */
  add(event: Trade | LiveBar, counter: LogCounter): void {
    if (this.#closed) return;
    this.#queue.push({ event, counter, gapBefore: noteEntry(event, counter) });
    this.#progress.add();
    if (this.#progress.waiting > this.#maxWaiting) this.#giveUpOldest();
  }

  /** Writes what waits, unless a call is in flight: then that goes on with it. */
  flush(): void {
    if (this.#isWriting || this.#isHeld || this.#cancelRetry !== null || this.#closed) return;
    if (this.#batch.length === 0) this.#fillBatch();
    if (this.#batch.length > 0) void this.#write();
  }

  /** Keeps everything back until {@link LogWriter.resume}: the bus is away, and it may come back with another log. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Writes again, at once: the bus is back. */
  resume(): void {
    this.#isHeld = false;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.flush();
  }

  /** Resolves when everything that was added before is written or given up. */
  async settle(): Promise<void> {
    await this.#progress.wait();
  }

  readStats(): Readonly<Record<string, number>> {
    return {
      tradesAppended: this.#tradesAppended,
      barsAppended: this.#barsAppended,
      appendFailures: this.#appendFailures,
      entriesGivenUp: this.#givenUp,
      entriesWaiting: this.#progress.waiting,
      gapsTold: this.#gapsTold,
      barGapsTold: this.#barGapsTold,
    };
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.#progress.close();
  }

  #fillBatch(): void {
    for (const entry of this.#queue.take(MAX_BATCH)) {
      this.#batch.push(this.#number(entry));
      this.#batchCounters.push(entry.counter);
    }
  }

  #number(entry: UnnumberedEntry): LogEntry {
    const { event, counter } = entry;
    const gapBefore = (this.#cut.size > 0 && this.#cut.delete(counterOf(event, counter))) || entry.gapBefore;
    if (gapBefore && event.kind === 'trade') this.#gapsTold += 1;
    else if (gapBefore) this.#barGapsTold += 1;
    return this.#options.sequencer.number(gapBefore === entry.gapBefore ? entry : { event, counter, gapBefore });
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#batch.length > 0) {
      try {
        if (this.#isRetry) await this.#skipWritten();
        if (this.#batch.length > 0) await this.#options.writer.append(this.#batch);
      } catch (error) {
        this.#appendFailures += 1;
        if (error instanceof WriterSupersededError) this.#giveUpAll();
        else if (error instanceof LogLostError) this.#awaitNewLog(new Set(error.written));
        else this.#retryLater(error);
        break;
      }
      this.#confirm();
      if (this.#closed || this.#isHeld) break;
      this.#fillBatch();
    }
    this.#isWriting = false;
  }

  /** An append that was rejected may have got through up to some entry of each log: those are not written twice. */
  async #skipWritten(): Promise<void> {
    const { writer, sequencer } = this.#options;
    const keys = new Map<string, LogKey>(this.#batch.map((entry) => [nameLog(entry), logOf(entry)]));
    const lastEntries = await writer.readLastEntries([...keys.values()]);
    const last = new Map([...keys.keys()].map((name, index) => [name, lastEntries[index] ?? null]));
    this.#dropWritten((entry) => {
      const written = last.get(nameLog(entry)) ?? null;
      return written !== null && written.epoch === entry.epoch && written.offset >= entry.offset;
    });
    this.#batch = this.#batch.map((entry) => sequencer.restamp(entry));
  }

  #dropWritten(isWritten: (entry: LogEntry) => boolean): void {
    const isMissing = this.#batch.map((entry) => !isWritten(entry));
    this.#count(this.#batch.filter((_, index) => !isMissing[index]));
    this.#batchCounters = this.#batchCounters.filter((_, index) => isMissing[index]);
    this.#batch = this.#batch.filter((_, index) => isMissing[index]);
  }

  #confirm(): void {
    this.#count(this.#batch);
    this.#isOverflowing = false;
    this.#endBatch();
  }

  #count(written: readonly LogEntry[]): void {
    for (const entry of written) {
      if (entry.kind === 'trade') this.#tradesAppended += 1;
      else this.#barsAppended += 1;
    }
    this.#progress.settle(written.length);
  }

  #endBatch(): void {
    this.#batch = [];
    this.#batchCounters = [];
    this.#isRetry = false;
    this.#rejections = 0;
    this.#retryDelayMs = FIRST_RETRY_MS;
  }

  #retryLater(error: unknown): void {
    if (this.#closed) return;
    const { bus, logger } = this.#options;
    if (this.#retryDelayMs === FIRST_RETRY_MS) {
      logger.warn({ error: describe(error) }, 'The bus did not take the log; its entries wait.');
    }
    // A bus that takes nothing from anybody, because it is away or full, says nothing of these entries.
    const { connected, reason } = bus.readState();
    if (connected && reason === null) this.#rejections += 1;
    if (this.#rejections >= MAX_REJECTIONS) {
      logger.error(
        { entries: this.#batch.length, error: describe(error) },
        'The bus takes these entries never: given up.',
      );
      for (const [index, entry] of this.#batch.entries()) this.#cut.add(counterOf(entry, this.#batchCounters[index]!));
      this.#givenUp += this.#batch.length;
      this.#progress.settle(this.#batch.length);
      this.#endBatch();
    }
    this.#isRetry = this.#batch.length > 0;
    const delayMs = this.#retryDelayMs;
    this.#retryDelayMs = Math.min(LAST_RETRY_MS, delayMs * 2);
    this.#cancelRetry = this.#options.timers.after(delayMs, () => {
      this.#cancelRetry = null;
      this.flush();
    });
  }

  /** What was refused is written first once it is known which log there is now. */
  #awaitNewLog(written: ReadonlySet<LogEntry>): void {
    this.#dropWritten((entry) => written.has(entry));
    this.#isRetry = true;
    this.hold();
    this.#options.onLost();
  }

  #giveUpAll(): void {
    const left = this.#progress.waiting;
    this.#options.logger.warn({ entries: left }, 'Another process writes the log now: what waits here is given up.');
    this.#givenUp += left;
    this.#progress.settle(left);
    this.#queue.clear();
    this.#batch = [];
    this.#batchCounters = [];
    this.close();
  }

  /** A sixteenth at once, so that a long outage costs little per print. */
  #giveUpOldest(): void {
    if (!this.#isOverflowing) {
      this.#isOverflowing = true;
      this.#options.logger.error(
        { waiting: this.#maxWaiting },
        'The log waits for the bus too long: its oldest entries are given up.',
      );
    }
    const given = this.#queue.take(Math.max(1, this.#maxWaiting >> 4));
    for (const { event, counter } of given) this.#cut.add(counterOf(event, counter));
    this.#givenUp += given.length;
    this.#progress.settle(given.length);
  }
}

function logOf(entry: LogEntry): LogKey {
  const { symbol } = entry;
  return entry.kind === 'trade' ? { kind: 'trade', symbol } : { kind: 'bar', symbol, interval: entry.interval };
}

function nameLog(entry: LogEntry): string {
  return entry.kind === 'trade' ? `${entry.symbol} trades` : `${entry.symbol} ${entry.interval}`;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
