import type { Logger } from '../market/logger.ts';
import { LogLostError } from './bus.ts';
import type { LogEntry, LogKey } from './bus.ts';
import { type Lane, LogAppend } from './log-append.ts';
import { trimIdle } from './log-scripts.ts';
import { LogTail } from './log-tail.ts';
import { chunkBySlot } from './redis-client.ts';
import type { RedisClient } from './redis-client.ts';
import type { RedisEpoch } from './redis-epoch.ts';
import { evaluate, executeScripts } from './redis-scripts.ts';
import { WriterFences } from './writer-fences.ts';
import { WrittenLogs } from './written-logs.ts';

const LOGS_PER_CALL = 100;
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

  /** Cuts the logs that were written here and now stand still down to their newest entry. To be called now and then. */
  async keepUp(token: number): Promise<void> {
    const { redis } = this.#options;
    const idle = this.#logs.listIdle();
    const parts = chunkBySlot(redis, idle, ({ key }) => key, LOGS_PER_CALL);
    const floor = this.#logs.ageFloor;
    await executeScripts(
      redis,
      parts.map((logs) =>
        evaluate(
          trimIdle,
          logs.map(({ key }) => key),
          [floor],
        ),
      ), // prettier
    );
    this.#logs.forget(idle);
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
    // What is found to be lost from now on, as by a claim meanwhile, is lost of the next.
    const isLost = this.#isLost;
    this.#isLost = false;
    const epoch = await this.#options.epoch.open(isLost).catch((error: unknown) => {
      this.#isLost ||= isLost;
      throw error;
    });
    if (epoch !== this.#epoch && this.#epoch !== '') {
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
    const write = new LogAppend({ redis, logs: this.#logs, tail: this.#tail, maxEntriesPerLog, token });
    const writing = write.run(lanes);
    this.#appending.add(writing);
    try {
      await writing;
    } catch (error) {
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
