import { type Credentials, fieldsOf, readCredentials } from '../access/credentials.ts';
import type { Identity } from '../access/identity.ts';
import type { Viewer } from '../access/viewer.ts';
import type { TimerWheel } from '../delivery/timer-wheel.ts';
import { ClientError } from '../errors.ts';

/** A subscription that runs for a viewer. */
export type Stream = {
  /** It tells of the viewer's own. */
  readonly isPrivate: boolean;
  fail(error: Error): void;
};

export type SessionsOptions = {
  readonly identity: Pick<Identity, 'identify' | 'isValid'>;
  /** Market data goes on when a viewer's time is over. */
  readonly anonymousMarketData: boolean;
  readonly wheel: TimerWheel;
  /** Unix ms. */
  readonly now: () => number;
};

/** A timer cannot wait longer than some weeks: it is looked again so often. */
const MAX_WAIT_MS = 60 * 60_000;

/** Who is signed in, on connections and in event streams; ended when their time is over, or their credentials are revoked. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #byCredential = new Map<string, Set<Session>>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** `null` where nobody names himself. Rejects as {@link Identity.identify} does. */
  open(credentials: Credentials | null): Session | null | Promise<Session> {
    const viewer = this.#options.identity.identify(credentials);
    if (viewer === null) return null;
    return viewer instanceof Promise ? viewer.then((known) => this.#create(known)) : this.#create(viewer);
  }

  /** Ends at once all that runs by this credential. */
  revoke(credential: string): void {
    for (const session of this.#byCredential.get(credential) ?? []) {
      session.endViewer('The credentials were revoked.', false);
    }
  }

  #create(viewer: Viewer): Session {
    return new Session(viewer, this.#options, {
      enter: (session, credential) => {
        const sessions = this.#byCredential.get(credential) ?? new Set();
        this.#byCredential.set(credential, sessions.add(session));
      },
      leave: (session, credential) => {
        const sessions = this.#byCredential.get(credential);
        if (sessions?.delete(session) === true && sessions.size === 0) this.#byCredential.delete(credential);
      },
    });
  }
}

type Register = {
  enter(session: Session, credential: string): void;
  leave(session: Session, credential: string): void;
};

/** A viewer for as long as a connection, or a request, lasts. */
export class Session {
  readonly #options: SessionsOptions;
  readonly #register: Register;
  readonly #streams = new Set<Stream>();
  readonly #userId: string;
  #viewer: Viewer | null;
  #isWatched = false;
  #cancelExpiry: (() => void) | null = null;

  constructor(viewer: Viewer, options: SessionsOptions, register: Register) {
    this.#viewer = viewer;
    this.#userId = viewer.id;
    this.#options = options;
    this.#register = register;
  }

  /** Who asks now; `null`: the time is over. */
  get viewer(): Viewer | null {
    return this.#viewer !== null && this.#options.identity.isValid(this.#viewer) ? this.#viewer : null;
  }

  get userId(): string {
    return this.#userId;
  }

  /** A stream runs for the viewer; it is ended with the viewer. Returns what is to be called when it has ended. */
  hold(stream: Stream): () => void {
    this.#streams.add(stream);
    if (this.viewer === null) {
      // The time was over while it was being opened.
      const isAllowed = !stream.isPrivate && this.#options.anonymousMarketData;
      if (!isAllowed) stream.fail(new ClientError('UNAUTHENTICATED', 'The credentials hold no longer.'));
    } else if (!this.#isWatched) this.#watch();
    return () => {
      this.#streams.delete(stream);
      if (this.#streams.size === 0) this.#unwatch();
    };
  }

  /**
   * Goes on with newer credentials of the same user.
   * @throws {ClientError} UNAUTHENTICATED, and all stays as it was
   */
  async renew(payload: unknown): Promise<void> {
    const credentials = readCredentials(fieldsOf(payload));
    if (credentials === null) return;
    const viewer = await this.#options.identity.identify(credentials);
    if (viewer === null || viewer.id !== this.#userId) {
      throw new ClientError('UNAUTHENTICATED', 'A connection is renewed by a token of the same user.');
    }
    this.#unwatch();
    this.#viewer = viewer;
    if (this.#streams.size > 0) this.#watch();
    if (!viewer.scopes.includes('portfolio:read'))
      this.#failStreams('FORBIDDEN', 'The scope "portfolio:read" is needed for this.', true);
    if (!viewer.scopes.includes('market:read'))
      this.#failStreams('FORBIDDEN', 'The scope "market:read" is needed for this.', false);
  }

  /** Ends what is the viewer's own, and what anonymous clients may not have; all of it where `keepsMarket` is false. */
  endViewer(reason: string, keepsMarket: boolean): void {
    this.#unwatch();
    this.#viewer = null;
    this.#failStreams('UNAUTHENTICATED', reason, true);
    if (!keepsMarket) this.#failStreams('UNAUTHENTICATED', reason, false);
  }

  #failStreams(code: 'UNAUTHENTICATED' | 'FORBIDDEN', reason: string, isPrivate: boolean): void {
    for (const stream of this.#streams) if (stream.isPrivate === isPrivate) stream.fail(new ClientError(code, reason));
  }

  #watch(): void {
    this.#isWatched = true;
    const { credential, expiresAt } = this.#viewer ?? { credential: null, expiresAt: null };
    if (credential !== null) this.#register.enter(this, credential);
    if (expiresAt !== null) this.#awaitExpiry(expiresAt);
  }

  #unwatch(): void {
    if (!this.#isWatched) return;
    this.#isWatched = false;
    this.#cancelExpiry?.();
    this.#cancelExpiry = null;
    const credential = this.#viewer?.credential ?? null;
    if (credential !== null) this.#register.leave(this, credential);
  }

  #awaitExpiry(expiresAt: number): void {
    const { wheel, now, anonymousMarketData } = this.#options;
    const leftMs = expiresAt - now();
    if (leftMs <= 0) return this.endViewer('The token has expired.', anonymousMarketData);
    this.#cancelExpiry = wheel.schedule(Math.min(leftMs, MAX_WAIT_MS), () => this.#awaitExpiry(expiresAt));
    return undefined;
  }
}
