import { RedisConnection } from './redis-connection.ts';
import type { RedisConnectionOptions } from './redis-connection.ts';
import type { ExecuteOptions, RedisClient, RedisCommand } from './redis-client.ts';

/** One server behind one connection. */
export function connectSingle(options: RedisConnectionOptions): RedisClient {
  const connection = new RedisConnection(options);
  const { redis } = connection;
  return {
    get state() {
      return connection.state;
    },
    get writable() {
      return connection.writable;
    },
    get reconnects() {
      return connection.reconnects;
    },
    publishMarket: 'publish',
    onState: (listener) => connection.onState(listener),
    async execute<T>(commands: readonly RedisCommand[], { onDone }: ExecuteOptions = {}) {
      const { place } = connection;
      const replies = (await redis.pipeline(commands.map((command) => [...command])).exec()) ?? [];
      for (const [index, [error, reply]] of replies.entries()) {
        if (error === null) onDone?.(index, reply, place);
        else options.onError?.(error);
      }
      return replies.map(([error, reply]) => {
        if (error !== null) throw error;
        return reply as T;
      });
    },
    announceAppended: async () => {},
    failsOver: false,
    version: 0,
    listNodes: () => [],
    nodeOf: () => null,
    placeOf: () => connection.place,
    slotOf: () => 0,
    servers: [redis],
    close: () => connection.close(),
  };
}
