import { type PointerEvent, type RefObject, useEffect, useLayoutEffect, useState } from 'react';
import { useLayout } from '../shell/layout.ts';
import type { TapeLog } from './tape-log.ts';
import { TapeRowView } from './tape-row.tsx';
import './tape-list.css';

/** Rows kept ready beyond either edge. */
const OVERSCAN = 6;
const ROW_HEIGHT = { desk: 22, phone: 30 };

/**
 * The rows that are in view, newest first. Each stands at a place of its own, by its index, and what moves as new ones come is
 * the sheet on which all of them stand: a row is drawn once, whatever the rate.
 */
export function TapeList({
  log,
  end,
  scroller,
  onHover,
  onScrolled,
}: {
  readonly log: TapeLog;
  /** The index behind the newest row to be shown. */
  readonly end: number;
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly onHover: (isHovered: boolean) => void;
  readonly onScrolled: (isScrolled: boolean) => void;
}) {
  const height = useHeight(scroller);
  const [top, setTop] = useState(0);
  const rowHeight = ROW_HEIGHT[useLayout() === 'phone' ? 'phone' : 'desk'];
  const newest = end - 1 - Math.max(0, Math.floor(top / rowHeight) - OVERSCAN);
  const oldest = Math.max(log.first, end - 1 - Math.ceil((top + height) / rowHeight) - OVERSCAN);
  // Places count from where the log stood when it was first shown: they stay small, and what lies above is negative.
  const [origin] = useState(end);

  const rows = [];
  for (let index = newest; index >= oldest; index--) {
    const row = log.rowAt(index);
    if (row !== null) rows.push(<TapeRowView key={row.key} row={row} top={(origin - index) * rowHeight} />);
  }

  const onPointer = (isOver: boolean) => (event: PointerEvent) => {
    // A finger does not hover: it scrolls, and that is told of by itself.
    if (event.pointerType === 'mouse') onHover(isOver);
  };

  return (
    <div className="tape-table" role="table" aria-label="Prints, newest first">
      <div role="rowgroup" className="tape-head">
        <div role="row" className="tape-columns">
          <span role="columnheader">Time</span>
          <span role="columnheader" className="tape-right">
            Price
          </span>
          <span role="columnheader" className="tape-right">
            Size
          </span>
          <span role="columnheader">Venue</span>
          <span role="columnheader">
            <span className="visually-hidden">Marks</span>
          </span>
        </div>
      </div>
      <div
        role="rowgroup"
        className="tape-scroller"
        ref={scroller}
        tabIndex={0}
        onScroll={({ currentTarget }) => {
          setTop(currentTarget.scrollTop);
          onScrolled(currentTarget.scrollTop > 2);
        }}
        onPointerEnter={onPointer(true)}
        onPointerLeave={onPointer(false)}
        data-testid="tape"
      >
        <div className="tape-sheet" style={{ height: (end - log.first) * rowHeight }}>
          <div className="tape-rows" style={{ transform: `translateY(${(end - 1 - origin) * rowHeight}px)` }}>
            {rows}
          </div>
        </div>
      </div>
    </div>
  );
}

/** The element's inner height, as it changes. */
function useHeight(element: RefObject<HTMLElement | null>): number {
  const [height, setHeight] = useState(0);
  useLayoutEffect(() => setHeight(element.current?.clientHeight ?? 0), [element]);
  useEffect(() => {
    if (element.current === null) return;
    const observer = new ResizeObserver(([entry]) => setHeight(entry?.contentRect.height ?? 0));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return height;
}
