import { RedisConnection } from './redis-connection.ts';
import type { RedisConnectionOptions } from './redis-connection.ts';
import type { RedisClient } from './redis-client.ts';
import { execute } from './redis-pipeline.ts';

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
    execute: (commands) => execute(redis.pipeline(commands.map((command) => [...command]))),
    slotOf: () => 0,
    servers: [redis],
    close: () => connection.close(),
  };
}
