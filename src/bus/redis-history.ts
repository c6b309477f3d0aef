import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { OFFSETS_PER_MS } from '../market/log.ts';
import { barChannel, tradeChannel } from './bus.ts';
import type { HistoryRange, LogEntry, LogKey } from './bus.ts';
import { codecs } from './codec.ts';
import { epochKey, fenceKey, historyKey, logOf } from './keys.ts';
import { LAST_ENTRY_MS } from './lifetimes.ts';
import { execute } from './redis-pipeline.ts';
import { appendAndPublish, claimFences, runScript, trimIdle } from './redis-scripts.ts';

/** One script call carries at most so many entries, so that none holds the server up for more than a few milliseconds. */
const ENTRIES_PER_CALL = 500;
const LOGS_PER_CALL = 100;

/** A log is trimmed (and given its time to live) no more often than this, or after a tenth of its bound was appended. */
const TRIM_INTERVAL_MS = 1_000;

export type RedisHistoryOptions = {
  readonly redis: Redis;
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

  constructor(options: RedisHistoryOptions) {
    this.#options = options;
  }

  /**
   * Appends and publishes in order, under a writer's token or, without a lease, 0. Rejects where an offset is not above its
   * log's newest: that one and the rest are lost.
   */
  async append(entries: readonly LogEntry[], token: number): Promise<void> {
    const calls: Promise<unknown>[] = [];
    for (let start = 0; start < entries.length; start += ENTRIES_PER_CALL) {
      calls.push(this.#appendOnce(entries.slice(start, start + ENTRIES_PER_CALL), token));
    }
    await Promise.all(calls);
  }

  /** Makes a writer known to these logs: from then on they refuse an older one. */
  async claim(logs: readonly LogKey[], token: number): Promise<void> {
    const fences = [...new Set(logs.map(({ symbol }) => fenceKey(symbol)))];
    for (let start = 0; start < fences.length; start += LOGS_PER_CALL) {
      await runScript(this.#options.redis, claimFences, fences.slice(start, start + LOGS_PER_CALL), [token]);
    }
  }

  /** Cuts the logs that were written here and now stand still down to their newest entry. To be called now and then. */
  async trimIdle(): Promise<void> {
    const now = this.#options.clock();
    const idle: string[] = [];
    for (const [key, { at }] of this.#trims) {
      if (now - at > this.#options.historyMs + TRIM_INTERVAL_MS) idle.push(key);
    }
    for (let start = 0; start < idle.length; start += LOGS_PER_CALL) {
      const keys = idle.slice(start, start + LOGS_PER_CALL);
      await runScript(this.#options.redis, trimIdle, keys, [this.#ageFloor()]);
      for (const key of keys) this.#trims.delete(key);
    }
  }

  /** A server that was away may have lost the logs, and the times to live with them. */
  distrust(): void {
    this.#trims.clear();
  }

  async read(log: LogKey, range: HistoryRange): Promise<LogEntry[]> {
    const key = historyKey(log);
    const floor = this.#ageFloor();
    if ('last' in range) {
      if (range.last <= 0) return [];
      const newestFirst = await this.#options.redis.xrevrange(key, '+', `${floor}-0`, 'COUNT', range.last);
      return this.#decode(key, log.kind, newestFirst.reverse());
    }
    const from = range.after >= floor ? `(${range.after}-0` : `${floor}-0`;
    if (range.limit === undefined) return this.#decode(key, log.kind, await this.#options.redis.xrange(key, from, '+'));
    if (range.limit <= 0) return [];
    return this.#decode(key, log.kind, await this.#options.redis.xrange(key, from, '+', 'COUNT', range.limit));
  }

  async readLast(logs: readonly LogKey[]): Promise<(LogEntry | null)[]> {
    const pipeline = this.#options.redis.pipeline();
    for (const log of logs) pipeline.xrevrange(historyKey(log), '+', '-', 'COUNT', 1);
    const replies = await execute<[string, string[]][]>(pipeline);
    return logs.map((log, index) => this.#decode(historyKey(log), log.kind, replies[index]!)[0] ?? null);
  }

  /**
   * A log holds all that is young enough, unless it was trimmed by size. Then it is at least that long; and where it is
   * shorter again, age has since trimmed beyond what size did.
   */
  async readFloors(logs: readonly LogKey[]): Promise<number[]> {
    const pipeline = this.#options.redis.pipeline();
    for (const log of logs) pipeline.xlen(historyKey(log)).xrange(historyKey(log), '-', '+', 'COUNT', 1);
    const replies = await execute<unknown>(pipeline);
    const floor = Math.max(0, this.#ageFloor() - 1);
    return logs.map((_, index) => {
      const length = replies[index * 2] as number;
      const oldest = (replies[index * 2 + 1] as [string, string[]][])[0];
      if (length < this.#options.maxEntriesPerLog || oldest === undefined) return floor;
      return Math.max(floor, Number.parseInt(oldest[0], 10) - 1);
    });
  }

  /** The first to ask names it, for as long as the server keeps its data. */
  async readEpoch(): Promise<string> {
    const pipeline = this.#options.redis.pipeline().set(epochKey, randomUUID(), 'NX').get(epochKey);
    const [, epoch] = await execute<string | null>(pipeline);
    if (typeof epoch !== 'string') throw new Error('Redis did not keep the epoch of the history');
    return epoch;
  }

  async #appendOnce(entries: readonly LogEntry[], token: number): Promise<void> {
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
    const limits = [token, `${lowest}-0`, this.#options.maxEntriesPerLog, LAST_ENTRY_MS, trims.length, ...trims];
    await runScript(this.#options.redis, appendAndPublish, [...logs.keys(), ...fences], [...limits, ...args]);
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

  #decode(key: string, kind: LogKey['kind'], rows: readonly [string, string[]][]): LogEntry[] {
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
