/**
 * The name under which an account is kept: that of a user is the `sub` of the tokens, that of an API key is `key:` and the key's id.
 * No `sub` can name a key's account: one that looks like that name has `user:` put in front of it. So has one that looks like such a
 * result, so that two users never share a name either. All other users keep their `sub` as it is.
 */
const RESERVED = /^(?:user:)*key:[0-9a-f]{16}$/;

export function accountOfKey(keyId: string): string {
  return `key:${keyId}`;
}

export function accountOfSubject(subject: string): string {
  return RESERVED.test(subject) ? `user:${subject}` : subject;
}

/** The longest `sub` or `jti`, in UTF-16 code units: an index of Postgres takes no more than some 2,700 bytes. */
export const MAX_IDENTIFIER_LENGTH = 256;

/**
 * Whether a text of a token can be kept and told from every other one: Postgres takes no NUL, an unpaired surrogate is stored as the
 * same character as every other one, and a control character makes two names look alike in a log.
 */
export function isIdentifier(text: string): boolean {
  return text !== '' && text.length <= MAX_IDENTIFIER_LENGTH && !/[\p{Cc}\p{Cs}]/u.test(text);
}
