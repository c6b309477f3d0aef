import { formatMoney } from '../format/money.ts';
import { formatPrice } from '../format/price.ts';
import { formatQuantity } from '../format/quantity.ts';
import type { LiveQuote } from '../market/quotes.ts';
import type { Estimate, Means } from './estimate.ts';
import type { OrderDraft } from './order-draft.ts';

/** What the order would cost or bring, before it is sent. */
export function TicketEstimate({
  draft: { side, type },
  quote,
  means,
  estimate,
  isMarketOpen,
}: {
  readonly draft: OrderDraft;
  readonly quote: LiveQuote | undefined;
  readonly means: Means | null;
  readonly estimate: Estimate | null;
  readonly isMarketOpen: boolean;
}) {
  const isBuy = side === 'BUY';
  const isClosed = type === 'MARKET' && !isMarketOpen;
  return (
    <div id="orders-estimate" className="orders-estimate">
      <dl>
        <div>
          <dt>{isBuy ? 'Ask' : 'Bid'}</dt>
          <dd className="num">{formatPrice(isBuy ? quote?.ask : quote?.bid)}</dd>
        </div>
        <div>
          <dt>{isBuy ? 'Cash free' : 'Shares free'}</dt>
          <dd className="num">
            {isBuy ? formatMoney(means?.cash.toFixed()) : formatQuantity(means?.shares.toFixed())}
          </dd>
        </div>
        <div className="orders-estimate-sum">
          <dt>{isBuy ? 'Costs about' : 'Brings about'}</dt>
          <dd className="num">{formatMoney(estimate?.amount.toFixed())}</dd>
        </div>
      </dl>
      <p className="orders-estimate-words" data-warns={isClosed || estimate?.shortage != null}>
        {describe()}
      </p>
    </div>
  );

  function describe(): string {
    if (isClosed) return 'The market is closed: a market order would be rejected. A limit order waits for it to open.';
    if (estimate === null) {
      return type === 'MARKET'
        ? 'Filled at once, at the best price of the moment.'
        : 'Waits until the market meets it.';
    }
    // Said, not forbidden: the server counts with the price of the moment at which it has the order.
    if (estimate.shortage !== null) {
      const missing = isBuy
        ? formatMoney(estimate.shortage.toFixed())
        : `${formatQuantity(estimate.shortage.toFixed())} shares`;
      return `${missing} more than you have free: this is likely to be rejected.`;
    }
    if (!estimate.isMet)
      return `Waits until the ${isBuy ? 'ask falls' : 'bid rises'} to ${formatMoney(estimate.price.toFixed())}.`;
    return `Filled at once. Leaves ${formatMoney(estimate.cashAfter.toFixed())} of free cash.`;
  }
}
