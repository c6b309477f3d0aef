import type { Redis } from 'ioredis';
import type { Logger } from '../market/logger.ts';
import { systemTimers } from '../market/timers.ts';
import type { BusState } from './bus.ts';
import { connectRedis } from './connect-redis.ts';
import { chunkBySlot } from './redis-client.ts';
import type { RedisCommand } from './redis-client.ts';
import type { RedisConnectionOptions } from './redis-connection.ts';
import { evaluate, executeScripts, loadScripts, writeUnchanged } from './redis-scripts.ts';
import type { Store, StoreEntry } from './store.ts';

export type RedisStoreOptions = Pick<
  RedisConnectionOptions,
  'url' | 'pingIntervalMs' | 'pingDeadlineMs' | 'random' | 'timers'
> & {
  /** How long a command may take before the store counts as out of reach. Default 250 ms. */
  readonly deadlineMs?: number;
  readonly logger: Logger;
};

export interface RedisStore extends Store {
  /** Whether a method has a chance to succeed now. */
  readState(): BusState;
  close(): Promise<void>;
}

type GatheredRead = {
  readonly keys: readonly string[];
  readonly resolve: (values: (string | null)[]) => void;
  readonly reject: (error: unknown) => void;
};

/** A SCAN that looks at so many keys at a time holds the server up for well under a millisecond. */
const SCAN_COUNT = 1_000;

/**
 * A store in Redis, on a connection of its own, so that a read does not wait behind what is being published. While Redis is away
 * every method rejects at once. After a command that missed its deadline so they do too, until a ping is answered.
 */
export function createRedisStore(options: RedisStoreOptions): RedisStore {
  const { deadlineMs = 250, ...connectionOptions } = options;
  const { timers = systemTimers } = connectionOptions;
  const redis = connectRedis({ ...connectionOptions, name: 'cache', prepare: loadScripts });
  let tripped = false;
  redis.onState(() => (tripped = false));

  const readState = (): BusState => {
    if (!tripped) return redis.state;
    return { connected: false, reason: `Redis did not answer within ${deadlineMs} ms` };
  };

  async function withinDeadline<T>(send: () => Promise<T>): Promise<T> {
    const { connected, reason } = readState();
    if (!connected) throw new Error(`the store is out of reach: ${reason}`);
    const { promise: late, reject } = Promise.withResolvers<never>();
    let answered = false;
    const callOff = timers.after(deadlineMs, () => {
      // Where this process was busy, the answer may lie in the socket unread: one turn of the loop to read it.
      setImmediate(() => {
        if (answered) return;
        trip();
        reject(new Error(`the store is out of reach: Redis did not answer within ${deadlineMs} ms`));
      });
    });
    try {
      return await Promise.race([send(), late]);
    } finally {
      answered = true;
      callOff();
    }
  }

  function trip(): void {
    if (tripped || !redis.state.connected) return;
    tripped = true;
    options.logger.warn({ deadlineMs }, 'Redis is slow: the cache goes on without it until it answers');
    Promise.all(redis.servers.map((server) => server.ping())).then(
      () => (tripped = false),
      () => {}, // A lost connection: its next state tells.
    );
  }

  // Reads of one turn of the event loop share a command, and so a round trip and a deadline.
  let gathered: GatheredRead[] = [];

  async function sendGathered(): Promise<void> {
    const reads = gathered;
    gathered = [];
    try {
      const values = await withinDeadline(() => readKeys(reads.flatMap((read) => read.keys)));
      let start = 0;
      for (const { keys, resolve } of reads) resolve(values.slice(start, (start += keys.length)));
    } catch (error) {
      for (const { reject } of reads) reject(error);
    }
  }

  return {
    readState,
    close: () => redis.close(),
    async read(keys) {
      if (keys.length === 0) return [];
      const { promise, resolve, reject } = Promise.withResolvers<(string | null)[]>();
      // Unbounded, but for one turn: as many as there are callers.
      if (gathered.push({ keys, resolve, reject }) === 1) setImmediate(() => void sendGathered());
      return promise;
    },
    async write(entries) {
      if (entries.length > 0) await withinDeadline(() => writeEntries(entries));
    },
    async remove(keys) {
      if (keys.length > 0) await withinDeadline(() => removeKeys(keys));
    },
    async removeByPrefix(prefix) {
      const pattern = `${prefix.replaceAll(/[\\*?[\]^]/g, String.raw`\$&`)}*`;
      const removed = await Promise.all(redis.servers.map((server) => removeAt(server, pattern)));
      return removed.reduce((sum, count) => sum + count, 0);
    },
  };

  /** One command where all lies on one server; in a Cluster one per slot, in one round trip. */
  async function readKeys(keys: readonly string[]): Promise<(string | null)[]> {
    const parts = chunkBySlot(redis, keys, (key) => key, keys.length);
    const replies = await redis.execute<(string | null)[]>(parts.map((part): RedisCommand => ['mget', ...part]));
    const values = new Map(parts.flatMap((part, index) => part.map((key, at) => [key, replies[index]![at] ?? null])));
    return keys.map((key) => values.get(key) ?? null);
  }

  async function removeKeys(keys: readonly string[]): Promise<number> {
    const parts = chunkBySlot(redis, keys, (key) => key, keys.length);
    const removed = await redis.execute<number>(parts.map((part): RedisCommand => ['unlink', ...part]));
    return removed.reduce((sum, count) => sum + count, 0);
  }

  async function removeAt(server: Redis, pattern: string): Promise<number> {
    let cursor = '0';
    let removed = 0;
    do {
      const [next, keys] = await withinDeadline(() => server.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT));
      cursor = next;
      if (keys.length > 0) removed += await withinDeadline(() => removeKeys(keys));
    } while (cursor !== '0');
    return removed;
  }

  async function writeEntries(entries: readonly StoreEntry[]): Promise<void> {
    const unconditional = entries.filter((entry) => entry.expected === undefined);
    const conditional = entries.filter((entry) => entry.expected !== undefined);
    const sets = unconditional.map(({ key, value, ttlMs }): RedisCommand => ['set', key, value, 'PX', ttlMs]);
    const scripts = chunkBySlot(redis, conditional, ({ key }) => key, conditional.length).map((part) => {
      const args = part.flatMap(({ expected, value, ttlMs }) => [
        expected === null ? 'absent' : `=${expected}`,
        value,
        ttlMs,
      ]);
      return evaluate(
        writeUnchanged,
        part.map(({ key }) => key),
        args,
      );
    });
    await executeScripts(redis, [...sets, ...scripts]);
  }
}
