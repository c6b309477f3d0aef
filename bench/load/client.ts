import { connect, type Socket } from 'node:net';
import { FrameWalker } from './frame-walker.ts';
import type { Dialogue, Protocol } from './protocol.ts';

export type ClientOptions = {
  readonly port: number;
  /** See {@link sourceAddress}. */
  readonly localAddress: string;
  readonly protocol: Protocol;
  readonly symbols: readonly string[];
  readonly token: string;
  /** Read into by all clients in turn. */
  readonly buffer: Buffer;
  readonly onSample: (message: Buffer) => void;
  /** A message that none of the protocol's dialogue expects, or the early end of the connection. */
  readonly onTrouble: (trouble: string) => void;
};

const SOURCE_ADDRESSES = 8;
const OPCODE_TEXT = 0x81;
const OPCODE_CLOSE = 0x88;
const OPCODE_PONG = 0x8a;
const CLOSE_NORMAL = Buffer.from([0x03, 0xe8]);
const PING = 0x9;
const CLOSE = 0x8;

/** Connections are told apart by their ports: several source addresses, in turn, have several times as many. */
export function sourceAddress(connection: number): string {
  return `127.0.0.${2 + (connection % SOURCE_ADDRESSES)}`;
}

/** A subscriber that costs little: a bare TCP socket that speaks as much of WebSocket as it has to. */
export class Client {
  readonly walker: FrameWalker;
  readonly #options: ClientOptions;
  readonly #dialogue: Dialogue;
  readonly #opened = Promise.withResolvers<void>();
  readonly #socket: Socket;
  /** The answer to the upgrade, until it is whole. */
  #head: string | null = '';
  #isOpen = false;
  #isClosing = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#dialogue = options.protocol.begin(options.symbols, options.token);
    this.walker = new FrameWalker({
      mark: options.protocol.mark,
      onMessage: (payload, isCounted) => this.#takeMessage(payload, isCounted),
      onControl: (opcode, payload) => this.#takeControl(opcode, payload),
    });
    this.#socket = connect({
      host: '127.0.0.1',
      port: options.port,
      localAddress: options.localAddress,
      noDelay: true,
      onread: { buffer: options.buffer, callback: (size) => this.#read(size) },
    });
    this.#socket.once('connect', () => this.#socket.write(upgradeRequest(options)));
    this.#socket.on('error', (error) => this.#fail(error.message));
    this.#socket.once('close', () => this.#fail('the connection was closed'));
  }

  /** Resolves when the subscription has been asked for; the protocols have no word for its beginning. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** Reads no more: what the server sends fills the kernel's buffers, then the server's. */
  stopReading(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#isClosing = true;
    this.#socket.destroy();
  }

  /** In order: ends the subscription and the connection, and lets the server close it. */
  leave(): void {
    this.#isClosing = true;
    if (this.#isOpen) this.#send('{"id":"1","type":"complete"}');
    if (this.#head === null) this.#socket.write(maskFrame(OPCODE_CLOSE, CLOSE_NORMAL));
    this.#socket.end();
  }

  /** As a host that forgets: the server is told by a reset alone. */
  reset(): void {
    this.#isClosing = true;
    this.#socket.resetAndDestroy();
  }

  #read(size: number): boolean {
    const { buffer } = this.#options;
    let start = 0;
    if (this.#head !== null) {
      this.#head += buffer.toString('latin1', 0, size);
      const end = this.#head.indexOf('\r\n\r\n');
      if (end === -1) return true;
      if (!this.#head.startsWith('HTTP/1.1 101')) {
        this.#fail(this.#head.slice(0, end));
        return false;
      }
      start = size - (this.#head.length - end - 4);
      this.#head = null;
      for (const text of this.#dialogue.first) this.#send(text);
    }
    this.walker.walk(buffer, start, size);
    return true;
  }

  #takeMessage(payload: Buffer, isCounted: boolean): void {
    if (isCounted) {
      this.#options.onSample(payload);
      return;
    }
    const { say, subscribed, isUnexpected } = this.#dialogue.hear(payload.toString());
    if (say !== undefined) this.#send(say);
    if (isUnexpected === true) this.#options.onTrouble(payload.toString('utf8', 0, 300));
    if (subscribed !== true) return;
    this.#isOpen = true;
    this.#opened.resolve();
  }

  #takeControl(opcode: number, payload: Buffer): void {
    if (opcode === PING) this.#socket.write(maskFrame(OPCODE_PONG, payload));
    else if (opcode === CLOSE) this.#fail(`closed by the server: ${payload.toString('utf8', 2)}`);
  }

  #send(text: string): void {
    this.#socket.write(maskFrame(OPCODE_TEXT, Buffer.from(text)));
  }

  #fail(reason: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#socket.destroy();
    if (this.#isOpen) this.#options.onTrouble(reason);
    else this.#opened.reject(new Error(reason));
  }
}

function upgradeRequest({ protocol, port }: ClientOptions): string {
  const lines = [
    `GET ${protocol.path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
    ...(protocol.subprotocol === null ? [] : [`Sec-WebSocket-Protocol: ${protocol.subprotocol}`]),
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** A client must mask; the mask of zeros leaves the payload as it is. */
function maskFrame(first: number, payload: Buffer): Buffer {
  const isShort = payload.length < 126;
  const header = Buffer.alloc(isShort ? 6 : 8);
  header[0] = first;
  header[1] = 0x80 | (isShort ? payload.length : 126);
  if (!isShort) header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, payload]);
}
