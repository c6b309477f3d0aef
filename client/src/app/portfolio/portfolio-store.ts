import type { Client, CombinedError } from '@urql/core';
import { useSyncExternalStore } from 'react';
import type { PortfolioChangesSubscription } from '../../gql/graphql.ts';
import { useTape } from '../tape-client.tsx';
import { PortfolioChanges } from './operations.ts';

export type Portfolio = PortfolioChangesSubscription['portfolio'];
export type Position = Portfolio['positions'][number];

export type PortfolioState = {
  /** The newest; `null`: none has come yet. */
  readonly portfolio: Portfolio | null;
  /** Why there is none, or no newer one; `null`: all is well. */
  readonly error: CombinedError | null;
};

/** How long nobody needs to look before the server is asked no more: views change, and subscribing is counted. */
const LINGER_MS = 30_000;

/** The viewer's portfolio, followed once for all who show it. */
class PortfolioStore {
  readonly #client: Client;
  readonly #listeners = new Set<() => void>();
  #state: PortfolioState = { portfolio: null, error: null };
  #stop: (() => void) | null = null;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Client) {
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
    const subscription = this.#client.subscription(PortfolioChanges, {}).subscribe(({ data, error }) => {
      this.#set({ portfolio: data?.portfolio ?? this.#state.portfolio, error: error ?? null });
    });
    return () => subscription.unsubscribe();
  }

  #leave(): void {
    this.#stop?.();
    this.#stop = null;
    // What is old by now is not shown as if it were current.
    this.#set({ portfolio: null, error: null });
  }

  #set(state: PortfolioState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

const stores = new WeakMap<Client, PortfolioStore>();

function portfolioStoreOf(client: Client): PortfolioStore {
  const store = stores.get(client) ?? new PortfolioStore(client);
  stores.set(client, store);
  return store;
}

/** For viewers who may read it. */
export function usePortfolio(): PortfolioState & { readonly retry: () => void } {
  const store = portfolioStoreOf(useTape());
  return { ...useSyncExternalStore(store.subscribe, store.getState), retry: store.retry };
}
