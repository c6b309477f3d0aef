import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { ClientError } from '../errors.ts';
import { accountOfKey } from './account-name.ts';
import { isKeyOf, readKeyId } from './api-key.ts';
import type { Credentials } from './credentials.ts';
import type { Revocations } from './revocations.ts';
import type { Tokens } from './tokens.ts';
import { SCOPES, type Viewer } from './viewer.ts';

export type StoredKey = {
  readonly id: string;
  readonly name: string;
  readonly hash: string;
  readonly scopes: readonly string[];
  /** Whose account it acts on; `null`: its own. */
  readonly userId: string | null;
  readonly isRevoked: boolean;
};

export type IdentityOptions = {
  readonly tokens: Pick<Tokens, 'verify'>;
  /** @throws {ClientError} UPSTREAM_UNAVAILABLE */
  readonly findKey: (id: string) => Promise<StoredKey | null>;
  readonly revocations: Pick<Revocations, 'has' | 'isCurrent' | 'ready'>;
  /** Unix ms. */
  readonly now: () => number;
};

/** Whoever is known is not verified again for a while. Kept by a hash: no token or key stays in memory. */
const MAX_KNOWN = 20_000;
const KNOWN_MS = 60_000;
/** Keys that are none are remembered as long: whoever goes on trying one costs no query each time. */
const UNKNOWN_MS = 5_000;
const MAX_UNKNOWN = 1_000;

/** Tells by the credentials who asks. */
export class Identity {
  readonly #options: IdentityOptions;
  readonly #known = new LRUCache<string, Viewer>({ max: MAX_KNOWN, ttl: KNOWN_MS });
  readonly #unknown = new LRUCache<string, true>({ max: MAX_UNKNOWN, ttl: UNKNOWN_MS });

  constructor(options: IdentityOptions) {
    this.#options = options;
  }

  /**
   * `null` without credentials.
   * @throws {ClientError} UNAUTHENTICATED; UPSTREAM_UNAVAILABLE where they cannot be verified now; always by the promise
   */
  identify(credentials: Credentials | null): Viewer | null | Promise<Viewer> {
    if (credentials === null) return null;
    const name = nameOf(credentials);
    const known = this.#known.get(name);
    if (known !== undefined && this.isValid(known) && this.#isKnownToHold(known)) return known;
    return this.#verify(credentials, name);
  }

  /** Neither expired nor revoked. */
  isValid({ expiresAt, credential }: Viewer): boolean {
    return (expiresAt === null || this.#options.now() < expiresAt) && !this.#options.revocations.has(credential);
  }

  /** Whether it would have been heard of that it was revoked. */
  #isKnownToHold({ credential }: Viewer): boolean {
    return credential === null || this.#options.revocations.isCurrent;
  }

  async #verify(credentials: Credentials, name: string): Promise<Viewer> {
    const { tokens, revocations } = this.#options;
    const viewer =
      'token' in credentials ? await tokens.verify(credentials.token) : await this.#verifyKey(credentials.apiKey, name);
    if (viewer.credential !== null) {
      await revocations.ready();
      if (revocations.has(viewer.credential)) {
        throw new ClientError('UNAUTHENTICATED', `The ${'token' in credentials ? 'token' : 'key'} was revoked.`);
      }
    }
    this.#known.set(name, viewer);
    return viewer;
  }

  async #verifyKey(text: string, name: string): Promise<Viewer> {
    const id = readKeyId(text);
    const key = id === null || this.#unknown.has(name) ? null : await this.#options.findKey(id);
    if (key === null || !isKeyOf(text, key.hash)) {
      this.#unknown.set(name, true);
      throw new ClientError('UNAUTHENTICATED', 'The key is not known.');
    }
    if (key.isRevoked) throw new ClientError('UNAUTHENTICATED', 'The key was revoked.');
    return {
      id: key.userId ?? accountOfKey(key.id),
      name: key.name,
      scopes: SCOPES.filter((scope) => key.scopes.includes(scope)),
      expiresAt: null,
      credential: `key:${key.id}`,
    };
  }
}

function nameOf(credentials: Credentials): string {
  const [kind, text] = 'token' in credentials ? ['token', credentials.token] : ['key', credentials.apiKey];
  return createHash('sha256').update(`${kind} ${text}`).digest('base64');
}
