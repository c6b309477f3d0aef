import type { Client } from 'urql';
import type { BarInterval } from '../../gql/graphql.ts';
import { readGap } from '../../graphql/resumption.ts';
import type { LiveQuote } from '../market/quotes.ts';
import { BarHistory, type Piece, toCandle } from './bar-history.ts';
import { BarSeries } from './bar-series.ts';
import { describeFailure } from './failure-words.ts';
import { LiveBars } from './operations.ts';

export type BarFeedState = {
  /** Until the first piece of the past was read. */
  readonly isLoading: boolean;
  readonly isLoadingOlder: boolean;
  /** Why a part of the past is missing; `null`: it is not. To be read again by {@link BarFeed.open}. */
  readonly pastFailure: string | null;
  /** Why nothing comes live; `null`: it does. That is tried again by itself. */
  readonly liveFailure: string | null;
};

/** What failed, or gave nothing new, is not asked for again before. */
const RETRY_MS = 5000;

export type BarFeedOptions = {
  readonly client: Client;
  readonly symbol: string;
  readonly interval: BarInterval;
  /** Unix ms. */
  readonly now: () => number;
  /** Something is to be drawn, or the state changed. May be called at a high rate. */
  readonly onChange: () => void;
};

/**
 * Fills a series of candles: with the past, backwards as far as somebody looks; with the bars of the log, of seconds and
 * minutes; with quotes, which form what is not over. Whatever the log could not give is read from the history again.
 */
export class BarFeed {
  readonly series: BarSeries;
  readonly #options: BarFeedOptions;
  readonly #history: BarHistory;
  #state: BarFeedState = { isLoading: true, isLoadingOlder: false, pastFailure: null, liveFailure: null };
  #stopLive: (() => void) | null = null;
  #isClosed = false;
  #hasReachedFirst = false;
  /** Whether bars may be missing between the newest one and the next live one. */
  #isBehind = true;
  #isMending = false;
  #mendedAt = Number.NEGATIVE_INFINITY;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(options: BarFeedOptions) {
    const { client, symbol, interval, now } = options;
    this.#options = options;
    this.series = new BarSeries(interval);
    this.#history = new BarHistory(client, symbol, interval, now);
  }

  get state(): BarFeedState {
    return this.#state;
  }

  /** Begins, or begins anew after a failure. */
  async open(): Promise<void> {
    this.#listen();
    this.#set({ isLoading: true });
    this.#take(await this.#history.readNewest());
    this.#set({ isLoading: false });
  }

  close(): void {
    this.#isClosed = true;
    this.#stopLive?.();
  }

  /** Reads what is before the oldest candle, if there is anything. */
  async loadOlder(): Promise<void> {
    const { first } = this.series;
    if (first === null || this.#hasReachedFirst || this.#state.isLoadingOlder || this.#isClosed) return;
    if (this.#options.now() - this.#failedAt < RETRY_MS) return;
    this.#set({ isLoadingOlder: true });
    const piece = await this.#history.readBefore(first.start);
    if (piece.error === null && piece.isFirst) this.#hasReachedFirst = true;
    this.#take(piece);
    this.#set({ isLoadingOlder: false });
  }

  readonly takeQuote = (quote: LiveQuote): void => {
    // A stale one tells of no trade of now, and an index has no volume by which to see one.
    if (quote.stale) return;
    const { price, volume, open, high, low, timestamp } = quote;
    const isKnown = this.series.form({
      time: Date.parse(timestamp),
      price,
      dayVolume: volume,
      dayOpen: open,
      dayHigh: high,
      dayLow: low,
    });
    this.#options.onChange();
    if (!isKnown && this.#options.now() - this.#mendedAt > RETRY_MS) void this.mend();
  };

  /** Reads again from the newest candle on: what was traded while nothing was heard. */
  async mend(): Promise<void> {
    const { last } = this.series;
    if (last === null || this.#isMending || this.#isClosed) return;
    this.#isMending = true;
    this.#mendedAt = this.#options.now();
    this.#take(await this.#history.readSince(last.start));
    this.#isMending = false;
  }

  #listen(): void {
    const { client, symbol, interval, onChange } = this.#options;
    if (this.#stopLive !== null || interval === 'HOUR' || interval === 'DAY') return;
    const live = client.subscription(LiveBars, { symbols: [symbol], interval }).subscribe((result) => {
      const { data, error } = result;
      if (data?.bars !== undefined) {
        const candle = toCandle(data.bars);
        const last = this.series.last;
        if (readGap(result) !== null || data.bars.gapBefore) this.#isBehind = true;
        if (this.#isBehind && last !== null && candle.start > last.end) void this.mend();
        this.series.put(candle, 'final');
        this.#isBehind = false;
        onChange();
      }
      this.#set({ liveFailure: error === undefined ? null : describeFailure(error) });
    });
    this.#stopLive = () => live.unsubscribe();
  }

  #take(piece: Piece): void {
    if (this.#isClosed) return;
    if (piece.error === null) this.series.putAll(piece.candles, 'past');
    else this.#failedAt = this.#options.now();
    this.#set({ pastFailure: piece.error === null ? null : describeFailure(piece.error) });
    this.#options.onChange();
  }

  #set(change: Partial<BarFeedState>): void {
    if (this.#isClosed) return;
    const next = { ...this.#state, ...change };
    if (
      next.isLoading === this.#state.isLoading &&
      next.isLoadingOlder === this.#state.isLoadingOlder &&
      next.pastFailure === this.#state.pastFailure &&
      next.liveFailure === this.#state.liveFailure
    )
      return;
    this.#state = next;
    this.#options.onChange();
  }
}
