import type { Socket } from 'node:net';

/** What answers messages of Postgres' protocol: one backend for all sessions, one message at a time. */
export type Backend = {
  /** What it answers to one message of a frontend. */
  answer(message: Uint8Array): Promise<Uint8Array>;
};

const SSL_REQUEST = 80877103;
const GSS_REQUEST = 80877104;
const CANCEL_REQUEST = 80877102;
/** A request for 16 MiB and more is a mistake. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

const QUERY = 0x51;
const SYNC = 0x53;
const TERMINATE = 0x58;
const READY_FOR_QUERY = 0x5a;
const IDLE = 0x49;
const ROLLBACK = encodeQuery('ROLLBACK');

/** Of a transaction of which nothing is heard: then it is undone, for all others wait for its end. */
const IDLE_IN_TRANSACTION_MS = 10_000;

/**
 * Lets several connections share one backend, as if each had its own. What one sends up to the end of its statement is answered
 * without a word of another's in between, and so is all of a transaction; meanwhile the others wait.
 */
export class Turns {
  readonly #backend: Backend;
  #holder: EmbeddedSession | null = null;
  readonly #waiting: { readonly session: EmbeddedSession; readonly begin: () => void }[] = [];

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  get backend(): Backend {
    return this.#backend;
  }

  /** Resolves when it is the session's turn, which it keeps until {@link release}. */
  async take(session: EmbeddedSession): Promise<void> {
    if (this.#holder === session) return;
    if (this.#holder === null) {
      this.#holder = session;
      return;
    }
    await new Promise<void>((begin) => this.#waiting.push({ session, begin }));
  }

  release(session: EmbeddedSession): void {
    if (this.#holder !== session) return;
    const next = this.#waiting.shift();
    this.#holder = next?.session ?? null;
    next?.begin();
  }
}

/** One connection to the embedded database. */
export class EmbeddedSession {
  readonly #socket: Socket;
  readonly #turns: Turns;
  readonly #idleInTransactionMs: number;
  #received: Buffer = Buffer.alloc(0);
  #hasStarted = false;
  /** Of the statement that is not yet complete. */
  #statement: Uint8Array[] = [];
  #isInTransaction = false;
  #idleTimer: NodeJS.Timeout | undefined;
  #work: Promise<void> = Promise.resolve();

  /** `idleInTransactionMs`: how long nothing may be heard of it in the middle of a transaction. Default 10 s. */
  constructor(socket: Socket, turns: Turns, idleInTransactionMs: number = IDLE_IN_TRANSACTION_MS) {
    this.#socket = socket;
    this.#turns = turns;
    this.#idleInTransactionMs = idleInTransactionMs;
    socket.on('error', () => socket.destroy());
    socket.on('data', (data: Buffer) => this.#receive(data));
    socket.on('close', () => this.#then(() => this.#leave()));
  }

  #receive(data: Buffer): void {
    this.#received = this.#received.length === 0 ? data : Buffer.concat([this.#received, data]);
    for (;;) {
      // The first message has no letter.
      const head = this.#hasStarted ? 1 : 0;
      if (this.#received.length < head + 4) return;
      const length = head + this.#received.readInt32BE(head);
      if (length < head + 4 || length > MAX_MESSAGE_BYTES) return void this.#socket.destroy();
      if (this.#received.length < length) return;
      const message = this.#received.subarray(0, length);
      this.#received = this.#received.subarray(length);
      if (this.#hasStarted) this.#read(message);
      else this.#begin(message);
    }
  }

  #begin(message: Buffer): void {
    const code = message.readInt32BE(4);
    if (code === SSL_REQUEST || code === GSS_REQUEST) this.#socket.write('N');
    else if (code === CANCEL_REQUEST) this.#socket.destroy();
    else {
      this.#hasStarted = true;
      this.#then(() => this.#answer([message]));
    }
  }

  #read(message: Buffer): void {
    const kind = message[0];
    if (kind === TERMINATE) return void this.#socket.end();
    this.#statement.push(Uint8Array.from(message));
    if (kind !== QUERY && kind !== SYNC) return;
    const statement = this.#statement;
    this.#statement = [];
    this.#then(() => this.#answer(statement));
  }

  async #answer(statement: readonly Uint8Array[]): Promise<void> {
    clearTimeout(this.#idleTimer);
    await this.#turns.take(this);
    for (const message of statement) {
      const answer = await this.#turns.backend.answer(message);
      this.#isInTransaction = readTransactionState(answer) ?? this.#isInTransaction;
      if (this.#socket.writable) this.#socket.write(answer);
    }
    if (!this.#isInTransaction) return this.#turns.release(this);
    // Its process may be stopped, or its connection gone without a word.
    this.#idleTimer = setTimeout(() => this.#socket.destroy(), this.#idleInTransactionMs);
  }

  /** Whoever goes in the middle of a transaction has not done any of it. */
  async #leave(): Promise<void> {
    clearTimeout(this.#idleTimer);
    if (this.#isInTransaction) await this.#turns.backend.answer(ROLLBACK);
    this.#turns.release(this);
  }

  #then(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch(() => {
      this.#turns.release(this);
      this.#socket.destroy();
    });
  }
}

/** Whether a transaction is open after an answer; `null` where it does not say. */
function readTransactionState(answer: Uint8Array): boolean | null {
  // It is the last message, where it is one.
  const end = answer.length;
  if (end < 6 || answer[end - 6] !== READY_FOR_QUERY || answer[end - 2] !== 5) return null;
  return answer[end - 1] !== IDLE;
}

function encodeQuery(text: string): Uint8Array {
  const body = Buffer.from(`${text}\0`);
  const message = Buffer.alloc(5 + body.length);
  message[0] = QUERY;
  message.writeInt32BE(4 + body.length, 1);
  body.copy(message, 5);
  return message;
}
