import type { Clock } from './clock.ts';
import type { Credentials } from './credentials.ts';

/** Says who asks, and asks once more where the server has found the token to be over and there is another. */
export function createAuthorizedFetch(
  fetch: typeof globalThis.fetch,
  credentials: Pick<Credentials, 'read' | 'renew'>,
): typeof globalThis.fetch {
  return async (input, init) => {
    const { token, headers } = await credentials.read();
    const response = await fetch(input, { ...init, headers: addHeaders(init?.headers, headers) });
    if (response.status !== 401 || !(await credentials.renew(token))) return response;
    await response.body?.cancel();
    const newer = await credentials.read();
    return fetch(input, { ...init, headers: addHeaders(init?.headers, newer.headers) });
  };
}

function addHeaders(asked: HeadersInit | undefined, added: Readonly<Record<string, string>>): Headers {
  const headers = new Headers(asked);
  for (const [name, value] of Object.entries(added)) headers.set(name, value);
  return headers;
}

/** Gives up where the answer has not begun in time: a connection that is half-open never ends by itself. */
export function withDeadline(fetch: typeof globalThis.fetch, timeoutMs: number, clock: Clock): typeof globalThis.fetch {
  return async (input, init) => {
    const deadline = new AbortController();
    const cancel = clock.schedule(() => deadline.abort(new Error('The server did not answer in time.')), timeoutMs);
    try {
      const signals = init?.signal == null ? [deadline.signal] : [init.signal, deadline.signal];
      return await fetch(input, { ...init, signal: AbortSignal.any(signals) });
    } finally {
      cancel();
    }
  };
}
