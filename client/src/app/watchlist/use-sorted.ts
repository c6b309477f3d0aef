import { useEffect, useRef, useState } from 'react';
import { useQuoteStore } from '../tape-client.tsx';
import type { List } from './list.ts';
import { sortSymbols } from './sort.ts';

/** Rows that change places are hard to read: they do it together, and not under the reader's pointer. */
const SORT_INTERVAL_MS = 2000;

/** The symbols in the order in which they are shown, which follows the market where the sort does. */
export function useSorted(list: List): {
  readonly symbols: readonly string[];
  readonly hold: (isHeld: boolean) => void;
} {
  const quotes = useQuoteStore();
  const [sorted, setSorted] = useState(() => ({ list, symbols: sortSymbols(list.symbols, list.sort, quotes.read) }));
  const isHeld = useRef(false);
  const [hold] = useState(() => (held: boolean) => void (isHeld.current = held));

  // What the reader himself changed is shown at once.
  let { symbols } = sorted;
  if (sorted.list !== list) {
    symbols = sortSymbols(list.symbols, list.sort, quotes.read);
    setSorted({ list, symbols });
  }

  useEffect(() => {
    if (list.sort === null || list.sort.key === 'symbol') return;
    const sortAgain = (): void => {
      if (isHeld.current || document.hidden) return;
      setSorted((current) => {
        const next = sortSymbols(list.symbols, list.sort, quotes.read);
        const isSame = current.list === list && next.every((symbol, index) => symbol === current.symbols[index]);
        return isSame ? current : { list, symbols: next };
      });
    };
    const timer = setInterval(sortAgain, SORT_INTERVAL_MS);
    return () => clearInterval(timer);
  }, [list, quotes]);

  return { symbols, hold };
}
