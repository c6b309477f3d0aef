import { lazy, useEffect, useState } from 'react';
import { Watchlist } from '../watchlist/watchlist.tsx';
import { Holdings } from './holdings.tsx';
import { recallSymbol, rememberSymbol } from './last-symbol.ts';
import { type Layout, useLayout } from './layout.ts';
import { Pane } from './pane.tsx';
import type { Route } from './route.ts';
import './workspace.css';

const SymbolView = lazy(async () => ({ default: (await import('../symbol/symbol-view.tsx')).SymbolView }));
const PortfolioView = lazy(async () => ({ default: (await import('../portfolio/portfolio-view.tsx')).PortfolioView }));
const OrderTicket = lazy(async () => ({ default: (await import('../orders/order-ticket.tsx')).OrderTicket }));
const OrdersPanel = lazy(async () => ({ default: (await import('../orders/orders-panel.tsx')).OrdersPanel }));

/** The symbol that is looked at, also while the route names none. */
export function useChosenSymbol(route: Route): string {
  const [last, setLast] = useState(recallSymbol);
  const named = route.view === 'symbol' ? route.symbol : null;
  useEffect(() => {
    if (named === null) return;
    setLast(named);
    rememberSymbol(named);
  }, [named]);
  return named ?? last;
}

export function Workspace({ route, symbol }: { readonly route: Route; readonly symbol: string }) {
  const layout = useLayout();
  return (
    <main id="main" className={`workspace workspace-${layout}`} tabIndex={-1}>
      {layout === 'phone' && route.view !== 'watchlist' ? null : (
        <Pane name="Watchlist" className="pane-watchlist">
          <Watchlist chosen={layout === 'phone' ? null : symbol} />
        </Pane>
      )}
      {layout === 'phone' && route.view === 'watchlist' ? null : <View route={route} symbol={symbol} layout={layout} />}
      {layout === 'wide' ? (
        <div className="workspace-side">
          <Pane name="Order ticket">
            <OrderTicket symbol={symbol} />
          </Pane>
          {/* Where the portfolio is shown whole, it is not shown twice. */}
          {route.view === 'portfolio' ? null : (
            <Pane name="Holdings">
              <Holdings />
            </Pane>
          )}
          <Pane name="Orders">
            <OrdersPanel />
          </Pane>
        </div>
      ) : null}
    </main>
  );
}

/** What fills the middle: it has trading beside it only where nothing else has. */
function View({ route, symbol, layout }: { readonly route: Route; readonly symbol: string; readonly layout: Layout }) {
  const isWide = layout === 'wide';
  return (
    <div className="workspace-view">
      {route.view === 'portfolio' ? (
        <Pane name="Portfolio" className="pane-portfolio">
          <PortfolioView />
        </Pane>
      ) : (
        <Pane name="Symbol" className="pane-symbol">
          <section className="pane-fill" aria-label="Symbol">
            <SymbolView symbol={symbol} />
          </section>
        </Pane>
      )}
      {isWide || route.view === 'portfolio' ? null : (
        <>
          <button type="button" className="workspace-trade" onClick={showTicket}>
            Trade {symbol}
          </button>
          <Pane name="Order ticket" className="pane-ticket">
            <OrderTicket symbol={symbol} />
          </Pane>
        </>
      )}
      {isWide || route.view !== 'portfolio' ? null : (
        <Pane name="Orders">
          <OrdersPanel />
        </Pane>
      )}
    </div>
  );
}

function showTicket(): void {
  const ticket = document.querySelector<HTMLElement>('.pane-ticket');
  ticket?.scrollIntoView({ behavior: 'smooth', block: 'end' });
  ticket?.querySelector<HTMLElement>('input, button')?.focus({ preventScroll: true });
}
