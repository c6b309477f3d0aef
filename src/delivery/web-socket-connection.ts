import type { Duplex } from 'node:stream';
import { CloseCode, type makeServer } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { CLOSE_CODES } from '../errors.ts';
import type { Logger } from '../market/logger.ts';
import { serializeError, toGraphQLError } from './format-error.ts';
import { MessagePace, type Spender } from './message-pace.ts';
import { OperationOrder, type OperationOrderOptions } from './operation-order.ts';
import type { Payload } from './payload.ts';
import { QueryQueue } from './query-queue.ts';
import { type Sender, SocketOutlet, type SocketOutletOptions } from './socket-outlet.ts';
import type { Transport } from './subscription.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** graphql-ws, with the connection as what belongs to each of its sockets. */
export type Protocol = ReturnType<typeof makeServer<Record<string, unknown> | undefined, Connection>>;

/** Who is signed in on a connection. */
export type ViewerSession = {
  readonly userId: string;
  /** Goes on with the newer credentials of a ping's payload. Rejects with what is wrong with them. */
  renew(payload: unknown): Promise<void>;
};

/** What all connections have in common. */
export type ConnectionOwner = {
  readonly protocol: Protocol;
  readonly outlet: SocketOutletOptions;
  /** A client that sends no connection_init is closed with 4408 after this. */
  readonly initTimeoutMs: number;
  readonly wheel: TimerWheel;
  readonly logger: Logger;
  readonly onMessage: () => void;
  /** When it was acknowledged, or has ended without. */
  readonly onPendingEnd: (address: string) => void;
  /** Who is charged for a connection of an address; `null`: nobody. */
  readonly openSpender: (address: string) => Spender | null;
  /** A connection's messages wait, for it has done too much. */
  readonly onSlowed: () => void;
  /** A connection is ended, for it goes on doing too much. */
  readonly onOverspent: () => void;
};

/** Pings are answered so often while something is not read: who reads slowly is told for some minutes that the connection lives. */
const MAX_UNREAD_PONGS = 32;
/** Who was told that he is refused, and goes on, is cut off after this. */
const REFUSAL_MS = 1000;

/**
 * One WebSocket connection: between `ws`, graphql-ws and the outlet. It is the socket that graphql-ws is given, for it has as
 * few objects of its own as can be: most connections are idle, and there are many.
 */
export class Connection implements OperationOrderOptions {
  /** Names it in the log. */
  readonly id: number;
  readonly address: string;
  readonly protocol: string;
  readonly outlet: SocketOutlet;
  readonly operations: OperationOrder;
  /** What its upgrade had of credentials, until it is initialised. */
  upgradeCredentials: unknown = null;
  /** Who is signed in; `null`: nobody. */
  session: ViewerSession | null = null;
  /** Since the last ping something was heard of it. */
  isAlive = true;
  /** As it counts for its user. */
  seat: { release(): void } | null = null;
  handle: (text: string) => Promise<void> = () => Promise.resolve();
  /** Whose the work is that it brings about; `null`: nobody's. */
  readonly spender: Spender | null;
  readonly #pace: MessagePace | null;
  readonly #owner: ConnectionOwner;
  readonly #closed: (code: number, reason: string) => Promise<void>;
  #queries: QueryQueue | null = null;
  #unreadPongs = 0;
  #cancelInit: (() => void) | null;
  /** It counts for its address as one of whom nobody knows who it is. */
  #isPending = true;
  /** Its socket is closed. */
  hasEnded = false;
  #isFirstMessage = true;

  constructor(
    owner: ConnectionOwner,
    socket: { readonly id: number; readonly webSocket: WebSocket; readonly tcp: Duplex; readonly address: string },
  ) {
    this.id = socket.id;
    this.address = socket.address;
    this.protocol = socket.webSocket.protocol;
    this.#owner = owner;
    this.outlet = new SocketOutlet(socket.webSocket, socket.tcp, owner.outlet);
    this.operations = new OperationOrder(this);
    this.spender = owner.openSpender(socket.address);
    this.#pace = this.spender === null ? null : this.#openPace(this.spender, socket.webSocket);
    // Where the process had no time itself, what the client has sent meanwhile is read first.
    this.#cancelInit = owner.wheel.schedule(owner.initTimeoutMs, () => setImmediate(() => this.#endUninitialised()));
    this.#closed = owner.protocol.opened(this, this);
    owner.logger.debug({ connection: this.id, address: this.address }, 'connected');
  }

  /** In what order its queries are worked out. Many connections never ask one. */
  get queries(): QueryQueue {
    return (this.#queries ??= new QueryQueue(this.outlet));
  }

  #openPace(spender: Spender, webSocket: WebSocket): MessagePace {
    const { wheel, onSlowed, onOverspent } = this.#owner;
    return new MessagePace(spender, {
      wheel,
      onSlowed,
      setReading: (isReading) => (isReading ? webSocket.resume() : webSocket.pause()),
      handle: (text) => this.operations.take(text),
      onRefused: () => {
        onOverspent();
        this.close(CLOSE_CODES.TRY_AGAIN_LATER, 'Too much work');
        wheel.schedule(REFUSAL_MS, () => webSocket.terminate());
      },
    });
  }

  /** Whether it may have answered a ping: not while nothing is read from it. */
  get mayAnswer(): boolean {
    return this.#pace?.isPaused !== true;
  }

  noteInitialised(): void {
    this.#cancelInit?.();
    this.#cancelInit = null;
  }

  /** It counts for its user from here on. */
  noteSeated(): void {
    if (!this.#isPending) return;
    this.#isPending = false;
    this.#owner.onPendingEnd(this.address);
  }

  /** It counts for no user any more, and is there still. Returns whether it has counted for one. */
  notePending(): boolean {
    if (this.#isPending || this.hasEnded) return false;
    this.#isPending = true;
    return true;
  }

  #endUninitialised(): void {
    if (this.#cancelInit === null) return;
    this.close(CloseCode.ConnectionInitialisationTimeout, 'Connection initialisation timeout');
  }

  receive(text: string): void {
    this.isAlive = true;
    this.#owner.onMessage();
    // The first message says whose it is: it does not wait for what others of its address have spent.
    const isFirst = this.#isFirstMessage;
    this.#isFirstMessage = false;
    if (this.#pace === null || isFirst) this.operations.take(text);
    else this.#pace.take(text);
  }

  end(code: number, reason: string): void {
    this.hasEnded = true;
    this.noteInitialised();
    this.noteSeated();
    this.seat?.release();
    this.#pace?.stop();
    this.#queries?.stop();
    this.operations.close();
    this.outlet.drop();
    this.#owner.logger.debug({ connection: this.id, code }, 'disconnected');
    this.#closed(code, reason).catch((error: unknown) =>
      this.#owner.logger.error({ err: error, connection: this.id }, 'teardown failed'),
    );
  }

  onMessage(handle: (text: string) => Promise<void>): void {
    this.handle = handle;
  }

  send(text: string): Promise<void> {
    return this.outlet.send(text);
  }

  close(code: number = CloseCode.InternalServerError, reason = ''): void {
    this.outlet.close(code, reason);
  }

  refuse(id: string): void {
    this.close(CloseCode.SubscriberAlreadyExists, `Subscriber for ${id} already exists`);
  }

  /** Answers a ping of the WebSocket itself, as long as its answers are read: each that is not holds a hundred times its few bytes. */
  onPingFrame(webSocket: WebSocket, data: Buffer): void {
    if (this.outlet.backlog === 0) this.#unreadPongs = 0;
    else if (++this.#unreadPongs > MAX_UNREAD_PONGS) return;
    webSocket.pong(data);
  }

  /** Called by graphql-ws, in place of its own answer, which would send a token back. */
  async onPing(payload: unknown): Promise<void> {
    const answer = await this.#renew(payload);
    await this.send(JSON.stringify({ type: 'pong', ...(answer !== undefined && { payload: answer }) }));
  }

  /** What a ping that asks for nothing is answered with is its own payload, as always. */
  async #renew(payload: unknown): Promise<unknown> {
    if (!namesCredentials(payload)) return payload;
    if (this.session === null) return { renewed: false, code: 'UNAUTHENTICATED', message: 'Nobody is signed in here.' };
    try {
      await this.session.renew(payload);
      return { renewed: true };
    } catch (error) {
      const { message, extensions } = serializeError(toGraphQLError(error));
      return { renewed: false, message, ...extensions };
    }
  }

  fail(error: unknown): void {
    this.#owner.logger.error({ err: error, connection: this.id }, 'message handling failed');
    this.close(CloseCode.InternalServerError, 'Internal server error');
  }
}

function namesCredentials(payload: unknown): boolean {
  if (typeof payload !== 'object' || payload === null) return false;
  return Object.keys(payload).some((name) => /^(authorization|x-api-key)$/i.test(name));
}

/** Ids that clients count up are shared by all connections; longer ones are random, and nobody else's. */
const MAX_SHARED_ID = 3;
const sharedHeads = new Map<string, Uint8Array>();

/** What precedes the payload in each `next` message of an operation. */
function headOf(id: string): Uint8Array {
  const isShared = id.length <= MAX_SHARED_ID && /^[0-9]+$/.test(id);
  const known = isShared ? sharedHeads.get(id) : undefined;
  if (known !== undefined) return known;
  const head = Buffer.from(`{"id":${JSON.stringify(id)},"type":"next","payload":`);
  if (isShared) sharedHeads.set(id, head);
  return head;
}

/** Where the results of one operation leave: each as a `next` message with its id. */
export class OperationTransport implements Transport {
  readonly #outlet: SocketOutlet;
  readonly #head: Uint8Array;

  constructor(outlet: SocketOutlet, id: string) {
    this.#outlet = outlet;
    this.#head = headOf(id);
  }

  get ready(): boolean {
    return this.#outlet.ready;
  }

  attach(sender: Sender): void {
    this.#outlet.attach(sender);
  }

  detach(sender: Sender): void {
    this.#outlet.detach(sender);
  }

  write(payload: Payload): void {
    this.#outlet.push(this.#head, payload.tail);
  }
}
