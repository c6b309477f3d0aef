import { useEffect, useMemo, useSyncExternalStore } from 'react';
import { recall, remember } from '../remembered.ts';

/** Where the reader is: the page's address after `#`. */
export type Route =
  | { readonly view: 'watchlist' }
  | { readonly view: 'symbol'; readonly symbol: string }
  | { readonly view: 'portfolio' };

/** What the API takes for a symbol. */
const SYMBOL = /^[A-Z0-9.\-:/]{1,32}$/;

export function parseRoute(hash: string): Route {
  const [, view = '', name = ''] = /^#\/([a-z]*)(?:\/(.*))?$/.exec(hash) ?? [];
  if (view === 'portfolio') return { view };
  if (view === 'symbol') {
    const symbol = readSymbol(decode(name));
    if (symbol !== null) return { view, symbol };
  }
  return { view: 'watchlist' };
}

/** A symbol as the API writes it, of what a reader typed; `null` where it is none. */
export function readSymbol(text: string): string | null {
  const symbol = text.trim().toUpperCase();
  return SYMBOL.test(symbol) ? symbol : null;
}

export function hrefOfSymbol(symbol: string): string {
  return `#/symbol/${encodeURIComponent(symbol)}`;
}

export function goTo(href: string): void {
  location.hash = href;
}

const MEMORY = { name: 'view', version: 1 } as const;

/** Where the reader was last, if the address names nowhere: before the page is rendered. */
export function restoreRoute(): void {
  if (location.hash !== '') return;
  const last = recall(MEMORY, (value) => (typeof value === 'string' && value.startsWith('#/') ? value : null));
  if (last !== null) history.replaceState(null, '', last);
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(watchHash, () => location.hash);
  useEffect(() => {
    if (hash !== '') remember(MEMORY, hash);
  }, [hash]);
  return useMemo(() => parseRoute(hash), [hash]);
}

function watchHash(listener: () => void): () => void {
  addEventListener('hashchange', listener);
  return () => removeEventListener('hashchange', listener);
}

/** A percent sign that a reader typed is no code. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
