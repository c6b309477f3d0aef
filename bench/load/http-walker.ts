export type HttpAnswer = { readonly status: number; readonly body: Buffer };

const HEAD_END = Buffer.from('\r\n\r\n');
const LINE_END = Buffer.from('\r\n');

/** Finds the answers in what an HTTP/1.1 server sends on one connection, with a length or in chunks. */
export class HttpWalker {
  readonly #onAnswer: (answer: HttpAnswer) => void;
  #waiting: Buffer = Buffer.alloc(0);

  constructor(onAnswer: (answer: HttpAnswer) => void) {
    this.#onAnswer = onAnswer;
  }

  walk(bytes: Buffer): void {
    this.#waiting = this.#waiting.length === 0 ? bytes : Buffer.concat([this.#waiting, bytes]);
    for (let found = readAnswer(this.#waiting); found !== null; found = readAnswer(this.#waiting)) {
      this.#waiting = this.#waiting.subarray(found.end);
      this.#onAnswer(found.answer);
    }
  }
}

/** `null`: it has not come whole. */
function readAnswer(bytes: Buffer): { readonly answer: HttpAnswer; readonly end: number } | null {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd === -1) return null;
  const head = bytes.toString('latin1', 0, headEnd);
  const status = Number(head.slice(9, 12));
  const start = headEnd + HEAD_END.length;
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const end = start + Number(length);
    return end > bytes.length ? null : { answer: { status, body: bytes.subarray(start, end) }, end };
  }
  const chunks: Buffer[] = [];
  for (let at = start; ;) {
    const lineEnd = bytes.indexOf(LINE_END, at);
    if (lineEnd === -1) return null;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (Number.isNaN(size)) throw new Error(`neither a length nor chunks: ${head}`);
    if (next > bytes.length) return null;
    if (size === 0) return { answer: { status, body: Buffer.concat(chunks) }, end: next };
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}
