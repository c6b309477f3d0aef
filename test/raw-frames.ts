import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export type Frame = { readonly opcode: number; readonly payload: Buffer };

export const TEXT = 1;
export const CLOSE = 8;

const FIN = 0x80;
const MASKED = 0x80;
/** What a client masks its frames with: any will do. */
const MASK = Buffer.from([1, 2, 3, 4]);

/** A WebSocket at the level of its bytes: whatever the server writes has to be a whole frame, and in its shortest form. */
export class RawFrames implements AsyncDisposable {
  readonly tcp: Socket;
  /** All that came, in order. */
  readonly frames: Frame[] = [];
  #bytes = Buffer.alloc(0);
  #read = 0;
  #wake: (() => void) | null = null;
  #error: Error | null = null;

  constructor(tcp: Socket) {
    this.tcp = tcp;
    tcp.on('error', () => undefined);
    tcp.on('close', () => this.#fail(new Error('the connection ended')));
  }

  /** Open and acknowledged. */
  static async connect(url: string): Promise<RawFrames> {
    const raw = await RawFrames.upgrade(url, { 'Sec-WebSocket-Protocol': 'graphql-transport-ws' });
    raw.send({ type: 'connection_init' });
    await raw.nextMessage();
    return raw;
  }

  static async upgrade(url: string, headers: Record<string, string> = {}): Promise<RawFrames> {
    const { hostname, port, host, pathname } = new URL(url);
    const tcp = connect(Number(port), hostname);
    const lines = Object.entries({
      Host: host,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    tcp.write(`GET ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`);
    let answer = Buffer.alloc(0);
    while (!answer.includes('\r\n\r\n')) {
      const [bytes] = (await once(tcp, 'data')) as [Buffer];
      answer = Buffer.concat([answer, bytes]);
    }
    const raw = new RawFrames(tcp);
    tcp.on('data', (bytes: Buffer) => raw.#receive(bytes));
    raw.#receive(answer.subarray(answer.indexOf('\r\n\r\n') + 4));
    return raw;
  }

  send(message: object): void {
    const text = Buffer.from(JSON.stringify(message));
    const header = Buffer.alloc(text.length < 126 ? 2 : text.length < 65_536 ? 4 : 10);
    header[0] = FIN | TEXT;
    if (header.length === 2) header[1] = MASKED | text.length;
    else if (header.length === 4) header.writeUInt16BE(text.length, 2);
    else header.writeBigUInt64BE(BigInt(text.length), 2);
    if (header.length > 2) header[1] = MASKED | (header.length === 4 ? 126 : 127);
    this.tcp.write(Buffer.concat([header, MASK, text.map((byte, index) => byte ^ MASK[index % 4]!)]));
  }

  subscribe(id: string, query: string, variables?: object): void {
    this.send({ id, type: 'subscribe', payload: { query, variables } });
  }

  async next(): Promise<Frame> {
    while (this.#read === this.frames.length) {
      if (this.#error !== null) throw this.#error;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.frames[this.#read++]!;
  }

  /** The next text frame, as JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any -- each test knows what it asked for
  async nextMessage(): Promise<any> {
    const { opcode, payload } = await this.next();
    if (opcode !== TEXT) throw new Error(`no text but ${opcode}`);
    return JSON.parse(payload.toString()) as unknown;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.tcp.closed) return;
    this.tcp.destroy();
    await once(this.tcp, 'close');
  }

  #receive(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    try {
      for (let frame = this.#take(); frame !== null; frame = this.#take()) {
        this.frames.push(frame);
        // Nothing is to follow: it is not answered with a frame, but with the end of the connection.
        if (frame.opcode === CLOSE) this.tcp.end();
      }
    } catch (error) {
      this.#fail(error as Error);
    }
    this.#wake?.();
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#wake?.();
  }

  #take(): Frame | null {
    const bytes = this.#bytes;
    if (bytes.length < 2) return null;
    const opcode = bytes[0]! & 0x0f;
    if ((bytes[0]! & 0xf0) !== FIN) throw new Error(`not a frame of its own: ${bytes[0]!.toString(2)}`);
    if (![TEXT, CLOSE, 9, 10].includes(opcode))
      throw new Error(`an opcode that no server of this protocol uses: ${opcode}`);
    const short = bytes[1]!;
    if (short > 127) throw new Error('a server masks nothing');
    const headerBytes = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < headerBytes) return null;
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    if ((short === 126 && length < 126) || (short === 127 && length < 65_536)) throw new Error('a length too long');
    if (bytes.length < headerBytes + length) return null;
    this.#bytes = bytes.subarray(headerBytes + length);
    return { opcode, payload: Buffer.from(bytes.subarray(headerBytes, headerBytes + length)) };
  }
}
