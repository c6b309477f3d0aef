import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Logger } from '../market/logger.ts';
import { systemTimers, type Timers } from '../market/timers.ts';
import { isAnswered } from './claim-socket.ts';
import { BUILD_FOLDER } from './prepared-database.ts';

/** What crosses to the thread. */
export type EmbeddedOptions = {
  readonly folder: string;
  readonly socketPath: string;
  /** Where the prepared database is looked for. */
  readonly buildFolder: string;
};

export type EmbeddedPostgresOptions = {
  readonly dataDir: string;
  /** Default: where `npm run build` leaves it. */
  readonly buildFolder?: string;
  readonly timers?: Timers;
  readonly logger: Logger;
};

/** What the thread says: that it creates a database first, that it answers, that another process already does, or why neither. */
export type EmbeddedMessage =
  | { readonly kind: 'creates' }
  | { readonly kind: 'serves' }
  | { readonly kind: 'taken' }
  | { readonly kind: 'failed'; readonly message: string };

/** The name that clients of Postgres look for in a folder. */
const PORT = 5432;
const SOCKET_NAME = `.s.PGSQL.${PORT}`;
/** Of the name of a socket; what a claim adds is counted in. */
const MAX_SOCKET_PATH = 90;
/** How long the thread may take to close its database; then it is ended as by a crash, which Postgres recovers from. */
const CLOSE_DEADLINE_MS = 2_000;

/** It is closed, or cannot be started: the message says why. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
}

/**
 * Postgres within this process, in a thread of its own, kept in a folder. A folder has one such thread, whatever the number of
 * processes that use it: the first one runs it, the others reach it through its socket, and one of them follows when it dies.
 */
export class EmbeddedPostgres {
  readonly #options: EmbeddedOptions;
  readonly #logger: Logger;
  readonly #timers: Timers;
  /** The thread that opens the database; {@link #worker} once it answers. */
  #opening: Worker | null = null;
  #worker: Worker | null = null;
  #starting: Promise<void> | null = null;
  #isOpened = false;
  #isClosed = false;

  constructor(options: EmbeddedPostgresOptions) {
    const dataDir = path.resolve(options.dataDir);
    const { buildFolder = BUILD_FOLDER } = options;
    this.#options = { folder: path.join(dataDir, 'ledger'), socketPath: socketPathOf(dataDir), buildFolder };
    this.#logger = options.logger;
    this.#timers = options.timers ?? systemTimers;
  }

  /** Where a client of Postgres finds it. */
  get address(): { readonly host: string; readonly port: number } {
    return { host: path.dirname(this.#options.socketPath), port: PORT };
  }

  /** Whether something is kept there from before. */
  get exists(): boolean {
    return existsSync(path.join(this.#options.folder, 'PG_VERSION'));
  }

  /** Whether it runs here. */
  get isOwner(): boolean {
    return this.#worker !== null;
  }

  /** Whether {@link open} was called. */
  get isOpened(): boolean {
    return this.#isOpened;
  }

  /** Begins to open it, for whoever comes. Returns at once; what hinders it is told to those who use it. */
  open(): void {
    this.#isOpened = true;
    this.ensure().catch(() => {});
  }

  /** Resolves when it answers, in this process or in another. @throws where it cannot be started */
  async ensure(): Promise<void> {
    if (this.#isClosed) throw new EmbeddedPostgresError('The embedded database is closed.');
    if (this.#worker !== null) return;
    this.#starting ??= this.#start().finally(() => (this.#starting = null));
    await this.#starting;
  }

  /** Calls `listener` when the thread here ends, where one runs. Returns what calls that off. */
  onEnd(listener: () => void): () => void {
    const worker = this.#worker;
    worker?.once('exit', listener);
    return () => void worker?.off('exit', listener);
  }

  /** Closes the database, also while it is being opened: who waits for it is told that it was closed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const worker = this.#worker ?? this.#opening;
    this.#worker = null;
    if (worker === null) return;
    const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage('close');
    const cancel = this.#timers.after(CLOSE_DEADLINE_MS, () => void worker.terminate());
    await gone;
    cancel();
  }

  async #start(): Promise<void> {
    if (await isAnswered(this.#options.socketPath)) return;
    if (this.#isClosed) throw new EmbeddedPostgresError('The embedded database is closed.');
    const worker = new Worker(new URL('./embedded-postgres-worker.ts', import.meta.url), {
      workerData: this.#options,
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    });
    this.#opening = worker;
    try {
      const message = await this.#hear(worker);
      if (message.kind === 'failed')
        throw new EmbeddedPostgresError(`The embedded database cannot be started: ${message.message}`);
      if (message.kind === 'taken') return;
      if (this.#isClosed) throw new EmbeddedPostgresError('The embedded database is closed.');
      this.#worker = worker;
    } finally {
      this.#opening = null;
    }
    worker.on('error', (error) => this.#logger.error({ err: error }, 'the embedded database failed'));
    worker.once('exit', () => {
      if (this.#worker === worker) this.#worker = null;
    });
  }

  /** What becomes of a thread that was started. */
  #hear(worker: Worker): Promise<EmbeddedMessage> {
    return new Promise((resolve, reject) => {
      worker.on('message', (message: EmbeddedMessage) => {
        if (message.kind !== 'creates') return resolve(message);
        this.#logger.info(
          {},
          'the embedded database is being created, which takes some seconds: "npm run build" prepares one that is copied at once',
        );
      });
      worker.once('error', reject);
      worker.once('exit', () => reject(new EmbeddedPostgresError('The thread of the embedded database has ended.')));
    });
  }
}

/** In the folder itself, unless its name is longer than a socket's may be. */
function socketPathOf(dataDir: string): string {
  const inFolder = path.join(dataDir, SOCKET_NAME);
  if (Buffer.byteLength(inFolder) <= MAX_SOCKET_PATH) return inFolder;
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  return path.join(tmpdir(), `tapeql-${name}`, SOCKET_NAME);
}
