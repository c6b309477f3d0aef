import { formatPrice } from '../format/price.ts';
import { formatQuantity } from '../format/quantity.ts';
import type { LiveQuote } from '../market/quotes.ts';
import './nbbo.css';

const basisPoints = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });
const spreads = new Intl.NumberFormat('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 4 });

/** The national best bid and offer: prices, sizes, what lies between, and on which side more is shown. */
export function Nbbo({ quote }: { readonly quote: LiveQuote | undefined }) {
  const { bid = null, bidSize = null, ask = null, askSize = null } = quote ?? {};
  // The difference of two prices has more digits than either.
  const spread = bid === null || ask === null ? null : Math.round((ask - bid) * 1e4) / 1e4;
  if (quote !== undefined && bid === null && ask === null) return <p className="nbbo nbbo-none">No bids, no offers</p>;
  const both = (bidSize ?? 0) + (askSize ?? 0);
  return (
    <div className="nbbo">
      <dl className="nbbo-sides">
        <div className="nbbo-side">
          <dt>Bid</dt>
          <dd className="num">
            <span className="nbbo-price">{formatPrice(bid)}</span>
            <span className="nbbo-size">× {formatQuantity(bidSize)}</span>
          </dd>
        </div>
        <div className="nbbo-side nbbo-ask">
          <dt>Ask</dt>
          <dd className="num">
            <span className="nbbo-price">{formatPrice(ask)}</span>
            <span className="nbbo-size">× {formatQuantity(askSize)}</span>
          </dd>
        </div>
      </dl>
      <div className="nbbo-balance" aria-hidden="true">
        <span style={{ width: both === 0 ? '50%' : `${(100 * (bidSize ?? 0)) / both}%` }} />
      </div>
      <p className="nbbo-spread num">{describeSpread(spread, bid)}</p>
    </div>
  );
}

function describeSpread(spread: number | null, bid: number | null): string {
  if (spread === null || bid === null) return 'No spread';
  // A crossed or locked market has its own words.
  if (spread < 0) return `Crossed by ${spreads.format(-spread)}`;
  if (spread === 0) return 'Locked';
  const points = bid > 0 ? ` · ${basisPoints.format((10_000 * spread) / (bid + spread / 2))} bp` : '';
  return `Spread ${spreads.format(spread)}${points}`;
}
