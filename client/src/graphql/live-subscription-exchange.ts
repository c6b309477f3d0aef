import {
  type Exchange,
  type ExecutionResult,
  makeErrorResult,
  makeOperation,
  makeResult,
  type Operation,
  type OperationResult,
} from '@urql/core';
import type { DocumentNode } from 'graphql';
import type { FormattedExecutionResult } from 'graphql-ws';
import { filter, make, merge, mergeMap, pipe, type Source, takeUntil } from 'wonka';
import { type Backoff, chooseDelayMs, DEFAULT_BACKOFF } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Credentials, Token } from './credentials.ts';
import { readLiveDocument } from './live-document.ts';
import type { GraphQLErrors, LiveOperation, LiveTransport } from './live-transport.ts';
import { choosePolledOperation } from './polled-choice.ts';
import { Resumption } from './resumption.ts';
import { reportUncaught } from './uncaught.ts';

export type LiveSubscriptionExchangeOptions = {
  readonly transport: LiveTransport;
  /** By which an operation that ends with its viewer's time goes on. Default: it is over. */
  readonly credentials?: Pick<Credentials, 'token' | 'renew'>;
  /** Between two tries of an operation that the server ended for now without saying for how long. */
  readonly backoff?: Backoff;
  /** Default: Math.random. */
  readonly random?: () => number;
  readonly clock?: Clock;
  /** Where it is given, nothing is begun again. */
  readonly signal?: AbortSignal;
};

/**
 * Runs subscriptions over a transport, and over its interruptions.
 *
 * A log goes on after the last result that was read, with neither a gap nor a duplicate; where the server's history no
 * longer reaches back that far it goes on live, and the first result tells so (`readGap`). A reader that was ended as too
 * slow resumes likewise. An operation that is refused for now is tried again, its error shown meanwhile; one that is refused
 * for good ends with its error.
 *
 * In place of urql's own subscriptionExchange, because that one takes the results of a subscription for patches of one
 * another: it carries an event's errors, extensions and, where an event has none, data over to those that follow.
 */
export function liveSubscriptionExchange(options: LiveSubscriptionExchangeOptions): Exchange {
  return ({ client, forward }) =>
    (operations$) => {
      const results$ = pipe(
        operations$,
        filter((operation) => operation.kind === 'subscription'),
        mergeMap((operation) => {
          const teardown$ = pipe(
            operations$,
            filter(({ kind, key }) => kind === 'teardown' && key === operation.key),
          );
          const complete = (): void => {
            client.reexecuteOperation(makeOperation('teardown', operation, operation.context));
          };
          return pipe(run(operation, options, complete), takeUntil(teardown$));
        }),
      );
      const others$ = pipe(
        operations$,
        filter((operation) => operation.kind !== 'subscription'),
        forward,
      );
      return merge([results$, others$]);
    };
}

function run(
  operation: Operation,
  options: LiveSubscriptionExchangeOptions,
  onComplete: () => void,
): Source<OperationResult> {
  const { transport, backoff = DEFAULT_BACKOFF, random = Math.random, clock = systemClock } = options;
  const query = operation.query as DocumentNode;
  const document = readLiveDocument(query);
  const variables = { ...(operation.variables as Record<string, unknown> | undefined) };

  return make<OperationResult>((observer) => {
    const polled = document === null ? null : choosePolledOperation(document, variables, clock);
    const resumption = document === null ? null : new Resumption(document, variables, polled);
    const live: LiveOperation = {
      name: document?.name,
      isLog: document?.isLog ?? false,
      polled,
      readRequest: () => resumption?.readRequest() ?? { document: query, variables, resumeFrom: null },
    };
    /** Whose time was running when the operation was begun. */
    let token: Token = null;
    let failures = 0;
    let cancelRetry = (): void => {};
    let stop = (): void => {};
    let isOver = false;

    function show(result: OperationResult): void {
      try {
        observer.next(result);
      } catch (error) {
        reportUncaught(error);
      }
    }

    function start(): void {
      let refusal: GraphQLErrors | null = null;
      token = options.credentials?.token ?? null;
      stop = transport.subscribe(live, {
        begin: () => resumption?.begin(),
        start: (cursor) => {
          if (resumption?.place === null) resumption.moveTo(cursor);
        },
        next: (result) => {
          // An operation that could not be started is answered with errors alone, without `data`, and completed.
          refusal = result.data === undefined ? (result.errors ?? null) : null;
          if (refusal !== null) return;
          failures = 0;
          const accepted = resumption === null ? result : resumption.accept(result);
          if (accepted !== null) show(toResult(accepted, true));
        },
        poll: ({ entries, place }) => {
          failures = 0;
          resumption!.noteRun();
          for (const { entry, isAfterGap } of entries) {
            if (isOver) return;
            if (isAfterGap) resumption!.noteGap();
            const extensions = resumption!.place === null ? undefined : { cursor: resumption!.place };
            const result = { data: { [document!.responseKey]: entry }, ...(extensions && { extensions }) };
            show(toResult(resumption!.mark(result), true));
          }
          if (place !== null) resumption!.moveTo(place);
        },
        fail,
        refuse: (error) => show({ ...makeErrorResult(operation, error), hasNext: true }),
        complete: () => {
          if (refusal !== null) return fail(refusal);
          onComplete();
          observer.complete();
        },
      });
    }

    function fail(errors: GraphQLErrors): void {
      const decision = resumption?.decide(errors) ?? { action: 'end' as const };
      if (decision.action === 'restart') {
        if (decision.isShown) show(toResult({ errors }, true));
        restartIn(decision.delayMs ?? chooseDelayMs(failures++, backoff, random));
        return;
      }
      const isRenewed = decision.action === 'renew' ? options.credentials?.renew(token) : undefined;
      if (isRenewed === undefined) end(errors);
      else {
        void isRenewed.then((is) => {
          if (isOver) return;
          // At once the first time: the server has told that the token ended, and there is another.
          if (is) restartIn(failures++ === 0 ? 0 : chooseDelayMs(failures, backoff, random));
          else end(errors);
        });
      }
    }

    function restartIn(delayMs: number): void {
      if (!isOver) cancelRetry = clock.schedule(start, delayMs);
    }

    function end(errors: GraphQLErrors): void {
      show(toResult({ errors }, false));
      observer.complete();
    }

    function toResult(result: FormattedExecutionResult, hasNext: boolean): OperationResult {
      return makeResult(operation, { ...result, hasNext } as ExecutionResult);
    }

    const leave = (): void => {
      isOver = true;
      options.signal?.removeEventListener('abort', leave);
      cancelRetry();
      stop();
    };
    options.signal?.addEventListener('abort', leave);
    start();
    return leave;
  });
}
