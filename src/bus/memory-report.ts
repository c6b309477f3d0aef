import type { Redis } from 'ioredis';
import type { Logger } from '../market/logger.ts';

/**
 * What one print takes in Redis, in bytes. MEMORY USAGE of the logs of the simulated exchange says 360 to 380 (Redis 7.0); the bars,
 * of which there is one a second at most, are within the margin.
 */
const BYTES_PER_PRINT = 450;
/** The rest is for quotes, caches, counts and the buffers of connections. */
const SHARE_OF_HISTORY = 0.75;
const MEBIBYTE = 1024 * 1024;

export type HistoryBounds = { readonly historyMs: number; readonly maxEntriesPerLog: number };

/**
 * Says in the log what the history takes in Redis, beside how much Redis may use, and whether Redis may evict what it is not to lose.
 * At each connection to a server, where it is other than before.
 */
export class MemoryReport {
  readonly #logger: Logger;
  readonly #bounds: HistoryBounds;
  #told = '';

  constructor(logger: Logger, bounds: HistoryBounds) {
    this.#logger = logger;
    this.#bounds = bounds;
  }

  /** By INFO, which managed servers allow where they do not have CONFIG. Never rejects: a user that may not ask is told nothing. */
  async read(redis: Redis): Promise<void> {
    const text = await redis.info('memory').catch(() => '');
    const policy = /^maxmemory_policy:(\S+)/m.exec(text)?.[1] ?? null;
    const maxMemory = Number(/^maxmemory:(\d+)/m.exec(text)?.[1] ?? Number.NaN);
    const told = `${policy} ${maxMemory}`;
    if (told === this.#told) return;
    this.#told = told;
    if (policy === null || Number.isNaN(maxMemory)) {
      this.#logger.warn(
        {},
        'Redis does not tell how much memory it may use, nor whether it evicts: see "Redis" in the README',
      );
      return;
    }
    this.#logger.info({ maxMemory, policy, ...this.#estimate(maxMemory) }, this.#describe(maxMemory));
    // Without a bound nothing is evicted, but it may be set at any time.
    if (policy === 'noeviction') return;
    const evicts = policy.startsWith('allkeys-') ? 'any key' : 'any key that expires, and all logs do';
    const fields = { policy, evicts };
    this.#logger.warn(
      fields,
      'Redis may evict parts of the log, and clients then have to begin anew (HISTORY_EXPIRED): set maxmemory-policy to noeviction',
    );
  }

  #estimate(maxMemory: number) {
    const { historyMs, maxEntriesPerLog } = this.#bounds;
    const bytesPerPrintASecond = BYTES_PER_PRINT * Math.ceil(historyMs / 1_000);
    return {
      bytesPerPrint: BYTES_PER_PRINT,
      historySeconds: Math.ceil(historyMs / 1_000),
      maxBytesPerLog: BYTES_PER_PRINT * maxEntriesPerLog,
      ...(maxMemory > 0 && { printsPerSecond: Math.floor((maxMemory * SHARE_OF_HISTORY) / bytesPerPrintASecond) }),
    };
  }

  #describe(maxMemory: number): string {
    const { bytesPerPrint, historySeconds, printsPerSecond } = this.#estimate(maxMemory);
    const sum = `symbols × prints a second of each × ${historySeconds} s × ${bytesPerPrint} bytes`;
    const room =
      printsPerSecond === undefined
        ? 'maxmemory is not set, so that Redis grows until the machine is full'
        : `maxmemory of ${Math.round(maxMemory / MEBIBYTE)} MiB has room for ${printsPerSecond} prints a second on this server`;
    return `the history in Redis takes ${sum}: ${room}`;
  }
}
