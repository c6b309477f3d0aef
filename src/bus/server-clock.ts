import type { Redis } from 'ioredis';
import type { Logger } from '../market/logger.ts';
import type { Timers } from '../market/timers.ts';
import { epochKey } from './keys.ts';
import { readTime } from './log-scripts.ts';
import type { RedisClient } from './redis-client.ts';
import { runScript } from './redis-scripts.ts';

/** Further apart two clocks are said to differ. */
const TOLD_MS = 2_000;

/**
 * The clock of the Redis server, which all processes share whatever their own clocks say: by it the logs are numbered and age, for
 * their writer and for their readers. Between two looks it goes on by the timers, which no correction of a clock moves.
 */
export class ServerClock {
  readonly #timers: Timers;
  readonly #logger: Logger;
  /** Of the timers. */
  #aheadMs: number;
  #isKnown = false;

  /** Until the server was asked it is the clock of this host. */
  constructor(timers: Timers, logger: Logger) {
    this.#timers = timers;
    this.#logger = logger;
    this.#aheadMs = Date.now() - timers.now();
  }

  /** Unix ms. */
  readonly now = (): number => Math.floor(this.#timers.now() + this.#aheadMs);

  /** Asks the server of the log's epoch: the nodes of a Cluster have clocks of their own. Rejects where it does not answer. */
  async read(redis: RedisClient): Promise<void> {
    await this.#take(async () => Number(await runScript(redis, readTime, [epochKey], [])));
  }

  /** Asks a server to which a connection is just made, where none was asked before. Rejects where it does not answer. */
  async readFirst(redis: Redis): Promise<void> {
    if (this.#isKnown) return;
    await this.#take(async () => {
      const [seconds, microseconds] = await redis.time();
      return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
    });
  }

  async #take(ask: () => Promise<number>): Promise<void> {
    const askedAt = this.#timers.now();
    const time = await ask();
    // Somewhere between the question and the answer.
    const aheadMs = time - (askedAt + this.#timers.now()) / 2;
    const stepMs = Math.round(aheadMs - this.#aheadMs);
    if (Math.abs(stepMs) >= TOLD_MS) {
      const told = this.#isKnown
        ? 'the clock of Redis was set, or this process stood still: the log follows it'
        : 'the clocks of this host and of Redis differ: the log follows that of Redis';
      this.#logger.warn({ stepMs }, told);
    }
    this.#aheadMs = aheadMs;
    this.#isKnown = true;
  }
}
