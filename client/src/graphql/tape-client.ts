import { cacheExchange, Client, fetchExchange } from '@urql/core';
import { liveSubscriptionExchange } from './live-subscription-exchange.ts';
import type { TapeState, TapeStatus, TapeStatusStore } from './tape-status.ts';
import {
  type Connection,
  type ConnectionOptions,
  type ConnectionState,
  createConnection,
} from './web-socket-transport.ts';

/** A JWT, without "Bearer"; `null`: anonymous. */
export type Token = string | null;

export type TapeClientOptions = Omit<ConnectionOptions, 'url' | 'readConnectionParams'> & {
  /** The GraphQL endpoint; in a browser it may be relative to the page. Subscriptions go to the same by WebSocket. */
  readonly url: string;
  /**
   * Who asks: a JWT, or what gives one, at once or later. A function is asked again before the token expires and where the
   * server found it expired; the connection goes on with the newer one in place. Default: anonymous.
   */
  readonly token?: Token | (() => Token | Promise<Token>);
  /** Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch;
};

/** A urql client, for urql's `Provider` and hooks as for `client.query(…)`, that stays with its server by itself. */
export type TapeClient = Client & {
  readonly status: TapeStatusStore;
  readonly connection: Pick<Connection, 'getState' | 'watchState'>;
  /** Ends all subscriptions and the connection. */
  readonly dispose: () => Promise<void>;
};

/** In a browser as in Node. Nothing is opened before the first operation. */
export function createTapeClient(options: TapeClientOptions): TapeClient {
  const { url: asked, token, fetch, ...connectionOptions } = options;
  const { backoff, random } = connectionOptions;
  const url = new URL(asked, globalThis.location?.href).href;
  const readToken = typeof token === 'function' ? token : () => token ?? null;
  let held: Token = null;
  const readHeaders = (): Record<string, string> => (held === null ? {} : { authorization: `Bearer ${held}` });
  const connection = createConnection({
    ...connectionOptions,
    url: url.replace(/^http/, 'ws'),
    readConnectionParams: async () => {
      held = await readToken();
      return readHeaders();
    },
  });
  const urql = new Client({
    url,
    exchanges: [cacheExchange, liveSubscriptionExchange({ connection, backoff, random }), fetchExchange],
    // A cached price is a wrong price: the document cache knows nothing of the tape, so each query asks the server. What
    // does not change (past bars) may ask for 'cache-first', and a mutation refreshes the queries that hold what it changed.
    requestPolicy: 'network-only',
    // No answer of ours is for a proxy to keep.
    preferGetMethod: false,
    fetch: async (input, init) => {
      held = await readToken();
      const headers = { ...(init?.headers as Record<string, string> | undefined), ...readHeaders() };
      return (fetch ?? globalThis.fetch)(input, { ...init, headers });
    },
  });
  return Object.assign(urql, { connection, dispose: connection.dispose, status: createStatus(connection) });
}

function createStatus(connection: Connection): TapeStatusStore {
  let wasLive = false;
  let snapshot: TapeStatus = {
    state: 'connecting',
    since: Date.now(),
    failures: 0,
    retryAt: null,
    cause: null,
    isRefused: false,
    waiting: 0,
  };
  connection.watchState(() => {
    const state = connection.getState();
    wasLive ||= state.status === 'live';
    const next: TapeState = readState(state, wasLive);
    snapshot = {
      state: next,
      since: next === snapshot.state ? snapshot.since : Date.now(),
      failures: state.status === 'waiting' ? state.failures : state.status === 'live' ? 0 : snapshot.failures,
      retryAt: state.status === 'waiting' ? Date.now() + state.retryInMs : null,
      cause: 'cause' in state ? state.cause : state.status === 'live' ? null : snapshot.cause,
      isRefused: state.status === 'refused',
      waiting: 0,
    };
  });
  return { getSnapshot: () => snapshot, subscribe: connection.watchState, retryNow: () => {} };
}

function readState({ status }: ConnectionState, wasLive: boolean): TapeState {
  if (status === 'live') return 'live';
  if (status === 'refused') return 'offline';
  return wasLive && status !== 'idle' ? 'resuming' : 'connecting';
}
