import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** The id names a key, in lists and logs; the secret proves it, and is shown once. */
export type ApiKey = { readonly id: string; readonly text: string; readonly hash: string };

/** So that people and scanners of repositories know one when they see it. */
const FORM = /^tapeql_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

export function createApiKey(): ApiKey {
  const id = randomBytes(8).toString('hex');
  const text = `tapeql_${id}_${randomBytes(32).toString('base64url')}`;
  return { id, text, hash: hashOf(text) };
}

/** `null`: it is no key. */
export function readKeyId(text: string): string | null {
  return FORM.exec(text)?.[1] ?? null;
}

/** Of 256 random bits no more than one round is needed: nobody guesses them. */
function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function isKeyOf(text: string, hash: string): boolean {
  const [own, known] = [Buffer.from(hashOf(text)), Buffer.from(hash)];
  return own.length === known.length && timingSafeEqual(own, known);
}
