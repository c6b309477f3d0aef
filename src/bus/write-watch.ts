import type { Logger } from '../market/logger.ts';
import { every } from '../market/timers.ts';
import type { Timers } from '../market/timers.ts';
import { writeProbeKey } from './keys.ts';
import type { RedisClient, RedisCommand } from './redis-client.ts';
import { readRefusal } from './redis-refusal.ts';

const PROBE_INTERVAL_MS = 1_000;
const PROBE_KEEP_MS = 60_000;
/**
 * So long nothing has to be refused before writes count as taken again: a server at its limit takes one and refuses another, and what
 * was refused is tried again every two seconds.
 */
const TRUST_MS = 3_000;
/** Among so many keys there is one of each server. */
const MAX_PROBE_KEYS = 1_000;

export type WriteWatchOptions = {
  readonly redis: RedisClient;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly onChange: () => void;
};

/**
 * Knows whether the servers take what is written. One that is full, is a replica, or cannot save to its disk, still answers pings
 * and serves reads, so that its connection tells nothing. Each process writes something small to each server every second, and
 * is told of whatever else a server has refused.
 */
export class WriteWatch {
  readonly #options: WriteWatchOptions;
  readonly #end: () => void;
  #reason: string | null = null;
  /** By the timers. */
  #refusedAt = -Infinity;
  #isProbing = false;
  #keys: readonly string[] = [];
  #keysVersion = -1;
  #closed = false;

  constructor(options: WriteWatchOptions) {
    this.#options = options;
    this.#end = every(options.timers, PROBE_INTERVAL_MS, () => void this.#probe());
  }

  /** Why writes are refused, in plain words; `null`: they are not. */
  get reason(): string | null {
    return this.#reason;
  }

  /** Takes note of what a server has answered. */
  note(error: unknown): void {
    const reason = readRefusal(error);
    if (reason === null || this.#closed) return;
    this.#refusedAt = this.#options.timers.now();
    this.#set(reason, error);
  }

  /** Never rejects. */
  async #probe(): Promise<void> {
    const { redis, timers } = this.#options;
    if (this.#isProbing || this.#closed || !redis.state.connected) return;
    this.#isProbing = true;
    const askedAt = timers.now();
    try {
      const keys = this.#listKeys();
      await redis.execute(keys.map((key): RedisCommand => ['set', key, '1', 'PX', PROBE_KEEP_MS]));
      if (!this.#closed && askedAt - this.#refusedAt >= TRUST_MS) this.#set(null);
    } catch (error) {
      this.note(error);
    }
    this.#isProbing = false;
  }

  close(): void {
    this.#closed = true;
    this.#end();
  }

  /** One key of each server. */
  #listKeys(): readonly string[] {
    const { redis } = this.#options;
    if (this.#keysVersion === redis.version) return this.#keys;
    const keys = new Map<string | null, string>();
    const servers = Math.max(1, redis.listNodes().length);
    for (let index = 0; index < MAX_PROBE_KEYS && keys.size < servers; index += 1) {
      const key = writeProbeKey(index);
      const node = redis.nodeOf(redis.slotOf(key));
      if (!keys.has(node)) keys.set(node, key);
    }
    this.#keysVersion = redis.version;
    this.#keys = [...keys.values()];
    return this.#keys;
  }

  #set(reason: string | null, error?: unknown): void {
    if (reason === this.#reason) return;
    const { logger, onChange } = this.#options;
    this.#reason = reason;
    if (reason === null) logger.info({}, 'Redis takes writes again');
    else
      logger.error(
        { reason, answer: error instanceof Error ? error.message : null },
        'Redis refuses what is sent to it',
      );
    onChange();
  }
}
