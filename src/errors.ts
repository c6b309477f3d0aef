/**
 * The closed table of what can go wrong towards a client. `code` is `extensions.code` of the GraphQL error; `httpStatus`
 * is used where the whole response is the error; `retry` says whether the same request can succeed later unchanged.
 */
export const ERROR_CODES = {
  BAD_USER_INPUT: { httpStatus: 200, retry: false },
  GRAPHQL_VALIDATION_FAILED: { httpStatus: 400, retry: false },
  GRAPHQL_PARSE_FAILED: { httpStatus: 400, retry: false },
  UNAUTHENTICATED: { httpStatus: 401, retry: false },
  FORBIDDEN: { httpStatus: 403, retry: false },
  RATE_LIMITED: { httpStatus: 429, retry: true },
  TOO_MANY_SYMBOLS: { httpStatus: 200, retry: false },
  TOO_MANY_SUBSCRIPTIONS: { httpStatus: 200, retry: false },
  QUERY_TOO_COMPLEX: { httpStatus: 400, retry: false },
  UPSTREAM_UNAVAILABLE: { httpStatus: 200, retry: true },
  SLOW_CONSUMER: { httpStatus: 200, retry: true },
  HISTORY_EXPIRED: { httpStatus: 200, retry: false },
  SERVICE_PAUSED: { httpStatus: 200, retry: true },
  INTERNAL_SERVER_ERROR: { httpStatus: 500, retry: false },
} as const satisfies Record<string, { httpStatus: number; retry: boolean }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** WebSocket close codes beyond those that graphql-transport-ws gives (4400, 4401, 4403, 4406, 4408, 4409, 4429, 4500). */
export const CLOSE_CODES = {
  /** The server is going away: reconnect, with jitter. */
  GOING_AWAY: 1001,
  /** A message exceeded the size limit. */
  MESSAGE_TOO_BIG: 1009,
  /** The connection limit of the server or of a user, or too much work for too long: try again later. */
  TRY_AGAIN_LATER: 1013,
  /** Refused for good: origin or credentials. */
  FORBIDDEN: 4403,
} as const;

/** An error meant for the client: its message is shown, its code and details travel in `extensions`. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ErrorCode;
  /** Structured fields beside the code, such as `limit`, `retryAfterMs`, `argument`, `cursor`. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.details = details;
  }
}
