import type { LogEntry } from '../bus/bus.ts';
import { ClientError } from '../errors.ts';
import { encodeCursor, type LogPosition, OFFSETS_PER_MS } from '../market/log.ts';
import { CatchUp, type Origin, type Step } from './catch-up.ts';
import type { HistoryReader } from './history-reader.ts';
import type { LogListener, LogTopic } from './log-topic.ts';
import { noteLate } from './late-events.ts';
import { Mailbox } from './mailbox.ts';
import { expired } from './resume.ts';
import type { TimerWheel } from './timer-wheel.ts';

export type LogBounds = {
  /** How many entries may wait for one subscriber. */
  readonly maxEntries: number;
  /** How much memory they may hold, about. */
  readonly maxBytes: number;
  /** A subscriber past its bound that takes nothing for so long is ended with SLOW_CONSUMER. */
  readonly stallMs: number;
  /** A subscriber past its bound that is not level with the log again after this is ended with SLOW_CONSUMER. */
  readonly behindMs: number;
};

export type LogStreamOptions<T extends LogEntry> = {
  readonly topics: readonly LogTopic<T>[];
  readonly history: HistoryReader;
  readonly historyMs: number;
  readonly bounds: LogBounds;
  readonly wheel: TimerWheel;
  /** Whether history can be read now; {@link LogStream.resume} is called when it can again. */
  readonly canRead: () => boolean;
  readonly onSlow: () => void;
  readonly onEnd: () => void;
  /** Unix ms. */
  readonly now: () => number;
};

/**
 * From when on a loss of the bus may date before it is noticed, and how far the clocks of two hosts may be apart: what is
 * older was delivered.
 */
const LOSS_MARGIN_MS = 10_000;
/** A read that failed though the bus is there is tried again after this. */
const RETRY_MS = 250;

/**
 * One subscription to a set of logs: every entry in order, once. It is in one of two states. Live: entries come from the
 * topics and wait for the reader, bounded by count and bytes. Catching up: they are read from history, the next page only
 * when the reader has taken the one before, and what comes live is left to the history. It begins by catching up, and
 * does so again whenever live entries were missed: the bus was lost, one was dropped, market events were paused, or the
 * reader was so far behind that there was no room for them.
 *
 * So at the bound no entry is lost at once: a burst that a moving reader has not had its turn for is read again from
 * history. A reader that takes nothing, or stays behind, is ended with SLOW_CONSUMER.
 */
export class LogStream<T extends LogEntry> extends Mailbox<T> implements LogListener<T> {
  readonly #options: LogStreamOptions<T>;
  readonly #openedAt: number;
  #catchUp: CatchUp<T> | null;
  #reading = false;
  #retry: (() => void) | null = null;
  /** Up to where each log is known from its history: the bus may deliver such an entry late, after the join. */
  #known = new Map<string, number>();
  /** Up to here nothing is its concern, of any log. */
  #floor = 0;
  #epoch: string | null = null;
  /** The highest offset of all that it gives to its reader. */
  #given = 0;
  #entries: T[] = [];
  #head = 0;
  #bytes = 0;
  #taken = 0;
  /** Where the reader could resume: the furthest entry that it took, or where it began. */
  #place: LogPosition | null;
  #behind: { readonly sinceMs: number; taken: number } | null = null;
  #cancelCheck: (() => void) | null = null;
  /** What the reader meets when it has taken all that waits. */
  #last: Error | null = null;

  constructor(options: LogStreamOptions<T>, after: LogPosition | null) {
    super(options.onEnd);
    this.#options = options;
    this.#openedAt = options.now();
    this.#place = after;
    this.#given = after?.offset ?? 0;
    this.#catchUp = this.#createCatchUp(after === null ? { kind: 'end' } : { kind: 'cursor', after });
  }

  get depth(): number {
    return this.#entries.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The place that the reader could resume from before its first entry; `null` where the bus was away. */
  get start(): LogPosition | null {
    return this.#place;
  }

  /**
   * Finds its place in the log. Where the bus is away it waits for it, and counts from now.
   * @throws {ClientError} HISTORY_EXPIRED
   */
  async begin(): Promise<void> {
    if (this.#options.canRead()) await this.#read();
    else this.#countFromOpening();
    if (this.#last !== null) throw this.#last;
  }

  put(entry: T): void {
    if (this.ended || this.#catchUp !== null || this.#last !== null) return;
    if (entry.epoch !== this.#epoch) {
      this.#endAfterAll(
        expired('The log was lost, and begins anew.', {
          epoch: entry.epoch,
          oldestMs: this.#options.now() - this.#options.historyMs,
          floor: this.#given,
        }),
      );
      return;
    }
    if (entry.offset <= this.#knownTo(entry.symbol)) return;
    // Nothing waits: the reader that takes it at once has it in order.
    if (this.#head === this.#entries.length && this.offer(entry)) {
      this.#forgetKnown(entry.symbol);
      this.#noteTaken(entry);
      return;
    }
    const { maxEntries, maxBytes } = this.#options.bounds;
    if (this.depth >= maxEntries || this.#bytes + sizeOf(entry) > maxBytes) {
      this.interrupt();
      this.#watchReader();
      return;
    }
    this.#forgetKnown(entry.symbol);
    this.#push(entry);
  }

  interrupt(): void {
    if (this.ended || this.#catchUp !== null) return;
    const { topics, now } = this.#options;
    this.#catchUp = this.#createCatchUp({
      kind: 'interrupted',
      epoch: this.#epoch,
      offsets: topics.map((topic) => Math.max(topic.offsetIn(this.#epoch), this.#knownTo(topic.key.symbol))),
      completeThrough: (now() - LOSS_MARGIN_MS) * OFFSETS_PER_MS,
    });
    this.#known.clear();
    // A reader that waits wants to know what it missed.
    this.pull();
  }

  /** History can be read again. */
  resume(): void {
    this.pull();
  }

  protected take(): T | undefined {
    if (this.#head === this.#entries.length) {
      if (this.#last !== null) this.fail(this.#last);
      else if (this.#catchUp !== null && this.#options.canRead()) void this.#read();
      return undefined;
    }
    const entry = this.#entries[this.#head++]!;
    this.#bytes -= sizeOf(entry);
    if (this.#head === this.#entries.length || this.#head > 1024) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    this.#noteTaken(entry);
    return entry;
  }

  protected clear(): void {
    this.#entries = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#catchUp = null;
    this.#known.clear();
    this.#cancelCheck?.();
    this.#retry?.();
  }

  /** Up to this offset the reader has the log from its history, or it is none of its concern. */
  #knownTo(symbol: string): number {
    return this.#known.size === 0 ? this.#floor : (this.#known.get(symbol) ?? this.#floor);
  }

  /** In order per log: what is known does not come after what is new. */
  #forgetKnown(symbol: string): void {
    if (this.#known.size > 0) this.#known.delete(symbol);
  }

  #noteTaken(entry: T): void {
    this.#taken++;
    const place = this.#place;
    if (place === null || place.epoch !== entry.epoch || place.offset < entry.offset) this.#place = entry;
  }

  #push(entry: T): void {
    this.#given = Math.max(this.#given, entry.offset);
    this.#entries.push(entry);
    this.#bytes += sizeOf(entry);
    noteLate(entry);
  }

  #createCatchUp(origin: Origin): CatchUp<T> {
    const { topics, history, historyMs, now } = this.#options;
    return new CatchUp({ topics, origin, history, historyMs, now });
  }

  /** Never rejects: what cannot be read now is read later, what is lost ends the stream. */
  async #read(): Promise<void> {
    const catchUp = this.#catchUp;
    if (catchUp === null || this.#reading) return;
    this.#reading = true;
    let step: Step<T> | null = null;
    try {
      step = await catchUp.read();
    } catch (error) {
      this.#reading = false;
      this.#onReadFailed(error);
      return;
    }
    this.#reading = false;
    if (this.ended) {
      if (step.tails !== null) catchUp.releaseTails(step.tails);
      return;
    }
    this.#place ??= catchUp.start;
    const entries = step.tails === null ? step.entries : catchUp.join(step.entries, step.tails);
    for (const entry of entries) this.#push(entry);
    if (step.tails !== null) this.#goLive(catchUp);
    // Paused meanwhile: what comes live is left to the history.
    if (this.held) this.interrupt();
    // Where the reader waits still, this reads on.
    this.pull();
  }

  #goLive(catchUp: CatchUp<T>): void {
    this.#epoch = catchUp.epoch;
    this.#floor = Math.max(this.#floor, catchUp.floor);
    this.#known = catchUp.listReadAhead();
    this.#catchUp = null;
    this.#behind = null;
    this.#cancelCheck?.();
  }

  #onReadFailed(error: unknown): void {
    if (this.ended) return;
    if (error instanceof ClientError) {
      this.#endAfterAll(error);
      return;
    }
    this.#countFromOpening();
    if (!this.#options.canRead()) return;
    this.#retry?.();
    this.#retry = this.#options.wheel.schedule(RETRY_MS, () => this.pull());
  }

  /** Where it could not find its place, that is when it was opened, by the clock. */
  #countFromOpening(): void {
    if (this.#place !== null) return;
    const offset = this.#openedAt * OFFSETS_PER_MS;
    const offsets = this.#options.topics.map(() => offset);
    this.#catchUp = this.#createCatchUp({ kind: 'interrupted', epoch: null, offsets, completeThrough: offset });
  }

  #endAfterAll(error: Error): void {
    this.#last = error;
    this.#catchUp = null;
    this.pull();
  }

  /** Past the bound: from now on the reader has to move. */
  #watchReader(): void {
    this.#behind = { sinceMs: this.#options.wheel.now(), taken: this.#taken };
    this.#scheduleCheck();
  }

  #scheduleCheck(): void {
    this.#cancelCheck?.();
    this.#cancelCheck = this.#options.wheel.schedule(this.#options.bounds.stallMs, () => this.#checkReader());
  }

  #checkReader(): void {
    const behind = this.#behind;
    if (behind === null || this.ended) return;
    const { bounds, canRead, onSlow } = this.#options;
    // While nothing can be given to it, it is not the reader that is slow.
    if (this.held || !canRead()) this.#behind = { sinceMs: this.#options.wheel.now(), taken: this.#taken };
    else if (
      (behind.taken === this.#taken && !this.awaited) ||
      this.#options.wheel.now() - behind.sinceMs >= bounds.behindMs
    ) {
      onSlow();
      this.fail(
        new ClientError(
          'SLOW_CONSUMER',
          'This subscription was too slow for its log and was ended; resume from the cursor.',
          { cursor: this.#place === null ? null : encodeCursor(this.#place) },
        ),
      );
      return;
    } else behind.taken = this.#taken;
    this.#scheduleCheck();
  }
}

/** About what an entry holds in memory: its fields as numbers and references, its texts, its lists. */
function sizeOf(entry: LogEntry): number {
  if (entry.kind === 'bar') return 320 + entry.symbol.length;
  return 240 + entry.id.length + entry.symbol.length + 8 * entry.conditions.length;
}
