import { createHmac } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

export const JWT_SECRET = 'a secret of the tests alone, of 32 bytes and more';

/** `seconds` from now, as claims tell times. */
export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

/** So long before a token's end its clock is held: what waits for that end looks at the clock again as often. */
const HELD_MS = 10;

/**
 * The time by which tokens expire, as `tuning.clock` takes it. It is the machine's own, but for the time of a test that has it held
 * right before the end of a token: however slow the machine is, the token expires when the test says so.
 */
export class ExpiryClock {
  #heldAt: number | null = null;
  #passed = 0;

  /** Unix ms. */
  readonly now = (): number => this.#heldAt ?? Math.max(Date.now(), this.#passed);

  /** Holds the clock, and returns the `exp` of a token that has not expired for as long as it is held. */
  holdBefore(): number {
    const exp = Math.ceil((this.now() + HELD_MS) / 1000);
    this.#heldAt = exp * 1000 - HELD_MS;
    return exp;
  }

  /** The clock goes on, from the end of the token. */
  pass(): void {
    this.#passed = this.#heldAt! + HELD_MS;
    this.#heldAt = null;
  }
}

/** A token of Ann, but for the claims that are given; one that is `undefined` is left out. */
export function mintToken(claims: JWTPayload = {}, secret = JWT_SECRET, alg = 'HS256'): Promise<string> {
  return new SignJWT({ sub: 'ann', name: 'Ann', exp: inSeconds(3600), ...claims })
    .setProtectedHeader({ alg })
    .sign(new TextEncoder().encode(secret));
}

/** Header, claims and signature as they are written. */
export function encodeToken(header: object, claims: object, signature = ''): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  return `${encode(header)}.${encode(claims)}.${signature}`;
}

/** A token whose claims are these characters and no others, also where they are no text that JSON would write. */
export function signClaims(claims: string, secret = JWT_SECRET): string {
  const signed = encodeToken({ alg: 'HS256' }, {}).replace(/\..*/, `.${Buffer.from(claims).toString('base64url')}`);
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** An identity provider: its keys at a URL, and the tokens that it signs. */
export async function startIdentityProvider() {
  const keys = new Map<string, { alg: string; privateKey: CryptoKey; jwk: object }>();
  let asked = 0;
  let isAway = false;
  let held = Promise.resolve();
  const answer = (response: ServerResponse): void => {
    if (isAway) return void response.writeHead(503).end();
    response.setHeader('content-type', 'application/json');
    return void response.end(JSON.stringify({ keys: [...keys.values()].map(({ jwk }) => jwk) }));
  };
  const server = createServer((_request, response) => {
    asked += 1;
    void held.then(() => answer(response));
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    get asked() {
      return asked;
    },
    set isAway(value: boolean) {
      isAway = value;
    },
    /** Has every answer wait until the function that is returned is called. */
    hold(): () => void {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
    /** Returns its public half as a PEM, by which a confused server would verify an HMAC. */
    async addKey(kid: string, alg: 'RS256' | 'ES256' | 'EdDSA'): Promise<string> {
      const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
      keys.set(kid, { alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } });
      const spki = Buffer.from(await crypto.subtle.exportKey('spki', publicKey)).toString('base64');
      return `-----BEGIN PUBLIC KEY-----\n${spki.match(/.{1,64}/g)!.join('\n')}\n-----END PUBLIC KEY-----\n`;
    },
    removeKey: (kid: string) => keys.delete(kid),
    sign(kid: string, claims: JWTPayload = {}): Promise<string> {
      const { alg, privateKey } = keys.get(kid)!;
      return new SignJWT({ sub: 'ann', exp: inSeconds(3600), ...claims })
        .setProtectedHeader({ alg, kid })
        .sign(privateKey);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
