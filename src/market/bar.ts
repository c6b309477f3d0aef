import type { LogPosition } from './log.ts';

export type BarInterval = 'SECOND' | 'MINUTE' | 'HOUR' | 'DAY';

/** Those that arrive live; HOUR and DAY are for queries only. */
export type LiveBarInterval = 'SECOND' | 'MINUTE';

/** Milliseconds from `start` to `end`. */
export const LIVE_BAR_MS: Readonly<Record<LiveBarInterval, number>> = { SECOND: 1_000, MINUTE: 60_000 };

/** Open, high, low and close of one window `[start, end)`; times in Unix milliseconds, volume in shares. */
export type Bar = {
  readonly symbol: string;
  readonly interval: BarInterval;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  /** 0 for an index. */
  readonly volume: number;
  readonly vwap: number | null;
  readonly start: number;
  readonly end: number;
};

/** A bar as it arrives live. The upstream may send the same window again: the later one replaces the earlier. */
export type LiveBar = Bar & {
  readonly kind: 'bar';
  readonly interval: LiveBarInterval;
  /** Today's official opening price. */
  readonly dayOpen: number | null;
  /** Shares traded today up to `end`. */
  readonly dayVolume: number | null;
  /** Today's volume-weighted average price up to `end`. */
  readonly dayVwap: number | null;
  readonly receivedAt: number;
};

/** A bar with its place in the log, given by the single writer. */
export type LoggedBar = LiveBar &
  LogPosition & {
    /** Per symbol and interval, contiguous, from 1: a hole means that this reader missed a bar. */
    readonly sequence: number;
    /** Bars of this symbol and interval may be missing just before: the upstream, or the bus, was away for too long. */
    readonly gapBefore: boolean;
  };
