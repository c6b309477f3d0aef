import { type ReactNode, useSyncExternalStore } from 'react';
import { Change } from '../format/change.tsx';
import { formatMoney, formatSignedMoney } from '../format/money.ts';
import { formatTime } from '../format/time.ts';
import { useTape } from '../tape-client.tsx';
import { AllocationPicture } from './allocation-picture.tsx';
import { type Portfolio, usePortfolio } from './portfolio-store.ts';
import { PositionsTable } from './positions-table.tsx';
import { useViewer } from './viewer.ts';
import './portfolio-view.css';

/** What the viewer owns, as prices move. */
export function PortfolioView() {
  const viewer = useViewer();
  return (
    <section className="portfolio-view" aria-labelledby="portfolio-title">
      <h1 id="portfolio-title" className="portfolio-title">
        Portfolio
      </h1>
      {renderBody()}
    </section>
  );

  function renderBody(): ReactNode {
    switch (viewer.kind) {
      case 'loading':
        return <PortfolioSkeleton />;
      case 'failed':
        return <Note title="The portfolio is not reachable">Who you are could not be asked. Load the page again.</Note>;
      case 'anonymous':
        return (
          <Note title="Sign in to see your portfolio">
            Prices are open to everyone. What you own, and what it is worth as they move, belongs to an account.
          </Note>
        );
      default:
        if (viewer.canRead) return <LivePortfolio />;
        return <Note title="The portfolio is not included">Your access lets you look at the market alone.</Note>;
    }
  }
}

function LivePortfolio() {
  const { portfolio, refusal, retry } = usePortfolio();
  if (portfolio === null) {
    if (refusal !== 'for good') return <PortfolioSkeleton />;
    return (
      <Note title="The portfolio could not be read">
        The server did not give it out.{' '}
        <button type="button" className="portfolio-link" onClick={retry}>
          Try again
        </button>
      </Note>
    );
  }
  return (
    <>
      <AsOf timestamp={portfolio.timestamp} isRefused={refusal !== null} />
      <Totals portfolio={portfolio} />
      <AllocationPicture positions={portfolio.positions} cash={portfolio.cash} />
      {portfolio.positions.length === 0 ? (
        <Note title="No positions yet">
          All of it is cash. Choose a symbol and place an order: it comes to stand here, live.
        </Note>
      ) : (
        <PositionsTable positions={portfolio.positions} />
      )}
    </>
  );
}

/** Where no newer figures come, it says from when these are. */
function AsOf({ timestamp, isRefused }: { readonly timestamp: string; readonly isRefused: boolean }) {
  const { status } = useTape();
  const { state } = useSyncExternalStore(status.subscribe, status.getSnapshot);
  if (!isRefused && state !== 'resuming' && state !== 'offline') return null;
  return (
    <p className="portfolio-as-of">
      As of <time dateTime={timestamp}>{formatTime(timestamp)}</time>, until the server answers again.
    </p>
  );
}

function Totals({ portfolio }: { readonly portfolio: Portfolio }) {
  const { totalValue, dayChange, dayChangePercent, cash, equity } = portfolio;
  return (
    <dl className="portfolio-totals">
      <div className="portfolio-total">
        <dt>Total value</dt>
        <dd className="num">{formatMoney(totalValue)}</dd>
      </div>
      <div className="portfolio-today">
        <dt>Today</dt>
        <dd>
          <Change value={Number(dayChange)} text={formatSignedMoney(dayChange)} percent={dayChangePercent} />
        </dd>
      </div>
      <div>
        <dt>Invested</dt>
        <dd className="num">{formatMoney(equity)}</dd>
      </div>
      <div>
        <dt>Cash</dt>
        <dd className="num">{formatMoney(cash)}</dd>
      </div>
    </dl>
  );
}

function Note({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <div className="portfolio-note">
      <p className="portfolio-note-title">{title}</p>
      <p>{children}</p>
    </div>
  );
}

function PortfolioSkeleton() {
  return (
    <div className="portfolio-skeleton" aria-busy="true">
      <span className="visually-hidden">Loading the portfolio</span>
      <div className="skeleton portfolio-skeleton-total" />
      <div className="skeleton portfolio-skeleton-bar" />
      <div className="skeleton portfolio-skeleton-row" />
      <div className="skeleton portfolio-skeleton-row" />
      <div className="skeleton portfolio-skeleton-row" />
      <div className="skeleton portfolio-skeleton-row" />
    </div>
  );
}
