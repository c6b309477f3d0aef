import { stringifyDocument } from '@urql/core';
import type { FormattedExecutionResult } from 'graphql-ws';
import { type Backoff, chooseDelayMs, DEFAULT_BACKOFF } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import { type CloseCause, readCause } from './close-codes.ts';
import { findOperation } from './live-document.ts';
import type { GraphQLErrors } from './live-transport.ts';
import type { PolledAnswer, PolledOperation, PolledRequest, PolledRound } from './polled-operation.ts';

export type PollingOptions = {
  readonly url: string;
  /** Says who asks. */
  readonly fetch: typeof globalThis.fetch;
  /** Between two rounds. Default: 2 s. */
  readonly pollIntervalMs?: number;
  /** Where the server does not answer. */
  readonly backoff?: Backoff;
  /** How long an answer may take. Default: 10 s. */
  readonly timeoutMs?: number;
  readonly random?: () => number;
  readonly clock?: Clock;
};

export type PollingSink = {
  round(round: PolledRound): void;
  fail(errors: GraphQLErrors): void;
  /** The server did not answer. It is asked again. */
  miss(cause: CloseCause): void;
};

export type StartPolling = (operation: PolledOperation, sink: PollingSink) => () => void;

/** The server has answered, though not with what was asked for: the next round may. */
const PASSING: ReadonlySet<unknown> = new Set([
  'RATE_LIMITED',
  'UPSTREAM_UNAVAILABLE',
  'SERVICE_PAUSED',
  'INTERNAL_SERVER_ERROR',
]);
/** So that many queries of one operation do not use up what a user may ask in a minute. */
const MS_PER_QUERY = 250;

/** Asks by queries, again and again, what a subscription would tell. */
export function createPolling(options: PollingOptions): StartPolling {
  const { url, fetch, pollIntervalMs = 2000, timeoutMs = 10_000, clock = systemClock } = options;
  const { backoff = DEFAULT_BACKOFF, random = Math.random } = options;

  return (operation, sink) => {
    const abort = new AbortController();
    let misses = 0;
    let cancelNext = (): void => {};
    let cancelDeadline = (): void => {};

    /** `null`: it was refused for now. */
    async function ask(request: PolledRequest): Promise<PolledAnswer | null | GraphQLErrors> {
      const deadline = new AbortController();
      cancelDeadline = clock.schedule(() => deadline.abort(new Error('no answer in time')), timeoutMs);
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json, application/json' },
        body: JSON.stringify({
          query: stringifyDocument(request.document),
          operationName: findOperation(request.document)?.name?.value,
          variables: request.variables,
        }),
        signal: AbortSignal.any([abort.signal, deadline.signal]),
      });
      const { data, errors } = (await response.json()) as FormattedExecutionResult;
      cancelDeadline();
      if (data == null && errors === undefined) throw new Error(`${response.status} ${response.statusText}`);
      if (data != null) return data as PolledAnswer;
      return PASSING.has(errors![0]?.extensions?.['code']) ? null : errors!;
    }

    async function readRound(requests: readonly PolledRequest[]): Promise<PolledRound | GraphQLErrors> {
      const answers: PolledAnswer[] = [];
      for (const request of requests) {
        const answer = await ask(request);
        if (Array.isArray(answer)) return answer as GraphQLErrors;
        if (answer !== null) answers.push(answer as PolledAnswer);
      }
      return answers.length < requests.length || abort.signal.aborted
        ? { entries: [], place: null }
        : operation.readRound(answers);
    }

    async function poll(): Promise<void> {
      const requests = operation.readRequests();
      const waitMs = Math.max(pollIntervalMs, requests.length * MS_PER_QUERY);
      let round: PolledRound | GraphQLErrors;
      try {
        round = await readRound(requests);
      } catch (error) {
        cancelDeadline();
        if (abort.signal.aborted) return;
        cancelNext = clock.schedule(() => void poll(), Math.max(waitMs, chooseDelayMs(misses++, backoff, random)));
        sink.miss(readCause(error));
        return;
      }
      if (abort.signal.aborted) return;
      misses = 0;
      if (Array.isArray(round)) return sink.fail(round as GraphQLErrors);
      cancelNext = clock.schedule(() => void poll(), waitMs);
      sink.round(round as PolledRound);
      return undefined;
    }

    void poll();
    return () => {
      abort.abort();
      cancelNext();
      cancelDeadline();
    };
  };
}
