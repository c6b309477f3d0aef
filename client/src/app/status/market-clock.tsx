import { MarketStatusChanges } from '../../graphql/operations.ts';
import { formatSpan } from '../format/time.ts';
import { describeMarket } from './status-words.ts';
import { useLatest } from './use-latest.ts';
import { useNow } from './use-now.ts';

/** The session, and how long it still is to the next open or close. */
export function MarketClock() {
  const latest = useLatest(MarketStatusChanges);
  const market = latest === null ? null : describeMarket(latest.marketStatus);
  const now = useNow(market?.event != null);
  if (market === null) return null;
  return (
    <span className="market-clock">
      {market.word}
      {market.event === null ? null : (
        <span className="market-countdown num">
          {market.event.verb} {formatSpan(market.event.at - now)}
        </span>
      )}
    </span>
  );
}
