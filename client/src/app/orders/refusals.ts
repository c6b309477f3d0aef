import type { CombinedError } from '@urql/core';

/** Why an order is rejected, for a reader; a reason that this page does not know yet is told as it is. */
export function describeRejection(reason: string | null | undefined): string {
  switch (reason) {
    case 'INSUFFICIENT_FUNDS':
      return 'Not enough cash for this order beside those that are open.';
    case 'INSUFFICIENT_POSITION':
      return 'Not enough shares to sell beside those in open orders.';
    case 'MARKET_CLOSED':
      return 'The market is closed. A limit order would wait for it to open.';
    case 'NO_QUOTE':
      return 'There is no current price for this symbol on that side.';
    default:
      return reason == null ? 'It could not be filled.' : `It could not be filled (${reason}).`;
  }
}

/** An order or a cancellation that the server did not take. */
export type Refusal = {
  readonly words: string;
  /** After this it is worth another try; `null`: the same would be refused again, or nobody knows when not. */
  readonly retryAfterMs: number | null;
  /** Whether the server may have taken it nevertheless: no answer came, or none that says. */
  readonly isUnknown: boolean;
};

export function describeRefusal(error: CombinedError): Refusal {
  const [answer] = error.graphQLErrors;
  if (answer === undefined) {
    const wasSent = (error.networkError as { isSent?: boolean } | undefined)?.isSent !== false;
    const words = wasSent ? 'No answer came from the server.' : 'The server could not be reached. Nothing was sent.';
    return { words, retryAfterMs: null, isUnknown: wasSent };
  }
  const { code, retryAfterMs, scope } = answer.extensions as Record<string, unknown>;
  const refuse = (words: string, wait: unknown = null): Refusal => ({
    words,
    retryAfterMs: typeof wait === 'number' ? wait : null,
    isUnknown: false,
  });
  switch (code) {
    case 'UNAUTHENTICATED':
      return refuse('You are signed out. Sign in again to trade.');
    case 'FORBIDDEN':
      return refuse(`Your access does not allow this${typeof scope === 'string' ? ` (it lacks “${scope}”)` : ''}.`);
    case 'RATE_LIMITED':
      return refuse('Too many orders within a minute.', retryAfterMs ?? 1000);
    case 'SERVICE_PAUSED':
      return refuse('Trading is paused by the operator. Nothing was placed.');
    case 'UPSTREAM_UNAVAILABLE':
      return refuse('The market data source cannot be reached, so nothing is traded now.', retryAfterMs);
    case 'BAD_USER_INPUT':
      return refuse(answer.message);
    default:
      // A fault may come before or after the order was taken.
      return { words: 'The server failed at this.', retryAfterMs: null, isUnknown: true };
  }
}
