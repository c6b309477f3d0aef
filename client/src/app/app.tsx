import { lazy, Suspense } from 'react';
import { useRoute } from './shell/route.ts';

const SymbolView = lazy(async () => ({ default: (await import('./symbol/symbol-view.tsx')).SymbolView }));
const PortfolioView = lazy(async () => ({ default: (await import('./portfolio/portfolio-view.tsx')).PortfolioView }));
const OrderTicket = lazy(async () => ({ default: (await import('./orders/order-ticket.tsx')).OrderTicket }));
const OrdersPanel = lazy(async () => ({ default: (await import('./orders/orders-panel.tsx')).OrdersPanel }));
const TradeToasts = lazy(async () => ({ default: (await import('./orders/trade-toasts.tsx')).TradeToasts }));

export function App() {
  const route = useRoute();
  const symbol = route.view === 'symbol' ? route.symbol : 'AAPL';
  return (
    <main>
      <Suspense>
        {route.view === 'portfolio' ? <PortfolioView /> : <SymbolView symbol={symbol} />}
        <OrderTicket symbol={symbol} />
        <OrdersPanel />
        <TradeToasts />
      </Suspense>
    </main>
  );
}
