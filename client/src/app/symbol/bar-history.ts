import type { Client, CombinedError } from 'urql';
import type { BarInterval, CandleFragment } from '../../gql/graphql.ts';
import { type Candle, INTERVAL_MS } from './bar-series.ts';
import { PastBars } from './operations.ts';

const DAY_MS = 86_400_000;

/** The longest list that the server gives. A piece of the past has no more windows than that, so that none is cut short. */
const MAX_WINDOWS = 5000;

/** Windows of a first piece: more than a wide chart shows. */
const FIRST_WINDOWS: Record<BarInterval, number> = { SECOND: 900, MINUTE: 720, HOUR: 480, DAY: 400 };

/** A closed market has no bars: so many pieces without any, each longer than the one before, and there are none before. */
const MAX_EMPTY_PIECES = 4;

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
    return this.#readBackwards(null);
  }

  /** The bars just before `start`. `isFirst`: there are none before those. */
  readBefore(start: number): Promise<Piece> {
    return this.#readBackwards(start);
  }

  /** All bars from `start` on, as far as one answer goes. */
  readSince(start: number): Promise<Piece> {
    return this.#read(Math.max(start, this.#now() - this.#length * (MAX_WINDOWS - 1)), null);
  }

  async #readBackwards(end: number | null): Promise<Piece> {
    const length = this.#length;
    let windows = FIRST_WINDOWS[this.#interval];
    let to = end;
    for (let empty = 0; empty < MAX_EMPTY_PIECES; empty++) {
      const from = Math.floor((to ?? this.#now()) / length) * length - windows * length;
      const piece = await this.#read(from, to);
      if (piece.error !== null || piece.candles.length > 0) return piece;
      to = from;
      windows = Math.min(MAX_WINDOWS, windows * 4);
    }
    return { candles: [], isFirst: true, error: null };
  }

  async #read(from: number, to: number | null): Promise<Piece> {
    const { data, error } = await this.#client
      .query(PastBars, {
        symbol: this.#symbol,
        interval: this.#interval,
        from: new Date(from).toISOString(),
        to: to === null ? null : new Date(to).toISOString(),
        first: MAX_WINDOWS,
      })
      .toPromise();
    // An answer that is an error alone has `data: null`.
    if (data != null) return { candles: data.bars.map(toCandle), isFirst: false, error: null };
    return { error: error! };
  }

  get #length(): number {
    return this.#interval === 'DAY' ? DAY_MS : INTERVAL_MS[this.#interval];
  }
}

export function toCandle({ start, end, open, high, low, close, volume }: CandleFragment): Candle {
  return { start: Date.parse(start), end: Date.parse(end), open, high, low, close, volume };
}
