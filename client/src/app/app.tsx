import { lazy, Suspense } from 'react';
import { ServiceStatusChanges } from '../graphql/operations.ts';
import { Header } from './shell/header.tsx';
import { useLayout } from './shell/layout.ts';
import { NavigationLinks } from './shell/navigation.tsx';
import { PaneBoundary } from './shell/pane-boundary.tsx';
import { useRoute } from './shell/route.ts';
import { Title } from './shell/title.tsx';
import { useChosenSymbol, Workspace } from './shell/workspace.tsx';
import { Banner } from './status/banner.tsx';
import { useLatest } from './status/use-latest.ts';
import { useTape } from './tape-client.tsx';

const TradeToasts = lazy(async () => ({ default: (await import('./orders/trade-toasts.tsx')).TradeToasts }));

export function App() {
  const route = useRoute();
  const symbol = useChosenSymbol(route);
  const layout = useLayout();
  const { status } = useTape();
  const service = useLatest(ServiceStatusChanges)?.serviceStatus ?? null;
  return (
    <div className="shell">
      <a className="shell-skip" href="#main" onClick={skip}>
        Skip to the market
      </a>
      <Title symbol={symbol} />
      <Header route={route} symbol={symbol} service={service} />
      <Banner service={service} store={status} />
      <Workspace route={route} symbol={symbol} />
      {layout === 'phone' ? <NavigationLinks route={route} symbol={symbol} layout={layout} /> : null}
      <PaneBoundary name="Notifications">
        <Suspense>
          <TradeToasts />
        </Suspense>
      </PaneBoundary>
    </div>
  );
}

/** The address after `#` names the view: a jump within the page leaves it alone. */
function skip(event: { preventDefault(): void }): void {
  event.preventDefault();
  document.querySelector<HTMLElement>('#main')?.focus();
}
