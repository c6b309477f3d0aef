import { ClientError } from '../errors.ts';
import { isIdentifier } from './account-name.ts';

/** Where it is kept what was revoked. */
export type RevocationStore = {
  /** All that was revoked at this time or later, `null`: ever; and when the newest of it was. */
  readRevoked(since: Date | null): Promise<{ readonly credentials: readonly string[]; readonly newest: Date | null }>;
  /** Keeps it for whoever looks later. */
  noteRevoked(credential: string): Promise<void>;
};

export type RevocationsOptions = {
  readonly store: RevocationStore;
  /** Called once for each. */
  readonly onRevoked: (credential: string) => void;
  /** It could not be read, or kept, and is tried again; called once until it could. */
  readonly onFailure: (error: unknown) => void;
  /** For how long what was read last is enough, where it cannot be read now. Default {@link GRACE_MS}. */
  readonly graceMs?: number;
};

/** What is revoked ends within a second: looked for so often, the rest is the time it takes to look. */
const INTERVAL_MS = 400;
/**
 * A database that is restarted, or fails over, is back within this; until then what was read last is as good as what it holds, for
 * nobody can write to it either. Whoever has never read it knows nothing, and has no such time.
 */
const GRACE_MS = 60_000;
const RETRY_AFTER_MS = 1_000;
/** Two processes may write in another order than their clocks say. */
const OVERLAP_MS = 10_000;

/**
 * The credentials that were revoked before their time. They are kept in the database, at which this looks from the first time
 * that somebody shows a credential that can be revoked; and told on a channel, where somebody tells them.
 */
export class Revocations {
  readonly #options: RevocationsOptions;
  readonly #revoked = new Set<string>();
  #newest: Date | null = null;
  #looking: NodeJS.Timeout | null = null;
  #look: Promise<void> | null = null;
  /** When it was read last, by a clock that no one sets; `null`: never. */
  #readAt: number | null = null;
  /** Told by the channel, and not kept yet. As many as operators revoke while the database is away. */
  readonly #unkept = new Set<string>();
  #hasFailed = false;
  #isClosed = false;

  constructor(options: RevocationsOptions) {
    this.#options = options;
  }

  has(credential: string | null): boolean {
    return credential !== null && this.#revoked.has(credential);
  }

  /** Whether what is known is enough to let somebody in. */
  get isCurrent(): boolean {
    const { graceMs = GRACE_MS } = this.#options;
    return this.#readAt !== null && performance.now() - this.#readAt <= graceMs;
  }

  /**
   * Resolves when what was revoked before is known.
   * @throws {ClientError} UPSTREAM_UNAVAILABLE with `retryAfterMs` where it cannot be read: for who knows nothing of it, a revoked
   * credential would be as good as any other
   */
  async ready(): Promise<void> {
    if (this.#isClosed) return;
    this.#startLooking();
    if (this.#readAt === null) await this.#lookOnce();
    if (this.isCurrent || this.#isClosed) return;
    throw new ClientError('UPSTREAM_UNAVAILABLE', 'Whether the credentials were revoked cannot be read now.', {
      retryAfterMs: RETRY_AFTER_MS,
    });
  }

  /** Told by the channel, on which each process hears it: each keeps it, and one time suffices. */
  hear(credential: string): void {
    if (this.#revoked.has(credential)) return;
    this.#note(credential);
    // Nobody is let in by a credential with any other name.
    if (!isIdentifier(credential.slice(credential.indexOf(':') + 1))) return;
    this.#unkept.add(credential);
    this.#keep().catch((error: unknown) => {
      this.#fail(error);
      this.#startLooking();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#looking !== null) clearInterval(this.#looking);
    await this.#look;
  }

  #startLooking(): void {
    if (!this.#isClosed) this.#looking ??= setInterval(() => void this.#lookOnce(), INTERVAL_MS).unref();
  }

  #lookOnce(): Promise<void> {
    this.#look ??= this.#read()
      .then(() => this.#keep())
      .then(() => (this.#hasFailed = false))
      .catch((error: unknown) => this.#fail(error))
      .finally(() => (this.#look = null))
      .then(() => undefined);
    return this.#look;
  }

  async #keep(): Promise<void> {
    for (const credential of this.#unkept) {
      await this.#options.store.noteRevoked(credential);
      this.#unkept.delete(credential);
    }
  }

  #fail(error: unknown): void {
    if (!this.#hasFailed && !this.#isClosed) this.#options.onFailure(error);
    this.#hasFailed = true;
  }

  async #read(): Promise<void> {
    const since = this.#newest === null ? null : new Date(this.#newest.getTime() - OVERLAP_MS);
    const askedAt = performance.now();
    const { credentials, newest } = await this.#options.store.readRevoked(since);
    this.#readAt = askedAt;
    if (newest !== null) this.#newest = newest;
    for (const credential of credentials) this.#note(credential);
  }

  #note(credential: string): void {
    if (this.#revoked.has(credential) || this.#isClosed) return;
    this.#revoked.add(credential);
    this.#options.onRevoked(credential);
  }
}
