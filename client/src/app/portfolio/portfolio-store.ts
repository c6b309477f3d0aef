import { useSyncExternalStore } from 'react';
import type { TapeClient } from '../../graphql/tape-client.ts';
import type { PortfolioChangesSubscription } from '../../gql/graphql.ts';
import { useTape } from '../tape-client.tsx';
import { PortfolioChanges } from './operations.ts';

export type Portfolio = PortfolioChangesSubscription['portfolio'];
export type Position = Portfolio['positions'][number];

export type PortfolioState = {
  /** The newest; `null`: none has come yet. */
  readonly portfolio: Portfolio | null;
  /** Whether the server refuses it: for now, so that it is asked again by itself, or for good. */
  readonly refusal: 'for now' | 'for good' | null;
};

/** How long nobody needs to look before the server is asked no more: views change, and subscribing is counted. */
const LINGER_MS = 30_000;

/** The viewer's portfolio, followed once for all who show it. */
class PortfolioStore {
  readonly #client: TapeClient;
  readonly #listeners = new Set<() => void>();
  #state: PortfolioState = { portfolio: null, refusal: null };
  #stop: (() => void) | null = null;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(client: TapeClient) {
    this.#client = client;
  }

  readonly getState = (): PortfolioState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    clearTimeout(this.#linger);
    this.#stop ??= this.#follow();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#linger = setTimeout(() => this.#leave(), LINGER_MS);
    };
  };

  /** Asks again where the server had ended it. */
  readonly retry = (): void => {
    this.#leave();
    if (this.#listeners.size > 0) this.#stop = this.#follow();
  };

  #follow(): () => void {
    const subscription = this.#client.subscription(PortfolioChanges, {}).subscribe(({ data, error, hasNext }) => {
      const refusal = error === undefined ? null : hasNext ? 'for now' : 'for good';
      this.#set({ portfolio: data?.portfolio ?? this.#state.portfolio, refusal });
    });
    return () => subscription.unsubscribe();
  }

  #leave(): void {
    this.#stop?.();
    this.#stop = null;
    // What is old by now is not shown as if it were current.
    this.#set({ portfolio: null, refusal: null });
  }

  #set(state: PortfolioState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

const stores = new WeakMap<TapeClient, PortfolioStore>();

function portfolioStoreOf(client: TapeClient): PortfolioStore {
  const store = stores.get(client) ?? new PortfolioStore(client);
  stores.set(client, store);
  return store;
}

/** For viewers who may read it. */
export function usePortfolio(): PortfolioState & { readonly retry: () => void } {
  const store = portfolioStoreOf(useTape());
  return { ...useSyncExternalStore(store.subscribe, store.getState), retry: store.retry };
}
