import type { Logger } from '../market/logger.ts';
import type { Timers } from '../market/timers.ts';
import { LogLostError } from './bus.ts';
import type { LogEntry, LogKey } from './bus.ts';
import { type Lane, LogAppend } from './log-append.ts';
import { historyKey, listLogs, trimmedKey } from './keys.ts';
import { stateTrimmed, trimLogs } from './log-scripts.ts';
import { LogTail } from './log-tail.ts';
import { chunkBySlot } from './redis-client.ts';
import type { RedisClient, RedisCommand } from './redis-client.ts';
import type { RedisEpoch } from './redis-epoch.ts';
import { OFFSETS_PER_MS } from '../market/log.ts';
import { evaluate, executeScripts, runScript } from './redis-scripts.ts';
import { isFull } from './redis-refusal.ts';
import { WriterFences } from './writer-fences.ts';
import { WrittenLogs } from './written-logs.ts';

const LOGS_PER_CALL = 100;
const TRIMS_AT_ONCE = 20;
/** By so much time the logs reach back further than they need to: readers are told no more often how far they do. */
const TRIM_STEP_MS = 1_000;
/** A server that stays full is looked through for what is too old no more often than this. */
const MAKE_ROOM_MS = 1_000;
/** What is held for the case of a failover: some 30 MiB. */
const MAX_TAIL_ENTRIES = 100_000;
/** Of what is written without a lease. */
const NO_TOKEN = 0;

export type RedisLogOptions = {
  readonly redis: RedisClient;
  readonly epoch: RedisEpoch;
  readonly historyMs: number;
  readonly maxEntriesPerLog: number;
  readonly clock: () => number;
  readonly timers: Timers;
  readonly logger: Logger;
};

/**
 * Appends to the logs, as their one writer. It knows where each log ends, and looks whether it still does whenever a log is
 * served over another connection than before: a server may have come back empty, and a replica that was not in step may have
 * taken over. Where all that a writer left on a server is gone, a new epoch begins for the whole log; where the end of a log
 * is, that is appended again: see {@link LogAppend}.
 */
export class RedisLog {
  readonly #options: RedisLogOptions;
  readonly #fences: WriterFences;
  readonly #logs: WrittenLogs;
  readonly #tail: LogTail;
  readonly #appending = new Set<Promise<void>>();
  /** What is done while nothing is appended. */
  #aside: Promise<unknown> | null = null;
  /** Where all logs were found to be whole, and when that was, by the client's version. */
  #nodes: readonly string[] = [];
  #version = -1;
  #highest = 0;
  /** Part of the log is lost in the present epoch. */
  #isLost = false;
  /** Servers were away, or a former writer was here: part of the log may be lost. */
  #isSuspect = true;
  #epoch = '';
  /** The lowest offset that is kept, as readers know it. */
  #trimmedThrough = 0;
  #stating: Promise<void> | null = null;
  /** When room was made last, by the timers. */
  #madeRoomAt = -Infinity;
  /** Entries that a failover had lost and that were appended again. */
  entriesMended = 0;
  /** How often some were lost that were not held any more. */
  gapsLeft = 0;

  constructor(options: RedisLogOptions) {
    this.#options = options;
    this.#fences = new WriterFences(options.redis, options.clock);
    this.#logs = new WrittenLogs(options);
    this.#tail = new LogTail(options.redis.failsOver ? MAX_TAIL_ENTRIES : 0);
  }

  /**
   * Appends and publishes in order, under a writer's token or, without a lease, 0. Rejects where an offset is not above its
   * log's newest: that one and the rest are lost. What was written before the log was lost, a {@link LogLostError} says.
   */
  async append(entries: readonly LogEntry[], token: number): Promise<void> {
    while (this.#aside !== null) await this.#aside.catch(() => {});
    const isOfFormer = this.#epoch !== '' && entries[0]?.epoch !== this.#epoch && token !== NO_TOKEN;
    if (this.#isLost || isOfFormer) throw new LogLostError();
    if (this.#stating !== null || this.#logs.ageFloor - this.#trimmedThrough >= TRIM_STEP_MS * OFFSETS_PER_MS) {
      await (this.#stating ??= this.#stateTrimmed());
    }
    await this.#write(this.#logs.groupBySlot(entries), token);
    for (const { offset } of entries) if (offset > this.#highest) this.#highest = offset;
    // Else the last of those that are under way announces it, or what is done aside.
    if (this.#appending.size === 0 && this.#aside === null) await this.#announce(token);
  }

  /** Makes a writer known to these logs: from then on they refuse an older one. Rejects where one of them was lost. */
  async claim(logs: readonly LogKey[], token: number): Promise<void> {
    while (this.#aside !== null) await this.#aside.catch(() => {});
    if (this.#isLost) throw new LogLostError();
    if (!(await this.#fences.claim(new Set(logs.map(({ symbol }) => symbol)), token))) return;
    this.#isLost = true;
    throw new LogLostError();
  }

  /** Where these logs end now: what was not appended here is not held. */
  noteEnds(logs: readonly LogKey[], lastEntries: readonly (LogEntry | null)[]): void {
    for (const [index, key] of logs.entries()) {
      const offset = lastEntries[index]?.offset ?? 0;
      const log = this.#logs.of(key);
      if (offset <= log.end) continue;
      log.end = log.heldFrom = offset;
      log.place = null;
    }
  }

  /** See `Bus.openEpoch`. */
  openEpoch(token: number): Promise<string> {
    return this.#doAside(() => this.#open(token));
  }

  /**
   * Cuts the logs that stand still down to their newest entry: those that were written here, and, under a lease, those that former
   * writers left. To be called now and then.
   */
  async keepUp(token: number): Promise<void> {
    const idle = this.#logs.listIdle();
    const left = token === NO_TOKEN ? [] : await this.#fences.listSymbols();
    const keys = [...idle.map(({ key }) => key), ...left.flatMap((symbol) => listLogs(symbol).map(historyKey))];
    // Who trims nothing states nothing: its history may be shorter than that of the writer.
    if (keys.length > 0) {
      await (this.#stating ??= this.#stateTrimmed());
      await this.#trim(keys);
    }
    // Meanwhile something may have been appended.
    const stillIdle = new Set(this.#logs.listIdle());
    this.#logs.forget(idle.filter((log) => stillIdle.has(log)));
    if (token !== NO_TOKEN && !this.#isLost && (await this.#fences.renew(token))) this.#isLost = true;
  }

  /** A server that was away may have lost the logs, and the times to live with them. */
  distrust(): void {
    this.#isSuspect = true;
    this.#logs.distrust();
  }

  /** The role of the writer has ended. */
  endTerm(): void {
    this.#isSuspect = true;
    this.#isLost = false;
    this.#epoch = '';
    this.#fences.forget();
    this.#logs.clear();
    this.#tail.clear();
  }

  async #open(token: number): Promise<string> {
    if (token !== NO_TOKEN && this.#isSuspect) await this.#look(token);
    if (token !== NO_TOKEN && !this.#isLost) this.#isLost = await this.#hasLostLog();
    // What is found to be lost from now on, as by a claim meanwhile, is lost of the next.
    const isLost = this.#isLost;
    this.#isLost = false;
    const epoch = await this.#options.epoch.open(isLost).catch((error: unknown) => {
      this.#isLost ||= isLost;
      throw error;
    });
    if (epoch !== this.#epoch && (this.#epoch !== '' || isLost)) {
      this.#options.logger.warn({ epoch }, 'the log was lost, or part of it: a new one begins');
      this.#logs.clear();
      this.#tail.clear();
      // What is lost until here, wherever it be, is lost of the former epoch: in this one nothing is written yet.
      if (token !== NO_TOKEN) await this.#fences.claimAll(token);
    }
    this.#epoch = epoch;
    await this.#mend(token);
    return epoch;
  }

  /** Whether some of what a writer is known to have left is gone. */
  async #look(token: number): Promise<void> {
    this.#isSuspect = false;
    try {
      // What is found to be lost is lost of this one.
      await this.#options.epoch.learn();
      if (await this.#fences.claimAll(token)) this.#isLost = true;
    } catch (error) {
      this.#isSuspect = true;
      throw error;
    }
  }

  /** Whether a log that was written here is gone, though its server never was: removed by somebody, or evicted. */
  async #hasLostLog(): Promise<boolean> {
    const { redis, logger } = this.#options;
    const parts = chunkBySlot(redis, this.#logs.listThere(), ({ key }) => key, LOGS_PER_CALL);
    const found = await redis.execute<number>(
      parts.map((logs): RedisCommand => ['exists', ...logs.map(({ key }) => key)]),
    );
    const gone = parts.filter((logs, index) => found[index]! < logs.length);
    if (gone.length === 0) return false;
    logger.error({}, 'a log is gone from Redis: something removed it, or Redis evicted it (maxmemory-policy)');
    return true;
  }

  /** Cuts logs exactly, as far back as readers know. */
  async #trim(keys: readonly string[]): Promise<void> {
    const { redis, maxEntriesPerLog } = this.#options;
    const parts = chunkBySlot(redis, [...new Set(keys)], (key) => key, LOGS_PER_CALL);
    const args = ['=', this.#trimmedThrough, maxEntriesPerLog];
    // Some at a time: what is appended meanwhile does not wait for all of them.
    for (let start = 0; start < parts.length; start += TRIMS_AT_ONCE) {
      const some = parts.slice(start, start + TRIMS_AT_ONCE);
      await executeScripts(
        redis,
        some.map((part) => evaluate(trimLogs, part, args)),
      );
    }
  }

  /** Never rejects: what readers do not know of is not trimmed. */
  async #stateTrimmed(): Promise<void> {
    const { redis, logger } = this.#options;
    const floor = this.#logs.ageFloor;
    try {
      await runScript(redis, stateTrimmed, [trimmedKey], [floor]);
      this.#trimmedThrough = floor;
    } catch (error) {
      logger.debug({ reason: String(error) }, 'the logs are not trimmed yet: readers could not be told');
    }
    this.#stating = null;
  }

  /** Redis is full: what is too old goes at once, wherever it is, and what is written next finds room. */
  async #makeRoom(token: number): Promise<void> {
    const { timers, logger } = this.#options;
    if (timers.now() - this.#madeRoomAt < MAKE_ROOM_MS) return;
    this.#madeRoomAt = timers.now();
    this.#logs.distrust();
    try {
      await (this.#stating ??= this.#stateTrimmed());
      const left = token === NO_TOKEN ? [] : await this.#fences.listSymbols();
      const keys = left.flatMap((symbol) => listLogs(symbol).map(historyKey));
      await this.#trim([...this.#logs.listAll().map(({ key }) => key), ...keys]);
    } catch (error) {
      logger.debug({ reason: String(error) }, 'what is too old could not be removed from the logs');
    }
  }

  /** Looks after logs that a failover may have cut and to which nothing was appended since. */
  async #mend(token: number): Promise<void> {
    const { redis } = this.#options;
    const [nodes, version] = [redis.listNodes(), redis.version];
    const moved = this.#logs.listMoved();
    if (moved.length > 0) {
      const lanes = Map.groupBy(moved, ({ slot }) => slot).entries();
      await this.#write(lanes.map(([slot, looked]): Lane => ({ slot, entries: [], looked })).toArray(), token);
    }
    this.#nodes = nodes;
    this.#version = version;
    if (this.#highest > 0) await redis.announceAppended(this.#highest, nodes);
  }

  /** Not before the other logs are whole, too: a reader takes what is announced for complete. */
  async #announce(token: number): Promise<void> {
    const { redis, logger } = this.#options;
    try {
      if (redis.version === this.#version) await redis.announceAppended(this.#highest, this.#nodes);
      else await this.#doAside(() => this.#mend(token));
    } catch (error) {
      // All is written: what is announced next tells of it as well.
      logger.debug({ reason: String(error) }, 'how far the log is complete could not be announced');
    }
  }

  async #doAside<T>(work: () => Promise<T>): Promise<T> {
    while (this.#aside !== null) await this.#aside.catch(() => {});
    const aside = Promise.allSettled(this.#appending).then(work);
    this.#aside = aside;
    try {
      return await aside;
    } finally {
      this.#aside = null;
    }
  }

  async #write(lanes: readonly Lane[], token: number): Promise<void> {
    const { redis, maxEntriesPerLog, logger } = this.#options;
    const [logs, tail, trimmedThrough] = [this.#logs, this.#tail, this.#trimmedThrough];
    const write = new LogAppend({ redis, logs, tail, maxEntriesPerLog, trimmedThrough, token });
    const writing = write.run(lanes);
    this.#appending.add(writing);
    try {
      await writing;
    } catch (error) {
      if (isFull(error)) await this.#makeRoom(token);
      if (!(error instanceof LogLostError)) throw error;
      this.#isLost = true;
      throw new LogLostError(write.written);
    } finally {
      this.#appending.delete(writing);
      this.#tail.push(write.written);
      this.entriesMended += write.mended;
      this.gapsLeft += write.gaps;
      if (write.mended > 0 || write.gaps > 0) {
        const fields = { entries: write.mended, gaps: write.gaps };
        logger.warn(fields, 'a failover had lost the end of some logs: what was held of it was appended again');
      }
    }
  }
}
