import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { goTo, hrefOfSymbol } from '../shell/route.ts';
import { useQuoteStore } from '../tape-client.tsx';
import { useList } from './list.ts';
import { RowGrid } from './row-grid.tsx';
import { nextSort, type SortKey } from './sort.ts';
import { SymbolSearch } from './symbol-search.tsx';
import { useSorted } from './use-sorted.ts';
import './watchlist.css';

/** How long a symbol that was removed can be had back at one click: 20 s, for those who need time (WCAG 2.2, 2.2.1). */
const UNDO_MS = 20_000;

/** `chosen`: the symbol that is shown beside the list, if one is. */
export function Watchlist({ chosen }: { readonly chosen: string | null }) {
  const { list, add, remove, restore, setSort } = useList();
  const { symbols, hold } = useSorted(list);
  const quotes = useQuoteStore();
  const failure = useSyncExternalStore(quotes.watchFailure, quotes.readFailure);
  const [isEditing, setIsEditing] = useState(false);
  const [removed, setRemoved] = useState<{ readonly symbol: string; readonly index: number } | null>(null);

  // All of them are wanted, on the screen or not: they may be sorted by any figure.
  useEffect(() => quotes.watchMany(list.symbols, ignore), [quotes, list.symbols]);
  useEffect(() => {
    if (removed === null) return;
    const timer = setTimeout(() => setRemoved(null), UNDO_MS);
    return () => clearTimeout(timer);
  }, [removed]);

  const onRemove = useCallback(
    (symbol: string) => {
      setRemoved({ symbol, index: list.symbols.indexOf(symbol) });
      remove(symbol);
    },
    [list.symbols, remove],
  );
  const onSort = useCallback((key: SortKey) => setSort(nextSort(list.sort, key)), [list.sort, setSort]);
  const held = useMemo(() => new Set(list.symbols), [list.symbols]);

  return (
    <section className="watchlist" aria-label="Watchlist">
      <div className="watch-head">
        <h2 className="visually-hidden">Watchlist</h2>
        <SymbolSearch
          held={held}
          onPick={(symbol) => {
            add(symbol);
            goTo(hrefOfSymbol(symbol));
          }}
        />
        <button
          type="button"
          className="watch-edit"
          aria-pressed={isEditing}
          disabled={list.symbols.length === 0}
          onClick={() => setIsEditing(!isEditing)}
        >
          {isEditing ? 'Done' : 'Edit'}
        </button>
      </div>
      {failure === null ? null : (
        <p className="watch-failure" role="alert">
          Quotes are not to be had: {failure}
        </p>
      )}
      {list.symbols.length === 0 ? (
        <EmptyList />
      ) : (
        <RowGrid
          symbols={symbols}
          chosen={chosen}
          sort={list.sort}
          isEditing={isEditing}
          onSort={onSort}
          onChoose={choose}
          onRemove={onRemove}
          onHold={hold}
        />
      )}
      <div role="status" className="watch-undo-place">
        {removed === null ? null : (
          <p className="watch-undo">
            {removed.symbol} removed
            <button
              type="button"
              onClick={() => {
                restore(removed.symbol, removed.index);
                setRemoved(null);
              }}
            >
              Undo
            </button>
          </p>
        )}
      </div>
    </section>
  );
}

function EmptyList() {
  return (
    <div className="watch-empty">
      <p>
        <strong>Nothing is watched yet.</strong>
      </p>
      <p>Search for a symbol or a company above, and its price moves here.</p>
    </div>
  );
}

function choose(symbol: string): void {
  goTo(hrefOfSymbol(symbol));
}

function ignore(): void {
  // Each row renders by its own symbol.
}
