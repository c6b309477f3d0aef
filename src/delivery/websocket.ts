import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ExecutionArgs, GraphQLError } from 'graphql';
import { CloseCode, type Context, handleProtocols, makeServer, type SubscribePayload } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { CLOSE_CODES, ClientError } from '../errors.ts';
import type { Logger } from '../market/logger.ts';
import { isUnexpected, serializeError, toGraphQLError } from './format-error.ts';
import { SocketOutlet } from './socket-outlet.ts';
import { OperationOrder } from './operation-order.ts';

/** Yoga's enveloped functions, so that masking, limits and plugins are those of HTTP. */
export type Enveloped = {
  readonly schema: ExecutionArgs['schema'];
  parse(query: string): ExecutionArgs['document'];
  validate(schema: ExecutionArgs['schema'], document: ExecutionArgs['document']): readonly GraphQLError[];
  contextFactory(): unknown;
  execute(args: ExecutionArgs): never;
  subscribe(args: ExecutionArgs): never;
};

export type WebSocketTransportOptions = {
  readonly path: string;
  readonly getEnveloped: (initialContext: object) => Enveloped;
  /** Beside the same origin. A request without an Origin header is no browser's and is accepted. */
  readonly allowedOrigins: readonly string[];
  readonly maxConnections: number;
  readonly maxSubscriptionsPerConnection: number;
  /** A longer message ends the connection with 1009. */
  readonly maxMessageBytes: number;
  /** A client that sends no connection_init is closed with 4408 after this. */
  readonly initTimeoutMs?: number;
  /** How often each connection is pinged; one that has not answered by the next ping is ended. */
  readonly pingIntervalMs?: number;
  readonly logger: Logger;
};

type Extra = { readonly request: IncomingMessage; readonly connection: string; operations: OperationOrder | null };

/** The WebSocket transport: graphql-ws keeps the protocol, `ws` the socket; this joins the two and keeps the limits. */
export class WebSocketTransport {
  readonly #options: WebSocketTransportOptions;
  readonly #server: WebSocketServer;
  readonly #sockets = new Map<WebSocket, { alive: boolean; readonly address: string }>();
  readonly #protocol: ReturnType<typeof makeServer<Record<string, unknown> | undefined, Extra>>;
  readonly #pinging: NodeJS.Timeout;
  readonly #counts = { accepted: 0, refused: 0, messagesIn: 0, messagesOut: 0 };
  /** The functions that belong to an operation, from its preparation to its start. */
  readonly #enveloped = new WeakMap<ExecutionArgs, Enveloped>();
  #closing = false;

  constructor(options: WebSocketTransportOptions) {
    this.#options = options;
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: options.maxMessageBytes,
      perMessageDeflate: false,
      clientTracking: false,
      handleProtocols: (protocols) => handleProtocols(protocols),
    });
    this.#protocol = makeServer<Record<string, unknown> | undefined, Extra>({
      connectionInitWaitTimeout: options.initTimeoutMs ?? 5000,
      onSubscribe: (context, _id, payload) => this.#prepare(context, payload),
      execute: (args) => this.#enveloped.get(args)!.execute(args),
      subscribe: (args) => this.#enveloped.get(args)!.subscribe(args),
      onError: (_context, _id, _payload, errors) => errors.map((error) => serializeError(toGraphQLError(error))),
      onNext: (_context, _id, _payload, _args, result) =>
        result.errors === undefined ? undefined : { ...result, errors: result.errors.map(serializeError) },
    });
    this.#pinging = setInterval(() => this.#pingAll(), options.pingIntervalMs ?? 12_000);
    this.#pinging.unref();
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Takes an HTTP upgrade over; to be given to the HTTP server's `upgrade` event. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const path = request.url?.split('?', 1)[0];
    if (path !== this.#options.path) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#accept(webSocket, request));
  }

  #accept(socket: WebSocket, request: IncomingMessage): void {
    const connection = randomUUID();
    const logger = this.#options.logger.child({ connection });
    // `ws` closes by itself with the code that fits (1009 too big, 1007 no UTF-8); there is nothing left to do.
    socket.on('error', (error) => logger.debug({ err: error }, 'connection failed'));

    const refusal = this.#refusalOf(request);
    if (refusal !== null) {
      this.#counts.refused++;
      socket.close(refusal.code, refusal.reason);
      return;
    }
    this.#counts.accepted++;
    const liveness = { alive: true, address: request.socket.remoteAddress ?? 'unknown' };
    this.#sockets.set(socket, liveness);
    socket.on('pong', () => (liveness.alive = true));
    logger.debug({ address: request.socket.remoteAddress }, 'connected');

    const extra: Extra = { request, connection, operations: null };
    const outlet = new SocketOutlet(socket, {
      // One for each operation, and as many again for answers to what is no operation.
      maxWaiting: 2 * this.#options.maxSubscriptionsPerConnection + 64,
      onSend: () => this.#counts.messagesOut++,
    });
    const closed = this.#protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => outlet.send(text),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (handle) => {
          const operations = new OperationOrder(handle, (id) =>
            socket.close(CloseCode.SubscriberAlreadyExists, `Subscriber for ${id} already exists`),
          );
          extra.operations = operations;
          // A frame is one Buffer, as long as `binaryType` is left alone.
          socket.on('message', (data: Buffer) => {
            this.#counts.messagesIn++;
            liveness.alive = true;
            operations.take(data.toString('utf8')).catch((error: unknown) => {
              logger.error({ err: error }, 'message handling failed');
              socket.close(4500, 'Internal server error');
            });
          });
        },
      },
      extra,
    );
    socket.once('close', (code, reason) => {
      this.#sockets.delete(socket);
      extra.operations?.close();
      logger.debug({ code }, 'disconnected');
      closed(code, String(reason)).catch((error: unknown) => logger.error({ err: error }, 'teardown failed'));
    });
  }

  #refusalOf(request: IncomingMessage): { code: number; reason: string } | null {
    if (this.#closing) return { code: CLOSE_CODES.GOING_AWAY, reason: 'Going away' };
    const { origin, host } = request.headers;
    if (origin !== undefined && !this.#options.allowedOrigins.includes(origin) && !isSameOrigin(origin, host)) {
      return { code: CLOSE_CODES.FORBIDDEN, reason: 'Origin not allowed' };
    }
    if (this.#sockets.size >= this.#options.maxConnections) {
      return { code: CLOSE_CODES.TRY_AGAIN_LATER, reason: 'Too many connections' };
    }
    return null;
  }

  async #prepare(
    context: Context<Record<string, unknown> | undefined, Extra>,
    payload: SubscribePayload,
  ): Promise<ExecutionArgs | GraphQLError[]> {
    const { running, ending } = context.extra.operations?.readSizes() ?? { running: 0, ending: 0 };
    const limit = this.#options.maxSubscriptionsPerConnection;
    // One that ends makes room at once, but not for ever more: what it opened is held until it is over.
    if (running > limit || ending > limit) {
      return [
        toGraphQLError(
          new ClientError('TOO_MANY_SUBSCRIPTIONS', `A connection may have ${limit} subscriptions at a time.`, {
            limit,
          }),
        ),
      ];
    }
    try {
      const enveloped = this.#options.getEnveloped({
        connection: context.extra.connection,
        connectionParams: context.connectionParams,
        request: context.extra.request,
        params: payload,
      });
      const document = enveloped.parse(payload.query);
      const errors = enveloped.validate(enveloped.schema, document);
      if (errors.length > 0) return errors.map(toGraphQLError);
      const args: ExecutionArgs = {
        schema: enveloped.schema,
        document,
        operationName: payload.operationName,
        variableValues: payload.variables,
        contextValue: await enveloped.contextFactory(),
      };
      this.#enveloped.set(args, enveloped);
      return args;
    } catch (error) {
      if (isUnexpected(error)) this.#options.logger.error({ err: error }, 'operation could not be prepared');
      return [toGraphQLError(error)];
    }
  }

  #pingAll(): void {
    for (const [socket, liveness] of this.#sockets) {
      if (liveness.alive) {
        liveness.alive = false;
        socket.ping();
      } else {
        socket.terminate();
      }
    }
  }

  /** Users are told apart by their address, until they have a name. */
  readConnections(subscriptions: number) {
    return {
      clients: this.#sockets.size,
      uniqueUsers: new Set([...this.#sockets.values()].map(({ address }) => address)).size,
      subscriptions,
    };
  }

  readStats() {
    return { connections: this.#sockets.size, ...this.#counts };
  }

  /** Closes every connection with 1001 and waits for them, at most `timeoutMs`. */
  async close(timeoutMs = 2000): Promise<void> {
    this.#closing = true;
    clearInterval(this.#pinging);
    const closed = [...this.#sockets.keys()].map((socket) => {
      const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      socket.close(CLOSE_CODES.GOING_AWAY, 'Going away');
      return gone;
    });
    const late = setTimeout(() => {
      for (const socket of this.#sockets.keys()) socket.terminate();
    }, timeoutMs);
    await Promise.all(closed);
    clearTimeout(late);
  }
}

function isSameOrigin(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}
