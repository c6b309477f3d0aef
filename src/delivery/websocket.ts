import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ExecutionArgs, getOperationAST, type GraphQLError } from 'graphql';
import { handleProtocols, makeServer, type SubscribePayload } from 'graphql-ws';
import { WebSocket, WebSocketServer } from 'ws';
import { CLOSE_CODES, ClientError } from '../errors.ts';
import type { Logger } from '../market/logger.ts';
import { every, type Timers } from '../market/timers.ts';
import { backgroundTimers } from './background-timers.ts';
import { isUnexpected, serializeError, toGraphQLError } from './format-error.ts';
import type { Spender } from './message-pace.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';
import type { RunningOperation } from './subscribe.ts';
import { TimerWheel } from './timer-wheel.ts';
import type { Turn } from './turn.ts';
import type { UnreadBytes, WrittenSocket } from './unread-bytes.ts';
import {
  Connection,
  type ConnectionOwner,
  OperationTransport,
  type Protocol,
  type ViewerSession,
} from './web-socket-connection.ts';

/** Yoga's enveloped functions, so that masking, limits and plugins are those of HTTP. */
export type Enveloped = {
  readonly schema: ExecutionArgs['schema'];
  parse(query: string): ExecutionArgs['document'];
  validate(schema: ExecutionArgs['schema'], document: ExecutionArgs['document']): readonly GraphQLError[];
  contextFactory(): unknown;
  execute(args: ExecutionArgs): never;
  subscribe(args: ExecutionArgs): never;
};

type Prepared = {
  readonly enveloped: Enveloped;
  readonly connection: Connection;
  readonly payload: SubscribePayload;
};

export type WebSocketTransportOptions = {
  readonly path: string;
  readonly getEnveloped: (initialContext: object) => Enveloped;
  /** Beside the same origin. A request without an Origin header is no browser's and is accepted. */
  readonly allowedOrigins: readonly string[];
  readonly maxConnections: number;
  /** Whom a connection counts for. */
  readonly readAddress: (request: IncomingMessage) => string;
  /** Counts a connection of a user. `null`: he has as many as he may; `onRefused`: this turned out a little later. */
  readonly takeSeat: (user: string, onRefused: () => void) => { release(): void } | null;
  /** Connections of one address that have not been acknowledged yet, or were refused and have not ended yet. */
  readonly maxPendingPerAddress: number;
  readonly maxSubscriptionsPerConnection: number;
  /** The credentials among the headers of an upgrade, to be kept until it is initialised; `null`: none. */
  readonly readUpgrade: (request: IncomingMessage) => unknown;
  /** Who names himself by the payload of `connection_init`, or else by those; `null`: nobody. */
  readonly openSession: (payload: unknown, upgrade: unknown) => ViewerSession | null | Promise<ViewerSession>;
  /** A longer message ends the connection with 1009. */
  readonly maxMessageBytes: number;
  readonly turn: Turn;
  /** Who does not read is cut off by these bounds. */
  readonly unread: UnreadBytes;
  /** The CPU time that connections may have. Default: as much as they like. */
  readonly work?: {
    openConnection(account: string): Spender;
    noteSlowed(transport: 'websocket'): void;
    noteRefused(transport: 'websocket'): void;
  };
  /** A client that sends no connection_init is closed with 4408 after this. */
  readonly initTimeoutMs?: number;
  /** How often each connection is pinged; one that has not answered by the next ping is ended. Default 25 s. */
  readonly pingIntervalMs?: number;
  /** Default: the machine's. */
  readonly timers?: Timers;
  readonly logger: Logger;
};

const TOO_MANY = { code: CLOSE_CODES.TRY_AGAIN_LATER, reason: 'Too many connections' };

/** What an upgrade is refused by: an HTTP status, and, where there is one, the close code that says the same on a WebSocket. */
type Refusal = {
  readonly cause: keyof typeof NO_REFUSALS;
  readonly status: number;
  readonly close: { readonly code: number; readonly reason: string } | null;
};

/** Upgrades that were answered by an HTTP status, by cause. */
const NO_REFUSALS = { path: 0, origin: 0, full: 0, pending: 0, shutdown: 0 };

const ELSEWHERE: Refusal = { cause: 'path', status: 404, close: null };
const GOING_AWAY: Refusal = {
  cause: 'shutdown',
  status: 503,
  close: { code: CLOSE_CODES.GOING_AWAY, reason: 'Going away' },
};
const FOREIGN_ORIGIN: Refusal = {
  cause: 'origin',
  status: 403,
  close: { code: CLOSE_CODES.FORBIDDEN, reason: 'Origin not allowed' },
};
const FULL: Refusal = { cause: 'full', status: 503, close: TOO_MANY };
const TOO_MANY_PENDING: Refusal = { cause: 'pending', status: 429, close: null };

/**
 * A browser tells its page the close code of a WebSocket, and nothing of an HTTP status: so that clients know what to do, refusals that
 * have a code are told by it, to so many at a time, each for so long. Beyond that, as in an attack, an HTTP status ends them at once.
 */
const MAX_REFUSED_BY_CODE = 64;
const REFUSED_BY_CODE_MS = 1_000;
/** A client that does not answer a close is cut off after this. */
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * Below the minute after which proxies drop what is silent. A ping and its pong cost as much as two deliveries, and most
 * connections are idle.
 */
const PING_INTERVAL_MS = 25_000;
/** At most so many times in an interval pings are sent, each time to a part of the connections. */
const PING_SLOTS = 60;
const MIN_SLOT_MS = 50;

/** What the listeners below are told as `this`: no connection has closures of its own. */
class TapeSocket extends WebSocket {
  connection: Connection | null = null;
  /** The part of the connections with which it is pinged. */
  slot: Set<TapeSocket> | null = null;
}

/** The WebSocket transport: graphql-ws keeps the protocol, `ws` the socket; this joins the two and keeps the limits. */
export class WebSocketTransport {
  readonly #options: WebSocketTransportOptions;
  readonly #server: InstanceType<typeof WebSocketServer<typeof TapeSocket>>;
  readonly #sockets = new Set<TapeSocket>();
  readonly #owner: ConnectionOwner;
  readonly #timers: Timers;
  readonly #stopPinging: () => void;
  /** The connections in parts, of which one is pinged at a time. */
  readonly #pingSlots: Set<TapeSocket>[];
  #pingSlot = 0;
  /** By address, how many have not been acknowledged yet, or were refused and have not ended yet. */
  readonly #pending = new Map<string, number>();
  readonly #counts = { accepted: 0, refused: 0, messagesIn: 0, messagesOut: 0 };
  /** What belongs to an operation, from its preparation to its start. */
  readonly #prepared = new WeakMap<ExecutionArgs, Prepared>();
  /** The queries that are being worked out. */
  readonly #running = new WeakSet<SubscribePayload>();
  readonly #refusedUpgrades = { ...NO_REFUSALS };
  /** Those that were refused and are being told so by a close code. */
  readonly #refused = new Set<WebSocket>();
  readonly #onClose: (this: WebSocket, code: number, reason: Buffer) => void;
  #closing = false;

  constructor(options: WebSocketTransportOptions) {
    this.#options = options;
    this.#timers = options.timers ?? backgroundTimers;
    this.#server = new WebSocketServer<typeof TapeSocket>({
      noServer: true,
      maxPayload: options.maxMessageBytes,
      perMessageDeflate: false,
      clientTracking: false,
      // See Connection.onPingFrame.
      autoPong: false,
      // Its types do not know of this one yet.
      ...({ closeTimeout: CLOSE_TIMEOUT_MS } as object),
      handleProtocols: (protocols) => handleProtocols(protocols),
      WebSocket: TapeSocket,
    });
    // In place of its own answer, which says nothing to caches on the way. The version that is understood is named (RFC 6455, 4.4).
    this.#server.on('wsClientError', ({ message }, socket) =>
      refuseUpgrade(socket, 400, message, ['content-type: text/plain; charset=utf-8', 'sec-websocket-version: 13']),
    );
    this.#owner = {
      protocol: this.#createProtocol(),
      outlet: {
        turn: options.turn,
        // One for each operation, and as many again for answers to what is no operation.
        maxWaiting: 2 * options.maxSubscriptionsPerConnection + 64,
        onSent: (messages) => (this.#counts.messagesOut += messages),
        onBacklog: (webSocket, socket) =>
          // The socket of an upgrade is that of the connection.
          options.unread.note(
            socket as unknown as WrittenSocket,
            (webSocket as TapeSocket).connection?.address ?? 'unknown',
          ),
      },
      initTimeoutMs: options.initTimeoutMs ?? 5000,
      wheel: new TimerWheel({ timers: this.#timers }),
      logger: options.logger,
      onPendingEnd: (address) => this.#notePendingEnd(address),
      onMessage: () => this.#counts.messagesIn++,
      openSpender: (address) => options.work?.openConnection(`address ${address}`) ?? null,
      onSlowed: () => options.work?.noteSlowed('websocket'),
      onOverspent: () => options.work?.noteRefused('websocket'),
    };
    const intervalMs = options.pingIntervalMs ?? PING_INTERVAL_MS;
    const slots = Math.max(1, Math.min(PING_SLOTS, Math.floor(intervalMs / MIN_SLOT_MS)));
    this.#pingSlots = Array.from({ length: slots }, () => new Set());
    this.#stopPinging = every(this.#timers, intervalMs / slots, () => this.#pingNext());
    const sockets = this.#sockets;
    this.#onClose = function onClose(code, reason) {
      const webSocket = this as TapeSocket;
      sockets.delete(webSocket);
      webSocket.slot!.delete(webSocket);
      webSocket.connection!.end(code, String(reason));
    };
  }

  #createProtocol(): Protocol {
    return makeServer<Record<string, unknown> | undefined, Connection>({
      // Kept by the wheel, for all connections.
      connectionInitWaitTimeout: 0,
      onConnect: (context) => {
        const { extra, connectionParams } = context;
        // It is held as long as the connection lives, and may hold a token.
        Object.assign(context, { connectionParams: undefined });
        return this.#connect(extra, connectionParams);
      },
      onSubscribe: ({ extra }, _id, payload) => this.#prepare(extra, payload),
      execute: (args) => this.#execute(args),
      onComplete: ({ extra }, _id, payload) => {
        // By now the answer has gone where the client has room for it.
        if (this.#running.delete(payload)) extra.queries.leave();
      },
      subscribe: (args) => {
        const { enveloped } = this.#prepared.get(args)!;
        // The arguments live as long as the subscription; these need not.
        this.#prepared.delete(args);
        return enveloped.subscribe(args);
      },
      onOperation: ({ extra }, id, payload, args) => {
        const { subscription } = (args.contextValue as { running: RunningOperation }).running;
        if (subscription === null) return undefined;
        subscription.deliverTo(new OperationTransport(extra.outlet, id));
        // graphql-ws holds these as long as the subscription runs, and needs them no more.
        Object.assign(payload, { query: '', variables: null, extensions: null });
        Object.assign(args, { contextValue: null, variableValues: null });
        return subscription;
      },
      onError: (_context, _id, _payload, errors) => errors.map((error) => serializeError(toGraphQLError(error))),
      onNext: (_context, _id, _payload, _args, result) =>
        result.errors === undefined ? undefined : { ...result, errors: result.errors.map(serializeError) },
    });
  }

  /** A query waits until the client has room for its answer, and others of it are done; a mutation does not. */
  async #execute(args: ExecutionArgs): Promise<never> {
    const { enveloped, connection, payload } = this.#prepared.get(args)!;
    if (getOperationAST(args.document, args.operationName)?.operation === 'query') {
      await connection.queries.enter();
      this.#running.add(payload);
    }
    return enveloped.execute(args);
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Takes an HTTP upgrade over; to be given to the HTTP server's `upgrade` event. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A function of its own: a closure of this scope would keep the request as long as the connection lives.
    socket.on('error', destroyOnError);
    const refusal = this.#refusalOf(request);
    if (refusal !== null) this.#refuseUpgrade(refusal, request, socket, head);
    else this.#server.handleUpgrade(request, socket, head, (webSocket) => this.#accept(webSocket, request, socket));
  }

  #refuseUpgrade({ cause, status, close }: Refusal, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#counts.refused++;
    if (close === null || this.#refused.size >= MAX_REFUSED_BY_CODE) {
      this.#refusedUpgrades[cause]++;
      refuseUpgrade(socket, status, '', status === 429 || status === 503 ? ['retry-after: 1'] : []);
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', ignore);
      this.#refused.add(webSocket);
      const cancelEnd = this.#timers.after(REFUSED_BY_CODE_MS, () => webSocket.terminate());
      webSocket.once('close', () => {
        cancelEnd();
        this.#refused.delete(webSocket);
      });
      webSocket.close(close.code, close.reason);
    });
  }

  #accept(webSocket: TapeSocket, request: IncomingMessage, tcp: Duplex): void {
    // `ws` closes by itself with the code that fits (1009 too big, 1007 no UTF-8); there is nothing left to do.
    webSocket.on('error', ignore);
    const id = ++this.#counts.accepted;
    const address = this.#options.readAddress(request);
    this.#notePending(address);
    webSocket.connection = new Connection(this.#owner, { id, webSocket, tcp, address });
    webSocket.connection.upgradeCredentials = this.#options.readUpgrade(request);
    this.#sockets.add(webSocket);
    // The part whose turn has just been: its first ping comes after a whole interval.
    webSocket.slot = this.#pingSlots[this.#pingSlot]!;
    webSocket.slot.add(webSocket);
    webSocket.on('message', onMessage);
    webSocket.on('ping', onPing);
    webSocket.on('pong', onPong);
    webSocket.on('close', this.#onClose);
  }

  #refusalOf(request: IncomingMessage): Refusal | null {
    if (request.url?.split('?', 1)[0] !== this.#options.path) return ELSEWHERE;
    if (this.#closing) return GOING_AWAY;
    const { origin, host } = request.headers;
    if (origin !== undefined && !this.#options.allowedOrigins.includes(origin) && !isSameOrigin(origin, host)) {
      return FOREIGN_ORIGIN;
    }
    const pending = this.#pending.get(this.#options.readAddress(request)) ?? 0;
    if (pending >= this.#options.maxPendingPerAddress) return TOO_MANY_PENDING;
    return this.#sockets.size >= this.#options.maxConnections ? FULL : null;
  }

  /** Returns whether it is let in. */
  #connect(connection: Connection, payload: unknown): boolean | Promise<boolean> {
    connection.noteInitialised();
    const { upgradeCredentials } = connection;
    connection.upgradeCredentials = null;
    const session = this.#options.openSession(payload, upgradeCredentials);
    if (!(session instanceof Promise)) return this.#seat(connection, session);
    return session.then(
      (opened) => this.#seat(connection, opened),
      (error: unknown) => this.#refuse(connection, error),
    );
  }

  /** Credentials that hold good for nobody are refused for good; what cannot be verified now, may be later. */
  #refuse(connection: Connection, error: unknown): false {
    this.#counts.refused++;
    const { message, extensions } = toGraphQLError(error);
    if (extensions['code'] === 'UNAUTHENTICATED') connection.close(CLOSE_CODES.FORBIDDEN, message);
    else {
      if (isUnexpected(error)) this.#options.logger.error({ err: error }, 'credentials could not be verified');
      connection.close(CLOSE_CODES.TRY_AGAIN_LATER, message);
    }
    return false;
  }

  /** The connection counts for its user from here on: before, nobody knows whose it is. */
  #seat(connection: Connection, session: ViewerSession | null): boolean {
    // The client has left while its credentials were verified: nobody would give its seat back.
    if (connection.hasEnded) return false;
    connection.session = session;
    const refuse = (): void => {
      this.#counts.refused++;
      connection.close(TOO_MANY.code, TOO_MANY.reason);
    };
    const user = session === null ? `address ${connection.address}` : `user ${session.userId}`;
    if (connection.spender !== null) connection.spender.account = user;
    connection.seat = this.#options.takeSeat(user, () => {
      // It counts for its address again until it has ended.
      if (connection.notePending()) this.#notePending(connection.address);
      refuse();
    });
    if (connection.seat === null) refuse();
    else connection.noteSeated();
    return connection.seat !== null;
  }

  #notePending(address: string): void {
    this.#pending.set(address, (this.#pending.get(address) ?? 0) + 1);
  }

  #notePendingEnd(address: string): void {
    const others = this.#pending.get(address)! - 1;
    if (others === 0) this.#pending.delete(address);
    else this.#pending.set(address, others);
  }

  async #prepare(connection: Connection, payload: SubscribePayload): Promise<ExecutionArgs | GraphQLError[]> {
    const { running, ending } = connection.operations.readSizes();
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
        params: payload,
        address: connection.address,
        session: connection.session,
        spender: connection.spender,
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
      this.#prepared.set(args, { enveloped, connection, payload });
      return args;
    } catch (error) {
      if (isUnexpected(error)) this.#options.logger.error({ err: error }, 'operation could not be prepared');
      return [toGraphQLError(error)];
    }
  }

  #pingNext(): void {
    this.#pingSlot = (this.#pingSlot + 1) % this.#pingSlots.length;
    for (const webSocket of this.#pingSlots[this.#pingSlot]!) {
      const connection = webSocket.connection!;
      if (connection.isAlive || !connection.mayAnswer) {
        connection.isAlive = false;
        webSocket.ping();
      } else {
        webSocket.terminate();
      }
    }
  }

  /** Those who have not named themselves are told apart by their address. */
  readConnections(subscriptions: number) {
    return { clients: this.#sockets.size, uniqueUsers: this.readAddresses().size, subscriptions };
  }

  readAddresses(): ReadonlySet<string> {
    // A user may be called as an address is.
    return new Set(
      [...this.#sockets].map(({ connection }) =>
        connection!.session === null ? `address ${connection!.address}` : `user ${connection!.session.userId}`,
      ),
    );
  }

  readStats() {
    let backlogBytes = 0;
    for (const { connection } of this.#sockets) backlogBytes += connection!.outlet.backlog;
    return {
      connections: this.#sockets.size,
      ...this.#counts,
      refusing: this.#refused.size,
      refusedUpgrades: { ...this.#refusedUpgrades },
      backlogBytes,
    };
  }

  /** Closes every connection with 1001 and waits for them, at most `timeoutMs`. */
  async close(timeoutMs = 2000): Promise<void> {
    this.#closing = true;
    this.#stopPinging();
    const closed = [...this.#sockets].map((webSocket) => {
      const gone = new Promise<void>((resolve) => webSocket.once('close', () => resolve()));
      webSocket.connection!.outlet.close(CLOSE_CODES.GOING_AWAY, 'Going away');
      return gone;
    });
    const cancelEnd = this.#timers.after(timeoutMs, () => {
      for (const webSocket of this.#sockets) webSocket.terminate();
    });
    await Promise.all(closed);
    cancelEnd();
    for (const webSocket of this.#refused) webSocket.terminate();
  }
}

function isSameOrigin(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}

function ignore(): void {}

function destroyOnError(this: Duplex): void {
  this.destroy();
}

/** A frame is one Buffer, as long as `binaryType` is left alone. */
function onMessage(this: WebSocket, data: Buffer): void {
  (this as TapeSocket).connection!.receive(data.toString('utf8'));
}

function onPing(this: WebSocket, data: Buffer): void {
  (this as TapeSocket).connection!.onPingFrame(this, data);
}

function onPong(this: WebSocket): void {
  (this as TapeSocket).connection!.isAlive = true;
}
