import { OFFSETS_PER_MS } from '../market/log.ts';
import { barChannel, tradeChannel } from './bus.ts';
import type { LogEntry, LogKey } from './bus.ts';
import { fenceKey, historyKey, logLetter, logOf } from './keys.ts';
import type { Lane } from './log-append.ts';
import type { RedisClient } from './redis-client.ts';

/** A log is trimmed (and given its time to live) no more often than this, or after a tenth of its bound was appended. */
const TRIM_INTERVAL_MS = 1_000;

/** One log that this process writes. */
export type WrittenLog = {
  readonly key: string;
  readonly fence: string;
  readonly letter: string;
  readonly channel: string;
  readonly slot: number;
  /** Unix ms, about: when it was last appended to, or first asked for. */
  usedAt: number;
  /** When it was last trimmed (Unix ms), and the appends since. */
  trimmedAt: number;
  appends: number;
  /** The offset of the newest entry that is known to be there; 0: none is. */
  end: number;
  /** What is above this was appended here. */
  heldFrom: number;
  /** The connection over which it was last found to be whole. */
  place: string | null;
  /** Entries were lost, and the next one is to say so. */
  hasGap: boolean;
};

export type WrittenLogsOptions = {
  readonly redis: RedisClient;
  readonly historyMs: number;
  readonly maxEntriesPerLog: number;
  readonly clock: () => number;
};

type LogsOfSymbol = { trade?: WrittenLog; SECOND?: WrittenLog; MINUTE?: WrittenLog };

/** What is known of the logs that this process writes, each until it stands still. */
export class WrittenLogs {
  readonly #options: WrittenLogsOptions;
  readonly #symbols = new Map<string, LogsOfSymbol>();

  constructor(options: WrittenLogsOptions) {
    this.#options = options;
  }

  /** The lowest offset that is young enough to be kept. */
  get ageFloor(): number {
    const { clock, historyMs } = this.#options;
    return Math.max(0, (clock() - historyMs) * OFFSETS_PER_MS);
  }

  /** Two look-ups: this is asked for each entry. */
  of(key: LogKey | LogEntry): WrittenLog {
    let logs = this.#symbols.get(key.symbol);
    if (logs === undefined) this.#symbols.set(key.symbol, (logs = {}));
    return (logs[key.kind === 'trade' ? 'trade' : key.interval] ??= this.#open(key));
  }

  /** Entries by the slot of their log, in the order given. */
  groupBySlot(entries: readonly LogEntry[]): Lane[] {
    const lanes = new Map<number, Lane & { entries: LogEntry[] }>();
    for (const entry of entries) {
      const { slot } = this.of(entry);
      const lane = lanes.get(slot);
      if (lane === undefined) lanes.set(slot, { slot, entries: [entry], looked: [] });
      else lane.entries.push(entry);
    }
    return [...lanes.values()];
  }

  /** Whether a log is to be trimmed at this append. Trimming at each would cost the server more than the append. */
  isTrimDue(log: WrittenLog, appends: number): boolean {
    const { clock, maxEntriesPerLog } = this.#options;
    const now = clock();
    log.appends += appends;
    if (now - log.trimmedAt < TRIM_INTERVAL_MS && log.appends < maxEntriesPerLog / 10) return false;
    log.trimmedAt = log.usedAt = now;
    log.appends = 0;
    return true;
  }

  /** Those that are not known to be whole where they are served now. */
  listMoved(): WrittenLog[] {
    return this.#all()
      .filter(({ end, place, slot }) => end > 0 && place !== this.#options.redis.placeOf(slot))
      .toArray();
  }

  /** Those that are known to be there, by what was found where they are served now. */
  listThere(): WrittenLog[] {
    return this.#all()
      .filter(({ end, place, slot }) => end > 0 && place !== null && place === this.#options.redis.placeOf(slot))
      .toArray();
  }

  /** All that were written here. */
  listAll(): WrittenLog[] {
    return this.#all().toArray();
  }

  /** Those that were written here and now stand still: all that they hold but their newest entry is too old. */
  listIdle(): WrittenLog[] {
    const before = this.#options.clock() - this.#options.historyMs - TRIM_INTERVAL_MS;
    return this.#all()
      .filter(({ usedAt }) => usedAt < before)
      .toArray();
  }

  /** When they were trimmed, and how long they live, is not known any more. */
  distrust(): void {
    for (const log of this.#all()) log.trimmedAt = -Infinity;
  }

  forget(idle: readonly WrittenLog[]): void {
    const gone = new Set(idle);
    for (const [symbol, logs] of this.#symbols) {
      for (const name of Object.keys(logs) as (keyof LogsOfSymbol)[]) if (gone.has(logs[name]!)) delete logs[name];
      if (Object.keys(logs).length === 0) this.#symbols.delete(symbol);
    }
  }

  clear(): void {
    this.#symbols.clear();
  }

  #open(key: LogKey | LogEntry): WrittenLog {
    const log = 'offset' in key ? logOf(key) : key;
    const fence = fenceKey(log.symbol);
    return {
      key: historyKey(log),
      fence,
      letter: logLetter(log),
      channel: (log.kind === 'trade' ? tradeChannel(log.symbol) : barChannel(log.symbol)).name,
      slot: this.#options.redis.slotOf(fence),
      usedAt: this.#options.clock(),
      trimmedAt: -Infinity,
      appends: 0,
      end: 0,
      heldFrom: 0,
      place: null,
      hasGap: false,
    };
  }

  *#all(): Generator<WrittenLog> {
    for (const { trade, SECOND, MINUTE } of this.#symbols.values()) {
      if (trade !== undefined) yield trade;
      if (SECOND !== undefined) yield SECOND;
      if (MINUTE !== undefined) yield MINUTE;
    }
  }
}
