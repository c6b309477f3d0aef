import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { Turn } from './turn.ts';

/** What is gathered in a turn is written when it reaches this, and at the end of the turn. */
const GATHERED_BYTES = 64 * 1024;
/** The longest header of a frame that is not masked. */
const MAX_HEADER_BYTES = 10;
const TEXT_FRAME = 0x81;

const NOTHING = new Uint8Array(0);
/** Shared by all outlets that hold nothing. */
const NO_MESSAGES = Object.freeze([]) as unknown as Uint8Array[];
const NOBODY: readonly Sender[] = [];

/** Whoever has more to send than the socket takes. */
export type Sender = { pull(): void };

/**
 * The memory into which all sockets' frames are copied, one socket after another: what the kernel takes at once, as nearly
 * always, leaves it free again.
 */
let scratch = Buffer.allocUnsafeSlow(GATHERED_BYTES);
/** Its first bytes as they were written last: of a broadcast the next socket is given as many. */
let written = scratch;

export type SocketOutletOptions = {
  readonly turn: Turn;
  /** How many senders may wait before the connection is cut off. */
  readonly maxWaiting: number;
  /** So many messages were written. */
  readonly onSent: (messages: number) => void;
  /** The kernel has not taken all that was written. */
  readonly onBacklog: (webSocket: WebSocket, socket: Duplex) => void;
};

/**
 * Where messages leave for one WebSocket: gathered, and written once at the end of the turn, in their order. While the backlog
 * of the socket is above its mark (64 KiB) it is not `ready`, and whoever sends waits. So who stops reading costs the mark, what was
 * gathered in one turn, and what the kernel holds. Answers to queries come on top of that, a few at a time (see QueryQueue). Who goes on
 * asking (pings, operations that are refused) without reading any answer is cut off.
 */
export class SocketOutlet {
  readonly #webSocket: WebSocket;
  readonly #socket: Duplex;
  readonly #options: SocketOutletOptions;
  /** Pairs of what makes one message. */
  #gathered = NO_MESSAGES;
  #gatheredBytes = 0;
  #isFull = false;
  #waiting: (() => void)[] | null = null;
  #senders = NOBODY;

  /** `socket` is that of `webSocket`. */
  constructor(webSocket: WebSocket, socket: Duplex, options: SocketOutletOptions) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#options = options;
  }

  /** Whether it takes more now. Where not, those that are attached are told when it does. */
  get ready(): boolean {
    return !this.#isFull;
  }

  /** How much the kernel has not taken yet. */
  get backlog(): number {
    return this.#socket.writableLength;
  }

  /** Has `sender` pull each time that it becomes ready again. */
  attach(sender: Sender): void {
    // A new list: nearly always it holds one, and one that grows in place would keep room for many.
    this.#senders = [...this.#senders, sender];
  }

  detach(sender: Sender): void {
    this.#senders = this.#senders.filter((one) => one !== sender);
  }

  /** Takes the message whose bytes are those of `head` and then of `tail`. */
  push(head: Uint8Array, tail: Uint8Array): void {
    if (this.#gatheredBytes === 0) {
      this.#options.turn.add(this);
      this.#gathered = [head, tail];
    } else this.#gathered.push(head, tail);
    this.#gatheredBytes += head.length + tail.length + MAX_HEADER_BYTES;
    if (this.#gatheredBytes >= GATHERED_BYTES) this.flush();
  }

  /**
   * Takes a message and resolves when there is room for more. Never rejects: a failed write is followed by the close event, which
   * ends all that runs on the connection.
   */
  async send(text: string): Promise<void> {
    if (this.#webSocket.readyState !== WebSocket.OPEN) return;
    this.push(Buffer.from(text), NOTHING);
    while (this.#isFull) await this.#untilReady();
  }

  /** Closes the connection once all that was taken is written. */
  close(code: number, reason: string): void {
    this.flush();
    this.#webSocket.close(code, reason);
  }

  flush(): void {
    const gathered = this.#gathered;
    if (gathered.length === 0) return;
    const size = this.#gatheredBytes;
    this.#gathered = NO_MESSAGES;
    this.#gatheredBytes = 0;
    // After its close frame nothing may follow.
    if (this.#webSocket.readyState !== WebSocket.OPEN) return;
    this.#options.onSent(gathered.length / 2);
    const socket = this.#socket;
    const isShared = size <= scratch.length && socket.writableLength === 0;
    if (isShared) {
      const length = writeFrames(scratch, gathered);
      if (written.length !== length) written = scratch.subarray(0, length);
      socket.write(written);
    } else {
      const bytes = Buffer.allocUnsafe(size);
      socket.write(bytes.subarray(0, writeFrames(bytes, gathered)));
    }
    if (socket.writableLength === 0) return;
    if (isShared) written = scratch = Buffer.allocUnsafeSlow(GATHERED_BYTES);
    this.#checkBacklog();
    this.#options.onBacklog(this.#webSocket, socket);
  }

  /** The connection is over: nobody waits any longer. */
  drop(): void {
    this.#gathered = NO_MESSAGES;
    this.#gatheredBytes = 0;
    this.#isFull = false;
    this.#senders = NOBODY;
    this.#wake();
  }

  #checkBacklog(): void {
    if (this.#isFull || !this.#socket.writableNeedDrain) return;
    this.#isFull = true;
    this.#socket.once('drain', () => {
      this.#isFull = false;
      this.#wake();
    });
  }

  #wake(): void {
    for (const wake of this.#waiting?.splice(0) ?? []) wake();
    const senders = this.#senders;
    for (let served = 0; served < senders.length; served++) {
      if (this.#isFull) {
        // Whoever had its turn is the last at the next time.
        this.#senders = [...this.#senders.slice(served), ...this.#senders.slice(0, served)];
        return;
      }
      senders[served]!.pull();
    }
  }

  #untilReady(): Promise<void> {
    return new Promise((resolve) => {
      if ((this.#waiting ??= []).push(resolve) > this.#options.maxWaiting) this.#webSocket.terminate();
    });
  }
}

/** Writes the messages as text frames; returns how many bytes they are. */
function writeFrames(bytes: Buffer, messages: readonly Uint8Array[]): number {
  let at = 0;
  for (let index = 0; index < messages.length; index += 2) {
    const head = messages[index]!;
    const tail = messages[index + 1]!;
    const length = head.length + tail.length;
    bytes[at++] = TEXT_FRAME;
    if (length < 126) {
      bytes[at++] = length;
    } else if (length < 65_536) {
      bytes[at++] = 126;
      bytes[at++] = length >>> 8;
      bytes[at++] = length & 0xff;
    } else {
      bytes[at++] = 127;
      bytes.writeBigUInt64BE(BigInt(length), at);
      at += 8;
    }
    bytes.set(head, at);
    at += head.length;
    bytes.set(tail, at);
    at += tail.length;
  }
  return at;
}
