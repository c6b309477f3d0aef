import { Change } from '../format/change.tsx';
import { formatMoney, formatSignedMoney } from '../format/money.ts';
import { formatQuantity } from '../format/quantity.ts';
import { usePortfolio } from '../portfolio/portfolio-store.ts';
import { useViewer } from '../portfolio/viewer.ts';
import { hrefOfSymbol } from './route.ts';
import './holdings.css';

/** The largest positions: the rest is a click away. */
const MAX_ROWS = 6;

/** What the viewer owns, at a glance, beside whatever else is shown. Who may not read it is told so where it is shown whole. */
export function Holdings() {
  const viewer = useViewer();
  return viewer.kind === 'signed-in' && viewer.canRead ? <LiveHoldings /> : null;
}

function LiveHoldings() {
  const { portfolio } = usePortfolio();
  if (portfolio === null) return null;
  const positions = portfolio.positions.toSorted((a, b) => Number(b.marketValue) - Number(a.marketValue));
  const rest = positions.length - MAX_ROWS;
  return (
    <section className="holdings" aria-labelledby="holdings-title">
      <h2 id="holdings-title" className="holdings-head">
        <a href="#/portfolio">Holdings</a>
        <span className="num">{formatMoney(portfolio.totalValue)}</span>
      </h2>
      <p className="holdings-today">
        <span>Today</span>
        <Change
          value={Number(portfolio.dayChange)}
          text={formatSignedMoney(portfolio.dayChange)}
          percent={portfolio.dayChangePercent}
        />
      </p>
      <ul>
        {positions.slice(0, MAX_ROWS).map(({ symbol, quantity, unrealizedPnl, unrealizedPnlPercent }) => (
          <li key={symbol} className="holdings-row">
            <a href={hrefOfSymbol(symbol)}>{symbol}</a>
            <span className="holdings-quantity num">{formatQuantity(quantity)}</span>
            <Change
              value={Number(unrealizedPnl)}
              text={formatSignedMoney(unrealizedPnl)}
              percent={unrealizedPnlPercent}
            />
          </li>
        ))}
      </ul>
      {rest > 0 ? (
        <p className="holdings-rest">
          <a href="#/portfolio">{rest} more</a>
        </p>
      ) : null}
    </section>
  );
}
