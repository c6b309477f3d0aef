import { useTape } from '../tape-client.tsx';
import { ConnectionStatus } from '../status/connection-status.tsx';
import { FeedMark } from '../status/feed-mark.tsx';
import { MarketClock } from '../status/market-clock.tsx';
import type { ServiceStatus } from '../status/status-documents.ts';
import { ThemeToggle } from '../theme/theme-toggle.tsx';
import { IndexStrip } from './index-strip.tsx';
import { useLayout } from './layout.ts';
import { NavigationLinks } from './navigation.tsx';
import type { Route } from './route.ts';
import './header.css';

export function Header({
  route,
  symbol,
  service,
}: {
  readonly route: Route;
  readonly symbol: string;
  readonly service: ServiceStatus | null;
}) {
  const layout = useLayout();
  const { status } = useTape();
  return (
    <header className="header">
      <h1 className="header-brand">
        <Mark />
        Tape<span>QL</span>
      </h1>
      {layout === 'phone' ? null : <NavigationLinks route={route} symbol={symbol} layout={layout} />}
      {layout === 'wide' ? <IndexStrip /> : null}
      <div className="header-status">
        <FeedMark service={service} />
        <MarketClock />
        <ConnectionStatus store={status} />
        <ThemeToggle />
      </div>
    </header>
  );
}

/** Three candles. */
function Mark() {
  return (
    <svg className="header-mark" viewBox="0 0 20 20" aria-hidden="true">
      <path d="M4 3v14M10 1v16M16 4v14" stroke="currentColor" strokeWidth="1.2" opacity="0.5" />
      <path d="M2.5 6h3v7h-3z" fill="var(--down-strong)" />
      <path d="M8.5 4h3v9h-3zM14.5 7h3v7h-3z" fill="var(--up-strong)" />
    </svg>
  );
}
