import { type IncomingMessage, ServerResponse } from 'node:http';
import type { UnreadBytes } from '../delivery/unread-bytes.ts';
import { NOT_CACHED } from './caching.ts';

/** What is longer is turned into bytes here. */
const LONG = 16 * 1024;

/** An answer over HTTP: no cache keeps it unless it says so itself, and what of it is not read is counted. */
export class Answer extends ServerResponse {
  #account: { readonly unread: UnreadBytes; readonly client: string } | null = null;

  constructor(...args: ConstructorParameters<typeof ServerResponse<IncomingMessage>>) {
    super(...args);
    // Here, so that what Node answers by itself says it as well.
    this.setHeader('cache-control', NOT_CACHED);
  }

  /** From now on what is written and not read counts for `client`. */
  countIn(unread: UnreadBytes, client: string): void {
    this.#account = { unread, client };
  }

  /** Ends with a body that is in memory once for all answers: the kernel is handed that very memory, and no copy is held. */
  endShared(body: Buffer): void {
    const { socket } = this;
    super.end(body);
    this.#note(socket, body.length);
  }

  override write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    const bytes = encodeLong(chunk, encoding);
    const isReady = super.write(bytes, encoding as BufferEncoding, callback as () => void);
    this.#note(this.socket);
    // Who has written all of it need not wait to write more: Yoga would hold the text until then, beside its bytes.
    return isReady || (Buffer.isBuffer(bytes) && bytes.length === Number(this.getHeader('content-length')));
  }

  override end(chunk?: unknown, encoding?: unknown, callback?: unknown): this {
    const { socket } = this;
    super.end(encodeLong(chunk, encoding), encoding as BufferEncoding, callback as () => void);
    this.#note(socket);
    return this;
  }

  #note(socket: ServerResponse['socket'], sharedBytes = 0): void {
    if (socket === null || socket.writableLength === 0) return;
    this.#account?.unread.note(socket, this.#account.client, sharedBytes);
  }
}

/** Where the kernel does not take all of a text, Node holds it twice until it does: as the text and as its bytes. */
function encodeLong(chunk: unknown, encoding: unknown): unknown {
  if (typeof chunk !== 'string' || chunk.length < LONG) return chunk;
  return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
}
