import type { Socket } from 'node:net';
import { WebSocket } from 'ws';

export type Message = {
  readonly type: string;
  readonly id?: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- each test knows what it asked for
  readonly payload?: any;
};

export type Closing = { readonly code: number; readonly reason: string };

/** A WebSocket that does what a test tells it to, also what no client of the protocol would. */
export class RawWebSocket implements AsyncDisposable {
  readonly socket: WebSocket;
  /** Everything that came, in order. */
  readonly received: Message[] = [];
  readonly opened: Promise<void>;
  readonly closed: Promise<Closing>;
  #unread = 0;
  #wake: (() => void) | null = null;
  #isClosed = false;

  constructor(url: string, options: { protocols?: string[]; headers?: Record<string, string>; pongs?: boolean } = {}) {
    const { protocols = ['graphql-transport-ws'], headers = {}, pongs = true } = options;
    this.socket = new WebSocket(url, protocols, { headers, autoPong: pongs });
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.once('error', reject);
    });
    this.opened.catch(() => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => {
        this.#isClosed = true;
        this.#wake?.();
        resolve({ code, reason: String(reason) });
      });
    });
    this.socket.on('error', () => undefined);
    this.socket.on('message', (data: Buffer) => {
      this.received.push(JSON.parse(data.toString()) as Message);
      this.#wake?.();
    });
  }

  /** Open and acknowledged. */
  static async connect(url: string, options: ConstructorParameters<typeof RawWebSocket>[1] = {}) {
    const socket = new RawWebSocket(url, options);
    await socket.opened;
    await socket.initialise();
    return socket;
  }

  async initialise(): Promise<void> {
    this.send({ type: 'connection_init' });
    const { type } = await this.next();
    if (type !== 'connection_ack') throw new Error(`not acknowledged but ${type}`);
  }

  /** A string or bytes go as they are. */
  send(message: object | string | Buffer): void {
    this.socket.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }

  subscribe(id: string, query: string, variables?: object): void {
    this.send({ id, type: 'subscribe', payload: { query, variables } });
  }

  complete(id: string): void {
    this.send({ id, type: 'complete' });
  }

  /** The next message that was not read yet. @throws where the connection ended without one */
  async next(): Promise<Message> {
    while (this.#unread === this.received.length) {
      if (this.#isClosed) throw new Error('the connection ended');
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.received[this.#unread++]!;
  }

  /** The next message that holds, past all that do not. */
  async find(matches: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const message = await this.next();
      if (matches(message)) return message;
    }
  }

  /** A round trip: all that was sent before is received, all that was answered to it is read. */
  async settle(): Promise<Message[]> {
    const mark = `mark ${Math.random()}`;
    const before: Message[] = [];
    this.send({ type: 'ping', payload: { mark } });
    for (;;) {
      const message = await this.next();
      if (message.type === 'pong' && message.payload?.mark === mark) return before;
      before.push(message);
    }
  }

  /** The TCP connection below. */
  get tcp(): Socket {
    return (this.socket as unknown as { _socket: Socket })._socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }
}
