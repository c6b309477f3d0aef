import { RedisPubSub } from 'graphql-redis-subscriptions';
import type { Logger } from '../market/logger.ts';
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
import { FanOut } from './fan-out.ts';
import { controlKey, statusFenceKey, statusKey } from './keys.ts';
import { CONTROL_KEEP_MS, DEMAND_LEASE_MS, UPKEEP_INTERVAL_MS } from './lifetimes.ts';
import { Listeners } from './listeners.ts';
import { claimFences } from './log-scripts.ts';
import { connectRedis } from './connect-redis.ts';
import { run } from './redis-client.ts';
import type { RedisClient } from './redis-client.ts';
import { LogOrder } from './log-order.ts';
import { RedisCluster } from './redis-cluster.ts';
import { RedisClusterSubscriber } from './redis-cluster-subscriber.ts';
import { RedisDemand } from './redis-demand.ts';
import { RedisEpoch } from './redis-epoch.ts';
import { RedisHistory } from './redis-history.ts';
import { acquireRedisLease } from './redis-lease.ts';
import { RedisLog } from './redis-log.ts';
import { loadScripts, runScript } from './redis-scripts.ts';
import { RedisSubscriber } from './redis-subscriber.ts';
import type { Subscriber } from './redis-subscriber.ts';
import { RedisWrites } from './redis-writes.ts';
import type { ChannelScope } from './subscriber-socket.ts';

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
  /** Unix ms. Default `Date.now`. */
  readonly clock?: () => number;
  readonly random?: () => number;
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

/** Of what is written without a lease: refused where any writer with one is known. */
const NO_TOKEN = 0;

/** One channel's subscription in this process: `RedisPubSub`'s number of it, once it is acknowledged. */
type Topic = { readonly id: Promise<number> };

class RedisBus implements Bus {
  readonly shared = true;
  readonly maxHistoryEntries: number;
  readonly #logger: Logger;
  readonly #clock: () => number;
  readonly #redis: RedisClient;
  readonly #subscriber: Subscriber;
  /** `null` with one server: what comes over one connection is in order. */
  readonly #order: LogOrder | null;
  #completeThrough = -1;
  readonly #pubsub: RedisPubSub;
  readonly #epoch: RedisEpoch;
  readonly #history: RedisHistory;
  readonly #log: RedisLog;
  readonly #writes: RedisWrites;
  readonly #demand: RedisDemand;
  /** Of the lease that was granted here last. */
  #token = NO_TOKEN;
  /** Of all writers that are known here. */
  #highestToken = NO_TOKEN;
  readonly #fanOut: FanOut;
  readonly #topics = new Map<string, Topic>();
  readonly #stateListeners: Listeners<BusState>;
  readonly #interruptionListeners: Listeners<Interruption>;
  /** Interruptions not yet told. Bounded by the channels that are subscribed to. */
  #interrupted: 'all' | Set<string> = new Set();
  readonly #upkeepTimer: NodeJS.Timeout;
  #state: BusState;
  #undecodable = 0;
  #closed = false;

  constructor(options: RedisBusOptions) {
    const { url, pingIntervalMs, pingDeadlineMs, random } = options;
    this.#logger = options.logger.child({ part: 'bus' });
    this.#clock = options.clock ?? Date.now;
    this.#fanOut = new FanOut(this.#logger);
    const onFailure = (error: unknown): void => {
      this.#logger.error({ err: error }, 'a listener to the state of the bus failed');
    };
    this.#stateListeners = new Listeners(onFailure);
    this.#interruptionListeners = new Listeners(onFailure);
    this.maxHistoryEntries = options.maxHistoryEntriesPerLog ?? 20_000;

    const connection = {
      url,
      logger: this.#logger,
      ...(pingIntervalMs === undefined ? {} : { pingIntervalMs }),
      ...(pingDeadlineMs === undefined ? {} : { pingDeadlineMs }),
      ...(random === undefined ? {} : { random }),
    };
    this.#redis = connectRedis({ ...connection, name: 'publisher', prepare: loadScripts });
    const subscriber = { ...connection, name: 'subscriber' };
    if (this.#redis instanceof RedisCluster) {
      const ofCluster = new RedisClusterSubscriber({ ...subscriber, cluster: this.#redis, scopeOf });
      const order = new LogOrder(
        (channel, message) => this.#fanOut.deliver(channel, message),
        (channel) => this.#noteInterruption([channel]),
      );
      ofCluster.onLogComplete((offset) => {
        this.#completeThrough = offset;
        this.#releaseOrdered();
      });
      this.#subscriber = ofCluster;
      this.#order = order;
    } else {
      this.#subscriber = new RedisSubscriber(subscriber);
      this.#order = null;
    }
    const client = this.#subscriber.asClient();
    this.#pubsub = new RedisPubSub({
      // It asks for one, and publishes nothing: what is published here is kept as well, in one step.
      publisher: client,
      subscriber: client,
      messageEventName: 'messageBuffer',
      // RedisPubSub swallows what a deserializer throws and hands on the raw text: the codec stands behind it instead.
      deserializer: (message) => message,
    });
    this.#epoch = new RedisEpoch(this.#redis, this.#clock, (epoch) => this.#order?.discardBefore(epoch));
    const history = {
      redis: this.#redis,
      epoch: this.#epoch,
      historyMs: options.historyMs,
      maxEntriesPerLog: this.maxHistoryEntries,
      clock: this.#clock,
    };
    this.#log = new RedisLog({ ...history, logger: this.#logger });
    this.#writes = new RedisWrites(this.#redis, this.#log, options.maxPendingMessages ?? 100_000);
    this.#history = new RedisHistory({
      ...history,
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
    this.#subscriber.onState(() => this.#updateState());
    this.#subscriber.onInterruption((channels) => this.#noteInterruption(channels));
    this.#upkeepTimer = setInterval(() => {
      Promise.all([this.#demand.renewTotals(), this.#log.keepUp(this.#token)]).catch((error: unknown) => {
        this.#logger.debug({ reason: messageOf(error) }, 'the upkeep of what is kept in Redis waits until it is back');
      });
    }, options.upkeepIntervalMs ?? UPKEEP_INTERVAL_MS);
    this.#upkeepTimer.unref();
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

  async subscribe<K extends keyof Messages>(
    channel: Channel<K>,
    listener: (message: Messages[K]) => void,
  ): Promise<() => Promise<void>> {
    this.#assertOpen();
    const remove = this.#fanOut.add(channel.name, listener);
    let topic = this.#topics.get(channel.name);
    if (topic === undefined) {
      topic = { id: this.#pubsub.subscribe<Buffer>(channel.name, (message) => this.#receive(channel, message)) };
      this.#topics.set(channel.name, topic);
    }
    await topic.id;
    return async () => {
      remove();
      await this.#release(channel.name);
    };
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

  readState(): BusState {
    return this.#state;
  }

  onState(listener: (state: BusState) => void): () => void {
    return this.#stateListeners.add(listener);
  }

  onInterruption(listener: (channels: Interruption) => void): () => void {
    return this.#interruptionListeners.add(listener);
  }

  readStats(): Readonly<Record<string, number>> {
    return {
      messagesPublished: this.#writes.published,
      messagesReceived: this.#fanOut.received,
      messagesUndecodable: this.#undecodable,
      messagesDropped: this.#writes.dropped,
      messagesPending: this.#writes.pending,
      listenerFailures: this.#fanOut.listenerFailures,
      reconnects: this.#redis.reconnects + this.#subscriber.reconnects,
      channels: this.#topics.size,
      logEntriesMended: this.#log.entriesMended,
      logGapsLeft: this.#log.gapsLeft,
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#upkeepTimer);
    this.#stateListeners.clear();
    this.#interruptionListeners.clear();
    this.#order?.close();
    this.#fanOut.clear();
    this.#topics.clear();
    await Promise.all([this.#redis.close(), this.#subscriber.close()]);
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

  #receive<K extends keyof Messages>(channel: Channel<K>, data: Buffer): void {
    const message = codecs[channel.kind].decode(data.toString());
    if (message === null) return this.#dropUndecodable(channel.name);
    if ('offset' in message) {
      // Of a log that was lost: written before, and late.
      if (!this.#epoch.follow(message.epoch)) return;
      if (this.#order !== null) return this.#order.add(channel.name, message);
    }
    this.#fanOut.deliver(channel.name, message);
  }

  #dropUndecodable(name: string): void {
    this.#undecodable++;
    this.#logger.debug({ name }, 'dropped a message that is none of its kind');
  }

  /** Ends the subscription of a channel that has no listener left by the time it is acknowledged. */
  async #release(name: string): Promise<void> {
    const topic = this.#topics.get(name);
    if (topic === undefined || this.#fanOut.has(name)) return;
    const id = await topic.id;
    // Someone may have joined, or another call have ended it, meanwhile.
    if (this.#topics.get(name) !== topic || this.#fanOut.has(name)) return;
    this.#topics.delete(name);
    this.#pubsub.unsubscribe(id);
  }

  #readConnections(): BusState {
    const states = [this.#redis.state, this.#subscriber.state];
    return states.find((state) => !state.connected) ?? { connected: true, reason: null };
  }

  #updateState(): void {
    const state = this.#readConnections();
    const changed = state.connected !== this.#state.connected;
    this.#state = state;
    if (changed) this.#stateListeners.tell(state);
    this.#tellInterruption();
  }

  #noteInterruption(channels: Interruption): void {
    if (channels === 'all' || this.#interrupted === 'all') this.#interrupted = 'all';
    else this.#interrupted = this.#interrupted.union(new Set(channels));
    if (channels !== 'all') this.#order?.discard(channels);
    this.#tellInterruption();
  }

  /** Not before the history can be read. */
  #tellInterruption(): void {
    if (!this.#state.connected) return;
    const interrupted = this.#interrupted;
    this.#interrupted = new Set();
    if (interrupted === 'all') this.#interruptionListeners.tell('all');
    else if (interrupted.size > 0) this.#interruptionListeners.tell([...interrupted]);
    this.#releaseOrdered();
  }

  /** Not before an interruption among what is below has been told. */
  #releaseOrdered(): void {
    if (this.#state.connected) this.#order?.release(this.#completeThrough);
  }

  async #whileOpen(write: () => Promise<void>): Promise<void> {
    this.#assertOpen();
    await write();
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error('The bus is closed.');
  }
}

/** What belongs to a symbol goes through its slot alone; the rest, which others publish too, through all nodes. */
function scopeOf(channel: string): ChannelScope {
  return /^market-data:(quotes|trades|bars):/.test(channel) ? 'sharded' : 'classic';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
