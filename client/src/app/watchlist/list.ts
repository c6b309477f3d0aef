import { useCallback, useState } from 'react';
import { recall, remember } from '../remembered.ts';
import { readSymbol } from '../shell/route.ts';
import { parseSort, type Sort } from './sort.ts';

/** What is watched, in the reader's own order, and how it is shown. */
export type List = { readonly symbols: readonly string[]; readonly sort: Sort | null };

const MEMORY = { name: 'watchlist', version: 1 } as const;
/** More than any reader follows, and less than a browser's storage takes. */
export const MAX_LENGTH = 5000;

/** Funds of the whole market first, then what is traded most. */
const FIRST_LIST: List = {
  symbols: [
    ...['SPY', 'QQQ', 'IWM', 'DIA', 'AAPL', 'MSFT', 'NVDA', 'AMZN', 'GOOGL', 'META', 'TSLA', 'AVGO', 'AMD', 'INTC'],
    ...['PLTR', 'JPM', 'BAC', 'V', 'WMT', 'COST', 'KO', 'XOM', 'JNJ', 'UNH', 'NFLX', 'DIS', 'BA', 'F'],
  ],
  sort: null,
};

export function useList(): {
  readonly list: List;
  /** At the top, where it is seen. */
  readonly add: (symbol: string) => void;
  readonly remove: (symbol: string) => void;
  /** Back to where it was. */
  readonly restore: (symbol: string, index: number) => void;
  readonly setSort: (sort: Sort | null) => void;
} {
  const [list, setList] = useState<List>(() => recall(MEMORY, parseList) ?? FIRST_LIST);
  const change = useCallback((next: (list: List) => List) => {
    setList((current) => {
      const changed = next(current);
      if (changed !== current) remember(MEMORY, changed);
      return changed;
    });
  }, []);
  return {
    list,
    add: useCallback((symbol) => change((current) => insert(current, symbol, 0)), [change]),
    remove: useCallback(
      (symbol) => change((current) => ({ ...current, symbols: current.symbols.filter((other) => other !== symbol) })),
      [change],
    ),
    restore: useCallback((symbol, index) => change((current) => insert(current, symbol, index)), [change]),
    setSort: useCallback((sort) => change((current) => ({ ...current, sort })), [change]),
  };
}

function insert(list: List, symbol: string, index: number): List {
  if (list.symbols.includes(symbol) || list.symbols.length >= MAX_LENGTH) return list;
  return { ...list, symbols: list.symbols.toSpliced(index, 0, symbol) };
}

/** `null` for what was not kept by this page, or not as it does it now. */
export function parseList(value: unknown): List | null {
  if (typeof value !== 'object' || value === null || !('symbols' in value) || !Array.isArray(value.symbols))
    return null;
  const symbols = value.symbols.flatMap((item: unknown) => (typeof item === 'string' ? (readSymbol(item) ?? []) : []));
  return {
    symbols: [...new Set(symbols)].slice(0, MAX_LENGTH),
    sort: 'sort' in value ? parseSort(value.sort) : null,
  };
}
