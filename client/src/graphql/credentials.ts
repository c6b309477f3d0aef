import { type Clock, systemClock } from './clock.ts';

/** A JWT, without "Bearer"; `null`: anonymous. */
export type Token = string | null;
/** Asked again whenever a newer one is wanted. */
export type TokenSource = () => Token | Promise<Token>;

export type Headers = Readonly<Record<string, string>>;

/** A newer token is asked for when so much of a token's life is left: a fifth, and at most a minute. */
const RENEWED_BEFORE_END = 0.2;
const MAX_RENEWED_BEFORE_END_MS = 60_000;
/** Whatever a token says of its times, and whatever the clock here does, no other is asked for sooner than this. */
const MIN_RENEWAL_MS = 5000;
/** A timer cannot wait longer than some weeks: it is looked again so often. */
const MAX_TIMER_MS = 60 * 60_000;

/** Who this client is: one token at a time, renewed before it expires where there is a source of newer ones. */
export class Credentials {
  readonly #source: TokenSource | null;
  readonly #clock: Clock;
  readonly #listeners = new Set<(headers: Headers) => Promise<void>>();
  #token: Token = null;
  #isRead = false;
  /** One question at a time, whoever asks. */
  #asking: Promise<void> | null = null;
  #cancelRenewal = (): void => {};
  #isDisposed = false;

  constructor(token: Token | TokenSource | undefined, clock: Clock = systemClock) {
    this.#clock = clock;
    this.#source = typeof token === 'function' ? token : null;
    if (this.#source !== null) return;
    this.#token = (token as Token | undefined) ?? null;
    this.#isRead = true;
  }

  /** The one that was read last. */
  get token(): Token {
    return this.#token;
  }

  /** Who this client is now. Rejects where the source does, which is asked again by the next call. */
  async read(): Promise<{ readonly token: Token; readonly headers: Headers }> {
    if (!this.#isRead) await this.#ask();
    return { token: this.#token, headers: toHeaders(this.#token) };
  }

  /** Asks for another token than the one that was found wanting; whether there is one. */
  async renew(refused: Token): Promise<boolean> {
    if (this.#source === null) return false;
    if (this.#isRead && this.#token !== refused) return true;
    try {
      await this.#ask();
    } catch {
      return false;
    }
    return this.#token !== refused;
  }

  /** Calls the listener with each newer token, and waits for it; returns what ends that. */
  watch(listener: (headers: Headers) => Promise<void>): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#cancelRenewal();
  }

  #ask(): Promise<void> {
    this.#asking ??= this.#readNewer().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #readNewer(): Promise<void> {
    const token = await this.#source!();
    const isNewer = this.#isRead && token !== this.#token;
    this.#token = token;
    this.#isRead = true;
    this.#awaitEnd(token);
    if (isNewer) await Promise.all([...this.#listeners].map((listener) => listener(toHeaders(token))));
  }

  #awaitEnd(token: Token): void {
    this.#cancelRenewal();
    const leftMs = token === null || this.#isDisposed ? null : readTimeLeft(token, this.#clock.now());
    if (leftMs === null) return;
    const before = Math.min(MAX_RENEWED_BEFORE_END_MS, leftMs * RENEWED_BEFORE_END);
    this.#renewAt(this.#clock.now() + Math.max(MIN_RENEWAL_MS, leftMs - before));
  }

  #renewAt(time: number): void {
    const waitMs = time - this.#clock.now();
    this.#cancelRenewal = this.#clock.schedule(
      () => {
        if (this.#clock.now() < time) return this.#renewAt(time);
        this.#ask().then(
          () => {},
          // The token that there is may still be good: the next need for one asks again, and so does this.
          () => {
            if (!this.#isDisposed) this.#renewAt(this.#clock.now() + MIN_RENEWAL_MS);
          },
        );
        return undefined;
      },
      Math.min(MAX_TIMER_MS, Math.max(0, waitMs)),
    );
  }
}

function toHeaders(token: Token): Headers {
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

/**
 * How long a token is still good, in ms; `null`: it does not say. One that seems to have ended when it came tells that the clock
 * of this machine is wrong: then its length counts. Nothing is verified: that is the server's.
 */
function readTimeLeft(token: string, now: number): number | null {
  const { exp, iat } = readClaims(token);
  if (typeof exp !== 'number') return null;
  const leftMs = exp * 1000 - now;
  const lengthMs = typeof iat === 'number' ? (exp - iat) * 1000 : null;
  return leftMs > 0 ? Math.min(leftMs, lengthMs ?? leftMs) : lengthMs;
}

function readClaims(token: string): { exp?: unknown; iat?: unknown } {
  try {
    const part = token.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    return (JSON.parse(new TextDecoder().decode(bytes)) as object | null) ?? {};
  } catch {
    // No JWT: whose length only the server knows.
    return {};
  }
}
