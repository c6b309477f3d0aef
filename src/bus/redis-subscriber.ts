import type { Redis } from 'ioredis';
import { RedisConnection } from './redis-connection.ts';
import type { RedisConnectionOptions } from './redis-connection.ts';

/** How many channels one SUBSCRIBE names after a reconnect. */
const CHANNELS_PER_COMMAND = 500;

/**
 * The subscriber that `RedisPubSub` is given in the place of a bare ioredis connection. It keeps the set of wanted channels
 * itself and states it anew at each connect, acknowledged channel by channel, before the connection counts as connected.
 * A subscribe never fails: while Redis is away it is remembered and takes effect on return. (A bare connection would
 * reject it, and `RedisPubSub` has promises there that nobody handles; the same for its un-awaited unsubscribes.)
 */
export class RedisSubscriber {
  readonly connection: RedisConnection;
  readonly #wanted = new Set<string>();
  /** Called when the connection attempt under way has ended, well or not. */
  #waiting: (() => void)[] = [];
  #attempting = true;

  constructor(options: Omit<RedisConnectionOptions, 'prepare'>) {
    this.connection = new RedisConnection({ ...options, prepare: (redis) => this.#subscribeAll(redis) });
    this.connection.onState(() => this.#endAttempt());
    // The first attempt may end without a change of state being told, by the bus being closed.
    this.connection.redis.on('end', () => this.#endAttempt());
  }

  /** What `RedisPubSub` calls: the part of ioredis's interface that it uses. */
  asClient(): Redis {
    const client: Pick<Redis, 'quit'> & Record<'on' | 'subscribe' | 'unsubscribe' | 'punsubscribe', unknown> = {
      on: (event: string, listener: (...args: unknown[]) => void) => this.connection.redis.on(event, listener),
      subscribe: (channel: string, done: (error: null) => void) => this.#subscribe(channel, () => done(null)),
      unsubscribe: (channel: string) => this.#unsubscribe(channel),
      // There are no patterns here; RedisPubSub sends this with every unsubscribe.
      punsubscribe: () => {},
      quit: async () => 'OK',
    };
    return client as unknown as Redis;
  }

  #subscribe(channel: string, done: () => void): void {
    this.#wanted.add(channel);
    if (this.connection.redis.status === 'ready') this.connection.redis.subscribe(channel).then(done, done);
    else if (this.#attempting) this.#waiting.push(done);
    else queueMicrotask(done);
  }

  #unsubscribe(channel: string): void {
    this.#wanted.delete(channel);
    // Rejects where the connection is lost meanwhile: then there is nothing left to unsubscribe from.
    if (this.connection.redis.status === 'ready') this.connection.redis.unsubscribe(channel).catch(() => {});
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
