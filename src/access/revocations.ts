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
  /** It could not be read, or kept, and is tried again. */
  readonly onFailure: (error: unknown) => void;
};

/** What is revoked ends within a second: looked for so often, the rest is the time it takes to look. */
const INTERVAL_MS = 400;
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
  #isRead = false;
  #isClosed = false;

  constructor(options: RevocationsOptions) {
    this.#options = options;
  }

  has(credential: string | null): boolean {
    return credential !== null && this.#revoked.has(credential);
  }

  /** Resolves when what was revoked before is known; where it cannot be read now, what is known already has to do. */
  async ready(): Promise<void> {
    if (this.#isRead || this.#isClosed) return;
    await this.#lookOnce();
    this.#looking ??= setInterval(() => void this.#lookOnce(), INTERVAL_MS).unref();
  }

  /** Told by the channel, on which each process hears it: each keeps it, and one time suffices. */
  hear(credential: string): void {
    if (this.#revoked.has(credential)) return;
    this.#note(credential);
    this.#options.store.noteRevoked(credential).catch(this.#options.onFailure);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#looking !== null) clearInterval(this.#looking);
    await this.#look;
  }

  #lookOnce(): Promise<void> {
    this.#look ??= this.#read()
      .catch(this.#options.onFailure)
      .finally(() => (this.#look = null));
    return this.#look;
  }

  async #read(): Promise<void> {
    const since = this.#newest === null ? null : new Date(this.#newest.getTime() - OVERLAP_MS);
    const { credentials, newest } = await this.#options.store.readRevoked(since);
    this.#isRead = true;
    if (newest !== null) this.#newest = newest;
    for (const credential of credentials) this.#note(credential);
  }

  #note(credential: string): void {
    if (this.#revoked.has(credential) || this.#isClosed) return;
    this.#revoked.add(credential);
    this.#options.onRevoked(credential);
  }
}
