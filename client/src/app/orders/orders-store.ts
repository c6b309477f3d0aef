import { useSyncExternalStore } from 'react';
import type { TapeClient } from '../../graphql/tape-client.ts';
import type { TapeState } from '../../graphql/tape-status.ts';
import { useTape } from '../tape-client.tsx';
import type { Notice } from './notice.ts';
import { CancelOrder, OrdersPage } from './operations.ts';
import { applyNotice, type KnownOrder, mergeOrders } from './order-list.ts';
import { describeRefusal } from './refusals.ts';

export type OrdersState = {
  /** Newest first; `null`: not read yet. */
  readonly orders: readonly KnownOrder[] | null;
  /** In words, why they could not be read; `null`: all is well. */
  readonly problem: string | null;
  /** Whether there are older ones. */
  readonly hasMore: boolean;
  readonly isLoadingMore: boolean;
  /** The orders that are being cancelled. */
  readonly cancelling: ReadonlySet<string>;
};

/** Far enough back that open orders are among them; what is read again and again is the newest page. */
const FIRST_SIZE = 200;
const PAGE_SIZE = 50;
/** Several notices at once are one reason to read. */
const REFRESH_DELAY_MS = 250;

/** The viewer's orders, read once for all who show them. What is known of the past stays known. */
export class OrdersStore {
  readonly #client: TapeClient;
  readonly #listeners = new Set<() => void>();
  #state: OrdersState = {
    ...{ orders: null, problem: null, hasMore: false, isLoadingMore: false },
    cancelling: new Set(),
  };
  /** Of the oldest page that was read. */
  #end: string | null = null;
  #isReading = false;
  #refresh: ReturnType<typeof setTimeout> | undefined;
  #connection: TapeState = 'live';
  #unwatch = (): void => {};

  constructor(client: TapeClient) {
    this.#client = client;
  }

  readonly getState = (): OrdersState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) {
      // Whatever happened while nobody looked, or while the server was out of reach.
      this.refreshSoon(0);
      this.#unwatch = this.#client.status.subscribe(this.#look);
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#unwatch();
    };
  };

  readonly #look = (): void => {
    const { state } = this.#client.status.getSnapshot();
    if (state === this.#connection) return;
    this.#connection = state;
    if (state === 'live' || state === 'degraded' || state === 'polling') this.refreshSoon();
  };

  /** Reads the newest page again, in a moment. */
  readonly refreshSoon = (delayMs: number = REFRESH_DELAY_MS): void => {
    clearTimeout(this.#refresh);
    this.#refresh = setTimeout(() => void this.#readNewest(), delayMs);
  };

  /** Reads the next older page. */
  readonly loadMore = async (): Promise<void> => {
    if (this.#isReading || this.#end === null) return;
    this.#set({ isLoadingMore: true });
    await this.#read(this.#end);
    this.#set({ isLoadingMore: false });
  };

  /** An order as the server has just told it. */
  readonly note = (order: KnownOrder): void => {
    if (this.#state.orders === null) this.refreshSoon();
    else this.#set({ orders: mergeOrders(this.#state.orders, [order]) });
  };

  readonly noteNotice = (notice: Notice): void => {
    if (this.#state.orders !== null) this.#set({ orders: applyNotice(this.#state.orders, notice) });
    this.refreshSoon();
  };

  /** Resolves with what became of it: the order, or why that is not known. */
  readonly cancel = async (id: string): Promise<{ order: KnownOrder } | { refusal: string }> => {
    this.#set({ cancelling: new Set([...this.#state.cancelling, id]) });
    const { data, error } = await this.#client.mutation(CancelOrder, { id });
    const cancelling = new Set(this.#state.cancelling);
    cancelling.delete(id);
    this.#set({ cancelling });
    if (data === undefined || error !== undefined) {
      this.refreshSoon();
      return { refusal: error === undefined ? 'No answer came from the server.' : describeRefusal(error).words };
    }
    this.note(data.cancelOrder);
    return { order: data.cancelOrder };
  };

  async #readNewest(): Promise<void> {
    if (this.#isReading) return this.refreshSoon();
    await this.#read(null);
  }

  async #read(after: string | null): Promise<void> {
    this.#isReading = true;
    const first = after === null && this.#state.orders !== null ? PAGE_SIZE : FIRST_SIZE;
    const { data, error } = await this.#client.query(OrdersPage, { first, after });
    this.#isReading = false;
    if (data === undefined) {
      const problem = error === undefined ? null : describeRefusal(error).words;
      this.#set({ problem });
      return;
    }
    const { edges, pageInfo } = data.orders;
    const page = edges.map(({ node }) => node);
    // So many are new that the newest page does not reach to what is known: it begins anew, rather than with a hole.
    const isApart = after === null && pageInfo.hasNextPage && !page.some(({ id }) => this.#knows(id));
    const known = isApart ? [] : (this.#state.orders ?? []);
    // The newest page tells how far back there is more only where no older one was read.
    if (after !== null || known.length === 0) {
      this.#end = pageInfo.endCursor ?? null;
      this.#set({ hasMore: pageInfo.hasNextPage });
    }
    this.#set({ orders: mergeOrders(known, page), problem: null });
  }

  #knows(id: string): boolean {
    return this.#state.orders?.some((order) => order.id === id) ?? false;
  }

  #set(change: Partial<OrdersState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

const stores = new WeakMap<TapeClient, OrdersStore>();

export function ordersStoreOf(client: TapeClient): OrdersStore {
  const store = stores.get(client) ?? new OrdersStore(client);
  stores.set(client, store);
  return store;
}

/** For viewers who may read them. */
export function useOrders(): OrdersState & { readonly store: OrdersStore } {
  const store = ordersStoreOf(useTape());
  return { ...useSyncExternalStore(store.subscribe, store.getState), store };
}
