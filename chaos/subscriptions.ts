import type { ReceivedEntry, TapedEntry } from './checker.ts';

/** The logs that are watched. */
export type LogName = 'trades' | 'bars';

/** A kind of log in the words of the schema: what is asked for, and what of it is held against the tape. */
export type Subscription = {
  /** `head`: further variables; `argument`: further arguments; `more`: further fields. */
  readonly write: (parts: { readonly head: string; readonly argument: string; readonly more: string }) => string;
  readonly read: (data: Readonly<Record<string, unknown>>) => ReceivedEntry;
};

type PrintData = { id: string; symbol: string; sequence: number; gapBefore: boolean; price: number; size: number };
type BarData = { symbol: string; start: string; gapBefore: boolean } & BarValues;
type BarValues = { open: number; high: number; low: number; close: number; volume: number; vwap: number | null };

export const SUBSCRIPTIONS: Readonly<Record<LogName, Subscription>> = {
  trades: {
    write: ({ head, argument, more }) => `subscription ($symbols: [Symbol!]!${head}) {
  trades(symbols: $symbols${argument}) { id symbol sequence gapBefore price size ${more} }
}`,
    read: (data) => {
      const { id, symbol, sequence, gapBefore, price, size } = data['trades'] as PrintData;
      return { symbol, sequence, gapBefore, ...printOf(id, price, size) };
    },
  },
  bars: {
    write: ({ head, argument, more }) => `subscription ($symbols: [Symbol!]!${head}) {
  bars(symbols: $symbols, interval: SECOND${argument}) { symbol start gapBefore open high low close volume vwap ${more} }
}`,
    read: (data) => {
      const { symbol, start, gapBefore, ...values } = data['bars'] as BarData;
      return { symbol, sequence: null, gapBefore, ...barOf(Date.parse(start), values) };
    },
  },
};

/** `id` as `Trade.id` has it. */
export function printOf(id: string, price: number, size: number): TapedEntry {
  return { id, content: `${size} at ${price}` };
}

/** A bar is known by when it starts (Unix ms). */
export function barOf(start: number, { open, high, low, close, volume, vwap }: BarValues): TapedEntry {
  return { id: new Date(start).toISOString(), content: `${[open, high, low, close].join('/')} ${volume} at ${vwap}` };
}
