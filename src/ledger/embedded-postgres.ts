import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Logger } from '../market/logger.ts';
import { isAnswered } from './claim-socket.ts';

/** What crosses to the thread. */
export type EmbeddedOptions = { readonly folder: string; readonly socketPath: string };

/** What the thread says: that it answers, that another process already does, or why neither. */
export type EmbeddedMessage =
  | { readonly kind: 'serves' }
  | { readonly kind: 'taken' }
  | { readonly kind: 'failed'; readonly message: string };

/** The name that clients of Postgres look for in a folder. */
const PORT = 5432;
const SOCKET_NAME = `.s.PGSQL.${PORT}`;
/** Of the name of a socket; what a claim adds is counted in. */
const MAX_SOCKET_PATH = 90;

/**
 * Postgres within this process, in a thread of its own, kept in a folder. A folder has one such thread, whatever the number of
 * processes that use it: the first one runs it, the others reach it through its socket, and one of them follows when it dies.
 */
export class EmbeddedPostgres {
  readonly #options: EmbeddedOptions;
  readonly #logger: Logger;
  #worker: Worker | null = null;
  #starting: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: { readonly dataDir: string; readonly logger: Logger }) {
    const dataDir = path.resolve(options.dataDir);
    this.#options = { folder: path.join(dataDir, 'ledger'), socketPath: socketPathOf(dataDir) };
    this.#logger = options.logger;
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

  /** Resolves when it answers, in this process or in another. @throws where it cannot be started */
  async ensure(): Promise<void> {
    if (this.#isClosed) throw new Error('The embedded database is closed.');
    if (this.#worker !== null) return;
    this.#starting ??= this.#start().finally(() => (this.#starting = null));
    await this.#starting;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#starting?.catch(() => {});
    const worker = this.#worker;
    if (worker === null) return;
    this.#worker = null;
    const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage('close');
    await gone;
  }

  async #start(): Promise<void> {
    if (await isAnswered(this.#options.socketPath)) return;
    const worker = new Worker(new URL('./embedded-postgres-worker.ts', import.meta.url), {
      workerData: this.#options,
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    });
    const message = await new Promise<EmbeddedMessage>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.once('exit', () => reject(new Error('The thread of the embedded database has ended.')));
    });
    if (message.kind === 'failed') throw new Error(`The embedded database cannot be started: ${message.message}`);
    if (message.kind === 'taken') return;
    this.#worker = worker;
    worker.on('error', (error) => this.#logger.error({ err: error }, 'the embedded database failed'));
    worker.once('exit', () => {
      if (this.#worker === worker) this.#worker = null;
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
