import type { Client } from 'urql';
import { readGap } from '../../graphql/resumption.ts';
import { describeFailure } from './failure-words.ts';
import { LivePrints, RecentPrints } from './operations.ts';
import { PaintBatch } from './paint-batch.ts';
import { TapeLog } from './tape-log.ts';

/** How many prints of the past a tape begins with, and how many are read where it is to be joined or mended. */
const FIRST_PRINTS = 200;
const MENDING_PRINTS = 1000;

/** Nobody reads rows that change more often. */
const PAINT_MS = 45;

export type TapeState = {
  readonly log: TapeLog;
  /** Until the past was read, or a first print came. */
  readonly isLoading: boolean;
  /** Why there is nothing, or nothing more; `null`: all is well. */
  readonly failure: string | null;
};

/**
 * Fills a tape: with the past first, then live from just behind it. A state is a new object once per frame in which something
 * changed, fit for React's `useSyncExternalStore`.
 */
export class TapeFeed {
  readonly #client: Client;
  readonly #symbol: string;
  readonly #log = new TapeLog();
  readonly #batch = new PaintBatch(() => this.#publish(), PAINT_MS);
  readonly #listeners = new Set<() => void>();
  #state: TapeState = { log: this.#log, isLoading: true, failure: null };
  #isLoading = true;
  #failure: string | null = null;
  #isReading = false;
  #stopLive: (() => void) | null = null;
  #isClosed = false;

  constructor(client: Client, symbol: string) {
    this.#client = client;
    this.#symbol = symbol;
  }

  readonly getState = (): TapeState => this.#state;

  readonly watch = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Begins; or tries once more to read the past, where that failed. */
  readonly open = (): void => void this.#start();

  readonly close = (): void => {
    this.#isClosed = true;
    this.#stopLive?.();
    this.#batch.cancel();
  };

  async #start(): Promise<void> {
    await this.#readPast(FIRST_PRINTS);
    if (this.#isClosed || this.#stopLive !== null) return;
    // From the last print that was read: nothing is printed between the two that this reader misses.
    const after = this.#log.newest?.cursor ?? null;
    const prints = this.#client.subscription(LivePrints, { symbols: [this.#symbol], after });
    const live = prints.subscribe((result) => {
      const { data, error } = result;
      if (data?.trades !== undefined) {
        const isWanting = this.#log.add(data.trades, readGap(result) !== null);
        this.#failure = null;
        this.#isLoading = false;
        if (isWanting) void this.#mend();
      }
      if (error !== undefined) this.#failure = describeFailure(error);
      this.#batch.request();
    });
    this.#stopLive = () => live.unsubscribe();
  }

  /** What the log did not give, the history may have. */
  async #mend(): Promise<void> {
    if (!(await this.#readPast(MENDING_PRINTS))) this.#log.settle();
    this.#batch.request();
  }

  /** Says whether it was read. One reading at a time: what a second would find the first one finds. */
  async #readPast(last: number): Promise<boolean> {
    if (this.#isReading) return true;
    this.#isReading = true;
    const { data, error } = await this.#client.query(RecentPrints, { symbol: this.#symbol, last }).toPromise();
    this.#isReading = false;
    if (this.#isClosed) return false;
    // An answer that is an error alone has `data: null`.
    if (data != null) this.#log.join(data.recentTrades);
    this.#failure = error === undefined ? null : describeFailure(error);
    this.#isLoading = false;
    this.#batch.request();
    return data != null;
  }

  #publish(): void {
    this.#state = { log: this.#log, isLoading: this.#isLoading, failure: this.#failure };
    for (const listener of this.#listeners) listener();
  }
}
