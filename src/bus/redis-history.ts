import { randomUUID } from 'node:crypto';
import { OFFSETS_PER_MS } from '../market/log.ts';
import { barChannel, LogLostError, tradeChannel } from './bus.ts';
import type { HistoryRange, LogEntry, LogKey } from './bus.ts';
import { codecs } from './codec.ts';
import { epochKey, fenceKey, historyKey, logOf } from './keys.ts';
import { LAST_ENTRY_MS } from './lifetimes.ts';
import { chunkBySlot, groupBySlot, run } from './redis-client.ts';
import type { RedisClient, RedisCommand } from './redis-client.ts';
import { appendAndPublish, claimFences, evaluate, executeScripts, trimIdle } from './redis-scripts.ts';

/** One script call carries at most so many entries, so that none holds the server up for more than a few milliseconds. */
const ENTRIES_PER_CALL = 500;
const LOGS_PER_CALL = 100;

/** A log is trimmed (and given its time to live) no more often than this, or after a tenth of its bound was appended. */
const TRIM_INTERVAL_MS = 1_000;

/** An entry of a stream: its id, then field and value in turn. */
type Row = [id: string, fields: string[]];

export type RedisHistoryOptions = {
  readonly redis: RedisClient;
  readonly historyMs: number;
  readonly maxEntriesPerLog: number;
  readonly clock: () => number;
  /** Called for each kept entry that cannot be read. */
  readonly onUndecodable: (key: string) => void;
};

/** The recent log of every symbol: one Redis Stream per log, entry ids `<offset>-0`, so that an age is a lowest id. */
export class RedisHistory {
  readonly #options: RedisHistoryOptions;

  /** When each log was last trimmed, and the appends since. One per log that this process writes, until it stands still. */
  readonly #trims = new Map<string, { readonly at: number; appends: number }>();

  #appending = 0;
  #highest = 0;

  constructor(options: RedisHistoryOptions) {
    this.#options = options;
  }

  /**
   * Appends and publishes in order, under a writer's token or, without a lease, 0. Rejects where an offset is not above its
   * log's newest: that one and the rest are lost. What was written before the log was lost, a {@link LogLostError} says.
   */
  async append(entries: readonly LogEntry[], token: number): Promise<void> {
    const { redis } = this.#options;
    const groups = [...groupBySlot(redis, entries, (entry) => historyKey(logOf(entry))).values()];
    this.#appending++;
    const written: LogEntry[] = [];
    try {
      // What follows in the same slot waits for what is before it: a slot that moves could else let it overtake.
      for (let start = 0; groups.some((group) => group.length > start); start += ENTRIES_PER_CALL) {
        const parts = groups
          .map((group) => group.slice(start, start + ENTRIES_PER_CALL))
          .filter((part) => part.length > 0);
        await executeScripts(
          redis,
          parts.map((part) => this.#append(part, token)),
          { toLog: true, onDone: (index) => void written.push(...parts[index]!) },
        );
      }
      for (const { offset } of entries) this.#highest = Math.max(this.#highest, offset);
    } catch (error) {
      throw error instanceof LogLostError ? new LogLostError(written) : error;
    } finally {
      this.#appending--;
    }
    if (this.#appending === 0) redis.announceAppended(this.#highest);
  }

  /** Makes a writer known to these logs: from then on they refuse an older one. */
  async claim(logs: readonly LogKey[], token: number): Promise<void> {
    const { redis } = this.#options;
    const fences = [...new Set(logs.map(({ symbol }) => fenceKey(symbol)))];
    const parts = chunkBySlot(redis, fences, (key) => key, LOGS_PER_CALL);
    await executeScripts(
      redis,
      parts.map((keys) => evaluate(claimFences, keys, [token])),
    );
  }

  /** Cuts the logs that were written here and now stand still down to their newest entry. To be called now and then. */
  async trimIdle(): Promise<void> {
    const now = this.#options.clock();
    const idle: string[] = [];
    for (const [key, { at }] of this.#trims) {
      if (now - at > this.#options.historyMs + TRIM_INTERVAL_MS) idle.push(key);
    }
    const { redis } = this.#options;
    const parts = chunkBySlot(redis, idle, (key) => key, LOGS_PER_CALL);
    await executeScripts(
      redis,
      parts.map((keys) => evaluate(trimIdle, keys, [this.#ageFloor()])),
    );
    for (const key of idle) this.#trims.delete(key);
  }

  /** A server that was away may have lost the logs, and the times to live with them. */
  distrust(): void {
    this.#trims.clear();
  }

  async read(log: LogKey, range: HistoryRange): Promise<LogEntry[]> {
    const { redis } = this.#options;
    const key = historyKey(log);
    const floor = this.#ageFloor();
    if ('last' in range) {
      if (range.last <= 0) return [];
      const newestFirst = await run<Row[]>(redis, 'xrevrange', key, '+', `${floor}-0`, 'COUNT', range.last);
      return this.#decode(key, log.kind, newestFirst.reverse());
    }
    const from = range.after >= floor ? `(${range.after}-0` : `${floor}-0`;
    if (range.limit === undefined) return this.#decode(key, log.kind, await run(redis, 'xrange', key, from, '+'));
    if (range.limit <= 0) return [];
    return this.#decode(key, log.kind, await run(redis, 'xrange', key, from, '+', 'COUNT', range.limit));
  }

  async readLast(logs: readonly LogKey[]): Promise<(LogEntry | null)[]> {
    const replies = await this.#options.redis.execute<Row[]>(
      logs.map((log) => ['xrevrange', historyKey(log), '+', '-', 'COUNT', 1]),
    );
    return logs.map((log, index) => this.#decode(historyKey(log), log.kind, replies[index]!)[0] ?? null);
  }

  /**
   * A log holds all that is young enough, unless it was trimmed by size. Then it is at least that long; and where it is
   * shorter again, age has since trimmed beyond what size did.
   */
  async readFloors(logs: readonly LogKey[]): Promise<number[]> {
    const replies = await this.#options.redis.execute(
      logs.flatMap((log): RedisCommand[] => [
        ['xlen', historyKey(log)],
        ['xrange', historyKey(log), '-', '+', 'COUNT', 1],
      ]),
    );
    const floor = Math.max(0, this.#ageFloor() - 1);
    return logs.map((_, index) => {
      const length = replies[index * 2] as number;
      const oldest = (replies[index * 2 + 1] as Row[])[0];
      if (length < this.#options.maxEntriesPerLog || oldest === undefined) return floor;
      return Math.max(floor, Number.parseInt(oldest[0], 10) - 1);
    });
  }

  /** The first to ask names it, for as long as the server keeps its data. */
  async readEpoch(): Promise<string> {
    const [, epoch] = await this.#options.redis.execute<string | null>([
      ['set', epochKey, randomUUID(), 'NX'],
      ['get', epochKey],
    ]);
    if (typeof epoch !== 'string') throw new Error('Redis did not keep the epoch of the history');
    return epoch;
  }

  #append(entries: readonly LogEntry[], token: number): RedisCommand {
    const logs = new Map<string, number>();
    const fences: string[] = [];
    const trims: number[] = [];
    const args: (string | number)[] = [];
    // An entry may be older than the time limit (a print fetched late): trimming by age never reaches what is appended.
    let lowest = this.#ageFloor();
    for (const entry of entries) {
      const key = historyKey(logOf(entry));
      let index = logs.get(key);
      if (index === undefined) {
        logs.set(key, (index = logs.size + 1));
        fences.push(fenceKey(entry.symbol));
      }
      if (this.#isTrimDue(key)) trims.push(index);
      const { name } = entry.kind === 'trade' ? tradeChannel(entry.symbol) : barChannel(entry.symbol);
      const text = entry.kind === 'trade' ? codecs.trade.encode(entry) : codecs.bar.encode(entry);
      args.push(index, `${entry.offset}-0`, name, text);
      lowest = Math.min(lowest, entry.offset);
    }
    const { redis, maxEntriesPerLog } = this.#options;
    const limits = [`${lowest}-0`, maxEntriesPerLog, LAST_ENTRY_MS, trims.length, ...trims];
    return evaluate(appendAndPublish, [...logs.keys(), ...fences], [token, redis.publishMarket, ...limits, ...args]);
  }

  /** Counts an append to a log. Trimming at each would cost the server more than the append. */
  #isTrimDue(key: string): boolean {
    const now = this.#options.clock();
    const last = this.#trims.get(key);
    if (
      last !== undefined &&
      now - last.at < TRIM_INTERVAL_MS &&
      ++last.appends < this.#options.maxEntriesPerLog / 10
    ) {
      return false;
    }
    this.#trims.set(key, { at: now, appends: 0 });
    return true;
  }

  #ageFloor(): number {
    return Math.max(0, (this.#options.clock() - this.#options.historyMs) * OFFSETS_PER_MS);
  }

  #decode(key: string, kind: LogKey['kind'], rows: readonly Row[]): LogEntry[] {
    const entries: LogEntry[] = [];
    for (const [, fields] of rows) {
      const text = fields[1] ?? '';
      const entry = kind === 'trade' ? codecs.trade.decode(text) : codecs.bar.decode(text);
      if (entry === null) this.#options.onUndecodable(key);
      else entries.push(entry);
    }
    return entries;
  }
}
