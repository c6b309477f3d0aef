import { connect, type Socket } from 'node:net';

export type EventStreamVisitOptions = {
  readonly port: number;
  readonly localAddress: string;
  readonly query: string;
  readonly symbols: readonly string[];
  readonly token: string;
  /** Read into by all in turn. */
  readonly buffer: Buffer;
  /** An answer that is no stream, or the early end of the connection. */
  readonly onTrouble: (trouble: string) => void;
};

const OK = 'HTTP/1.1 200';

/** A reader of server-sent events that costs little: what comes after the first line is counted by its bytes alone. */
export class EventStreamVisit {
  readonly #options: EventStreamVisitOptions;
  readonly #socket: Socket;
  #head = '';
  #isLeaving = false;

  constructor(options: EventStreamVisitOptions) {
    this.#options = options;
    this.#socket = connect({
      host: '127.0.0.1',
      port: options.port,
      localAddress: options.localAddress,
      noDelay: true,
      onread: { buffer: options.buffer, callback: (size) => this.#read(size) },
    });
    this.#socket.once('connect', () => this.#socket.write(writeRequest(options)));
    this.#socket.on('error', (error) => this.#fail(error.message));
    this.#socket.once('close', () => this.#fail('the stream was closed'));
  }

  stopReading(): void {
    this.#socket.pause();
  }

  /** As a page that is closed. */
  leave(): void {
    this.#isLeaving = true;
    this.#socket.end();
  }

  reset(): void {
    this.#isLeaving = true;
    this.#socket.resetAndDestroy();
  }

  #read(size: number): boolean {
    if (this.#head.length >= OK.length) return true;
    this.#head += this.#options.buffer.toString('latin1', 0, Math.min(size, 300));
    if (this.#head.length >= OK.length && !this.#head.startsWith(OK)) this.#fail(this.#head);
    return true;
  }

  #fail(reason: string): void {
    if (this.#isLeaving) return;
    this.reset();
    this.#options.onTrouble(reason);
  }
}

function writeRequest({ port, query, symbols, token }: EventStreamVisitOptions): string {
  const body = JSON.stringify({ query, variables: { symbols } });
  const lines = [
    'POST /graphql HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Accept: text/event-stream',
    'Content-Type: application/json',
    `Authorization: Bearer ${token}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
