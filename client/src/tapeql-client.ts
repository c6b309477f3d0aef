import { cacheExchange, Client, fetchExchange } from '@urql/core';
import { type Connection, type ConnectionOptions, createConnection } from './connection/connection.ts';
import { liveSubscriptionExchange } from './exchanges/live-subscription-exchange.ts';

/** What says who this client is: one of the two, as the server takes it in HTTP headers and in connection_init. */
export type Credentials = { readonly authorization: string } | { readonly 'x-api-key': string };

export type TapeqlClientOptions = Omit<ConnectionOptions, 'url' | 'readConnectionParams'> & {
  /** The GraphQL endpoint, `http:` or `https:`; subscriptions go to the same by WebSocket. */
  readonly url: string;
  /** Read anew for each request and each connection. Default: anonymous. */
  readonly readCredentials?: () => Credentials | null;
  /** Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch;
};

export type TapeqlClient = {
  readonly urql: Client;
  /** Fit for React's `useSyncExternalStore(watchState, getState)`. */
  readonly connection: Pick<Connection, 'getState' | 'watchState'>;
  /** Ends all subscriptions and the connection. */
  readonly dispose: () => Promise<void>;
};

/** How this client is made, in a browser as in Node. Nothing is opened before the first operation. */
export function createTapeqlClient(options: TapeqlClientOptions): TapeqlClient {
  const { url, readCredentials, fetch, ...connectionOptions } = options;
  const { backoff, random } = connectionOptions;
  const connection = createConnection({
    ...connectionOptions,
    url: toWebSocketUrl(url),
    readConnectionParams: () => ({ ...readCredentials?.() }),
  });
  const urql = new Client({
    url,
    exchanges: [cacheExchange, liveSubscriptionExchange({ connection, backoff, random }), fetchExchange],
    // A cached price is a wrong price: the document cache knows nothing of the tape, so each query asks the server. What
    // does not change (past bars) may ask for 'cache-first', and a mutation refreshes the queries that hold what it changed.
    requestPolicy: 'network-only',
    // No answer of ours is for a proxy to keep.
    preferGetMethod: false,
    fetchOptions: () => ({ headers: { ...readCredentials?.() } }),
    ...(fetch === undefined ? {} : { fetch }),
  });
  return { urql, connection, dispose: connection.dispose };
}

/** @throws {TypeError} for what is no URL */
function toWebSocketUrl(url: string): string {
  const { href } = new URL(url);
  return href.replace(/^http/, 'ws');
}
