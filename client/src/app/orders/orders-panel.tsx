import { useRef, useState } from 'react';
import { useViewer } from '../portfolio/viewer.ts';
import { isOpen } from './estimate.ts';
import { describeOrder, nameOrder } from './order-words.ts';
import { OpenOrder, PastOrder } from './order-item.tsx';
import { useOrders } from './orders-store.ts';
import './orders.css';
import './orders-panel.css';

/** The viewer's orders: those that wait, to be cancelled, and what became of the others. */
export function OrdersPanel() {
  const viewer = useViewer();
  if (viewer.kind === 'signed-in' && viewer.canRead) return <Orders canTrade={viewer.canTrade} />;
  return (
    <section className="orders-panel" aria-labelledby="orders-open-title">
      <h2 id="orders-open-title" className="orders-title">
        Orders
      </h2>
      {viewer.kind === 'loading' ? <OrdersSkeleton /> : <p className="orders-empty">Sign in to see your orders.</p>}
    </section>
  );
}

/** So many at first, and with each press. */
const STEP = 10;

function Orders({ canTrade }: { readonly canTrade: boolean }) {
  const { read, orders, problem, isLoadingMore, cancelling, store } = useOrders();
  const hasMore = read?.hasMore === true;
  const [shown, setShown] = useState(STEP);
  const [told, setTold] = useState('');
  const title = useRef<HTMLHeadingElement>(null);
  const open = orders?.filter(isOpen) ?? [];
  const past = orders?.filter((order) => !isOpen(order)) ?? [];

  const cancel = async (id: string): Promise<void> => {
    setTold('');
    const outcome = await store.cancel(id);
    if ('refusal' in outcome) setTold(`Not cancelled. ${outcome.refusal}`);
    else if (outcome.order.status === 'CANCELLED') setTold(`Cancelled: ${nameOrder(outcome.order)}.`);
    else setTold(`Too late to cancel: ${describeOrder(outcome.order)}.`);
    // The button is gone, and with it the place of who came by keyboard.
    if (document.activeElement === document.body) title.current?.focus();
  };

  const showMore = (): void => {
    setShown(shown + STEP);
    if (past.length < shown + STEP && hasMore) void store.loadMore();
  };

  return (
    <section className="orders-panel" aria-labelledby="orders-open-title">
      <h2 id="orders-open-title" className="orders-title" ref={title} tabIndex={-1}>
        Open orders {open.length > 0 ? <span className="orders-count num">{open.length}</span> : null}
      </h2>
      <p role="status" className={told === '' ? 'visually-hidden' : 'orders-told'}>
        {told}
      </p>
      {orders === null && problem === null ? <OrdersSkeleton /> : null}
      {problem === null ? null : (
        <p className="orders-problem-line">
          Orders could not be read: {problem}{' '}
          <button type="button" className="orders-link" onClick={() => store.refreshSoon(0)}>
            Try again
          </button>
        </p>
      )}
      {orders !== null && open.length === 0 ? <p className="orders-empty">Nothing waits.</p> : null}
      <ul className="orders-list">
        {open.map((order) => (
          <OpenOrder
            key={order.id}
            order={order}
            isCancelling={cancelling.has(order.id)}
            onCancel={canTrade ? () => void cancel(order.id) : null}
          />
        ))}
      </ul>
      <h2 className="orders-title">History</h2>
      {orders !== null && past.length === 0 ? (
        <p className="orders-empty">Orders that were filled, cancelled or rejected come to stand here.</p>
      ) : null}
      <ul className="orders-list" aria-label="Past orders">
        {past.slice(0, shown).map((order) => (
          <PastOrder key={order.id} order={order} />
        ))}
      </ul>
      {past.length > shown || hasMore ? (
        <button type="button" className="orders-button" disabled={isLoadingMore} onClick={showMore}>
          {isLoadingMore ? 'Loading…' : 'Show older orders'}
        </button>
      ) : null}
    </section>
  );
}

function OrdersSkeleton() {
  return (
    <div className="orders-skeleton" aria-busy="true">
      <span className="visually-hidden">Loading orders</span>
      <div className="skeleton" />
      <div className="skeleton" />
      <div className="skeleton" />
    </div>
  );
}
