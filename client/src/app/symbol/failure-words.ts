import type { CombinedError } from 'urql';

/** Why something is not shown, in words for its reader. */
export function describeFailure(error: CombinedError): string {
  const refusal = error.graphQLErrors[0];
  switch (refusal?.extensions['code']) {
    case 'UPSTREAM_UNAVAILABLE':
      return 'The market data source does not answer just now.';
    case 'RATE_LIMITED':
      return 'Too much was asked for in a short time.';
    case 'SERVICE_PAUSED':
      return 'Market data is paused.';
    case 'UNAUTHENTICATED':
    case 'FORBIDDEN':
      return 'This account may not read market data.';
    case 'BAD_USER_INPUT':
      return 'This is no symbol.';
    default:
      return refusal === undefined ? 'The server cannot be reached.' : 'The server could not answer.';
  }
}
