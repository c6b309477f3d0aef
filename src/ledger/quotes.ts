import type { Quote } from '../market/quote.ts';

/** A quote as the ledger takes it: `stale` where its source is unreachable or silent. */
export type LedgerQuote = Quote & { readonly stale: boolean };

/**
 * Calls `onQuote` with the current quote of a symbol, as soon as it is known, and with each newer one. Returns the function that
 * ends it, after which nothing comes any more.
 */
export type FollowQuotes = (symbol: string, onQuote: (quote: LedgerQuote) => void) => () => void;
