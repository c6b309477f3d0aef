import type { Layout } from './layout.ts';
import { hrefOfSymbol, type Route } from './route.ts';
import './navigation.css';

type Props = { readonly route: Route; readonly symbol: string; readonly layout: Layout };

/** At the top where there is room, at the thumb on a phone. */
export function NavigationLinks({ route, symbol, layout }: Props) {
  const isPhone = layout === 'phone';
  const links = [
    // Where the watchlist stands beside all views, it is no view of its own.
    ...(isPhone ? [{ view: 'watchlist', href: '#/', label: 'Watchlist', icon: LIST }] : []),
    { view: 'symbol', href: hrefOfSymbol(symbol), label: isPhone ? symbol : 'Market', icon: CANDLES },
    { view: 'portfolio', href: '#/portfolio', label: 'Portfolio', icon: PIE },
  ];
  const current = !isPhone && route.view === 'watchlist' ? 'symbol' : route.view;
  return (
    <nav className={isPhone ? 'tabs' : 'links'} aria-label="Views">
      {links.map(({ view, href, label, icon }) => (
        <a key={view} href={href} aria-current={view === current ? 'page' : undefined}>
          {isPhone ? (
            <svg viewBox="0 0 20 20" aria-hidden="true">
              <path d={icon} fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinejoin="round" />
            </svg>
          ) : null}
          {label}
        </a>
      ))}
    </nav>
  );
}

const LIST = 'M3 5h14M3 10h14M3 15h9';
const CANDLES = 'M6 2v3M6 13v3M4 5h4v8H4zM14 4v3M14 14v4M12 7h4v7h-4z';
const PIE = 'M10 2.5a7.5 7.5 0 1 0 7.5 7.5H10zM13 2.8a7.5 7.5 0 0 1 4.2 4.2H13z';
