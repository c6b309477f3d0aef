import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildSchema, type ExecutionResult, GraphQLError } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { MARKET_STATUS, ORDER, print, QUOTE, SERVICE_STATUS } from './scripted-market.ts';
import { createScriptedHttp, type HttpRequest } from './scripted-http.ts';

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));

/** How an operation is ended by the script: with an error of these extensions, or without. */
export type Ending = 'complete' | { readonly code: string; readonly [field: string]: unknown };

export type Received = {
  readonly by: 'socket' | 'stream' | 'query';
  readonly name: string;
  readonly variables: Record<string, unknown>;
  /** `extensions.resumeFrom`. */
  readonly resumeFrom?: string;
};

export type ScriptedServer = {
  readonly url: string;
  /** The operations that arrived, in order, and how. */
  readonly received: Received[];
  /** The payloads of connection_init, in order. */
  readonly connectionParams: unknown[];
  /** The payloads of pings that have one, in order. */
  readonly renewals: unknown[];
  /** How the next of those are answered, one each; in place of `true`. */
  readonly renewalAnswers: boolean[];
  /** The `authorization` of HTTP requests, in order. */
  readonly authorizations: (string | undefined)[];
  /** How the next HTTP requests are met, one each: answered with a status, or cut when they have come in whole. */
  readonly httpRefusals: (number | 'cut')[];
  /** How many operations run now. */
  readonly countRunning: () => number;
  /** How many connections were opened so far. */
  readonly countConnections: () => number;
  /** How the next connections are met, one each: closed with a code, or never acknowledged. */
  readonly refusals: (number | 'silence')[];
  /** How the next subscriptions to trades are answered, one each, in place of a start. */
  readonly failures: Ending[];
  /** Adds prints to the log. */
  readonly publish: (count?: number) => void;
  /** Cuts the log: what is up to this sequence is forgotten. */
  readonly forget: (sequence: number) => void;
  /** Quotes AAPL; `null` is an event whose execution fails. */
  readonly quote: (price: number | null) => void;
  /** Ends the subscriptions to trades that run. */
  readonly endTrades: (ending: Ending) => void;
  /** Breaks every connection without a close frame, as a network or a crash does. */
  readonly cut: () => void;
  readonly closeConnections: (code: number) => void;
  /** Keeps every connection open and reads nothing more from it, as the far end of a half-open one. */
  readonly freeze: () => void;
  readonly close: () => Promise<void>;
};

/**
 * A server that speaks schema.graphql and fails on command: for what the real one cannot be made to do, such as to die in
 * the middle of a stream, to fall silent, or to forget its history. The print of sequence n has the cursor `c<n>`.
 */
export async function startScriptedServer(port = 0): Promise<ScriptedServer> {
  const received: ScriptedServer['received'] = [];
  const connectionParams: unknown[] = [];
  const renewals: unknown[] = [];
  const renewalAnswers: boolean[] = [];
  const authorizations: (string | undefined)[] = [];
  const httpRefusals: (number | 'cut')[] = [];
  const refusals: (number | 'silence')[] = [];
  const failures: Ending[] = [];
  const sockets = new Set<WebSocket>();
  const waiting = new Set<() => void>();
  const endings = new Set<(ending: Ending) => void>();
  let connections = 0;
  let running = 0;
  let newest = 0;
  let forgotten = 0;
  let price: number | null = 100;
  let isClosed = false;

  function wake(): void {
    for (const resolve of waiting) resolve();
    waiting.clear();
  }
  const change = (): Promise<void> => new Promise((resolve) => waiting.add(resolve));

  /** Gives what `pull` has, as soon as it has something. Not a generator: `return()` of one that waits would wait as well. */
  function follow<T>(pull: () => T | null, ending: () => Ending | null = () => null): AsyncIterableIterator<T> {
    let isOver = false;
    running++;
    const end = (): IteratorResult<T> => {
      if (!isOver) running--;
      isOver = true;
      wake();
      return { done: true, value: undefined };
    };
    return {
      async next() {
        for (;;) {
          if (isOver || isClosed) return end();
          const how = ending();
          if (how === 'complete') return end();
          if (how !== null) {
            end();
            throw toError(how);
          }
          const value = pull();
          if (value !== null) return { done: false, value };
          await change();
        }
      },
      return: () => Promise.resolve(end()),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  function readTrades({ after }: { after?: string | null }, { resumeFrom }: { resumeFrom?: string }) {
    const failure = failures.shift() ?? null;
    if (failure !== null && failure !== 'complete') throw toError(failure);
    const place = after ?? resumeFrom;
    let sequence = place === undefined ? newest : Number(place.slice(1));
    if (sequence < forgotten) throw toError({ code: 'HISTORY_EXPIRED', oldestCursor: `c${forgotten}` });
    let ending: Ending | null = failure;
    endings.add((how) => (ending = how));
    return follow(
      () => (sequence < newest ? { trades: print(++sequence) } : null),
      () => ending,
    );
  }

  function readQuotes() {
    let told: number | null | undefined;
    return follow(() => {
      if (price === told) return null;
      told = price;
      return { quoteUpdates: { ...QUOTE, price } };
    });
  }

  async function* readMarketStatus() {
    yield { marketStatus: MARKET_STATUS };
  }
  async function* readServiceStatus() {
    yield { serviceStatus: SERVICE_STATUS };
  }

  const subscription = {
    trades: readTrades,
    quoteUpdates: readQuotes,
    marketStatus: readMarketStatus,
    serviceStatus: readServiceStatus,
  };
  const query = {
    recentTrades: ({ last }: { last: number }) => {
      const count = Math.min(last, newest - forgotten);
      return Array.from({ length: count }, (_, index) => print(newest - count + 1 + index));
    },
    quotes: ({ symbols }: { symbols: string[] }) => symbols.map(() => ({ ...QUOTE, price })),
    quote: () => ({ ...QUOTE, price }),
    marketStatus: MARKET_STATUS,
    serviceStatus: SERVICE_STATUS,
    placeOrder: ({ input }: { input: { clientOrderId: string } }) => ({ ...ORDER, ...input }),
    cancelOrder: () => ORDER,
  };
  const readCursor = (result: ExecutionResult): string | null => {
    // Its id is its number as well, and each client of ours asks for it.
    const trade = result.data?.['trades'] as { id?: string } | undefined;
    return trade?.id === undefined ? null : `c${trade.id}`;
  };
  const answerHttp = createScriptedHttp({
    schema,
    query,
    subscription,
    onRequest: ({ operationName = '', variables = {}, extensions }, by, { headers }) => {
      authorizations.push(headers.authorization);
      received.push({ by, name: operationName, variables, ...extensions });
    },
    refuse: () => httpRefusals.shift() ?? null,
    toContext: ({ extensions }) => ({ ...extensions }),
    readCursor,
    readStart: ({ query: text, extensions }) =>
      text.includes('trades') ? (extensions?.resumeFrom ?? `c${newest}`) : null,
  });
  const http = createServer(answerHttp);
  const webSockets = new WebSocketServer({ server: http, path: '/graphql' });
  webSockets.on('connection', (socket) => {
    connections++;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const protocol = useServer(
    {
      schema,
      roots: { subscription },
      context: (_context, _id, payload) => ({ ...payload.extensions }),
      onConnect: (context) => {
        connectionParams.push(context.connectionParams);
        const refusal = refusals.shift();
        if (refusal === undefined) return true;
        if (refusal === 'silence') return new Promise<boolean>(() => {});
        context.extra.socket.close(refusal, 'scripted');
        return new Promise<boolean>(() => {});
      },
      onSubscribe: (_context, _id, payload) => {
        const { operationName, variables, extensions } = payload as HttpRequest;
        received.push({ by: 'socket', name: operationName ?? '', variables: variables ?? {}, ...extensions });
      },
      onNext: (_context, _id, _payload, _args, result) => {
        const cursor = readCursor(result);
        return cursor === null ? undefined : { ...result, extensions: { cursor } };
      },
      onPing: ({ extra }, payload) => {
        if (payload === undefined) return extra.socket.send('{"type":"pong"}');
        renewals.push(payload);
        const renewed = renewalAnswers.shift() ?? true;
        return extra.socket.send(JSON.stringify({ type: 'pong', payload: { renewed } }));
      },
      onError: (_context, _id, _payload, errors) => errors,
    },
    webSockets,
  );
  http.listen(port, '127.0.0.1');
  await once(http, 'listening');

  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/graphql`,
    received,
    connectionParams,
    renewals,
    renewalAnswers,
    authorizations,
    httpRefusals,
    countRunning: () => running,
    countConnections: () => connections,
    refusals,
    failures,
    publish: (count = 1) => {
      newest += count;
      wake();
    },
    forget: (sequence) => void (forgotten = sequence),
    quote: (next) => {
      price = next;
      wake();
    },
    endTrades: (ending) => {
      for (const end of endings) end(ending);
      endings.clear();
      wake();
    },
    cut: () => {
      for (const socket of sockets) socket.terminate();
      http.closeAllConnections();
    },
    closeConnections: (code) => {
      for (const socket of sockets) socket.close(code, 'scripted');
    },
    freeze: () => {
      for (const socket of sockets) socket.pause();
    },
    close: async () => {
      isClosed = true;
      wake();
      for (const socket of sockets) socket.terminate();
      if (!http.listening) return;
      await protocol.dispose();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function toError({ code, ...fields }: Exclude<Ending, 'complete'>): GraphQLError {
  return new GraphQLError(`scripted ${code}`, { extensions: { code, ...fields } });
}
