import type { Redis } from 'ioredis';
import type { BusState, Interruption } from './bus.ts';
import { RedisConnection } from './redis-connection.ts';
import type { RedisConnectionOptions } from './redis-connection.ts';

/** How many channels one SUBSCRIBE names after a reconnect. */
const CHANNELS_PER_COMMAND = 500;

/** What the bus needs of a subscriber. Two implementations: here, and for a Cluster in redis-cluster-subscriber.ts. */
export interface Subscriber {
  readonly state: BusState;
  /** How often connections were made again after the first time. */
  readonly reconnects: number;
  onState(listener: (state: BusState) => void): () => void;
  /** Calls `listener` when subscriptions stand that did not for a while, though somebody counted on them. */
  onInterruption(listener: (channels: Interruption) => void): () => void;
  /** What `RedisPubSub` calls: the part of ioredis's interface that it uses. */
  asClient(): Redis;
  close(): Promise<void>;
}

/**
 * The subscriber that `RedisPubSub` is given in the place of a bare ioredis connection. It keeps the set of wanted channels
 * itself and states it anew at each connect, acknowledged channel by channel, before the connection counts as connected.
 * A subscribe never fails: while Redis is away it is remembered and takes effect on return. (A bare connection would
 * reject it, and `RedisPubSub` has promises there that nobody handles; the same for its un-awaited unsubscribes.)
 */
export class RedisSubscriber implements Subscriber {
  readonly #connection: RedisConnection;
  readonly #wanted = new Set<string>();
  /** Called when the connection attempt under way has ended, well or not. */
  #waiting: (() => void)[] = [];
  #attempting = true;
  #lapsed = false;
  readonly #interruptionListeners = new Set<(channels: Interruption) => void>();

  constructor(options: Omit<RedisConnectionOptions, 'prepare'>) {
    this.#connection = new RedisConnection({ ...options, prepare: (redis) => this.#subscribeAll(redis) });
    this.#connection.onState((state) => {
      this.#endAttempt();
      if (state.connected && this.#lapsed) for (const listener of this.#interruptionListeners) listener('all');
      this.#lapsed = !state.connected;
    });
    // The first attempt may end without a change of state being told, by the bus being closed.
    this.#connection.redis.on('end', () => this.#endAttempt());
  }

  get state(): BusState {
    return this.#connection.state;
  }

  get reconnects(): number {
    return this.#connection.reconnects;
  }

  onState(listener: (state: BusState) => void): () => void {
    return this.#connection.onState(listener);
  }

  onInterruption(listener: (channels: Interruption) => void): () => void {
    this.#interruptionListeners.add(listener);
    return () => void this.#interruptionListeners.delete(listener);
  }

  asClient(): Redis {
    const client: Pick<Redis, 'quit'> & Record<'on' | 'subscribe' | 'unsubscribe' | 'punsubscribe', unknown> = {
      on: (event: string, listener: (...args: unknown[]) => void) => this.#connection.redis.on(event, listener),
      subscribe: (channel: string, done: (error: null) => void) => this.#subscribe(channel, () => done(null)),
      unsubscribe: (channel: string) => this.#unsubscribe(channel),
      // There are no patterns here; RedisPubSub sends this with every unsubscribe.
      punsubscribe: () => {},
      quit: async () => 'OK',
    };
    return client as unknown as Redis;
  }

  close(): Promise<void> {
    this.#interruptionListeners.clear();
    return this.#connection.close();
  }

  #subscribe(channel: string, done: () => void): void {
    this.#wanted.add(channel);
    if (this.#connection.redis.status === 'ready') this.#connection.redis.subscribe(channel).then(done, done);
    else if (this.#attempting) this.#waiting.push(done);
    else queueMicrotask(done);
  }

  #unsubscribe(channel: string): void {
    this.#wanted.delete(channel);
    // Rejects where the connection is lost meanwhile: then there is nothing left to unsubscribe from.
    if (this.#connection.redis.status === 'ready') this.#connection.redis.unsubscribe(channel).catch(() => {});
  }

  async #subscribeAll(redis: Redis): Promise<void> {
    const channels = [...this.#wanted];
    const acknowledged: Promise<unknown>[] = [];
    for (let start = 0; start < channels.length; start += CHANNELS_PER_COMMAND) {
      acknowledged.push(redis.subscribe(...channels.slice(start, start + CHANNELS_PER_COMMAND)));
    }
    await Promise.all(acknowledged);
  }

  #endAttempt(): void {
    this.#attempting = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done();
  }
}
