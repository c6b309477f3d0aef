import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useCallback, useEffect, useRef, useState } from 'react';
import { useLayout } from '../shell/layout.ts';
import { Row, toRowId } from './row.tsx';
import { SORT_KEYS, type Sort, type SortKey } from './sort.ts';

export type RowGridProps = {
  readonly symbols: readonly string[];
  readonly chosen: string | null;
  readonly sort: Sort | null;
  readonly isEditing: boolean;
  readonly onSort: (key: SortKey) => void;
  readonly onChoose: (symbol: string) => void;
  readonly onRemove: (symbol: string) => void;
  /** The reader points at the rows: they are to stay where they are. */
  readonly onHold: (isHeld: boolean) => void;
};

const ROW_HEIGHT = { phone: 56, columns: 48, wide: 36 } as const;
const HEADS_HEIGHT = { phone: 32, columns: 24, wide: 24 } as const;
const LABELS: Readonly<Record<SortKey, string>> = {
  symbol: 'Symbol',
  price: 'Last',
  change: 'Change',
  volume: 'Volume',
};

/** A grid with one place in the order of tabs: arrows move within it, Enter shows the symbol, Delete removes it. */
export function RowGrid(props: RowGridProps) {
  const { symbols, chosen, sort, isEditing, onSort, onChoose, onRemove, onHold } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(chosen);
  const layout = useLayout();
  const rowHeight = ROW_HEIGHT[layout];
  // The same functions as long as they answer the same: for others all rows are measured anew, at each frame of a scroll.
  const estimateSize = useCallback(() => rowHeight, [rowHeight]);
  const getItemKey = useCallback((index: number) => symbols[index]!, [symbols]);
  const virtualizer = useVirtualizer({
    count: symbols.length,
    getScrollElement: () => scroller.current,
    estimateSize,
    getItemKey,
    overscan: 6,
    // The heads stay above the rows, within what scrolls: so much less of it is seen.
    scrollPaddingEnd: HEADS_HEIGHT[layout],
    useFlushSync: false,
  });
  useEffect(() => virtualizer.measure(), [virtualizer, rowHeight]);
  useEffect(() => setActive(chosen), [chosen]);

  const index = active === null ? -1 : symbols.indexOf(active);
  const moveTo = (next: number): void => {
    const bounded = Math.max(0, Math.min(symbols.length - 1, next));
    setActive(symbols[bounded]!);
    virtualizer.scrollToIndex(bounded, { align: 'auto' });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    // A button within has keys of its own.
    if (event.target !== event.currentTarget) return;
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 1);
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: index + 1,
      ArrowUp: index < 0 ? 0 : index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: symbols.length - 1,
    };
    const move = moves[event.key];
    if (move !== undefined) moveTo(move);
    else if (event.key === 'Enter' && index >= 0) onChoose(symbols[index]!);
    else if (event.key === 'Delete' && index >= 0) {
      onRemove(symbols[index]!);
      setActive(symbols[index + 1] ?? symbols[index - 1] ?? null);
    } else return;
    event.preventDefault();
  };

  const rows = virtualizer.getVirtualItems();
  const isActiveShown = rows.some((row) => row.index === index);
  return (
    <div
      ref={scroller}
      className={layout === 'wide' ? 'watch-grid' : 'watch-grid watch-grid-narrow'}
      role="grid"
      aria-label="Watchlist"
      aria-rowcount={symbols.length + 1}
      aria-activedescendant={isActiveShown && active !== null ? toRowId(active) : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onPointerEnter={(event) => onHold(event.pointerType === 'mouse')}
      onPointerLeave={() => onHold(false)}
    >
      <div role="rowgroup" className="watch-heads">
        <div role="row" aria-rowindex={1} className="watch-columns">
          <SortHeader name="symbol" sort={sort} onSort={onSort} />
          <span role="columnheader" className="watch-spark">
            <span className="visually-hidden">Trend</span>
          </span>
          {SORT_KEYS.slice(1, 3).map((name) => (
            <SortHeader key={name} name={name} sort={sort} onSort={onSort} />
          ))}
          <span role="columnheader" className="watch-book">
            Bid/Ask
          </span>
          <SortHeader name="volume" sort={sort} onSort={onSort} />
        </div>
      </div>
      <div role="rowgroup" className="watch-rows" style={{ height: virtualizer.getTotalSize() }}>
        {rows.map((row) => (
          <Row
            key={row.key}
            symbol={symbols[row.index]!}
            index={row.index}
            offset={row.start}
            isActive={row.index === index}
            isChosen={symbols[row.index] === chosen}
            isEditing={isEditing}
            onChoose={onChoose}
            onRemove={onRemove}
          />
        ))}
      </div>
    </div>
  );
}

function SortHeader({
  name,
  sort,
  onSort,
}: {
  readonly name: SortKey;
  readonly sort: Sort | null;
  readonly onSort: (key: SortKey) => void;
}) {
  const isSorted = sort?.key === name;
  return (
    <span
      role="columnheader"
      className={`watch-${name}`}
      aria-sort={isSorted ? (sort.descending ? 'descending' : 'ascending') : 'none'}
    >
      <button type="button" className="watch-sort" onClick={() => onSort(name)}>
        {LABELS[name]}
        <span aria-hidden="true" className="watch-sort-mark">
          {isSorted ? (sort.descending ? '↓' : '↑') : ''}
        </span>
      </button>
    </span>
  );
}
