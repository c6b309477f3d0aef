import { useCallback, useSyncExternalStore } from 'react';
import { useQuoteStore } from '../tape-client.tsx';
import type { LiveQuote } from './quote-store.ts';

export type { LiveQuote } from './quote-store.ts';

/** The newest quote of a symbol; `undefined` before its first one. Wants it as long as the component stands. */
export function useQuote(symbol: string): LiveQuote | undefined {
  const quotes = useQuoteStore();
  const watch = useCallback((listener: () => void) => quotes.watch(symbol, listener), [quotes, symbol]);
  return useSyncExternalStore(watch, () => quotes.read(symbol));
}
