import { createClient, type FormattedExecutionResult } from 'graphql-ws';
import { type Backoff, chooseDelayMs } from './backoff.ts';
import { type CloseCause, ConnectionRefusedError, isFinal, readCause, UNAUTHORIZED } from './close-codes.ts';

export type ConnectionState =
  /** Nothing is subscribed, so nothing is connected. */
  | { readonly status: 'idle' }
  | { readonly status: 'connecting' }
  /** The server has acknowledged the connection. */
  | { readonly status: 'live' }
  /** The connection failed or broke; it is tried again in `retryInMs`, after `failures` in a row. */
  | { readonly status: 'waiting'; readonly failures: number; readonly retryInMs: number; readonly cause: CloseCause }
  /** The server refused this client for good. A new subscription would try once more. */
  | { readonly status: 'refused'; readonly cause: CloseCause };

export type ConnectionOptions = {
  /** The WebSocket URL. */
  readonly url: string;
  /** The payload of connection_init, read anew at each attempt; what it throws counts as a failed attempt. */
  readonly readConnectionParams?: () =>
    | Record<string, unknown>
    | undefined
    | Promise<Record<string, unknown> | undefined>;
  /** Whether a connection that is closed with 4401 is tried again, with the parameters of then. Default: false. */
  readonly retryUnauthorized?: boolean;
  /** Default: 1 s, growing to 15 s. Attempts are not counted: a dashboard waits for its server as long as it is open. */
  readonly backoff?: Backoff;
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
};

export type Operation = {
  readonly query: string;
  readonly operationName?: string | undefined;
  /** Called each time that the operation is about to be sent: once, and again after each reconnect. */
  readonly readVariables: () => Record<string, unknown>;
};

export type OperationSink = {
  next(result: FormattedExecutionResult): void;
  /** The server refused the operation or ended it with errors. */
  fail(errors: NonNullable<FormattedExecutionResult['errors']>): void;
  /** The connection was refused for good. */
  refuse(error: ConnectionRefusedError): void;
  complete(): void;
};

/**
 * One WebSocket for all subscriptions. It is opened for the first one and closed after the last, so that a page that only
 * reads costs the server no connection; it is kept alive, and tried again until it stands.
 */
export type Connection = {
  readonly getState: () => ConnectionState;
  /** Calls the listener at each change; returns what ends that. */
  readonly watchState: (listener: () => void) => () => void;
  /** Runs an operation over all reconnects until it ends; returns what ends it at once, without a further call. */
  readonly subscribe: (operation: Operation, sink: OperationSink) => () => void;
  /** Ends all operations without a further call, and the connection. */
  readonly dispose: () => Promise<void>;
};

/** `WebSocket.OPEN`, whatever the implementation. */
const OPEN = 1;

type Running = { readonly prepare: () => void; readonly stop: () => void };

export function createConnection(options: ConnectionOptions): Connection {
  const { connectTimeoutMs = 10_000, pongTimeoutMs = 5000, random = Math.random } = options;
  const backoff = options.backoff ?? { initialDelayMs: 1000, maxDelayMs: 15_000 };
  const isRetried = (cause: CloseCause): boolean =>
    !isFinal(cause) || (cause.code === UNAUTHORIZED && options.retryUnauthorized === true);

  let state: ConnectionState = { status: 'idle' };
  const listeners = new Set<() => void>();
  const running = new Set<Running>();
  const disposal = new AbortController();
  /** In a row. A connection counts as good with the first thing heard on it after the acknowledgement. */
  let failures = 0;
  let cause: CloseCause = { code: null, reason: '' };
  /** The wait before the next attempt, shared by all that wait. */
  let pause: Promise<void> | null = null;

  function setState(next: ConnectionState): void {
    state = next;
    for (const listener of listeners) listener();
  }

  function waitForRetry(): Promise<void> {
    pause ??= new Promise<void>((resolve) => {
      const retryInMs = chooseDelayMs(failures++, backoff, random);
      const end = (): void => {
        clearTimeout(timer);
        disposal.signal.removeEventListener('abort', end);
        pause = null;
        resolve();
      };
      const timer = setTimeout(end, retryInMs);
      disposal.signal.addEventListener('abort', end);
      if (!disposal.signal.aborted) setState({ status: 'waiting', failures, retryInMs, cause });
    });
    return pause;
  }

  /** The one that was acknowledged last. */
  let socket: WebSocket | null = null;

  // One deadline at a time: for the acknowledgement, then for each pong. What it ends is closed with 4499 and retried.
  let deadline: ReturnType<typeof setTimeout> | undefined;
  let isHeard = false;
  function expectWithin(timeoutMs: number): void {
    clearTimeout(deadline);
    isHeard = false;
    deadline = setTimeout(() => {
      // A pong queues behind what the server has still to send: as long as that flows, the connection is not dead.
      if (isHeard) expectWithin(timeoutMs);
      else client.terminate();
    }, timeoutMs);
  }

  const client = createClient({
    url: options.url,
    webSocketImpl: options.webSocket,
    connectionParams: () => options.readConnectionParams?.(),
    lazy: true,
    keepAlive: options.pingIntervalMs ?? 10_000,
    retryAttempts: Number.POSITIVE_INFINITY,
    retryWait: waitForRetry,
    shouldRetry: (event) => isRetried((cause = readCause(event))),
    on: {
      connecting: () => {
        expectWithin(connectTimeoutMs);
        setState({ status: 'connecting' });
      },
      connected: (connected) => {
        clearTimeout(deadline);
        socket = connected as WebSocket;
        // graphql-ws sends each operation again as it was given: this is the moment to bring it up to date.
        for (const operation of running) operation.prepare();
        setState({ status: 'live' });
      },
      ping: (isReceived) => {
        if (!isReceived) expectWithin(pongTimeoutMs);
      },
      pong: (isReceived) => {
        if (isReceived) clearTimeout(deadline);
      },
      message: ({ type }) => {
        isHeard = state.status === 'live';
        if (type === 'next' || type === 'pong') failures = 0;
      },
      error: () => clearTimeout(deadline),
      closed: (event) => {
        clearTimeout(deadline);
        cause = readCause(event);
        if (!isRetried(cause)) setState({ status: 'refused', cause });
        else if (running.size === 0) setState({ status: 'idle' });
      },
    },
  });

  function subscribe({ query, operationName, readVariables }: Operation, sink: OperationSink): () => void {
    const payload = { query, operationName, variables: {} };
    const prepare = (): void => {
      payload.variables = readVariables();
    };
    let unsubscribe = (): void => {};
    let isOver = false;
    const operation: Running = {
      prepare,
      stop: () => {
        end();
        // Not at once: graphql-ws counts an operation as left twice where it is unsubscribed from within its result while
        // the server's `complete` is already read, and then closes the connection under the others.
        queueMicrotask(() => unsubscribe());
      },
    };
    function end(): void {
      isOver = true;
      running.delete(operation);
    }

    function start(): void {
      // Where no connection stands, or one that is being closed, it is prepared as soon as one does.
      if (socket?.readyState === OPEN) prepare();
      unsubscribe = client.subscribe(payload, {
        next: (result) => {
          if (isOver) return;
          try {
            sink.next(result as FormattedExecutionResult);
          } catch (error) {
            // graphql-ws would take it for a bad message and close the connection, for all, at every result.
            reportUncaught(error);
          }
        },
        error: (error) => {
          if (isOver) return;
          if (Array.isArray(error)) {
            end();
            sink.fail(error);
            return;
          }
          cause = readCause(error);
          if (isRetried(cause)) {
            // graphql-ws has codes of its own for giving up, 4500 and 4401 among them. Ours say that this is worth a retry.
            void waitForRetry().then(() => {
              if (!isOver) start();
            });
            return;
          }
          end();
          sink.refuse(new ConnectionRefusedError(cause));
        },
        complete: () => {
          if (isOver) return;
          end();
          sink.complete();
        },
      });
    }
    running.add(operation);
    start();
    return operation.stop;
  }

  async function dispose(): Promise<void> {
    for (const operation of [...running]) operation.stop();
    disposal.abort();
    // It waits for an attempt that is under way, and rejects where that comes to nothing: which is what is wanted here.
    const closed = client.dispose();
    if (state.status === 'connecting') client.terminate();
    await Promise.resolve(closed).catch(() => {});
    clearTimeout(deadline);
    setState({ status: 'idle' });
  }

  return {
    getState: () => state,
    watchState: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    subscribe,
    dispose,
  };
}

/** A reader's own fault: as loud as if nobody stood between the reader and the platform. */
function reportUncaught(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}
