import { memo, type RefObject, useLayoutEffect, useRef } from 'react';
import { Change } from '../format/change.tsx';
import { formatMoney, formatSignedMoney } from '../format/money.ts';
import { formatQuantity } from '../format/quantity.ts';
import { hrefOfSymbol } from '../shell/route.ts';
import { flash } from '../theme/flash.ts';
import type { Position } from './portfolio-store.ts';

/** The server tells the whole portfolio each time: only a row whose figures have changed is drawn anew. */
export const PositionRow = memo(function PositionRow({ position }: { readonly position: Position }) {
  const { symbol, quantity, averagePrice, marketPrice, marketValue } = position;
  const { unrealizedPnl, unrealizedPnlPercent, dayChange } = position;
  const price = useFlash(marketPrice ?? null);
  return (
    <tr>
      <th scope="row">
        <a href={hrefOfSymbol(symbol)}>{symbol}</a>
        {/* Where there is no room for columns of their own. */}
        <span className="portfolio-row-detail num">
          {formatQuantity(quantity)} × {formatMoney(marketPrice)}
        </span>
      </th>
      <td className="num" data-column="quantity">
        {formatQuantity(quantity)}
      </td>
      <td className="num" data-column="averagePrice">
        {formatMoney(averagePrice)}
      </td>
      <td className="num" data-column="marketPrice">
        <span ref={price} className="portfolio-price">
          {formatMoney(marketPrice)}
        </span>
      </td>
      <td className="num" data-column="marketValue">
        {formatMoney(marketValue)}
      </td>
      <td data-column="unrealizedPnl">
        <Change value={Number(unrealizedPnl)} text={formatSignedMoney(unrealizedPnl)} percent={unrealizedPnlPercent} />
      </td>
      <td data-column="dayChange">
        <Change value={Number(dayChange)} text={formatSignedMoney(dayChange)} />
      </td>
    </tr>
  );
}, isSame);

function isSame(last: { readonly position: Position }, next: { readonly position: Position }): boolean {
  const keys = Object.keys(next.position) as (keyof Position)[];
  return keys.every((key) => last.position[key] === next.position[key]);
}

/** The place of a price, which flashes when that moves. */
function useFlash(price: string | null): RefObject<HTMLSpanElement | null> {
  const place = useRef<HTMLSpanElement>(null);
  const last = useRef(price);
  useLayoutEffect(() => {
    const moved = price === null || last.current === null ? 0 : Number(price) - Number(last.current);
    last.current = price;
    if (moved !== 0 && place.current !== null) flash(place.current, moved > 0 ? 'up' : 'down');
  }, [price]);
  return place;
}
