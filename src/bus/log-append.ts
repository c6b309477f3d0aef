import type { LogEntry } from './bus.ts';
import { codecs } from './codec.ts';
import { LAST_ENTRY_MS } from './lifetimes.ts';
import { appendAndPublish, trimLogs } from './log-scripts.ts';
import type { LogTail } from './log-tail.ts';
import type { RedisClient, RedisCommand } from './redis-client.ts';
import { evaluate, executeScripts } from './redis-scripts.ts';
import type { WrittenLog, WrittenLogs } from './written-logs.ts';

/** One script call carries at most so many entries, so that none holds the server up for more than a few milliseconds. */
const ENTRIES_PER_CALL = 500;

export type LogAppendOptions = {
  readonly redis: RedisClient;
  readonly logs: WrittenLogs;
  readonly tail: LogTail;
  readonly maxEntriesPerLog: number;
  /** The lowest offset that is kept: what is below it, readers know to be gone. */
  readonly trimmedThrough: number;
  /** Of the writer, or 0. */
  readonly token: number;
};

/** What is still to be written of one slot, in order; and logs of which it is to be seen whether they are whole. */
export type Lane = { readonly slot: number; entries: readonly LogEntry[]; looked: readonly WrittenLog[] };

/** One call's entries, by the logs that they belong to. */
type Part = {
  readonly entries: readonly LogEntry[];
  readonly logs: readonly WrittenLog[];
  /** Of each entry, the index of its log, from 1. */
  readonly indexes: readonly number[];
  /** The indexes of logs to be trimmed, and given a new time to live. */
  readonly trims: readonly number[];
};

type Call = {
  readonly lane: Lane;
  /** `place`: where it goes, `null` where that is not known. */
  readonly encode: (place: string | null) => RedisCommand;
  readonly take: (reply: unknown, place: string | null) => void;
};

/**
 * One append, from its first call to its last. A slot's entries are written one call after the other: a slot that moves could
 * else let what follows overtake. Where a log is found to end before where it has ended, a failover has lost the rest: what
 * is held of that is written again first, with its numbers; what is not, the next entry tells.
 */
export class LogAppend {
  readonly #options: LogAppendOptions;
  /** In the order in which it was confirmed, without what was written again. */
  readonly written: LogEntry[] = [];
  /** How many entries were written again, and how many gaps are told. */
  mended = 0;
  gaps = 0;
  readonly #again = new Set<LogEntry>();
  readonly #afterGap = new Set<LogEntry>();
  /** Where cut logs end, until they are whole again. */
  readonly #cuts = new Map<WrittenLog, number>();

  constructor(options: LogAppendOptions) {
    this.#options = options;
  }

  /** Rejects where a call does; what was written until then, `written` holds. */
  async run(lanes: readonly Lane[]): Promise<void> {
    for (
      let left = lanes;
      left.length > 0;
      left = left.filter((lane) => lane.entries.length + lane.looked.length > 0)
    ) {
      const calls = left.flatMap((lane) => this.#openCalls(lane));
      const { redis } = this.#options;
      await executeScripts(
        redis,
        calls.map(({ encode, lane }) => encode(redis.placeOf(lane.slot))),
        {
          toLog: true,
          elsewhere: (index) => calls[index]!.encode(null),
          onDone: (index, reply, place) => calls[index]!.take(reply, place),
        },
      );
    }
  }

  /** What is too old goes first, in a call of its own: a server that is full has no room before. */
  #openCalls(lane: Lane): Call[] {
    const part = this.#group(lane);
    const append: Call = {
      lane,
      encode: (place) => this.#encode(part, place),
      take: (reply, place) => this.#take(lane, part, reply, place),
    };
    if (part.trims.length === 0) return [append];
    const trim: Call = { lane, encode: () => this.#encodeTrim(part), take: () => {} };
    return [trim, append];
  }

  #group({ entries, looked }: Lane): Part {
    const { logs } = this.#options;
    const batch = entries.length > ENTRIES_PER_CALL ? entries.slice(0, ENTRIES_PER_CALL) : entries;
    const found = new Map<WrittenLog, number>();
    for (const log of looked) found.set(log, found.size + 1);
    const counts: number[] = [];
    const indexes = batch.map((entry) => {
      const log = logs.of(entry);
      let index = found.get(log);
      if (index === undefined) found.set(log, (index = found.size + 1));
      counts[index] = (counts[index] ?? 0) + 1;
      return index;
    });
    const trims: number[] = [];
    for (const [log, index] of found) {
      const count = counts[index];
      if (count !== undefined && logs.isTrimDue(log, count)) trims.push(index);
    }
    return { entries: batch, logs: [...found.keys()], indexes, trims };
  }

  /** An entry may be older than the time limit (a print fetched late): trimming by age never reaches what is appended. */
  #encodeTrim({ entries, logs, trims }: Part): RedisCommand {
    const { trimmedThrough, maxEntriesPerLog } = this.#options;
    const lowest = entries.reduce((least, { offset }) => Math.min(least, offset), trimmedThrough);
    const keys = trims.map((index) => logs[index - 1]!.key);
    return evaluate(trimLogs, keys, ['~', lowest, maxEntriesPerLog]);
  }

  /** `place`: where it goes; logs that were found to be whole there are not looked at again, but for whether they are there. */
  #encode({ entries, logs, indexes, trims }: Part, place: string | null): RedisCommand {
    const { redis, maxEntriesPerLog, token } = this.#options;
    const keys = logs.map(({ key }) => key);
    // The index of each fence, from 1.
    const fences = new Map<string, number>();
    for (const { fence } of logs) if (!fences.has(fence)) fences.set(fence, fences.size + 1);
    const args: (string | number)[] = [
      token,
      redis.publishMarket,
      LAST_ENTRY_MS,
      logs.length,
      trims.length,
      maxEntriesPerLog,
    ];
    for (const log of logs) {
      const known = this.#cuts.get(log) ?? log.end;
      args.push(log.channel);
      if (known === 0) args.push(`${log.letter}${fences.get(log.fence)!}`);
      else args.push(place === null || log.place !== place ? known : '+');
    }
    args.push(...trims);
    for (const [index, entry] of entries.entries()) {
      args.push(indexes[index]!, entry.offset, encodeEntry(this.#mark(entry)));
    }
    return evaluate(appendAndPublish, [...keys, ...fences.keys()], args);
  }

  #mark(entry: LogEntry): LogEntry {
    const isMarked = this.#afterGap.has(entry) || this.#options.logs.of(entry).hasGap;
    return isMarked ? { ...entry, gapBefore: true } : entry;
  }

  #take(lane: Lane, part: Part, reply: unknown, place: string | null): void {
    lane.looked = [];
    if (Array.isArray(reply)) {
      const missing: LogEntry[] = [];
      for (let at = 0; at < reply.length; at += 2) {
        missing.push(...this.#restore(part.logs[Number(reply[at]) - 1]!, Number(reply[at + 1]), lane));
      }
      lane.entries = [...missing.toSorted((a, b) => a.offset - b.offset), ...lane.entries];
      return;
    }
    for (const log of part.logs) if (!this.#cuts.has(log)) log.place = place;
    for (const [index, entry] of part.entries.entries())
      this.#confirm(part.logs[part.indexes[index]! - 1]!, entry, place);
    lane.entries = part.entries === lane.entries ? [] : lane.entries.slice(part.entries.length);
  }

  #confirm(log: WrittenLog, entry: LogEntry, place: string | null): void {
    log.hasGap = false;
    if (this.#again.has(entry)) this.mended += 1;
    else this.written.push(entry);
    // Until all that was lost is there again, the log is known to be cut.
    if (entry.offset < log.end) {
      this.#cuts.set(log, entry.offset);
      return;
    }
    log.end = entry.offset;
    log.place = place;
    this.#cuts.delete(log);
  }

  /** Returns what is to be written again to a log that ends at `end` now. */
  #restore(log: WrittenLog, end: number, lane: Lane): LogEntry[] {
    const { logs, tail } = this.#options;
    const missing = tail.find((entry) => entry.offset > end && entry.offset <= log.end && logs.of(entry) === log);
    const isWhole = end >= Math.max(log.heldFrom, tail.floor);
    this.#cuts.set(log, end);
    for (const entry of missing) this.#again.add(entry);
    if (isWhole) return missing;
    this.gaps += 1;
    const next = missing[0] ?? lane.entries.find((entry) => logs.of(entry) === log);
    if (next !== undefined) this.#afterGap.add(next);
    else {
      // Nothing follows yet: the next append tells it.
      log.hasGap = true;
      log.end = end;
      this.#cuts.delete(log);
    }
    return missing;
  }
}

function encodeEntry(entry: LogEntry): string {
  return entry.kind === 'trade' ? codecs.trade.encode(entry) : codecs.bar.encode(entry);
}
