import { memo, useRef } from 'react';
import { Change } from '../format/change.tsx';
import { formatMoney, formatSignedMoney } from '../format/money.ts';
import { formatQuantity } from '../format/quantity.ts';
import { hrefOfSymbol } from '../shell/route.ts';
import type { Position } from './portfolio-store.ts';

/** The server tells the whole portfolio each time: only a row whose figures have changed is drawn anew. */
export const PositionRow = memo(function PositionRow({ position }: { readonly position: Position }) {
  const { symbol, quantity, averagePrice, marketPrice, marketValue } = position;
  const { unrealizedPnl, unrealizedPnlPercent, dayChange } = position;
  const flash = useFlash(marketPrice ?? null);
  return (
    <tr>
      <th scope="row">
        <a href={hrefOfSymbol(symbol)}>{symbol}</a>
      </th>
      <td className="num" data-column="quantity">
        {formatQuantity(quantity)}
      </td>
      <td className="num" data-column="averagePrice">
        {formatMoney(averagePrice)}
      </td>
      <td className="num" data-column="marketPrice">
        {/* Made anew at each move, so that its flash begins anew. */}
        <span key={marketPrice} className="portfolio-flash" data-flash={flash}>
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

/** Which way a price went when it last moved; nothing before it has. */
function useFlash(price: string | null): 'up' | 'down' | undefined {
  const last = useRef<{ price: string | null; flash: 'up' | 'down' | undefined }>({ price, flash: undefined });
  if (last.current.price !== price) {
    const moved = Number(price) - Number(last.current.price);
    const isKnown = price !== null && last.current.price !== null && moved !== 0;
    last.current = { price, flash: isKnown ? (moved > 0 ? 'up' : 'down') : undefined };
  }
  return last.current.flash;
}
