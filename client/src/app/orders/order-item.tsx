import { formatMoney } from '../format/money.ts';
import { formatQuantity } from '../format/quantity.ts';
import { formatDateTime } from '../format/time.ts';
import { hrefOfSymbol } from '../shell/route.ts';
import type { KnownOrder } from './order-list.ts';
import { nameOrder, STATUS_WORDS } from './order-words.ts';
import { describeRejection } from './refusals.ts';

export function OpenOrder({
  order,
  isCancelling,
  onCancel,
}: {
  readonly order: KnownOrder;
  readonly isCancelling: boolean;
  /** `null`: this viewer may not. */
  readonly onCancel: (() => void) | null;
}) {
  const { quantity, filledQuantity, limitPrice, createdAt } = order;
  const progress =
    filledQuantity === '0' ? '' : `, ${formatQuantity(filledQuantity)} of ${formatQuantity(quantity)} filled`;
  return (
    <li className="orders-item" data-busy={isCancelling}>
      <p className="orders-item-what">
        <What {...order} />
      </p>
      <p className="orders-item-detail num">
        Limit {formatMoney(limitPrice)}
        {progress}
      </p>
      <time className="orders-item-time num" dateTime={createdAt}>
        {formatDateTime(createdAt)}
      </time>
      {onCancel === null ? null : (
        <button
          type="button"
          className="orders-button orders-item-action"
          disabled={isCancelling}
          aria-label={isCancelling ? `Cancelling: ${nameOrder(order)}` : `Cancel: ${nameOrder(order)}`}
          onClick={onCancel}
        >
          {isCancelling ? 'Cancelling…' : 'Cancel'}
        </button>
      )}
    </li>
  );
}

export function PastOrder({ order }: { readonly order: KnownOrder }) {
  const { status, updatedAt } = order;
  return (
    <li className="orders-item">
      <p className="orders-item-what">
        <What {...order} />
      </p>
      <p className="orders-item-detail num">{describe(order)}</p>
      <time className="orders-item-time num" dateTime={updatedAt}>
        {formatDateTime(updatedAt)}
      </time>
      <span className="orders-status" data-status={status}>
        {STATUS_WORDS[status]}
      </span>
    </li>
  );
}

function What({ side, quantity, symbol }: KnownOrder) {
  return (
    <>
      <span className="orders-side" data-side={side}>
        {side === 'BUY' ? 'Buy' : 'Sell'}
      </span>{' '}
      <span className="num">{formatQuantity(quantity)}</span> <a href={hrefOfSymbol(symbol)}>{symbol}</a>
    </>
  );
}

function describe({ status, type, limitPrice, averagePrice, reason }: KnownOrder): string {
  if (status === 'FILLED') return `at ${formatMoney(averagePrice)}`;
  if (status === 'REJECTED') return describeRejection(reason);
  return type === 'LIMIT' ? `Limit ${formatMoney(limitPrice)}` : 'Market';
}
