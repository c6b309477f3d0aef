import {
  type Exchange,
  type ExecutionResult,
  makeErrorResult,
  makeOperation,
  makeResult,
  type Operation,
  type OperationResult,
  stringifyDocument,
} from '@urql/core';
import type { FormattedExecutionResult } from 'graphql-ws';
import { filter, make, merge, mergeMap, pipe, type Source, takeUntil } from 'wonka';
import { type Backoff, chooseDelayMs } from './backoff.ts';
import type { Connection } from './web-socket-transport.ts';
import { Resumption } from './resumption.ts';

export type LiveSubscriptionExchangeOptions = {
  readonly connection: Pick<Connection, 'subscribe'>;
  /** Between two tries of an operation that the server ended for now without saying for how long. Default: 1 s to 15 s. */
  readonly backoff?: Backoff;
  /** Default: Math.random. */
  readonly random?: () => number;
};

/**
 * Runs subscriptions over one connection, and over its interruptions.
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

type Errors = NonNullable<FormattedExecutionResult['errors']>;

function run(
  operation: Operation,
  {
    connection,
    backoff = { initialDelayMs: 1000, maxDelayMs: 15_000 },
    random = Math.random,
  }: LiveSubscriptionExchangeOptions,
  onComplete: () => void,
): Source<OperationResult> {
  const definition = operation.query.definitions.find((node) => node.kind === 'OperationDefinition');
  const name = definition?.name?.value;

  return make<OperationResult>((observer) => {
    const resumption = new Resumption({ ...operation.variables }, findCursorVariable(operation));
    let failures = 0;
    let retry: ReturnType<typeof setTimeout> | undefined;
    let stop = (): void => {};

    function start(): void {
      let refusal: Errors | null = null;
      stop = connection.subscribe(
        {
          query: stringifyDocument(operation.query),
          operationName: name,
          readVariables: () => resumption.readVariables(),
        },
        {
          next: (result) => {
            // An operation that could not be started is answered with errors alone, without `data`, and completed.
            refusal = result.data === undefined ? (result.errors ?? null) : null;
            if (refusal !== null) return;
            failures = 0;
            observer.next(toResult(resumption.accept(result), true));
          },
          fail,
          refuse: (error) => {
            observer.next(makeErrorResult(operation, error));
            observer.complete();
          },
          complete: () => {
            if (refusal !== null) return fail(refusal);
            onComplete();
            observer.complete();
          },
        },
      );
    }

    function fail(errors: Errors): void {
      const decision = resumption.decide(errors);
      if (decision.action === 'end') {
        observer.next(toResult({ errors }, false));
        observer.complete();
        return;
      }
      if (decision.isShown) observer.next(toResult({ errors }, true));
      retry = setTimeout(start, decision.delayMs ?? chooseDelayMs(failures++, backoff, random));
    }

    function toResult(result: FormattedExecutionResult, hasNext: boolean): OperationResult {
      return makeResult(operation, { ...result, hasNext } as ExecutionResult);
    }

    start();
    return () => {
      clearTimeout(retry);
      stop();
    };
  });
}

/** The variable by which a log is told where to begin: it is known by its type, whatever its name. */
function findCursorVariable(operation: Operation): string | null {
  for (const definition of operation.query.definitions) {
    if (definition.kind !== 'OperationDefinition') continue;
    for (const { variable, type } of definition.variableDefinitions ?? []) {
      if (type.kind === 'NamedType' && type.name.value === 'Cursor') return variable.name.value;
    }
  }
  return null;
}
