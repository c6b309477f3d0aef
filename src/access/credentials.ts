/** What a client proves with who asks: a token or a key. */
export type Credentials = { readonly token: string } | { readonly apiKey: string };

/** Longer ones are none: of a token whose claims fill pages nothing is looked at. */
const MAX_LENGTH = 8 * 1024;

/** Something that can be asked for its fields by lower-case name, as headers and the payload of `connection_init`. */
type Fields = (name: 'authorization' | 'x-api-key') => unknown;

/**
 * The credentials among headers or in a payload; `null`: none are given. What is given, but is no such thing, is a token of nobody:
 * it is refused, for who names himself does not mean to be anonymous.
 */
export function readCredentials(fields: Fields): Credentials | null {
  const authorization = fields('authorization');
  if (authorization !== undefined && authorization !== null && authorization !== '') {
    const match = typeof authorization === 'string' ? /^Bearer +(\S+) *$/i.exec(authorization) : null;
    return { token: match === null || match[1]!.length > MAX_LENGTH ? '' : match[1]! };
  }
  const apiKey = fields('x-api-key');
  if (apiKey === undefined || apiKey === null || apiKey === '') return null;
  return { apiKey: typeof apiKey === 'string' && apiKey.length <= MAX_LENGTH ? apiKey : '' };
}

/** The fields of a payload, whatever the case of their names. */
export function fieldsOf(payload: unknown): Fields {
  const entries = typeof payload === 'object' && payload !== null ? Object.entries(payload) : [];
  return (name) => entries.find(([key]) => key.toLowerCase() === name)?.[1];
}
