import { type Exchange, makeErrorResult, makeOperation, type Operation, type OperationResult } from '@urql/core';
import type { DocumentNode } from 'graphql';
import { filter, makeSubject, merge, pipe, tap } from 'wonka';
import { type Backoff, chooseDelayMs, DEFAULT_BACKOFF } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import { findOperation } from './live-document.ts';

export type WaitingExchangeOptions = {
  /** Whether there is any sense in sending now. */
  readonly isReachable: () => boolean;
  /** Calls the listener when the server is reached, or may be again. */
  readonly watchReachable: (listener: () => void) => () => void;
  readonly onWaiting: (count: number) => void;
  /** How long a mutation waits: an order that was meant for now is not for later. Queries wait as long as they are wanted. */
  readonly mutationTimeoutMs?: number;
  /** More than this are refused at once. Default: 100. */
  readonly maxWaiting?: number;
  readonly backoff?: Backoff;
  readonly random?: () => number;
  readonly clock?: Clock;
  /** Where it is given, what waits is dropped, and nothing more is sent. */
  readonly signal?: AbortSignal;
};

/**
 * These may be sent again after a lost answer. The same order is known by its `clientOrderId`, and is placed once; an order that
 * is cancelled already stays so.
 */
const REPEATABLE_MUTATIONS: ReadonlySet<string> = new Set(['placeOrder', 'cancelOrder']);

/** What stands between here and the server says so where the server is away. */
const AWAY: ReadonlySet<unknown> = new Set([502, 503, 504]);

/** A mutation could not be brought to the server: as the `networkError` of its result. */
export class OfflineError extends Error {
  override readonly name = 'OfflineError';
  /** It left, and its answer did not come: the server may have done what it asks for. */
  readonly isSent: boolean;

  constructor(isSent: boolean) {
    super(isSent ? 'The server did not answer: it may have been done.' : 'The server could not be reached: not sent.');
    this.isSent = isSent;
  }
}

type Waiting = {
  operation: Operation;
  isSent: boolean;
  /** It is on its way, so that only its answer is waited for. */
  isUnderway: boolean;
  cancelDeadline: () => void;
};

/**
 * Keeps queries and mutations that are asked for while the server cannot be reached, and sends them when it can, in the order
 * in which they came. A query whose answer did not come is sent again, and so is a mutation that may be. Bounded: what is too
 * much is refused at once.
 */
export function waitingExchange(options: WaitingExchangeOptions): Exchange {
  const { isReachable, watchReachable, onWaiting, mutationTimeoutMs = 30_000, maxWaiting = 100 } = options;
  const { backoff = DEFAULT_BACKOFF, random = Math.random, clock = systemClock } = options;

  return ({ forward }) =>
    (operations$) => {
      const waiting = new Map<number, Waiting>();
      const resent = makeSubject<Operation>();
      const given = makeSubject<OperationResult>();
      let failures = 0;
      let cancelRetry: (() => void) | null = null;

      function tell(): void {
        let count = 0;
        for (const { isUnderway } of waiting.values()) if (!isUnderway) count++;
        onWaiting(count);
      }
      function drop(key: number): void {
        waiting.get(key)?.cancelDeadline();
        if (waiting.delete(key)) tell();
      }
      function giveUp(operation: Operation, isSent: boolean): void {
        drop(operation.key);
        given.next(makeErrorResult(operation, new OfflineError(isSent)));
      }

      function keep(operation: Operation, isSent: boolean): void {
        if (options.signal?.aborted === true) return;
        const known = waiting.get(operation.key);
        if (known === undefined && waiting.size >= maxWaiting) {
          giveUp(operation, isSent);
          return;
        }
        const cancelDeadline =
          known?.cancelDeadline ??
          (operation.kind === 'mutation'
            ? clock.schedule(() => giveUp(operation, waiting.get(operation.key)!.isSent), mutationTimeoutMs)
            : () => {});
        waiting.set(operation.key, {
          operation,
          isSent: isSent || known?.isSent === true,
          isUnderway: false,
          cancelDeadline,
        });
        tell();
        cancelRetry ??= clock.schedule(retry, chooseDelayMs(failures++, backoff, random));
      }
      function retry(): void {
        cancelRetry?.();
        cancelRetry = null;
        if (!isReachable()) {
          cancelRetry = clock.schedule(retry, backoff.maxDelayMs);
          return;
        }
        for (const one of waiting.values()) {
          if (one.isUnderway) continue;
          one.isUnderway = true;
          one.isSent = true;
          resent.next(makeOperation(one.operation.kind, one.operation, { ...one.operation.context }));
        }
        tell();
      }
      options.signal?.addEventListener('abort', () => {
        cancelRetry?.();
        for (const key of [...waiting.keys()]) drop(key);
      });
      watchReachable(() => {
        if (cancelRetry !== null) retry();
      });

      const asked$ = pipe(
        operations$,
        tap((operation) => operation.kind === 'teardown' && drop(operation.key)),
        filter((operation) => {
          if (operation.kind === 'teardown' || operation.kind === 'subscription' || isReachable()) return true;
          keep(operation, false);
          return false;
        }),
      );
      const answered$ = pipe(
        merge([asked$, resent.source]),
        forward,
        filter((result) => {
          const { operation } = result;
          if (isLost(result) && isRepeatable(operation)) {
            keep(operation, true);
            return false;
          }
          if (!isLost(result)) failures = 0;
          drop(operation.key);
          return true;
        }),
      );
      return merge([answered$, given.source]);
    };
}

/** The server gave no answer to it: nobody did, or what stands before the server. */
function isLost({ error }: OperationResult): boolean {
  if (error?.networkError === undefined || error.graphQLErrors.length > 0) return false;
  const { response } = error as { response?: { status?: unknown } };
  return response === undefined || AWAY.has(response.status);
}

function isRepeatable({ kind, query }: Operation): boolean {
  if (kind === 'query') return true;
  if (kind !== 'mutation') return false;
  const fields = findOperation(query as DocumentNode)?.selectionSet.selections ?? [];
  return fields.every((field) => field.kind === 'Field' && REPEATABLE_MUTATIONS.has(field.name.value));
}
