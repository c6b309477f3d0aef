import { Change } from '../format/change.tsx';
import { formatMoney, formatSignedMoney } from '../format/money.ts';
import { formatQuantity } from '../format/quantity.ts';
import type { Position } from '../portfolio/portfolio-store.ts';

/** What the viewer has of the symbol already. */
export function TicketHolding({ position }: { readonly position: Position | null }) {
  if (position === null) return null;
  const { quantity, averagePrice, unrealizedPnl, unrealizedPnlPercent } = position;
  return (
    <p className="orders-holding">
      <span className="num">
        You hold {formatQuantity(quantity)} at {formatMoney(averagePrice)}
      </span>
      <Change value={Number(unrealizedPnl)} text={formatSignedMoney(unrealizedPnl)} percent={unrealizedPnlPercent} />
    </p>
  );
}
