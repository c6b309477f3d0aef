import type { LogEntry } from '../bus/bus.ts';
import { type LogPosition, OFFSETS_PER_MS } from '../market/log.ts';
import type { HistoryReader, LogEnd } from './history-reader.ts';
import type { LogTopic, Tail } from './log-topic.ts';
import { checkReached, checkResume, expired, placeAfterEdge } from './resume.ts';

/** Where a stream begins to read. */
export type Origin =
  /** Where the logs end when they are first read: nothing of the past. */
  | { readonly kind: 'end' }
  /** After a cursor that a client brought. */
  | { readonly kind: 'cursor'; readonly after: LogPosition }
  /**
   * Where it was interrupted: per log the offset of the last entry that it has, and for all of them the offset through
   * which none was missed. `epoch` null: none was seen yet.
   */
  | {
      readonly kind: 'interrupted';
      readonly epoch: string | null;
      readonly offsets: readonly number[];
      readonly completeThrough: number;
    };

export type CatchUpOptions<T extends LogEntry> = {
  readonly topics: readonly LogTopic<T>[];
  readonly origin: Origin;
  readonly history: HistoryReader;
  readonly historyMs: number;
  readonly now: () => number;
};

/** Entries in the order of the log; with `tails`, what came live meanwhile follows on them without a gap. */
export type Step<T> = { readonly entries: readonly T[]; readonly tails: readonly Tail<T>[] | null };

/** One log on its way to its end. */
type Lane<T extends LogEntry> = {
  readonly topic: LogTopic<T>;
  /** Everything up to this offset was read. */
  readTo: number;
  /** Through this offset it is known that nothing is missing, whatever history has forgotten since. */
  completeThrough: number;
  /** Read and not yet given out. */
  buffer: readonly T[];
  /** Whether it was read to its end since the pass began. */
  atEnd: boolean;
};

/** Entries that are read ahead at a time over all logs of a stream, as far as each can have a few. */
const ENTRIES_PER_ROUND = 512;
const MAX_PAGE_ENTRIES = 256;
const MIN_PAGE_ENTRIES = 4;

/**
 * Brings one stream from where it is to the live end of its logs, a page at a time: how much is read ahead is bounded,
 * however long the history is.
 *
 * It goes in passes. A pass first asks how far the logs go by now, and then reads each of them up to there: whatever has an
 * offset up to that mark was written before, so that it is found. Entries of all logs are given out in one order, each
 * only when every log is known up to it: so the cursor of each is a place before which nothing is missing.
 *
 * The join: live entries are collected before the mark is asked for. Where one round of reads brings every log up to the
 * mark, what comes live with a higher offset follows on it; else the next pass has less to do.
 */
export class CatchUp<T extends LogEntry> {
  readonly #options: CatchUpOptions<T>;
  readonly #lanes: Lane<T>[];
  readonly #pageEntries: number;
  /** How far the logs went when the pass began; `null`: the next read begins one. */
  #mark: number | null = null;
  /** Where each log ended then. */
  #ends: readonly LogEnd[] = [];
  #joinedAt = 0;
  #isStarted = false;
  #epoch: string | null;
  #startOffset: number;
  #floor: number;
  /** The highest offset that the reader has been given: from where it goes on after a loss nothing comes to it again. */
  #given: number;

  constructor(options: CatchUpOptions<T>) {
    const { topics, origin } = options;
    this.#options = options;
    this.#epoch = origin.kind === 'cursor' ? origin.after.epoch : origin.kind === 'interrupted' ? origin.epoch : null;
    this.#lanes = topics.map((topic, index) => {
      const readTo =
        origin.kind === 'cursor' ? origin.after.offset : origin.kind === 'interrupted' ? origin.offsets[index]! : 0;
      const completeThrough = origin.kind === 'interrupted' ? Math.max(readTo, origin.completeThrough) : readTo;
      return { topic, readTo, completeThrough, buffer: [], atEnd: false };
    });
    this.#startOffset = Math.min(...this.#lanes.map(({ readTo }) => readTo));
    this.#floor = origin.kind === 'cursor' ? origin.after.offset : 0;
    this.#given = Math.max(0, ...this.#lanes.map(({ readTo }) => readTo));
    this.#pageEntries = pageEntriesOf(topics.length);
  }

  /** Of the logs as they were last read. */
  get epoch(): string | null {
    return this.#epoch;
  }

  /** The place before its first entry, from which all that it gives can be had again; `null` where nothing was read yet. */
  get start(): LogPosition | null {
    return this.#epoch === null ? null : { epoch: this.#epoch, offset: this.#startOffset };
  }

  /**
   * Reads on. Where `tails` are given, the caller joins with {@link join} in the same turn, or gives them back with
   * {@link releaseTails}. Rejects where the bus is away: to be called again when it is back.
   * @throws {ClientError} HISTORY_EXPIRED where entries are lost
   */
  async read(): Promise<Step<T>> {
    const tails = this.#lanes.map(({ topic }) => topic.collect());
    try {
      const isFirst = this.#mark === null;
      const mark = (this.#mark ??= await this.#beginPass(tails));
      // At first all that may have something; then those for which the others wait.
      const limit = isFirst ? mark : this.#horizon();
      await this.#readLanes(this.#lanes.filter((lane) => !isKnownThrough(lane, mark) && lane.readTo <= limit));
      const horizon = this.#horizon();
      const entries = this.#takeThrough(horizon);
      const isJoined = isFirst && horizon === mark && tails.every((tail, index) => this.#follows(tail, index));
      if (horizon === mark) this.#endPass(mark);
      if (!isJoined) this.releaseTails(tails);
      return { entries, tails: isJoined ? tails : null };
    } catch (error) {
      this.#mark = null;
      this.releaseTails(tails);
      throw error;
    }
  }

  /** The entries of a last step, then what came live while they were read; ends the collecting. */
  join(entries: readonly T[], tails: readonly Tail<T>[]): T[] {
    const live = tails.flatMap((tail, index) => {
      const known = this.#knownTo(this.#lanes[index]!);
      return tail.entries.filter(({ offset }) => offset > known);
    });
    this.releaseTails(tails);
    return [...entries, ...live.toSorted(byOffset)];
  }

  releaseTails(tails: readonly Tail<T>[]): void {
    for (const [index, tail] of tails.entries()) this.#lanes[index]!.topic.release(tail);
  }

  /** The offset of the place where it began, if it began at one: nothing up to it, of any log, is to be given out. */
  get floor(): number {
    return this.#floor;
  }

  /**
   * Up to where each log was read beyond that place, and beyond what was heard live of it: the bus may deliver those entries
   * late. Logs that were quiet are not listed.
   */
  listReadAhead(): Map<string, number> {
    const ahead = new Map<string, number>();
    for (const lane of this.#lanes) {
      const known = this.#knownTo(lane);
      if (known > Math.max(this.#floor, lane.topic.offsetIn(this.#epoch))) ahead.set(lane.topic.key.symbol, known);
    }
    return ahead;
  }

  /**
   * Of what was read, the last that was given out. Not the mark: in a Cluster, where each node is written by a way of its own,
   * an entry below it may be written after it was asked for, and come live.
   */
  #knownTo({ readTo }: Lane<T>): number {
    return Math.min(readTo, this.#joinedAt);
  }

  /** Finds the mark: the offset of the newest entry of all logs. */
  async #beginPass(tails: readonly Tail<T>[]): Promise<number> {
    const { origin, historyMs, now } = this.#options;
    // Who wants nothing of the past needs no more than a place after which all comes live: those before it know one.
    const mayBeLevel = origin.kind === 'end' && !this.#isStarted;
    const ends = await Promise.all(
      this.#lanes.map(({ topic }, index) => this.#findEnd(topic, tails[index]!, mayBeLevel)),
    );
    for (const { epoch } of ends) this.#checkEpoch(epoch);
    this.#ends = ends;
    const mark = Math.max(0, ...ends.map(({ offset }) => offset));
    if (origin.kind === 'cursor' && !this.#isStarted) {
      const nowMs = now();
      checkReached(origin.after, { epoch: this.#epoch!, newest: mark, oldestMs: nowMs - historyMs, nowMs });
    }
    for (const lane of this.#lanes) lane.atEnd = false;
    if (origin.kind === 'end' && !this.#isStarted) {
      // Where nothing happened for long, the newest entry is no place to resume from: the log has forgotten it. The writer's
      // clock is the offset's, and no writer is behind by half the history.
      this.#startOffset = Math.max(mark, Math.floor(now() - historyMs / 2) * OFFSETS_PER_MS);
      this.#floor = mark;
      for (const lane of this.#lanes) {
        lane.readTo = mark;
        lane.completeThrough = this.#startOffset;
      }
    }
    this.#isStarted = true;
    return mark;
  }

  /** Whether what came live since the pass began leaves nothing out after where the log ended then. */
  #follows(tail: Tail<T>, lane: number): boolean {
    if (tail.broken) return false;
    const end = this.#ends[lane]!;
    const first = tail.entries.find(({ offset }) => offset > end.offset);
    return first === undefined || first.sequence <= end.sequence + 1;
  }

  async #findEnd(topic: LogTopic<T>, tail: Tail<T>, mayBeLevel: boolean): Promise<LogEnd> {
    if (mayBeLevel && topic.level !== null) return topic.level;
    const { heard } = topic;
    const end = await this.#options.history.readEnd(topic.key);
    if (heard.epoch === end.epoch && heard.offset > end.offset) {
      throw new Error(`The log of ${topic.key.symbol} does not hold any more what was heard of it.`);
    }
    // Where it was interrupted meanwhile, what follows on it may not have been heard.
    if (!tail.broken) topic.noteEnd(end);
    return end;
  }

  #endPass(mark: number): void {
    for (const lane of this.#lanes) lane.completeThrough = Math.max(lane.completeThrough, mark);
    this.#joinedAt = mark;
    this.#mark = null;
  }

  /** The offset up to which every log is known: what lies beyond waits for the logs that are behind. */
  #horizon(): number {
    const mark = this.#mark!;
    let horizon = mark;
    for (const lane of this.#lanes) {
      if (!isKnownThrough(lane, mark) && lane.readTo < horizon) horizon = lane.readTo;
    }
    return horizon;
  }

  async #readLanes(lanes: readonly Lane<T>[]): Promise<void> {
    const { history, historyMs, now } = this.#options;
    const pages = await Promise.all(
      lanes.map(({ topic, readTo }) => history.readPage<T>(topic.key, readTo, this.#pageEntries)),
    );
    for (const [index, page] of pages.entries()) {
      const lane = lanes[index]!;
      this.#checkEpoch(page.epoch);
      if (page.floor > Math.max(lane.readTo, lane.completeThrough)) {
        const nowMs = now();
        const oldestMs = nowMs - historyMs;
        throw expired(`The history of ${lane.topic.key.symbol} no longer reaches back far enough.`, {
          epoch: page.epoch,
          oldestMs,
          floor: Math.max(placeAfterEdge(page.floor, { oldestMs, nowMs }), this.#given),
        });
      }
      lane.buffer = [...lane.buffer, ...page.entries];
      lane.readTo = page.entries.at(-1)?.offset ?? lane.readTo;
      lane.atEnd = page.atEnd;
      // What was there when the pass began is gone: the writer, which will tell it, may not know it yet.
      const end = this.#ends[this.#lanes.indexOf(lane)]!.offset;
      if (page.atEnd && lane.readTo < end && page.floor < end) {
        throw new Error(`Part of the log of ${lane.topic.key.symbol} is lost.`);
      }
    }
  }

  #checkEpoch(epoch: string): void {
    const { origin, historyMs, now } = this.#options;
    const oldestMs = now() - historyMs;
    if (!this.#isStarted && origin.kind === 'cursor') checkResume(origin.after, { epoch, oldestMs });
    this.#epoch ??= epoch;
    if (epoch !== this.#epoch) {
      throw expired('The log was lost, and begins anew.', { epoch, oldestMs, floor: this.#given });
    }
  }

  #takeThrough(horizon: number): T[] {
    const taken: T[] = [];
    for (const lane of this.#lanes) {
      if (lane.buffer.length === 0) continue;
      const split = lane.buffer.findIndex(({ offset }) => offset > horizon);
      taken.push(...(split === -1 ? lane.buffer : lane.buffer.slice(0, split)));
      lane.buffer = split === -1 ? [] : lane.buffer.slice(split);
    }
    const entries = taken.toSorted(byOffset);
    this.#given = Math.max(this.#given, entries.at(-1)?.offset ?? 0);
    return entries;
  }
}

function isKnownThrough<T extends LogEntry>(lane: Lane<T>, mark: number): boolean {
  return lane.atEnd || lane.readTo >= mark;
}

/** A power of two, so that streams of about as many logs ask for the same pages. */
function pageEntriesOf(lanes: number): number {
  const share = 2 ** Math.floor(Math.log2(ENTRIES_PER_ROUND / Math.max(1, lanes)));
  return Math.min(MAX_PAGE_ENTRIES, Math.max(MIN_PAGE_ENTRIES, share));
}

function byOffset(a: LogEntry, b: LogEntry): number {
  return a.offset - b.offset;
}
