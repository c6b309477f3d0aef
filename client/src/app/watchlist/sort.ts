import type { LiveQuote } from '../market/quotes.ts';

export const SORT_KEYS = ['symbol', 'price', 'change', 'volume'] as const;
export type SortKey = (typeof SORT_KEYS)[number];
export type Sort = { readonly key: SortKey; readonly descending: boolean };

/** First the order that is wanted most of a column, then the other, then the reader's own again. */
export function nextSort(sort: Sort | null, key: SortKey): Sort | null {
  const first = { key, descending: key !== 'symbol' };
  if (sort?.key !== key) return first;
  return sort.descending === first.descending ? { key, descending: !first.descending } : null;
}

/** What is not known stands last, either way; what is equal stays in the order in which it came. */
export function sortSymbols(
  symbols: readonly string[],
  sort: Sort | null,
  readQuote: (symbol: string) => LiveQuote | undefined,
): readonly string[] {
  if (sort === null) return symbols;
  const sign = sort.descending ? -1 : 1;
  if (sort.key === 'symbol') return symbols.toSorted((a, b) => (a < b ? -sign : a > b ? sign : 0));
  const key = sort.key;
  const values = new Map(symbols.map((symbol) => [symbol, readValue(readQuote(symbol), key)]));
  return symbols.toSorted((a, b) => {
    const first = values.get(a) ?? null;
    const second = values.get(b) ?? null;
    if (first === null || second === null) return Number(first === null) - Number(second === null);
    return sign * (first - second);
  });
}

function readValue(quote: LiveQuote | undefined, key: Exclude<SortKey, 'symbol'>): number | null {
  if (quote === undefined) return null;
  return key === 'price' ? quote.price : key === 'change' ? (quote.changePercent ?? null) : quote.volume;
}

export function parseSort(value: unknown): Sort | null {
  if (typeof value !== 'object' || value === null || !('key' in value) || !('descending' in value)) return null;
  const key = SORT_KEYS.find((known) => known === value.key);
  return key === undefined ? null : { key, descending: value.descending === true };
}
