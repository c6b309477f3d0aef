import { stringifyDocument } from '@urql/core';
import { createClient, type FormattedExecutionResult, type SubscribePayload } from 'graphql-ws';
import { type Backoff, chooseDelayMs, DEFAULT_BACKOFF } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import { type CloseCause, ConnectionRefusedError, FORBIDDEN, isFinal, readCause, UNAUTHORIZED } from './close-codes.ts';
import type { Credentials, Headers, Token } from './credentials.ts';
import { KeepAlive } from './keep-alive.ts';
import type { GraphQLErrors, LiveOperation, LiveSink, LiveTransport } from './live-transport.ts';
import { reportUncaught } from './uncaught.ts';

export type SocketState =
  /** Nothing is subscribed, so nothing is connected. */
  | { readonly status: 'idle' }
  | { readonly status: 'connecting'; readonly failures: number }
  /** The server has acknowledged the connection. */
  | { readonly status: 'live' }
  /** The connection failed or broke; it is tried again at `retryAt` (Unix ms), after `failures` in a row. */
  | { readonly status: 'waiting'; readonly failures: number; readonly retryAt: number; readonly cause: CloseCause }
  /** The server refused this client for good: nothing is tried before `retryNow`. */
  | { readonly status: 'refused'; readonly cause: CloseCause };

export type WebSocketTransportOptions = {
  /** The WebSocket URL. */
  readonly url: string;
  /** The payload of connection_init, read at each attempt; where that fails the attempt has failed. */
  readonly credentials: Pick<Credentials, 'read' | 'renew' | 'watch'>;
  /** Attempts are not counted: a dashboard waits for its server as long as it is open. */
  readonly backoff?: Backoff;
  /** For how long a connection must have stood for its failures to be forgotten. Default: a minute. */
  readonly stableAfterMs?: number;
  /** How long a connection may take from the first packet to the acknowledgement. Default: 10 s. */
  readonly connectTimeoutMs?: number;
  /** How often the server is pinged. A browser sees no pings of the protocol below, so these are messages. Default: 10 s. */
  readonly pingIntervalMs?: number;
  /** How long a pinged server may stay silent before the connection is given up as half-open. Default: 5 s. */
  readonly pongTimeoutMs?: number;
  /** Default: the platform's. */
  readonly webSocket?: typeof WebSocket;
  /** Default: Math.random. */
  readonly random?: () => number;
  /** Default: the platform's. */
  readonly clock?: Clock;
};

/**
 * One WebSocket for all subscriptions. It is opened for the first one and closed after the last, so that a page that only
 * reads costs the server no connection; it is kept alive, and tried again until it stands.
 */
export type WebSocketTransport = LiveTransport & {
  readonly getState: () => SocketState;
  /** Calls the listener at each change; returns what ends that. */
  readonly watchState: (listener: () => void) => () => void;
  /** Ends the wait before the next attempt, tries again where the server has refused, and pings where it stands. */
  readonly retryNow: () => void;
  /** Ends all operations without a further call, and the connection. */
  readonly dispose: () => Promise<void>;
};

/** `WebSocket.OPEN`, whatever the implementation. */
const OPEN = 1;

type Running = { readonly prepare: () => void; readonly restart: () => void; readonly stop: () => void };

export function createWebSocketTransport(options: WebSocketTransportOptions): WebSocketTransport {
  const { credentials, backoff = DEFAULT_BACKOFF, stableAfterMs = 60_000, connectTimeoutMs = 10_000 } = options;
  const { pingIntervalMs = 10_000, pongTimeoutMs = 5000, random = Math.random, clock = systemClock } = options;

  let state: SocketState = { status: 'idle' };
  const listeners = new Set<() => void>();
  const running = new Set<Running>();
  /** Those of the running ones that the server has refused. */
  const resting = new Set<Running>();
  let isDisposed = false;
  /** In a row. */
  let failures = 0;
  let cause: CloseCause = { code: null, reason: '' };
  /** With which the newest connection was begun. */
  let token: Token = null;

  function setState(next: SocketState): void {
    state = next;
    for (const listener of listeners) listener();
  }

  /** The wait before the next attempt, shared by all that wait. */
  let pause: { readonly over: Promise<void>; readonly end: () => void } | null = null;
  /** The connection was given up by this side for a better one: nothing has failed. */
  let isReplaced = false;
  function waitForRetry(): Promise<void> {
    if (pause !== null) return pause.over;
    if (isDisposed) return Promise.resolve();
    const retryInMs = isReplaced ? 0 : chooseDelayMs(failures++, backoff, random);
    isReplaced = false;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const cancel = clock.schedule(() => pause?.end(), retryInMs);
    const end = (): void => {
      cancel();
      pause = null;
      resolve();
    };
    pause = { over, end };
    setState({ status: 'waiting', failures, retryAt: clock.now() + retryInMs, cause });
    return over;
  }

  /** The one that was acknowledged last. */
  let socket: WebSocket | null = null;
  const isOpen = (): boolean => socket?.readyState === OPEN;

  const keepAlive = new KeepAlive({
    pingIntervalMs,
    pongTimeoutMs,
    isOpen,
    send: (message) => socket!.send(message),
    giveUp: () => client.terminate(),
    clock,
  });
  let cancelStable = (): void => {};
  function stopTimers(): void {
    keepAlive.stop();
    cancelStable();
  }

  /** Waits for the answer to a ping that renews. */
  let settleRenewal: ((isRenewed: boolean) => void) | null = null;
  /** The server takes a newer token in place of the one of the connection; where it does not, the connection is made anew. */
  async function renew(headers: Headers): Promise<void> {
    if (!isOpen()) return;
    settleRenewal?.(false);
    const isRenewed = await new Promise<boolean>((resolve) => {
      settleRenewal = resolve;
      keepAlive.ping(headers);
    });
    if (isRenewed || !isOpen()) return;
    isReplaced = true;
    client.terminate();
  }
  const stopRenewing = credentials.watch(renew);

  const client = createClient({
    url: options.url,
    webSocketImpl: options.webSocket,
    connectionParams: async () => {
      const read = await credentials.read();
      token = read.token;
      return read.headers;
    },
    lazy: true,
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: waitForRetry,
    shouldRetry: (event) => !isFinal((cause = readCause(event))),
    on: {
      connecting: () => {
        keepAlive.expectWithin(connectTimeoutMs);
        setState({ status: 'connecting', failures });
      },
      connected: (connected) => {
        socket = connected as WebSocket;
        keepAlive.noteAnswer();
        // One that stands for a moment only, again and again, is no better than none.
        cancelStable = clock.schedule(() => (failures = 0), stableAfterMs);
        // graphql-ws sends each operation again as it was given: this is the moment to bring it up to date.
        for (const operation of running) if (!resting.has(operation)) operation.prepare();
        setState({ status: 'live' });
        for (const operation of [...resting]) operation.restart();
      },
      pong: (isReceived, payload) => {
        if (!isReceived) return;
        keepAlive.noteAnswer();
        if (typeof payload?.['renewed'] === 'boolean') settleRenewal?.(payload['renewed']);
      },
      message: () => {
        if (state.status === 'live') keepAlive.noteHeard();
      },
      error: stopTimers,
      closed: (event) => {
        stopTimers();
        settleRenewal?.(false);
        cause = readCause(event);
        if (running.size === 0) setState({ status: 'idle' });
      },
    },
  });

  /** An attempt came to nothing, or the connection was closed: tried again by all that ran on it, or for good. */
  async function recover(operation: Running, sink: LiveSink): Promise<void> {
    const refused = cause;
    if (isFinal(refused) && state.status !== 'refused') setState({ status: 'connecting', failures });
    // graphql-ws has codes of its own for giving up, 4500 and 4401 among them. Ours say whether this is worth a retry.
    if (!isFinal(refused) || (isAboutCredentials(refused) && (await credentials.renew(token)))) {
      await waitForRetry();
      if (running.has(operation)) operation.restart();
      return;
    }
    if (!running.has(operation)) return;
    resting.add(operation);
    if (state.status !== 'refused') setState({ status: 'refused', cause: refused });
    sink.refuse(new ConnectionRefusedError(refused));
  }

  function subscribe(operation: LiveOperation, sink: LiveSink): () => void {
    const payload: { -readonly [K in keyof SubscribePayload]: SubscribePayload[K] } = { query: '' };
    let unsubscribe = (): void => {};
    const isOver = (): boolean => !running.has(self);
    const self: Running = {
      prepare: () => {
        const { document, variables, resumeFrom } = operation.readRequest();
        payload.query = stringifyDocument(document);
        payload.operationName = operation.name;
        payload.variables = variables;
        payload.extensions = resumeFrom === null ? undefined : { resumeFrom };
        sink.begin?.();
      },
      stop: () => {
        end();
        // Not at once: graphql-ws counts an operation as left twice where it is unsubscribed from within its result while
        // the server's `complete` is already read, and then closes the connection under the others.
        queueMicrotask(() => unsubscribe());
        // Where a connection stands, or is being made, its close tells so.
        if (running.size === 0 && (state.status === 'refused' || state.status === 'waiting')) {
          setState({ status: 'idle' });
          pause?.end();
        }
      },
      restart: () => {
        resting.delete(self);
        // Where no connection stands, or one that is being closed, it is prepared as soon as one does.
        if (isOpen()) self.prepare();
        unsubscribe = client.subscribe(payload, {
          next: (result) => {
            if (isOver()) return;
            try {
              sink.next(result as FormattedExecutionResult);
            } catch (error) {
              // graphql-ws would take it for a bad message and close the connection, for all, at every result.
              reportUncaught(error);
            }
          },
          error: (error) => {
            if (isOver()) return;
            if (Array.isArray(error)) {
              end();
              sink.fail(error as GraphQLErrors);
              return;
            }
            cause = readCause(error);
            void recover(self, sink);
          },
          complete: () => {
            if (isOver()) return;
            end();
            sink.complete();
          },
        });
      },
    };
    function end(): void {
      running.delete(self);
      resting.delete(self);
    }
    running.add(self);
    self.restart();
    return self.stop;
  }

  function retryNow(): void {
    if (state.status === 'live') keepAlive.ping();
    pause?.end();
    for (const operation of [...resting]) operation.restart();
  }

  async function dispose(): Promise<void> {
    isDisposed = true;
    stopRenewing();
    for (const operation of [...running]) operation.stop();
    pause?.end();
    // It waits for an attempt that is under way, and rejects where that comes to nothing: which is what is wanted here.
    const closed = client.dispose();
    if (state.status === 'connecting') client.terminate();
    await Promise.resolve(closed).catch(() => {});
    stopTimers();
    setState({ status: 'idle' });
  }

  return {
    getState: () => state,
    watchState: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    subscribe,
    retryNow,
    dispose,
  };
}

/** 4401 and 4403: with another token the server may think better of it. */
function isAboutCredentials({ code }: CloseCause): boolean {
  return code === UNAUTHORIZED || code === FORBIDDEN;
}
