import type { Bus, BusWriter } from '../bus/bus.ts';
import type { Feed } from '../feeds/feed.ts';
import type { Logger } from '../market/logger.ts';
import type { ReferenceBook } from '../market/reference-book.ts';
import type { MarketDataSource } from '../market/source.ts';
import type { Timers } from '../market/timers.ts';
import { SingleWriter } from './single-writer.ts';

export type IngestOptions = {
  /** Owned: started and closed by ingest. */
  readonly feed: Feed;
  /** Not owned: it is left open. */
  readonly bus: Bus;
  /** What it writes with: that of its lease. Default: the bus itself, for one that is alone. */
  readonly writer?: BusWriter;
  /** For snapshots, the market's status and its holidays. */
  readonly source: MarketDataSource;
  /** What a trade's conditions let it set. Default: the built-in table. */
  readonly reference?: ReferenceBook;
  /** Unix ms. */
  readonly clock: () => number;
  readonly timers: Timers;
  readonly logger: Logger;
  /** A symbol's quote is published at most this often, in ms. Default 100; 0: at the end of every frame that changed it. */
  readonly quoteIntervalMs?: number;
  /** How long a symbol stays subscribed upstream after its last subscriber left, in ms. Default 10,000. */
  readonly demandLingerMs?: number;
  /** Symbols beyond it are not served; logged and counted. Default 15,000. */
  readonly maxSymbols?: number;
  /** Log entries that may wait while the bus is away. Default 200,000, about 64 MiB. */
  readonly maxWaitingEntries?: number;
  /** How far the upstream's REST history may lag behind its feed, in ms: what was missed is read after it. Default 1,000. */
  readonly historyLagMs?: number;
  /** Kept subscribed whatever is wanted, so that their latest values are always at hand. */
  readonly indices: readonly string[];
};

/** The single writer: it owns the feed, folds its events into quotes, numbers the log, publishes both on the bus. */
export interface Ingest {
  /**
   * Starts the feed and follows the demand. Resolves after the first look at upstream and bus; where one is away, after two
   * seconds at most: ingest goes on trying in the background. Never rejects.
   */
  start(): Promise<void>;
  /** Figures for /stats and /metrics: events by kind, what was published, appended, conflated, dropped by cause, what waits. */
  readStats(): Readonly<Record<string, number>>;
  /** Closes the feed, writes what is left (within 1 s), and stops. Calling it twice is harmless. */
  close(): Promise<void>;
}

export function createIngest(options: IngestOptions): Ingest {
  return new SingleWriter(options);
}
