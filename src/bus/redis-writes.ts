import { quoteChannel, statusChannel } from './bus.ts';
import type { IngestStatus, LogEntry, Messages } from './bus.ts';
import { codecs } from './codec.ts';
import { fenceKey, quoteKey, statusFenceKey, statusKey } from './keys.ts';
import { QUOTE_KEEP_MS, STATUS_KEEP_MS } from './lifetimes.ts';
import { keepAndPublish, publishUnkept } from './log-scripts.ts';
import { chunkBySlot } from './redis-client.ts';
import type { RedisClient, RedisCommand } from './redis-client.ts';
import type { RedisLog } from './redis-log.ts';
import { readRefusal } from './redis-refusal.ts';
import { evaluate, executeScripts, runScript } from './redis-scripts.ts';

/** How many quotes one script call carries: as many as entries of the log. */
const QUOTES_PER_CALL = 500;

/**
 * What is published over Redis, each under the token of a writer, or 0. What is sent and not yet acknowledged is bounded by a
 * number of messages: beyond it, as while Redis is away, publishing rejects at once, and they are counted as dropped.
 */
export class RedisWrites {
  readonly #redis: RedisClient;
  readonly #log: RedisLog;
  readonly #maxPending: number;
  pending = 0;
  published = 0;
  dropped = 0;

  constructor(redis: RedisClient, log: RedisLog, maxPending: number) {
    this.#redis = redis;
    this.#log = log;
    this.#maxPending = maxPending;
  }

  async publishQuotes(quotes: readonly Messages['quote'][], token: number): Promise<void> {
    await this.publish(quotes.length, async () => {
      const { publishMarket } = this.#redis;
      const parts = chunkBySlot(this.#redis, quotes, ({ symbol }) => quoteKey(symbol), QUOTES_PER_CALL);
      const calls = parts.map((part): RedisCommand => {
        const keys = [...part.map(({ symbol }) => quoteKey(symbol)), ...part.map(({ symbol }) => fenceKey(symbol))];
        const args = part.flatMap((quote) => [quoteChannel(quote.symbol).name, codecs.quote.encode(quote)]);
        return evaluate(keepAndPublish, keys, [token, QUOTE_KEEP_MS, publishMarket, ...args]);
      });
      await executeScripts(this.#redis, calls);
    });
  }

  async append(entries: readonly LogEntry[], token: number): Promise<void> {
    await this.publish(entries.length, () => this.#log.append(entries, token));
  }

  /** Where Redis takes no writes, whoever listens is told nevertheless. */
  async publishStatus(status: IngestStatus, token: number): Promise<void> {
    const message = [statusChannel.name, codecs.status.encode(status)];
    await this.publish(1, async () => {
      try {
        const args = [token, STATUS_KEEP_MS, 'publish', ...message];
        await runScript(this.#redis, keepAndPublish, [statusKey, statusFenceKey], args);
      } catch (error) {
        if (readRefusal(error) === null) throw error;
        await runScript(this.#redis, publishUnkept, [statusFenceKey], [token, ...message]);
      }
    });
  }

  /** Sends so many messages, or rejects where there is no room for them. */
  async publish(count: number, send: () => Promise<unknown>): Promise<void> {
    if (count === 0) return;
    const { writable } = this.#redis;
    if (!writable || this.pending + count > this.#maxPending) {
      this.dropped += count;
      throw new Error(
        writable
          ? `Redis is behind by ${this.pending} messages: ${count} more were dropped`
          : `Redis is away: ${count} messages were dropped`,
      );
    }
    this.pending += count;
    try {
      await send();
      this.published += count;
    } catch (error) {
      this.dropped += count;
      throw error;
    } finally {
      this.pending -= count;
    }
  }
}
