import { memo, useEffect, useRef } from 'react';
import { Change } from '../format/change.tsx';
import { formatPrice } from '../format/price.ts';
import { formatQuantity, formatVolume } from '../format/quantity.ts';
import { useQuote } from '../market/quotes.ts';
import { flash } from '../theme/flash.ts';
import { Spark } from './spark.tsx';

export type RowProps = {
  readonly symbol: string;
  /** From the top of the list. */
  readonly index: number;
  readonly offset: number;
  /** The keyboard is on it. */
  readonly isActive: boolean;
  /** It is what the workspace shows. */
  readonly isChosen: boolean;
  readonly isEditing: boolean;
  readonly onChoose: (symbol: string) => void;
  readonly onRemove: (symbol: string) => void;
};

/** Renders when its own symbol changes, and for no other. */
export const Row = memo(function Row(props: RowProps) {
  const { symbol, index, offset, isActive, isChosen, isEditing, onChoose, onRemove } = props;
  const quote = useQuote(symbol);
  const price = quote?.price;
  const cell = useRef<HTMLSpanElement>(null);
  const shown = useRef(price);
  useEffect(() => {
    const last = shown.current;
    shown.current = price;
    if (cell.current === null || price === undefined || last === undefined || price === last) return;
    flash(cell.current, price > last ? 'up' : 'down');
  }, [price]);

  return (
    <div
      id={toRowId(symbol)}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isChosen}
      className={`watch-row${isActive ? ' watch-row-active' : ''}${isChosen ? ' watch-row-chosen' : ''}`}
      style={{ transform: `translateY(${offset}px)` }}
      onClick={() => onChoose(symbol)}
    >
      <span role="gridcell" className="watch-symbol">
        {isEditing ? (
          <button
            type="button"
            className="watch-remove"
            aria-label={`Remove ${symbol}`}
            // The list has one place in the order of tabs; its rows are reached by arrows, and removed by Delete.
            tabIndex={-1}
            onClick={(event) => {
              event.stopPropagation();
              onRemove(symbol);
            }}
          >
            ✕
          </button>
        ) : null}
        <strong>{symbol}</strong>
        {quote?.stale === true ? (
          <span className="watch-stale" title="Served from the cache: its source is silent">
            old
          </span>
        ) : null}
      </span>
      <span role="gridcell" className="watch-spark">
        <Spark symbol={symbol} direction={quote?.change} />
      </span>
      <span role="gridcell" className="watch-price num">
        <span ref={cell}>{formatPrice(price)}</span>
      </span>
      <span role="gridcell" className="watch-change">
        <Change percent={quote?.changePercent ?? null} />
      </span>
      <span role="gridcell" className="watch-book num" title={quote === undefined ? undefined : describeBook(quote)}>
        <span>{formatPrice(quote?.bid)}</span>
        <span>{formatPrice(quote?.ask)}</span>
      </span>
      <span role="gridcell" className="watch-volume num">
        {formatVolume(quote?.volume)}
      </span>
    </div>
  );
});

export function toRowId(symbol: string): string {
  return `watch-${symbol}`;
}

type Book = Pick<NonNullable<ReturnType<typeof useQuote>>, 'bid' | 'bidSize' | 'ask' | 'askSize'>;

function describeBook({ bid, bidSize, ask, askSize }: Book): string {
  return `Bid ${formatPrice(bid)} × ${formatQuantity(bidSize)}, ask ${formatPrice(ask)} × ${formatQuantity(askSize)}`;
}
