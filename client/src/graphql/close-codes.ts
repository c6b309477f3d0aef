/**
 * The close codes after which this client would only be refused again, as it is. After any other it reconnects: 1001 (the
 * server is going away), 1006 (the network), 1013 (too many connections for now), 4408 and 4499 (given up by a deadline),
 * 4500 and 1011 (the server failed).
 */
const FINAL_CLOSE_CODES: ReadonlyMap<number, string> = new Map([
  [1002, 'the server found the protocol violated'],
  [1003, 'the server takes no such data'],
  [1007, 'the server found a message malformed'],
  [1008, 'the server found its policy violated'],
  [1009, 'a message was too big'],
  [1010, 'the server lacks an extension'],
  [4400, 'the server could not read a message'],
  [4401, 'not authenticated'],
  [4403, 'refused for good: origin or credentials'],
  [4406, 'the server does not speak graphql-transport-ws'],
  [4409, 'an operation was sent twice'],
  [4429, 'the connection was initialised twice'],
]);

export const UNAUTHORIZED = 4401;
export const FORBIDDEN = 4403;

/** Why a connection ended. */
export type CloseCause = {
  /** The close code; `null` where there was none, such as for a server that cannot be reached. */
  readonly code: number | null;
  /** In words; may be empty. */
  readonly reason: string;
};

/** Whether a client that comes back unchanged would be closed in the same way. */
export function isFinal({ code }: CloseCause): boolean {
  return code !== null && FINAL_CLOSE_CODES.has(code);
}

/**
 * What graphql-ws reports of a connection: a close event, an error event, or what an option of ours threw. The error event
 * of a server that cannot be reached says nothing: neither browsers nor Node tell a page why.
 */
export function readCause(event: unknown): CloseCause {
  if (typeof event !== 'object' || event === null) return { code: null, reason: String(event) };
  const code = 'code' in event && typeof event.code === 'number' ? event.code : null;
  const reason = 'reason' in event ? event.reason : 'message' in event ? event.message : '';
  return { code, reason: typeof reason === 'string' ? reason : '' };
}

/** A connection that was refused for good: as the `networkError` of the results of all that ran on it. */
export class ConnectionRefusedError extends Error {
  override readonly name = 'ConnectionRefusedError';
  readonly code: number | null;

  constructor({ code, reason }: CloseCause) {
    const meaning = code === null ? undefined : FINAL_CLOSE_CODES.get(code);
    super([`The server closed the connection for good`, meaning, reason].filter(Boolean).join(': '));
    this.code = code;
  }
}
