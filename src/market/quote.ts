/**
 * The level-1 state of one symbol. Each one is whole, so a newer one replaces an older one.
 * Prices are in the symbol's currency per share (points for an index), sizes and volume in shares,
 * times in Unix milliseconds. `null`: the upstream has not told, or the market has not yet made it.
 */
export type Quote = {
  readonly symbol: string;
  /** The last trade that may set the last price; the index value for an index. */
  readonly price: number;
  /** `price - previousClose`. */
  readonly change: number | null;
  /** `change / previousClose × 100`. */
  readonly changePercent: number | null;
  readonly bid: number | null;
  readonly bidSize: number | null;
  readonly ask: number | null;
  readonly askSize: number | null;
  readonly open: number | null;
  readonly high: number | null;
  readonly low: number | null;
  readonly previousClose: number | null;
  /** Today's volume-weighted average price. */
  readonly vwap: number | null;
  /** Shares traded today; 0 for an index. */
  readonly volume: number;
  /** The exchange's time of the newest part. */
  readonly timestamp: number;
  /** When ingest (or a REST read) got the newest part. */
  readonly receivedAt: number;
};

/** The best bid and offer of all exchanges; `null` where a side has no quote. A locked or crossed one is kept as it is. */
export type BestBidOffer = {
  readonly kind: 'bbo';
  readonly symbol: string;
  readonly bid: number | null;
  /** Shares. */
  readonly bidSize: number | null;
  readonly ask: number | null;
  readonly askSize: number | null;
  readonly timestamp: number;
  readonly receivedAt: number;
};

/** The value of an index. */
export type IndexValue = {
  readonly kind: 'index-value';
  readonly symbol: string;
  readonly value: number;
  readonly timestamp: number;
  readonly receivedAt: number;
};

/** `change` and `changePercent` against a previous close, which may be unknown. */
export function changeSince(price: number, previousClose: number | null): Pick<Quote, 'change' | 'changePercent'> {
  if (previousClose === null || previousClose === 0) return { change: null, changePercent: null };
  // Prices are doubles of at most a few decimals: cut the binary noise that a subtraction lays bare (0.30000000000000426).
  const change = round(price - previousClose, 6);
  return { change, changePercent: round((change / previousClose) * 100, 6) };
}

function round(value: number, decimals: number): number {
  const scale = 10 ** decimals;
  return Math.round(value * scale) / scale;
}
