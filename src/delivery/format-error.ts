import { GraphQLError, type GraphQLFormattedError, Kind } from 'graphql';
import { ClientError, ERROR_CODES, type ErrorCode } from '../errors.ts';
import { SourceUnavailableError } from '../market/source.ts';

const MASKED = 'Internal server error';

/**
 * The error that a client is shown for any thrown value, with one of the codes of errors.ts. What was not meant for
 * clients is masked: its message could hold anything.
 */
export function toGraphQLError(error: unknown): GraphQLError {
  const located = error instanceof GraphQLError ? error : null;
  const thrown = located?.originalError ?? error;

  if (thrown instanceof ClientError) {
    return coded(thrown.code, thrown.message, located, thrown.details);
  }
  if (thrown instanceof SourceUnavailableError) {
    return coded('UPSTREAM_UNAVAILABLE', 'The market data source cannot be reached now.', located, {
      retryAfterMs: thrown.retryAfterMs ?? 5000,
    });
  }
  if (thrown instanceof GraphQLError) {
    // Made by GraphQL itself or by Yoga: meant for the client, and often without a code, or with one of its own.
    const code = codeOf(thrown, located?.path !== undefined);
    if (code === thrown.extensions['code']) return located ?? thrown;
    // A request that is none of GraphQL has no response of GraphQL's: its status is told whatever media type is accepted.
    const http = thrown.extensions['http'] as object | undefined;
    if (code === 'INTERNAL_SERVER_ERROR') return masked(thrown, located);
    return coded(code, thrown.message, located, http === undefined ? {} : { http: { ...http, spec: false } });
  }
  return masked(thrown, located);
}

/** The cause stays with it for the log; it is not written to the client. */
function masked(cause: unknown, located: GraphQLError | null): GraphQLError {
  const originalError = cause instanceof Error ? cause : new Error(String(cause));
  return coded('INTERNAL_SERVER_ERROR', MASKED, located, {}, originalError);
}

/** Whether the error came as a surprise, so that it is worth a line in the log. */
export function isUnexpected(error: unknown): boolean {
  return toGraphQLError(error).extensions['code'] === 'INTERNAL_SERVER_ERROR';
}

/** The error as it is written: without what is for our own HTTP transport only. */
export function serializeError(error: GraphQLError): GraphQLFormattedError {
  const { extensions, ...rest } = error.toJSON();
  if (extensions === undefined) return rest;
  const { http: _, ...shown } = extensions;
  return { ...rest, extensions: shown };
}

function codeOf(error: GraphQLError, isOfField: boolean): ErrorCode {
  const code = error.extensions['code'];
  if (typeof code === 'string' && Object.hasOwn(ERROR_CODES, code)) return code as ErrorCode;
  // What a field's value is refused for, by its own type, is our fault; an argument's value has its place in the document.
  if (error.path !== undefined || (isOfField && error.nodes === undefined)) return 'INTERNAL_SERVER_ERROR';
  if (error.message.startsWith('Syntax Error')) return 'GRAPHQL_PARSE_FAILED';
  // Whatever else GraphQL or Yoga object to without a code of ours (a variable's value, a body that is no JSON) is the sender's input.
  return error.nodes?.some((node) => node.kind !== Kind.VARIABLE_DEFINITION)
    ? 'GRAPHQL_VALIDATION_FAILED'
    : 'BAD_USER_INPUT';
}

function coded(
  code: ErrorCode,
  message: string,
  located: GraphQLError | null,
  details: Readonly<Record<string, unknown>> = {},
  originalError: Error | null = null,
): GraphQLError {
  const { httpStatus } = ERROR_CODES[code];
  // One field's failure does not decide the status of a response that holds other fields.
  const setsStatus = httpStatus !== 200 && located?.path === undefined;
  const isSpecified = code === 'GRAPHQL_PARSE_FAILED' || code === 'GRAPHQL_VALIDATION_FAILED';
  const { retryAfterMs } = details;
  const headers = {
    ...(typeof retryAfterMs === 'number' && { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }),
    // RFC 9110, 15.5.2: what would be accepted.
    ...(code === 'UNAUTHENTICATED' && { 'www-authenticate': 'Bearer' }),
  };
  return new GraphQLError(message, {
    nodes: located?.nodes ?? null,
    source: located?.source ?? null,
    positions: located?.positions ?? null,
    path: located?.path ?? null,
    originalError,
    // `spec`: GraphQL over HTTP leaves these errors at 200 where the client accepts application/json only.
    extensions: {
      code,
      ...(setsStatus && { http: { status: httpStatus, spec: isSpecified, headers } }),
      ...details,
    },
  });
}
