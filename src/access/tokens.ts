import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { ClientError } from '../errors.ts';
import { accountOfSubject, isIdentifier, MAX_IDENTIFIER_LENGTH } from './account-name.ts';
import { SCOPES, type Viewer } from './viewer.ts';

export type TokenOptions = {
  /** One of the two: a shared secret, or where the keys of an identity provider are. */
  readonly verifier: { readonly secret: string } | { readonly jwksUrl: string };
  /** `null`: not looked at. */
  readonly issuer: string | null;
  readonly audience: string | null;
  /** How often at most the provider's keys are asked for again, where a token names an unknown one. Default 30 s. */
  readonly jwksCooldownMs?: number;
  /** Unix ms. */
  readonly now: () => number;
  readonly fetch?: FetchImplementation;
};

/** Clocks differ. */
const LEEWAY_SECONDS = 5;
const JWKS_TIMEOUT_MS = 5_000;
const JWKS_MAX_AGE_MS = 10 * 60_000;
const RETRY_AFTER_MS = 1_000;
const MAX_NAME_LENGTH = 256;
const IDENTIFIER = `1 to ${MAX_IDENTIFIER_LENGTH} characters, without control characters`;
const NO_SUBJECT = `The token names no user: its "sub" must be a text of ${IDENTIFIER}.`;

/** Tokens are verified by one kind of algorithm, that of the configuration; what a token says of itself decides nothing. */
export class Tokens {
  readonly #options: TokenOptions;
  readonly #readKey: JWTVerifyGetKey;
  readonly #algorithms: string[];

  constructor(options: TokenOptions) {
    this.#options = options;
    const { verifier, jwksCooldownMs = 30_000, fetch } = options;
    if ('secret' in verifier) {
      // Imported once: jose would do it anew for each token.
      const secret = new TextEncoder().encode(verifier.secret);
      const algorithm = { name: 'HMAC', hash: 'SHA-256' };
      let key: Promise<CryptoKey> | null = null;
      this.#readKey = () => (key ??= crypto.subtle.importKey('raw', secret, algorithm, false, ['verify']));
      this.#algorithms = ['HS256'];
    } else {
      this.#readKey = createRemoteJWKSet(new URL(verifier.jwksUrl), {
        cooldownDuration: jwksCooldownMs,
        cacheMaxAge: JWKS_MAX_AGE_MS,
        timeoutDuration: JWKS_TIMEOUT_MS,
        ...(fetch !== undefined && { [customFetch]: fetch }),
      });
      this.#algorithms = ['RS256', 'ES256', 'EdDSA'];
    }
  }

  /**
   * @throws {ClientError} UNAUTHENTICATED, saying what is wrong and nothing of the token; UPSTREAM_UNAVAILABLE where the
   * provider's keys cannot be read
   */
  async verify(token: string): Promise<Viewer> {
    const { issuer, audience, now } = this.#options;
    const checks = {
      algorithms: this.#algorithms,
      clockTolerance: LEEWAY_SECONDS,
      currentDate: new Date(now()),
      requiredClaims: ['sub'],
      ...(issuer !== null && { issuer }),
      ...(audience !== null && { audience }),
    };
    let claims: JWTPayload;
    try {
      claims = (await jwtVerify(token, this.#readKey, checks)).payload;
    } catch (error) {
      throw refusalOf(error);
    }
    return this.#read(claims);
  }

  #read({ sub, name, exp, jti, scope, scopes }: JWTPayload): Viewer {
    if (typeof sub !== 'string' || !isIdentifier(sub)) throw unauthenticated(NO_SUBJECT);
    // It could not be kept among those that are revoked.
    if (typeof jti === 'string' && jti !== '' && !isIdentifier(jti)) {
      throw unauthenticated(`The "jti" of the token must be a text of ${IDENTIFIER}.`);
    }
    return {
      id: accountOfSubject(sub),
      name: typeof name === 'string' && name !== '' ? name.slice(0, MAX_NAME_LENGTH) : null,
      scopes: readScopes(scope, scopes),
      expiresAt: exp === undefined ? null : this.#endOf(exp * 1000),
      credential: typeof jti === 'string' && jti !== '' ? `token:${jti}` : null,
    };
  }

  /** At its time; where that has passed, and it was let in by the leeway alone, at the end of that. */
  #endOf(expiresAt: number): number {
    return expiresAt > this.#options.now() ? expiresAt : expiresAt + LEEWAY_SECONDS * 1000;
  }
}

/** A token that says nothing of scopes has all; of what it says those that are not known here are left out. */
function readScopes(scope: unknown, scopes: unknown): Viewer['scopes'] {
  if (scope === undefined && scopes === undefined) return SCOPES;
  const named = [...(typeof scope === 'string' ? scope.split(' ') : []), ...(Array.isArray(scopes) ? scopes : [])];
  return SCOPES.filter((one) => named.includes(one));
}

function unauthenticated(message: string, cause?: unknown): ClientError {
  return new ClientError('UNAUTHENTICATED', message, {}, cause);
}

const WRONG_CLAIMS: Readonly<Record<string, string>> = {
  iss: 'The token is of another issuer.',
  aud: 'The token is for another audience.',
  nbf: 'The token is not valid yet.',
  sub: NO_SUBJECT,
};

function refusalOf(error: unknown): ClientError {
  if (error instanceof errors.JWTExpired) return unauthenticated('The token has expired.');
  if (error instanceof errors.JWTClaimValidationFailed) {
    return unauthenticated(WRONG_CLAIMS[error.claim] ?? `The claim "${error.claim}" of the token is wrong.`);
  }
  if (error instanceof errors.JOSEAlgNotAllowed)
    return unauthenticated('The token is signed by an algorithm that is not accepted.');
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return unauthenticated('The signature of the token is wrong.');
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return unauthenticated('The token is signed by a key that is not known.');
  }
  if (
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JOSENotSupported
  ) {
    return unauthenticated('The token is malformed.');
  }
  const details = { retryAfterMs: RETRY_AFTER_MS };
  return new ClientError('UPSTREAM_UNAVAILABLE', 'Tokens cannot be verified now.', details, error);
}
