import type { Logger } from '../market/logger.ts';
import { systemTimers } from '../market/timers.ts';
import { connectRedis } from './connect-redis.ts';
import { connectionCountsKey, connectionProcessesKey, rateKey } from './keys.ts';
import type { RedisCommand } from './redis-client.ts';
import { defineScript, evaluate, executeScripts, loadScripts } from './redis-scripts.ts';
import type { RedisConnectionOptions } from './redis-connection.ts';

/**
 * Adds to a count that ends some time after its first addition. KEYS: the count. ARGV: what is added, its time in ms. Returns its
 * value and the time that it still has.
 */
const addToCount = defineScript(`
local total = redis.call('INCRBY', KEYS[1], ARGV[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = tonumber(ARGV[2])
end
return {total, left}
`);

/**
 * Says that a process lives, and lists those that do, by the server's clock. KEYS: the set of processes. ARGV: the process, how long
 * it counts as living in ms. Returns 1 where it was not among them, else 0, and then the names.
 */
const noteProcess = defineScript(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local isNew = redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {isNew, unpack(redis.call('ZRANGE', KEYS[1], 0, -1))}
`);

/**
 * States how many connections of a user a process has; 0: none. KEYS: the user's hash. ARGV: the process, the number, the time to
 * live of it all in ms. Returns processes and numbers in turn.
 */
const stateConnections = defineScript(`
if ARGV[2] == '0' then redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return redis.call('HGETALL', KEYS[1])
`);

/** A user who opens no connection for so long is counted anew. */
const CONNECTIONS_TTL_MS = 24 * 3_600_000;

export type RedisCountsOptions = Pick<
  RedisConnectionOptions,
  'url' | 'pingIntervalMs' | 'pingDeadlineMs' | 'timers'
> & {
  /** How long a command may take before the counts are out of reach. Default 250 ms. */
  readonly deadlineMs?: number;
  readonly logger: Logger;
};

/** What all processes count together: how often users do something, and the connections that they have. */
export type RedisCounts = {
  /** Adds to a count, which ends `ttlMs` after its first addition. */
  add(key: string, amount: number, ttlMs: number): Promise<{ readonly total: number; readonly endsInMs: number }>;
  /** Says that this process lives, for `leaseMs` from now. Returns all that do, and whether this one was not known to. */
  noteProcess(
    process: string,
    leaseMs: number,
  ): Promise<{ readonly isNew: boolean; readonly living: readonly string[] }>;
  /** States how many connections of a user a process has. Returns what all have stated, also those that died since. */
  stateConnections(user: string, process: string, connections: number): Promise<ReadonlyMap<string, number>>;
  /** What was stated and not answered is waited for. */
  close(): Promise<void>;
};

type Gathered = {
  readonly command: RedisCommand;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
};

/**
 * Counts in Redis, on a connection of their own. While Redis is away every method rejects at once; one that is not answered in
 * time rejects, and so do all until one is.
 */
export function createRedisCounts({ deadlineMs = 250, ...options }: RedisCountsOptions): RedisCounts {
  const { timers = systemTimers } = options;
  const redis = connectRedis({ ...options, name: 'counts', prepare: loadScripts });
  const running = new Set<Promise<unknown>>();
  /** A round trip that has missed its deadline and may still be answered. */
  let late: Promise<unknown> | null = null;
  // What one turn of the event loop counts shares a round trip and a deadline.
  let gathered: Gathered[] = [];

  function run(command: RedisCommand): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    // Unbounded, but for one turn: as many as there are operations in it.
    if (gathered.push({ command, resolve, reject }) === 1) setImmediate(send);
    return promise;
  }

  function send(): void {
    const calls = gathered;
    gathered = [];
    if (late !== null || !redis.writable) {
      const error = new Error('the shared counts are out of reach');
      for (const { reject } of calls) reject(error);
      return;
    }
    const callOff = timers.after(deadlineMs, () => {
      // Where this process was busy, the answer may lie in the socket unread: one turn of the loop to read it.
      setImmediate(() => {
        if (!running.has(round)) return;
        late = round;
        const error = new Error(`Redis did not answer within ${deadlineMs} ms`);
        for (const { reject } of calls) reject(error);
      });
    });
    const round = executeScripts<unknown>(
      redis,
      calls.map(({ command }) => command),
    )
      .then(
        (replies) => calls.forEach(({ resolve }, index) => resolve(replies[index])),
        (error: unknown) => calls.forEach(({ reject }) => reject(error)),
      )
      .finally(() => {
        callOff();
        running.delete(round);
        if (late === round) late = null;
      });
    running.add(round);
  }

  return {
    async add(key, amount, ttlMs) {
      const reply = await run(evaluate(addToCount, [rateKey(key)], [amount, ttlMs]));
      const [total, endsInMs] = reply as [number, number];
      return { total, endsInMs };
    },
    async noteProcess(process, leaseMs) {
      const reply = await run(evaluate(noteProcess, [connectionProcessesKey], [process, leaseMs]));
      const [isNew, ...living] = reply as [number, ...string[]];
      return { isNew: isNew === 1, living };
    },
    async stateConnections(user, process, connections) {
      const args = [process, connections, CONNECTIONS_TTL_MS];
      const reply = (await run(evaluate(stateConnections, [connectionCountsKey(user)], args))) as string[];
      return new Map(
        Array.from({ length: reply.length / 2 }, (_, index) => [reply[2 * index]!, Number(reply[2 * index + 1])]),
      );
    },
    async close() {
      if (gathered.length > 0) send();
      await Promise.allSettled(running);
      await redis.close();
    },
  };
}
