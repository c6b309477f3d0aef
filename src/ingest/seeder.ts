import type { Logger } from '../market/logger.ts';
import type { Quote } from '../market/quote.ts';
import { SourceUnavailableError, type MarketDataSource } from '../market/source.ts';
import { isIndex } from '../market/symbol.ts';
import type { Timers } from '../market/timers.ts';

/** Symbols in one request. */
const MAX_BATCH = 250;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

export type SeederOptions = {
  readonly source: Pick<MarketDataSource, 'readQuotes'>;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Whether it is still worth asking for. */
  readonly isWanted: (symbol: string) => boolean;
  /** The snapshot of a symbol; `null`: the upstream knows nothing of it. */
  readonly onSeed: (symbol: string, seed: Quote | null) => void;
  /** After each request: all of its symbols were told, or none, and then it is tried again. */
  readonly onSettled: (symbols: readonly string[]) => void;
};

/** Reads the snapshots under which the live events are set: one request at a time, tried until it succeeds. */
export class Seeder {
  readonly #options: SeederOptions;
  /** What is to be asked, oldest first. Bounded by the number of symbols wanted. */
  readonly #asked = new Set<string>();
  readonly #abort = new AbortController();
  #isRunning = false;
  #cancelRetry: (() => void) | null = null;
  #retryDelayMs = FIRST_RETRY_MS;
  #seeded = 0;
  #unknown = 0;
  #failures = 0;

  constructor(options: SeederOptions) {
    this.#options = options;
  }

  /** Asks for snapshots, in the background. One that is asked for already is not asked twice. */
  request(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#asked.add(symbol);
    this.#run();
  }

  readStats(): Readonly<Record<string, number>> {
    return {
      seedsRead: this.#seeded,
      seedsUnknown: this.#unknown,
      seedFailures: this.#failures,
      seedsWaiting: this.#asked.size,
    };
  }

  close(): void {
    this.#abort.abort();
    this.#cancelRetry?.();
    this.#asked.clear();
  }

  #run(): void {
    if (this.#isRunning || this.#cancelRetry !== null || this.#abort.signal.aborted) return;
    void this.#readAll();
  }

  async #readAll(): Promise<void> {
    this.#isRunning = true;
    while (this.#asked.size > 0) {
      const batch = this.#takeBatch();
      const isRead = await this.#readBatch(batch);
      if (this.#abort.signal.aborted) break;
      this.#options.onSettled(batch);
      if (!isRead) break;
    }
    this.#isRunning = false;
  }

  /**
   * Out of the list while under way, so that a request made meanwhile asks for a newer snapshot. Indices and stocks come
   * from two places upstream: they are asked apart, so that one that is out of order does not keep the other waiting.
   */
  #takeBatch(): string[] {
    const batch: string[] = [];
    for (const symbol of this.#asked) {
      if (batch.length >= MAX_BATCH) break;
      if (batch[0] !== undefined && isIndex(batch[0]) !== isIndex(symbol)) continue;
      this.#asked.delete(symbol);
      if (this.#options.isWanted(symbol)) batch.push(symbol);
    }
    return batch;
  }

  async #readBatch(batch: readonly string[]): Promise<boolean> {
    const { source, onSeed } = this.#options;
    if (batch.length === 0) return true;
    try {
      const quotes = await source.readQuotes(batch, this.#abort.signal);
      if (this.#abort.signal.aborted) return false;
      for (const symbol of batch) {
        const quote = quotes.get(symbol) ?? null;
        if (quote === null) this.#unknown += 1;
        else this.#seeded += 1;
        onSeed(symbol, quote);
      }
      this.#retryDelayMs = FIRST_RETRY_MS;
      return true;
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#retryLater(batch, error);
      return false;
    }
  }

  #retryLater(batch: readonly string[], error: unknown): void {
    const { timers, logger } = this.#options;
    this.#failures += 1;
    for (const symbol of batch) this.#asked.add(symbol);
    if (this.#retryDelayMs === FIRST_RETRY_MS) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn({ error: reason, symbols: batch.length }, 'Snapshots could not be read; they are tried again.');
    }
    const retryAfterMs = error instanceof SourceUnavailableError ? (error.retryAfterMs ?? 0) : 0;
    const delayMs = Math.min(LAST_RETRY_MS, Math.max(this.#retryDelayMs, retryAfterMs));
    this.#retryDelayMs = Math.min(LAST_RETRY_MS, this.#retryDelayMs * 2);
    this.#cancelRetry = timers.after(delayMs, () => {
      this.#cancelRetry = null;
      this.#run();
    });
  }
}
