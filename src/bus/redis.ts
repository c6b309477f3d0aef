import type { Redis } from 'ioredis';
import type { Logger } from '../market/logger.ts';
import { every, systemTimers } from '../market/timers.ts';
import type { Timers } from '../market/timers.ts';
import { controlChannel, WriterSupersededError } from './bus.ts';
import type {
  Bus,
  BusState,
  BusWriter,
  Channel,
  HistoryRange,
  Interruption,
  IngestStatus,
  LogEntry,
  LogKey,
  Messages,
  WriterLease,
} from './bus.ts';
import { codecs } from './codec.ts';
import { controlKey, statusFenceKey, statusKey } from './keys.ts';
import { CONTROL_KEEP_MS, DEMAND_LEASE_MS, UPKEEP_INTERVAL_MS } from './lifetimes.ts';
import { Listeners } from './listeners.ts';
import { claimFences } from './log-scripts.ts';
import { connectRedis } from './connect-redis.ts';
import { RedisChannels } from './redis-channels.ts';
import { run } from './redis-client.ts';
import type { RedisClient } from './redis-client.ts';
import { MemoryReport } from './memory-report.ts';
import { RedisDemand } from './redis-demand.ts';
import { RedisEpoch } from './redis-epoch.ts';
import { RedisHistory } from './redis-history.ts';
import { acquireRedisLease } from './redis-lease.ts';
import { RedisLog } from './redis-log.ts';
import { loadScripts, runScript } from './redis-scripts.ts';
import { RedisWrites } from './redis-writes.ts';
import { ServerClock } from './server-clock.ts';
import { WriteWatch } from './write-watch.ts';

export type RedisBusOptions = {
  /** `redis://` or `rediss://`; several, separated by commas: some nodes of a Cluster. */
  readonly url: string;
  /** How far back a log can be read. */
  readonly historyMs: number;
  /** Bound per log (a symbol's trades, its second bars, its minute bars), approximate. Default 20,000. */
  readonly maxHistoryEntriesPerLog?: number;
  /**
   * Messages sent to Redis and not yet acknowledged. Beyond it, as while Redis is away, publishing rejects at once and
   * the messages are counted as dropped. Default 100,000.
   */
  readonly maxPendingMessages?: number;
  /** Default 25 s. */
  readonly demandLeaseMs?: number;
  /** How often the totals of demand are written again before they expire, and logs that stand still are cut. Default 60 s. */
  readonly upkeepIntervalMs?: number;
  /** See {@link RedisConnection}. */
  readonly pingIntervalMs?: number;
  readonly pingDeadlineMs?: number;
  /** Unix ms, by which the log is numbered and ages. Default: the clock of the server, which all processes share. */
  readonly clock?: () => number;
  readonly random?: () => number;
  /** For all that waits, but for ioredis itself. Default: the machine's own. */
  readonly timers?: Timers;
  readonly logger: Logger;
};

/**
 * The bus over Redis. Returns at once and connects in the background; `readState` tells. While Redis is away every method
 * that needs it rejects at once, except `subscribe`, which is remembered and takes effect on return: who needs
 * what was missed meanwhile reads the history when `onState` tells that Redis is back.
 */
export function createRedisBus(options: RedisBusOptions): Bus {
  return new RedisBus(options);
}

/** How often the clock of the server is looked at. */
const CLOCK_INTERVAL_MS = 1_000;
/** Of what is written without a lease: refused where any writer with one is known. */
const NO_TOKEN = 0;

class RedisBus implements Bus {
  readonly shared = true;
  readonly maxHistoryEntries: number;
  readonly #logger: Logger;
  readonly #clock: () => number;
  /** `null` where another clock was given. */
  readonly #serverClock: ServerClock | null;
  readonly #watch: WriteWatch;
  readonly #memory: MemoryReport;
  readonly #redis: RedisClient;
  readonly #channels: RedisChannels;
  readonly #epoch: RedisEpoch;
  readonly #history: RedisHistory;
  readonly #log: RedisLog;
  readonly #writes: RedisWrites;
  readonly #demand: RedisDemand;
  /** Of the lease that was granted here last. */
  #token = NO_TOKEN;
  /** Of all writers that are known here. */
  #highestToken = NO_TOKEN;
  readonly #stateListeners: Listeners<BusState>;
  readonly #endUpkeep: () => void;
  readonly #endClock: () => void;
  #state: BusState;
  #undecodable = 0;
  #closed = false;

  constructor(options: RedisBusOptions) {
    const { url, pingIntervalMs, pingDeadlineMs, random, timers = systemTimers } = options;
    this.#logger = options.logger.child({ part: 'bus' });
    this.#serverClock = options.clock === undefined ? new ServerClock(timers, this.#logger) : null;
    this.#clock = options.clock ?? this.#serverClock!.now;
    this.#stateListeners = new Listeners((error) => {
      this.#logger.error({ err: error }, 'a listener to the state of the bus failed');
    });
    this.maxHistoryEntries = options.maxHistoryEntriesPerLog ?? 20_000;

    const connection = {
      url,
      timers,
      logger: this.#logger,
      ...(pingIntervalMs === undefined ? {} : { pingIntervalMs }),
      ...(pingDeadlineMs === undefined ? {} : { pingDeadlineMs }),
      ...(random === undefined ? {} : { random }),
    };
    this.#redis = connectRedis({
      ...connection,
      name: 'publisher',
      prepare: (redis) => this.#prepare(redis),
      onError: (error) => this.#watch.note(error),
    });
    this.#watch = new WriteWatch({
      redis: this.#redis,
      timers,
      logger: this.#logger,
      onChange: () => this.#updateState(),
    });
    this.#memory = new MemoryReport(this.#logger, {
      historyMs: options.historyMs,
      maxEntriesPerLog: this.maxHistoryEntries,
    });
    this.#epoch = new RedisEpoch(this.#redis, this.#clock, (epoch) => this.#channels.followEpoch(epoch));
    this.#channels = new RedisChannels({
      redis: this.#redis,
      connection,
      epoch: this.#epoch,
      onState: () => this.#updateState(),
      onUndecodable: (name) => this.#dropUndecodable(name),
      logger: this.#logger,
    });
    const history = {
      redis: this.#redis,
      epoch: this.#epoch,
      historyMs: options.historyMs,
      maxEntriesPerLog: this.maxHistoryEntries,
      clock: this.#clock,
    };
    this.#log = new RedisLog({ ...history, timers, logger: this.#logger });
    this.#writes = new RedisWrites(this.#redis, this.#log, options.maxPendingMessages ?? 100_000);
    this.#history = new RedisHistory({
      ...history,
      heardThrough: () => this.#channels.completeThrough,
      onUndecodable: (key) => this.#dropUndecodable(key),
    });
    this.#demand = new RedisDemand({
      redis: this.#redis,
      leaseMs: options.demandLeaseMs ?? DEMAND_LEASE_MS,
      clock: this.#clock,
    });
    this.#state = this.#readConnections();
    this.#redis.onState((state) => {
      if (!state.connected) {
        this.#demand.distrust();
        this.#log.distrust();
      }
      this.#updateState();
    });
    const readClock = (): void => void this.#serverClock?.read(this.#redis).catch(() => {}); // It goes on by the timers.
    this.#endClock = every(timers, CLOCK_INTERVAL_MS, readClock);
    this.#endUpkeep = every(timers, options.upkeepIntervalMs ?? UPKEEP_INTERVAL_MS, () => {
      Promise.all([this.#demand.renewTotals(), this.#log.keepUp(this.#token)]).catch((error: unknown) => {
        this.#logger.debug({ reason: messageOf(error) }, 'the upkeep of what is kept in Redis waits until it is back');
      });
    });
  }

  async publishQuotes(quotes: readonly Messages['quote'][]): Promise<void> {
    await this.#whileOpen(() => this.#writes.publishQuotes(quotes, NO_TOKEN));
  }

  async append(entries: readonly LogEntry[]): Promise<void> {
    await this.#whileOpen(() => this.#writes.append(entries, NO_TOKEN));
  }

  async publishStatus(status: IngestStatus): Promise<void> {
    await this.#whileOpen(() => this.#writes.publishStatus(status, NO_TOKEN));
  }

  async readStatus(): Promise<IngestStatus | null> {
    const text = await run<string | null>(this.#redis, 'get', statusKey);
    if (text === null) return null;
    const status = codecs.status.decode(text);
    if (status === null) this.#dropUndecodable(statusKey);
    return status;
  }

  async publishControl(message: Messages['control']): Promise<void> {
    await this.keepControl(message);
    this.#assertOpen();
    await this.#writes.publish(1, () =>
      run(this.#redis, 'publish', controlChannel.name, codecs.control.encode(message)),
    );
  }

  async readControl(): Promise<Messages['control'] | null> {
    const text = await run<string | null>(this.#redis, 'get', controlKey);
    return text === null ? null : codecs.control.decode(text);
  }

  async keepControl(message: Messages['control']): Promise<void> {
    await run(this.#redis, 'set', controlKey, codecs.control.encode(message), 'PX', CONTROL_KEEP_MS);
  }

  async tell<K extends 'user' | 'order' | 'revocation'>(channel: Channel<K>, message: Messages[K]): Promise<void> {
    this.#assertOpen();
    const text = codecs[channel.kind].encode(message);
    await this.#writes.publish(1, () => run(this.#redis, 'publish', channel.name, text));
  }

  async subscribe<K extends keyof Messages>(
    channel: Channel<K>,
    listener: (message: Messages[K]) => void,
  ): Promise<() => Promise<void>> {
    this.#assertOpen();
    return this.#channels.subscribe(channel, listener);
  }

  readHistory(key: LogKey & { readonly kind: 'trade' }, range: HistoryRange): Promise<Messages['trade'][]>;
  readHistory(key: LogKey & { readonly kind: 'bar' }, range: HistoryRange): Promise<Messages['bar'][]>;
  readHistory(key: LogKey, range: HistoryRange): Promise<LogEntry[]> {
    return this.#history.read(key, range);
  }

  readHistoryFloors(keys: readonly LogKey[]): Promise<number[]> {
    return this.#history.readFloors(keys);
  }

  readLastEntries(keys: readonly LogKey[]): Promise<(LogEntry | null)[]> {
    return this.#history.readLast(keys);
  }

  readEpoch(): Promise<string> {
    return this.#epoch.read();
  }

  openEpoch(): Promise<string> {
    return this.#log.openEpoch(NO_TOKEN);
  }

  async acquireWriter(process: string, ttlMs: number): Promise<WriterLease | null> {
    this.#assertOpen();
    // The log is numbered by that clock, also where a look at it is just due.
    await this.#serverClock?.read(this.#redis);
    const lease = await acquireRedisLease({
      redis: this.#redis,
      process,
      ttlMs,
      above: this.#highestToken,
      openWriter: (token) => this.#openWriter(token),
      onSuperseded: (token) => (this.#highestToken = Math.max(this.#highestToken, token)),
      onEnd: (token) => this.#endWriter(token),
    });
    if (lease === null) return null;
    this.#token = lease.token;
    await runScript(this.#redis, claimFences, [statusFenceKey], [lease.token]);
    return lease;
  }

  setDemand(process: string, counts: ReadonlyMap<string, number>): Promise<void> {
    return this.#demand.set(process, counts);
  }

  renewDemand(process: string, counts: ReadonlyMap<string, number>): Promise<void> {
    return this.#demand.renew(process, counts);
  }

  readDemand(): Promise<Map<string, number>> {
    return this.#demand.read();
  }

  publishDemandTotals(changed: ReadonlyMap<string, number>): Promise<void> {
    return this.#demand.publishTotals(changed);
  }

  now(): number {
    return this.#clock();
  }

  readState(): BusState {
    return this.#state;
  }

  onState(listener: (state: BusState) => void): () => void {
    return this.#stateListeners.add(listener);
  }

  onInterruption(listener: (channels: Interruption) => void): () => void {
    return this.#channels.onInterruption(listener);
  }

  readStats(): Readonly<Record<string, number>> {
    const heard = this.#channels.readStats();
    return {
      ...heard,
      messagesPublished: this.#writes.published,
      messagesUndecodable: this.#undecodable,
      messagesDropped: this.#writes.dropped,
      messagesPending: this.#writes.pending,
      reconnects: this.#redis.reconnects + heard.reconnects,
      logEntriesMended: this.#log.entriesMended,
      logGapsLeft: this.#log.gapsLeft,
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#endUpkeep();
    this.#endClock();
    this.#watch.close();
    this.#stateListeners.clear();
    await Promise.all([this.#redis.close(), this.#channels.close()]);
  }

  /** Before anything is read or written over a connection that was just made. */
  async #prepare(redis: Redis): Promise<void> {
    await loadScripts(redis);
    // Where the user may not ask, the clock of this host stands.
    await this.#serverClock?.readFirst(redis).catch((error: unknown) => {
      this.#logger.warn(
        { reason: messageOf(error) },
        'Redis does not tell its time: the log follows the clock of this host',
      );
    });
    await this.#memory.read(redis);
  }

  #openWriter(token: number): BusWriter {
    return {
      publishQuotes: (quotes) => this.#whileOpen(() => this.#writes.publishQuotes(quotes, token)),
      append: (entries) => this.#whileOpen(() => this.#writes.append(entries, token)),
      publishStatus: (status) => this.#whileOpen(() => this.#writes.publishStatus(status, token)),
      publishDemandTotals: async (changed) => {
        if (token !== this.#token) throw new WriterSupersededError();
        await this.#demand.publishTotals(changed);
      },
      readLastEntries: async (keys) => {
        await this.#log.claim(keys, token);
        const lastEntries = await this.#history.readLast(keys, true);
        this.#log.noteEnds(keys, lastEntries);
        return lastEntries;
      },
      openEpoch: () => this.#log.openEpoch(token),
    };
  }

  /** What only the writer keeps up is set aside. */
  #endWriter(token: number): void {
    if (token !== this.#token) return;
    this.#token = NO_TOKEN;
    this.#demand.forgetTotals();
    this.#log.endTerm();
  }

  #dropUndecodable(name: string): void {
    this.#undecodable++;
    this.#logger.debug({ name }, 'dropped a message that is none of its kind');
  }

  #readConnections(): BusState {
    const states = [this.#redis.state, this.#channels.state];
    return states.find((state) => !state.connected) ?? { connected: true, reason: this.#watch.reason };
  }

  #updateState(): void {
    const state = this.#readConnections();
    const changed =
      state.connected !== this.#state.connected || (state.connected && state.reason !== this.#state.reason);
    this.#state = state;
    if (changed) this.#stateListeners.tell(state);
    this.#channels.follow(state.connected);
  }

  async #whileOpen(write: () => Promise<void>): Promise<void> {
    this.#assertOpen();
    await write();
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error('The bus is closed.');
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
