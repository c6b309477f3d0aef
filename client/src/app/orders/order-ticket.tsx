import type { ReactNode } from 'react';
import { useViewer } from '../portfolio/viewer.ts';
import { TicketForm } from './ticket-form.tsx';
import './orders.css';
import './order-ticket.css';

/** How the market's symbols mark an index. */
const INDEX_PREFIX = 'I:';

/** Where the viewer buys and sells one symbol. */
export function OrderTicket({ symbol }: { readonly symbol: string }) {
  return (
    <section className="orders-ticket" aria-labelledby="orders-ticket-title">
      <h2 id="orders-ticket-title" className="orders-title">
        Order <span className="orders-title-symbol">{symbol}</span>
      </h2>
      <TicketBody symbol={symbol} />
    </section>
  );
}

function TicketBody({ symbol }: { readonly symbol: string }) {
  const viewer = useViewer();
  switch (viewer.kind) {
    case 'loading':
      return <TicketSkeleton />;
    case 'failed':
      return (
        <TicketNote title="Trading is not reachable">Who you are could not be asked. Load the page again.</TicketNote>
      );
    case 'anonymous':
      return (
        <TicketNote title="Sign in to trade">
          You look at the market as a guest. Orders and a portfolio belong to an account.
        </TicketNote>
      );
    default:
      if (!viewer.canRead || !viewer.canTrade) {
        return (
          <TicketNote title="Trading is not included">Your access lets you look, but not place orders.</TicketNote>
        );
      }
      if (symbol.startsWith(INDEX_PREFIX)) {
        return (
          <TicketNote title="An index is not traded">Choose a fund that follows it, such as SPY or QQQ.</TicketNote>
        );
      }
      // Another symbol is another order: nothing that was typed for one is sent for the other.
      return <TicketForm key={symbol} symbol={symbol} />;
  }
}

function TicketNote({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <div className="orders-note">
      <p className="orders-note-title">{title}</p>
      <p>{children}</p>
    </div>
  );
}

function TicketSkeleton() {
  return (
    <div className="orders-ticket-skeleton" aria-busy="true">
      <span className="visually-hidden">Loading</span>
      <div className="skeleton" />
      <div className="skeleton" />
      <div className="skeleton" />
      <div className="skeleton" />
    </div>
  );
}
