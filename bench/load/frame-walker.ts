/** Tells the messages that count from all others by one byte of their text, so that none has to be parsed. */
export type Mark = { readonly offset: number; readonly byte: number };

export type FrameWalkerOptions = {
  readonly mark: Mark;
  /** A message that was looked at: one of those sampled, or one without the mark. The bytes are valid during the call alone. */
  readonly onMessage: (payload: Buffer, isCounted: boolean) => void;
  /** A ping, a pong or a close, by its opcode. */
  readonly onControl: (opcode: number, payload: Buffer) => void;
};

const TEXT_WHOLE = 0x81;
const TEXT_BEGIN = 0x01;
const CONTINUATION = 0x00;
const CONTINUATION_END = 0x80;
const FIN = 0x80;
const OPCODE = 0x0f;
const CONTROL = 0x08;
const MAX_HEADER = 10;

/**
 * Counts the messages that a WebSocket server sends by walking from header to header. What it does not look at it skips: a
 * message costs it a few reads, so that it keeps up with the fastest server on one core beside it.
 */
export class FrameWalker {
  /** Messages with the mark. */
  messages = 0;
  /** One in so many of them is given to `onMessage`; 0: none. */
  sampleEvery = 0;
  readonly #options: FrameWalkerOptions;
  #untilSample = Number.POSITIVE_INFINITY;
  /** Of the frame under way: its first byte, and how much of its payload has not come yet. */
  #first = 0;
  #left = 0;
  /** A header that came in part. */
  readonly #header = Buffer.alloc(MAX_HEADER);
  #headerBytes = 0;
  /** The parts of a message that is looked at, of a control frame likewise; `null`: what comes is skipped. */
  #message: Buffer[] | null = null;
  #control: Buffer[] | null = null;
  #isSampled = false;

  constructor(options: FrameWalkerOptions) {
    this.#options = options;
  }

  /** Starts counting anew. The first sample is the `phase`-th message from now, so that connections do not sample in step. */
  reset(sampleEvery: number, phase: number): void {
    this.messages = 0;
    this.sampleEvery = sampleEvery;
    this.#untilSample = sampleEvery === 0 ? Number.POSITIVE_INFINITY : 1 + (phase % sampleEvery);
  }

  /** `bytes` may be used again after the call. */
  walk(bytes: Buffer, start: number, end: number): void {
    const { offset, byte } = this.#options.mark;
    let at = start;
    while (at < end) {
      if (this.#left > 0) {
        at = this.#takePayload(bytes, at, end);
        continue;
      }
      if (this.#headerBytes === 0 && this.#message === null && end - at >= 4) {
        // Nearly every frame: a whole one in one piece, of less than 64 KiB.
        const first = bytes[at]!;
        const short = bytes[at + 1]!;
        const payload = short < 126 ? at + 2 : at + 4;
        const next = payload + (short < 126 ? short : (bytes[at + 2]! << 8) | bytes[at + 3]!);
        if (short < 127 && next <= end) {
          if (first === TEXT_WHOLE && next - payload > offset && bytes[payload + offset] === byte) {
            if (this.#untilSample > 1) {
              this.#untilSample -= 1;
              this.messages += 1;
              at = next;
              continue;
            }
          } else if (first === TEXT_BEGIN && next - payload > offset && bytes[payload + offset] === byte) {
            if (this.#untilSample > 1) {
              at = next;
              continue;
            }
          } else if (first === CONTINUATION) {
            at = next;
            continue;
          } else if (first === CONTINUATION_END) {
            this.#untilSample -= 1;
            this.messages += 1;
            at = next;
            continue;
          }
        }
      }
      at = this.#takeHeader(bytes, at, end);
    }
  }

  /** Returns where the header ends, or `end` where it has not come whole. */
  #takeHeader(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end) {
      this.#header[this.#headerBytes++] = bytes[at++]!;
      const short = this.#header[1]! & 0x7f;
      const size = this.#headerBytes < 2 ? MAX_HEADER : short < 126 ? 2 : short === 126 ? 4 : 10;
      if (this.#headerBytes < size) continue;
      this.#headerBytes = 0;
      if ((this.#header[1]! & 0x80) !== 0) throw new Error('a server must not mask its frames');
      this.#first = this.#header[0]!;
      this.#left =
        short < 126 ? short : short === 126 ? this.#header.readUInt16BE(2) : Number(this.#header.readBigUInt64BE(2));
      this.#beginFrame();
      break;
    }
    return at;
  }

  #beginFrame(): void {
    const opcode = this.#first & OPCODE;
    if (opcode >= CONTROL) this.#control = [];
    else if (opcode !== CONTINUATION) this.#message = [];
    if (this.#left === 0) this.#endFrame();
  }

  #takePayload(bytes: Buffer, start: number, end: number): number {
    const next = Math.min(start + this.#left, end);
    const parts = this.#control ?? this.#message;
    // The bytes are of a buffer that is read into again.
    if (parts !== null) parts.push(Buffer.from(bytes.subarray(start, next)));
    this.#left -= next - start;
    if (this.#left === 0) this.#endFrame();
    return next;
  }

  #endFrame(): void {
    const opcode = this.#first & OPCODE;
    if (opcode >= CONTROL) {
      const payload = join(this.#control!);
      this.#control = null;
      this.#options.onControl(opcode, payload);
      return;
    }
    if ((this.#first & FIN) === 0) return;
    if (this.#message === null) {
      this.messages += 1;
      this.#untilSample -= 1;
      return;
    }
    const payload = join(this.#message);
    this.#message = null;
    const isCounted = payload[this.#options.mark.offset] === this.#options.mark.byte;
    if (isCounted) {
      this.messages += 1;
      this.#untilSample -= 1;
      this.#isSampled = this.#untilSample <= 0;
      if (this.#isSampled) this.#untilSample = this.sampleEvery;
    }
    if (!isCounted || this.#isSampled) this.#options.onMessage(payload, isCounted);
  }
}

function join(parts: readonly Buffer[]): Buffer {
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}
