import { useSyncExternalStore } from 'react';
import type { TapeClient } from '../../graphql/tape-client.ts';
import type { TapeState } from '../../graphql/tape-status.ts';
import { useTape } from '../tape-client.tsx';
import type { Notice } from './notice.ts';
import { CancelOrder, OrdersPage } from './operations.ts';
import { addPage, applyNotice, type KnownOrder, mergeOrders, NOTHING_READ, type ReadOrders } from './order-list.ts';
import { describeRefusal } from './refusals.ts';

export type OrdersState = {
  /** `null`: not read yet. */
  readonly read: ReadOrders | null;
  /** In words, why they could not be read; `null`: all is well. */
  readonly problem: string | null;
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
  #state: OrdersState = { read: null, problem: null, isLoadingMore: false, cancelling: new Set() };
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
    const end = this.#state.read?.end ?? null;
    if (this.#isReading || end === null) return;
    this.#set({ isLoadingMore: true });
    await this.#read(end);
    this.#set({ isLoadingMore: false });
  };

  /** An order as the server has just told it. */
  readonly note = (order: KnownOrder): void => {
    const { read } = this.#state;
    if (read === null) this.refreshSoon();
    else this.#set({ read: { ...read, orders: mergeOrders(read.orders, [order]) } });
  };

  readonly noteNotice = (notice: Notice): void => {
    const { read } = this.#state;
    if (read !== null) this.#set({ read: { ...read, orders: applyNotice(read.orders, notice) } });
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
    const first = after === null && this.#state.read !== null ? PAGE_SIZE : FIRST_SIZE;
    const { data, error } = await this.#client.query(OrdersPage, { first, after });
    this.#isReading = false;
    if (data === undefined) {
      this.#set({ problem: error === undefined ? null : describeRefusal(error).words });
      return;
    }
    const { edges, pageInfo } = data.orders;
    const orders = edges.map(({ node }) => node);
    const page = { orders, end: pageInfo.endCursor ?? null, hasMore: pageInfo.hasNextPage };
    this.#set({ read: addPage(this.#state.read ?? NOTHING_READ, page, after === null), problem: null });
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
export function useOrders(): OrdersState & {
  readonly orders: ReadOrders['orders'] | null;
  readonly store: OrdersStore;
} {
  const store = ordersStoreOf(useTape());
  const state = useSyncExternalStore(store.subscribe, store.getState);
  return { ...state, orders: state.read?.orders ?? null, store };
}
