import type { Client, CombinedError } from 'urql';
import type { BarInterval, CandleFragment } from '../../gql/graphql.ts';
import { type Candle, INTERVAL_MS } from './bar-series.ts';
import { PastBars } from './operations.ts';

const DAY_MS = 86_400_000;

/** The longest list that the server gives. A piece of the past has no more windows than that, so that none is cut short. */
const MAX_WINDOWS = 5000;

/** Windows of a first piece: more than a wide chart shows. */
const FIRST_WINDOWS: Record<BarInterval, number> = { SECOND: 900, MINUTE: 720, HOUR: 480, DAY: 400 };

/** Where a closed market leaves a piece empty, the last longer bar says where there are shorter ones. Each has few of the former. */
const LONGER: Record<BarInterval, BarInterval | null> = { SECOND: 'HOUR', MINUTE: 'HOUR', HOUR: 'DAY', DAY: null };

export type Piece =
  | { readonly candles: readonly Candle[]; readonly isFirst: boolean; readonly error: null }
  | { readonly error: CombinedError };

/** The past of a symbol's bars, read backwards in pieces. */
export class BarHistory {
  readonly #client: Client;
  readonly #symbol: string;
  readonly #interval: BarInterval;
  readonly #now: () => number;

  constructor(client: Client, symbol: string, interval: BarInterval, now: () => number) {
    this.#client = client;
    this.#symbol = symbol;
    this.#interval = interval;
    this.#now = now;
  }

  /** The newest bars there are. */
  readNewest(): Promise<Piece> {
    return this.#readBackwards(this.#interval, null);
  }

  /** The bars just before `start`. `isFirst`: there are none before those. */
  readBefore(start: number): Promise<Piece> {
    return this.#readBackwards(this.#interval, start);
  }

  /** All bars from `start` on, as far as one answer goes. */
  readSince(start: number): Promise<Piece> {
    const furthest = this.#now() - lengthOf(this.#interval) * (MAX_WINDOWS - 1);
    return this.#read(this.#interval, Math.max(start, furthest), null);
  }

  /** `end`: `null` for now. */
  async #readBackwards(interval: BarInterval, end: number | null): Promise<Piece> {
    const length = lengthOf(interval);
    const from = Math.floor((end ?? this.#now()) / length) * length - FIRST_WINDOWS[interval] * length;
    const piece = await this.#read(interval, from, end);
    if (piece.error !== null || piece.candles.length > 0) return piece;
    const longer = LONGER[interval];
    if (longer === null) return NOTHING;
    const before = await this.#readBackwards(longer, from);
    if (before.error !== null) return before;
    const last = before.candles.at(-1);
    if (last === undefined) return NOTHING;
    const within = await this.#read(interval, last.start, Math.min(last.end, from));
    return within.error === null && within.candles.length === 0 ? NOTHING : within;
  }

  async #read(interval: BarInterval, from: number, to: number | null): Promise<Piece> {
    const { data, error } = await this.#client
      .query(PastBars, {
        symbol: this.#symbol,
        interval,
        from: new Date(from).toISOString(),
        to: to === null ? null : new Date(to).toISOString(),
        first: MAX_WINDOWS,
      })
      .toPromise();
    // An answer that is an error alone has `data: null`.
    if (data != null) return { candles: data.bars.map(toCandle), isFirst: false, error: null };
    return { error: error! };
  }
}

const NOTHING: Piece = { candles: [], isFirst: true, error: null };

function lengthOf(interval: BarInterval): number {
  return interval === 'DAY' ? DAY_MS : INTERVAL_MS[interval];
}

export function toCandle({ start, end, open, high, low, close, volume }: CandleFragment): Candle {
  return { start: Date.parse(start), end: Date.parse(end), open, high, low, close, volume };
}
