import type { LiveBar } from '../market/bar.ts';
import type { BestBidOffer, IndexValue } from '../market/quote.ts';
import type { FeedName, FeedStatus } from '../market/service-status.ts';
import type { Trade } from '../market/trade.ts';

/** What a provider sends, in the vocabulary of market/. */
export type FeedEvent = Trade | BestBidOffer | LiveBar | IndexValue;

export type FeedListener = {
  /** The events of one frame, in the order of the wire. Called from the socket's read: it must not throw and must not block. */
  onEvents(events: readonly FeedEvent[]): void;
  /** Every change of the connection. After a loss (`connected: false`) events are missing until `connected: true`. */
  onStatus(status: FeedStatus): void;
  /**
   * Every change of whether prints and bars of stocks come without loss, whatever else the feed has: `false` from a loss on,
   * `true` once all symbols are subscribed to again. What comes between the two is the first after the loss. `false` before the
   * first.
   */
  onPrintFlow(isWhole: boolean): void;
  /** The same of the indices: whether their values and bars come without loss. */
  onIndexFlow(isWhole: boolean): void;
};

/** What a provider must be: one live source of ticks, owned by the single ingest process. */
export interface Feed {
  readonly name: FeedName;
  /** Begins to connect, and stays connected until closed. Returns at once; `listener` tells the rest. */
  start(listener: FeedListener): void;
  /** All topics of these symbols (trades, quotes, bars; values of an index). Remembered over reconnects; known ones are ignored. */
  subscribe(symbols: readonly string[]): void;
  unsubscribe(symbols: readonly string[]): void;
  /** Figures for /stats and /metrics: frames, events, dropped elements by cause, reconnects, unconfirmed topics. */
  readStats(): Readonly<Record<string, number>>;
  /** Closes the connection in order (close frame first), within 1 s. */
  close(): Promise<void>;
}
