import type { LogEntry } from '../bus/bus.ts';
import { type LogPosition, OFFSETS_PER_MS } from '../market/log.ts';
import type { HistoryReader } from './history-reader.ts';
import type { LogTopic, Tail } from './log-topic.ts';
import { checkResume, expired } from './resume.ts';

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
  /** Whether its last read brought all that there was. */
  atEnd: boolean;
  readInRound: number;
};

/** Entries that are read ahead at a time over all logs of a stream, as far as each can have a few. */
const ENTRIES_PER_ROUND = 512;
const MAX_PAGE_ENTRIES = 256;
const MIN_PAGE_ENTRIES = 4;

/**
 * Brings one stream from where it is to the live end of its logs, a page at a time: how much is read ahead is bounded,
 * however long the history is. Entries of all its logs come in one order, so that the cursor of each is a place
 * before which nothing is missing.
 *
 * The join: live entries are collected before history is read. Once a round of reads has brought every log to its end,
 * what was collected meanwhile follows on it, less what was read already; else the round is given out and the next begins.
 */
export class CatchUp<T extends LogEntry> {
  readonly #options: CatchUpOptions<T>;
  readonly #lanes: Lane<T>[];
  readonly #pageEntries: number;
  /** Rounds read on up to this offset, which every log is known to have reached; `null`: it is to be found anew. */
  #through: number | null = null;
  #round = 0;
  #isStarted = false;
  #epoch: string | null;

  constructor(options: CatchUpOptions<T>) {
    const { topics, origin } = options;
    this.#options = options;
    this.#epoch = origin.kind === 'cursor' ? origin.after.epoch : origin.kind === 'interrupted' ? origin.epoch : null;
    this.#lanes = topics.map((topic, index) => {
      const readTo =
        origin.kind === 'cursor' ? origin.after.offset : origin.kind === 'interrupted' ? origin.offsets[index]! : 0;
      const completeThrough = origin.kind === 'interrupted' ? Math.max(readTo, origin.completeThrough) : readTo;
      return { topic, readTo, completeThrough, buffer: [], atEnd: false, readInRound: 0 };
    });
    this.#pageEntries = pageEntriesOf(topics.length);
  }

  /** Of the logs as they were last read. */
  get epoch(): string | null {
    return this.#epoch;
  }

  /**
   * Reads on. Where `tails` are given, the caller joins with {@link takeTails} in the same turn, or gives them back with
   * {@link releaseTails}. Rejects where the bus is away: to be called again when it is back.
   * @throws {ClientError} HISTORY_EXPIRED where entries are lost
   */
  async read(): Promise<Step<T>> {
    const tails = this.#lanes.map(({ topic }) => topic.collect());
    try {
      const isAtEnd = await this.#readRound();
      const isJoined = isAtEnd && tails.every(({ broken }) => !broken);
      const horizon = isAtEnd ? Number.POSITIVE_INFINITY : this.#horizon();
      if (this.#through !== null && horizon >= this.#through) this.#through = null;
      const entries = this.#takeThrough(horizon);
      if (!isJoined) this.releaseTails(tails);
      return { entries, tails: isJoined ? tails : null };
    } catch (error) {
      this.#through = null;
      this.releaseTails(tails);
      throw error;
    }
  }

  /** What came live while history was read and was not in it, in order; ends the collecting. */
  takeTails(tails: readonly Tail<T>[]): T[] {
    const entries = tails.flatMap((tail, index) => {
      const { readTo } = this.#lanes[index]!;
      return tail.entries.filter(({ offset }) => offset > readTo);
    });
    this.releaseTails(tails);
    return entries.toSorted(byOffset);
  }

  releaseTails(tails: readonly Tail<T>[]): void {
    for (const [index, tail] of tails.entries()) this.#lanes[index]!.topic.release(tail);
  }

  /** Up to where each log was read beyond what its topic has heard live: the bus may deliver those entries late. */
  listReadAhead(): Map<string, number> {
    const ahead = new Map<string, number>();
    for (const { topic, readTo } of this.#lanes) {
      if (readTo > topic.offsetIn(this.#epoch)) ahead.set(topic.key.symbol, readTo);
    }
    return ahead;
  }

  /** Returns whether every log was read to its end within this round. */
  async #readRound(): Promise<boolean> {
    this.#round++;
    if (this.#options.origin.kind === 'end' && !this.#isStarted) {
      await this.#startAtEnd();
      this.#isStarted = true;
      return true;
    }
    if (this.#through === null) {
      await this.#readLanes(this.#lanes);
      const behind = this.#lanes.filter(({ atEnd }) => !atEnd);
      if (behind.length > 0) await this.#beginPass(behind);
    } else {
      const horizon = this.#horizon();
      await this.#readLanes(this.#lanes.filter(({ atEnd, readTo }) => !atEnd && readTo <= horizon));
    }
    return this.#lanes.every(({ atEnd, readInRound }) => atEnd && readInRound === this.#round);
  }

  /** Finds how far the logs go that are behind, then reads the others once more, so that they are known to go as far. */
  async #beginPass(behind: readonly Lane<T>[]): Promise<void> {
    if (this.#lanes.length === 1) {
      this.#through = Number.POSITIVE_INFINITY;
      return;
    }
    const ends = await Promise.all(behind.map(({ topic }) => this.#options.history.readEnd(topic.key)));
    this.#through = Math.max(...ends.map(({ offset }) => offset));
    await this.#readLanes(this.#lanes.filter(({ atEnd }) => atEnd));
  }

  /** The offset up to which every log is known: what lies beyond waits for the logs that are behind. */
  #horizon(): number {
    let horizon = this.#through ?? Number.POSITIVE_INFINITY;
    for (const { atEnd, readTo } of this.#lanes) if (!atEnd && readTo < horizon) horizon = readTo;
    return horizon;
  }

  async #startAtEnd(): Promise<void> {
    const { history, historyMs, now } = this.#options;
    const ends = await Promise.all(this.#lanes.map(({ topic }) => history.readEnd(topic.key)));
    this.#epoch = ends[0]?.epoch ?? null;
    const end = Math.max(0, ...ends.map(({ offset }) => offset));
    // Where nothing happened for long, the newest entry is no place to resume from: the log has forgotten it. The writer's
    // clock is the offset's, and no writer is behind by half the history.
    const start = Math.max(end, Math.floor(now() - historyMs / 2) * OFFSETS_PER_MS);
    for (const lane of this.#lanes) {
      lane.readTo = end;
      lane.completeThrough = start;
    }
  }

  /** The cursor of where it stands before its first entry; `null` where nothing was read yet. */
  get start(): LogPosition | null {
    if (this.#epoch === null) return null;
    return { epoch: this.#epoch, offset: Math.max(...this.#lanes.map(({ completeThrough }) => completeThrough)) };
  }

  async #readLanes(lanes: readonly Lane<T>[]): Promise<void> {
    const { history, origin, historyMs, now } = this.#options;
    const pages = await Promise.all(
      lanes.map(({ topic, readTo }) => history.readPage<T>(topic.key, readTo, this.#pageEntries)),
    );
    const oldestMs = now() - historyMs;
    for (const [index, page] of pages.entries()) {
      const lane = lanes[index]!;
      if (!this.#isStarted && origin.kind === 'cursor') checkResume(origin.after, { epoch: page.epoch, oldestMs });
      this.#isStarted = true;
      this.#epoch ??= page.epoch;
      if (page.epoch !== this.#epoch) {
        throw expired('The log was lost, and begins anew.', { epoch: page.epoch, oldestMs, floor: 0 });
      }
      if (page.floor > Math.max(lane.readTo, lane.completeThrough)) {
        throw expired(`The history of ${lane.topic.key.symbol} no longer reaches back far enough.`, {
          epoch: page.epoch,
          oldestMs,
          floor: page.floor,
        });
      }
      lane.buffer = [...lane.buffer, ...page.entries];
      lane.readTo = page.entries.at(-1)?.offset ?? lane.readTo;
      lane.atEnd = page.atEnd;
      if (page.atEnd && this.#through !== null && this.#through < Number.POSITIVE_INFINITY) {
        lane.completeThrough = Math.max(lane.completeThrough, this.#through);
      }
      lane.readInRound = this.#round;
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
    return taken.toSorted(byOffset);
  }
}

/** A power of two, so that streams of about as many logs ask for the same pages. */
function pageEntriesOf(lanes: number): number {
  const share = 2 ** Math.floor(Math.log2(ENTRIES_PER_ROUND / Math.max(1, lanes)));
  return Math.min(MAX_PAGE_ENTRIES, Math.max(MIN_PAGE_ENTRIES, share));
}

function byOffset(a: LogEntry, b: LogEntry): number {
  return a.offset - b.offset;
}
