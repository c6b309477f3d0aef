import { OFFSETS_PER_MS } from '../market/log.ts';
import type { HistoryRange, LogEntry, LogKey } from './bus.ts';
import { codecs } from './codec.ts';
import { historyKey, trimmedKey } from './keys.ts';
import { LogEnds } from './log-ends.ts';
import { run } from './redis-client.ts';
import type { RedisClient, RedisCommand } from './redis-client.ts';
import type { RedisEpoch } from './redis-epoch.ts';

/** An entry of a stream: its id, then field and value in turn. */
type Row = [id: string, fields: string[]];

export type RedisHistoryOptions = {
  readonly redis: RedisClient;
  readonly epoch: RedisEpoch;
  readonly historyMs: number;
  readonly maxEntriesPerLog: number;
  readonly clock: () => number;
  /** In a Cluster, the offset up to which all entries have been heard live in this process. */
  readonly heardThrough: () => number;
  /** Called for each kept entry that cannot be read. */
  readonly onUndecodable: (key: string) => void;
};

/** Reads the recent log of every symbol: one Redis Stream per log, entry ids `<offset>-0`, so that an age is a lowest id. */
export class RedisHistory {
  readonly #options: RedisHistoryOptions;
  readonly #ends: LogEnds;

  constructor(options: RedisHistoryOptions) {
    this.#options = options;
    this.#ends = new LogEnds(options.redis, options.clock, options.heardThrough);
  }

  /**
   * After an offset: as far as all logs are complete, and none of an epoch that has ended, which may be kept still where
   * nothing was lost. Rejects where a log is on a server that its writer has yet to look at.
   */
  async read(log: LogKey, range: HistoryRange): Promise<LogEntry[]> {
    const { redis, epoch } = this.#options;
    const key = historyKey(log);
    const floor = this.#ageFloor();
    if ('last' in range) {
      if (range.last <= 0) return [];
      const newestFirst = await run<Row[]>(redis, 'xrevrange', key, '+', `${floor}-0`, 'COUNT', range.last);
      return this.#decode(key, log.kind, newestFirst.reverse());
    }
    const { limit } = range;
    const to = range.unsettled === true ? '+' : await this.#ends.find([key]);
    let from = range.after >= floor ? `(${range.after}-0` : `${floor}-0`;
    const entries: LogEntry[] = [];
    while (limit === undefined || entries.length < limit) {
      const count = limit === undefined ? [] : ['COUNT', limit];
      const rows = await run<Row[]>(redis, 'xrange', key, from, to, ...count);
      entries.push(...this.#decode(key, log.kind, rows).filter((entry) => epoch.follow(entry.epoch)));
      if (limit === undefined || rows.length < limit) break;
      // What was left out makes no page look like the last one.
      from = `(${rows.at(-1)![0]}`;
    }
    return entries.slice(0, limit);
  }

  /** The newest entries as far as all logs are complete; `andBeyond`: whatever there is. */
  async readLast(logs: readonly LogKey[], andBeyond = false): Promise<(LogEntry | null)[]> {
    const to = andBeyond ? '+' : await this.#ends.find(logs.map(historyKey));
    const replies = await this.#options.redis.execute<Row[]>(
      logs.map((log) => ['xrevrange', historyKey(log), to, '-', 'COUNT', 1]),
    );
    return logs.map((log, index) => this.#decode(historyKey(log), log.kind, replies[index]!)[0] ?? null);
  }

  /**
   * A log holds all that is young enough, unless it was trimmed by size. Then it is at least that long; and where it is
   * shorter again, age has since trimmed beyond what size did. By which age, its writer says: the clock of Redis may have been set since.
   */
  async readFloors(logs: readonly LogKey[]): Promise<number[]> {
    const replies = await this.#options.redis.execute([
      ...logs.flatMap((log): RedisCommand[] => [
        ['xlen', historyKey(log)],
        ['xrange', historyKey(log), '-', '+', 'COUNT', 1],
      ]),
      ['get', trimmedKey],
    ]);
    const trimmedThrough = Number((replies.at(-1) as string | null) ?? 0);
    const floor = Math.max(0, Math.max(this.#ageFloor(), trimmedThrough) - 1);
    return logs.map((_, index) => {
      const length = replies[index * 2] as number;
      const oldest = (replies[index * 2 + 1] as Row[])[0];
      if (length < this.#options.maxEntriesPerLog || oldest === undefined) return floor;
      return Math.max(floor, Number.parseInt(oldest[0], 10) - 1);
    });
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
