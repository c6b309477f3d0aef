import { cacheExchange, Client, fetchExchange } from '@urql/core';
import { createAuthorizedFetch, withDeadline } from './authorized-fetch.ts';
import type { Backoff } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import { Credentials, type Token, type TokenSource } from './credentials.ts';
import { createEventStreams } from './event-stream.ts';
import { createLadder } from './ladder.ts';
import { liveSubscriptionExchange } from './live-subscription-exchange.ts';
import { type Network, readPlatformNetwork } from './network.ts';
import { createPolling } from './polling.ts';
import { createTapeStatus, type TapeState, type TapeStatusStore } from './tape-status.ts';
import { waitingExchange } from './waiting-exchange.ts';
import { createWebSocketTransport } from './web-socket-transport.ts';

export type TapeClientOptions = {
  /** The GraphQL endpoint, `http:` or `https:`; in a browser it may be relative to the page. WebSockets go to the same. */
  readonly url: string;
  /**
   * Who asks: a JWT, without "Bearer", or what gives one, at once or later. A function is asked again before the token
   * expires and where the server refuses it; what runs goes on with the newer one. `null` is nobody, and the default.
   */
  readonly token?: Token | TokenSource;
  /** Between two attempts of one kind: anything up to a ceiling that doubles with each failure. Default: 0.5 s, up to 15 s. */
  readonly backoff?: Backoff;
  /** Attempts at a WebSocket that come to nothing, in a row, before event streams stand in for it. Default: 10. */
  readonly fallAfter?: number;
  /** For how long a WebSocket must have stood for its failures to be forgotten. Default: a minute. */
  readonly stableAfterMs?: number;
  /** How long a WebSocket may take to be acknowledged. Default: 10 s. */
  readonly connectTimeoutMs?: number;
  /** How often the server is pinged, and how long it may take to answer. Default: 10 s, 5 s. */
  readonly pingIntervalMs?: number;
  readonly pongTimeoutMs?: number;
  /** Event streams at a time; other operations are polled meanwhile. Default: 4, for browsers have six connections to a host. */
  readonly maxStreams?: number;
  /** Where event streams do not come through either, one is tried so often. Default: 30 s. */
  readonly streamProbeMs?: number;
  /** Between two rounds of queries, where nothing else comes through. Default: 2 s. */
  readonly pollIntervalMs?: number;
  /** How long a query or a mutation may go unanswered before it is sent again. Default: 15 s. */
  readonly requestTimeoutMs?: number;
  /** How long a mutation waits for the server to be reached. Default: 30 s. */
  readonly mutationTimeoutMs?: number;
  /** Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch;
  readonly webSocket?: typeof WebSocket;
  readonly network?: Network;
  readonly clock?: Clock;
  /** Default: Math.random. */
  readonly random?: () => number;
};

/** A urql client, for urql's `Provider` and hooks as for `client.query(…)`, that stays with its server by itself. */
export type TapeClient = Client & {
  readonly status: TapeStatusStore;
  /** Ends all subscriptions and the connection, and what waits is not sent any more: nothing of it is told. */
  readonly dispose: () => Promise<void>;
};

/**
 * For a browser as for Node. Nothing is opened before the first operation.
 * @throws {TypeError} for what is no URL
 */
export function createTapeClient(options: TapeClientOptions): TapeClient {
  const { clock = systemClock, backoff, random, requestTimeoutMs = 15_000, mutationTimeoutMs } = options;
  const url = new URL(options.url, globalThis.location?.href).href;
  const credentials = new Credentials(options.token, clock);
  const fetch = createAuthorizedFetch(options.fetch ?? ((input, init) => globalThis.fetch(input, init)), credentials);

  const socket = createWebSocketTransport({ ...options, url: url.replace(/^http/, 'ws'), credentials });
  const ladder = createLadder({
    ...options,
    socket,
    openStream: createEventStreams({ url, fetch, clock }),
    startPolling: createPolling({ ...options, url, fetch }),
  });
  const network = options.network ?? readPlatformNetwork();
  const status = createTapeStatus({ socket, ladder, network, clock });
  const disposal = new AbortController();
  const { signal } = disposal;
  const readState = (): TapeState => status.store.getSnapshot().state;

  const client = new Client({
    url,
    exchanges: [
      cacheExchange,
      liveSubscriptionExchange({
        transport: ladder,
        credentials,
        backoff,
        random,
        clock,
        signal,
      }),
      waitingExchange({
        // A client that was refused is answered why.
        isReachable: () => readState() !== 'offline' || status.store.getSnapshot().isRefused,
        watchReachable: (listener) => watchReached(status.store, listener),
        onWaiting: status.setWaiting,
        mutationTimeoutMs,
        backoff,
        random,
        clock,
        signal,
      }),
      fetchExchange,
    ],
    // A cached price is a wrong price: the document cache knows nothing of the tape, so each query asks the server. What
    // does not change (past bars) may ask for 'cache-first', and a mutation refreshes the queries that hold what it changed.
    requestPolicy: 'network-only',
    // No answer of ours is for a proxy to keep.
    preferGetMethod: false,
    fetch: withDeadline(fetch, requestTimeoutMs, clock),
  });
  const dispose = async (): Promise<void> => {
    disposal.abort();
    credentials.dispose();
    status.dispose();
    await socket.dispose();
  };
  return Object.assign(client, { status: status.store, dispose });
}

/** Calls the listener when the server is reached, and when there is a network again. */
function watchReached(status: TapeStatusStore, listener: () => void): () => void {
  let last = status.getSnapshot().state;
  return status.subscribe(() => {
    const { state } = status.getSnapshot();
    const isNew = state !== last;
    const isReached = state === 'live' || state === 'degraded' || state === 'polling';
    const isBack = last === 'offline';
    last = state;
    if (isNew && (isReached || isBack)) listener();
  });
}
