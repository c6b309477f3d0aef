import { RedisPubSub } from 'graphql-redis-subscriptions';
import type { Logger } from '../market/logger.ts';
import type { BusState, Channel, Interruption, Messages } from './bus.ts';
import { codecs } from './codec.ts';
import { FanOut } from './fan-out.ts';
import { Listeners } from './listeners.ts';
import { LogOrder } from './log-order.ts';
import type { RedisClient } from './redis-client.ts';
import { RedisCluster } from './redis-cluster.ts';
import { RedisClusterSubscriber } from './redis-cluster-subscriber.ts';
import type { RedisConnectionOptions } from './redis-connection.ts';
import type { RedisEpoch } from './redis-epoch.ts';
import { RedisSubscriber } from './redis-subscriber.ts';
import type { Subscriber } from './redis-subscriber.ts';
import type { ChannelScope } from './subscriber-socket.ts';

export type RedisChannelsOptions = {
  readonly redis: RedisClient;
  readonly connection: Omit<RedisConnectionOptions, 'name' | 'prepare'>;
  readonly epoch: RedisEpoch;
  /** Called when what is subscribed to stands, or does not. */
  readonly onState: () => void;
  readonly onUndecodable: (name: string) => void;
  readonly logger: Logger;
};

/** One channel's subscription in this process: `RedisPubSub`'s number of it, once it is acknowledged. */
type Topic = { readonly id: Promise<number> };

/**
 * What this process hears: one subscription per channel, whatever the number of listeners. The entries of the log are put into
 * their order where they come from several nodes, and those of an epoch that has ended are left out.
 */
export class RedisChannels {
  readonly #options: RedisChannelsOptions;
  readonly #fanOut: FanOut;
  readonly #subscriber: Subscriber;
  /** `null` with one server: what comes over one connection is in order. */
  readonly #order: LogOrder | null;
  readonly #pubsub: RedisPubSub;
  readonly #topics = new Map<string, Topic>();
  readonly #interruptionListeners: Listeners<Interruption>;
  /** Interruptions not yet told. Bounded by the channels that are subscribed to. */
  #interrupted: 'all' | Set<string> = new Set();
  #completeThrough = -1;
  #isConnected = false;

  constructor(options: RedisChannelsOptions) {
    const { redis, connection, logger } = options;
    this.#options = options;
    this.#fanOut = new FanOut(logger);
    this.#interruptionListeners = new Listeners((error) => {
      logger.error({ err: error }, 'a listener to the state of the bus failed');
    });
    const subscriber = { ...connection, name: 'subscriber' };
    if (redis instanceof RedisCluster) {
      const ofCluster = new RedisClusterSubscriber({ ...subscriber, cluster: redis, scopeOf });
      ofCluster.onLogComplete((offset) => {
        this.#completeThrough = offset;
        this.#releaseOrdered();
      });
      this.#subscriber = ofCluster;
      this.#order = new LogOrder(
        (channel, entry) => this.#fanOut.deliver(channel, entry),
        (channel) => this.#noteInterruption([channel]),
        connection.timers,
      );
    } else {
      this.#subscriber = new RedisSubscriber(subscriber);
      this.#order = null;
    }
    const client = this.#subscriber.asClient();
    this.#pubsub = new RedisPubSub({
      // It asks for one, and publishes nothing: what is published here is kept as well, in one step.
      publisher: client,
      subscriber: client,
      // As bytes, which it hands on as they are: a deserializer would be given a copy, and what it throws is swallowed. The
      // codec stands behind it instead.
      messageEventName: 'messageBuffer',
    });
    this.#subscriber.onState(() => options.onState());
    this.#subscriber.onInterruption((channels) => this.#noteInterruption(channels));
  }

  get state(): BusState {
    return this.#subscriber.state;
  }

  /** In a Cluster: the offset up to which all entries of the log have come. */
  get completeThrough(): number {
    return this.#completeThrough;
  }

  readStats() {
    return {
      messagesReceived: this.#fanOut.received,
      listenerFailures: this.#fanOut.listenerFailures,
      reconnects: this.#subscriber.reconnects,
      channels: this.#topics.size,
    };
  }

  async subscribe<K extends keyof Messages>(
    channel: Channel<K>,
    listener: (message: Messages[K]) => void,
  ): Promise<() => Promise<void>> {
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

  onInterruption(listener: (channels: Interruption) => void): () => void {
    return this.#interruptionListeners.add(listener);
  }

  /** Whether the bus is connected: an interruption is not told before the history can be read. */
  follow(isConnected: boolean): void {
    this.#isConnected = isConnected;
    this.#tellInterruption();
  }

  /** Another epoch of the log has begun. */
  followEpoch(epoch: string): void {
    this.#order?.discardBefore(epoch);
  }

  async close(): Promise<void> {
    this.#interruptionListeners.clear();
    this.#order?.close();
    this.#fanOut.clear();
    this.#topics.clear();
    await this.#subscriber.close();
  }

  #receive<K extends keyof Messages>(channel: Channel<K>, data: Buffer): void {
    const message = codecs[channel.kind].decode(data.toString());
    if (message === null) return this.#options.onUndecodable(channel.name);
    if ('offset' in message) {
      // Of a log that was lost: written before, and late.
      if (!this.#options.epoch.follow(message.epoch)) return;
      if (this.#order !== null) return this.#order.add(channel.name, message);
    }
    this.#fanOut.deliver(channel.name, message);
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

  #noteInterruption(channels: Interruption): void {
    if (channels === 'all' || this.#interrupted === 'all') this.#interrupted = 'all';
    else this.#interrupted = this.#interrupted.union(new Set(channels));
    if (channels !== 'all') this.#order?.discard(channels);
    this.#tellInterruption();
  }

  #tellInterruption(): void {
    if (!this.#isConnected) return;
    const interrupted = this.#interrupted;
    this.#interrupted = new Set();
    if (interrupted === 'all') this.#interruptionListeners.tell('all');
    else if (interrupted.size > 0) this.#interruptionListeners.tell([...interrupted]);
    this.#releaseOrdered();
  }

  /** Not before an interruption among what is below has been told. */
  #releaseOrdered(): void {
    if (this.#isConnected) this.#order?.release(this.#completeThrough);
  }
}

/** What belongs to a symbol goes through its slot alone; the rest, which others publish too, through all nodes. */
function scopeOf(channel: string): ChannelScope {
  return /^market-data:(quotes|trades|bars):/.test(channel) ? 'sharded' : 'classic';
}
