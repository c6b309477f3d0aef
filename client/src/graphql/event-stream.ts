import { stringifyDocument } from '@urql/core';
import type { FormattedExecutionResult } from 'graphql-ws';
import { type Clock, systemClock } from './clock.ts';
import type { CloseCause } from './close-codes.ts';
import { EventStreamReader } from './event-stream-reader.ts';
import type { GraphQLErrors, LiveOperation } from './live-transport.ts';

export type EventStreamOptions = {
  readonly url: string;
  /** Says who asks. */
  readonly fetch: typeof globalThis.fetch;
  /** How long a stream may take to its first byte, which the server sends at once. Default: 5 s. */
  readonly openTimeoutMs?: number;
  /** How long a stream may stay silent: the server writes something every 12 s. Default: 30 s. */
  readonly silenceTimeoutMs?: number;
  readonly clock?: Clock;
};

export type EventStreamSink = {
  /** Something has come through. */
  open(): void;
  start(cursor: string): void;
  next(result: FormattedExecutionResult): void;
  fail(errors: GraphQLErrors): void;
  /** It could not be opened, broke, or the server has ended it: the operation is not over by that. */
  end(cause: CloseCause): void;
};

export type OpenEventStream = (operation: LiveOperation, sink: EventStreamSink) => () => void;

/** What an event stream is not given for now, or here: no fault of the operation. */
const REFUSES_STREAMS: ReadonlySet<unknown> = new Set(['TOO_MANY_SUBSCRIPTIONS']);

/**
 * Server-sent events by the GraphQL over SSE protocol ("distinct connections": one stream for each operation), read by fetch,
 * for an EventSource sends neither a body nor credentials.
 */
export function createEventStreams(options: EventStreamOptions): OpenEventStream {
  const { url, fetch, openTimeoutMs = 5000, silenceTimeoutMs = 30_000, clock = systemClock } = options;

  return (operation, sink) => {
    const abort = new AbortController();
    let cancelDeadline = (): void => {};
    let isOver = false;
    function expectWithin(timeoutMs: number): void {
      cancelDeadline();
      cancelDeadline = clock.schedule(() => end(() => sink.end({ code: null, reason: 'silent' })), timeoutMs);
    }
    function end(tell: () => void): void {
      if (isOver) return;
      isOver = true;
      cancelDeadline();
      abort.abort();
      tell();
    }

    async function read(): Promise<void> {
      expectWithin(openTimeoutMs);
      const { document, variables, resumeFrom } = operation.readRequest();
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
        body: JSON.stringify({
          query: stringifyDocument(document),
          operationName: operation.name,
          variables,
          extensions: resumeFrom === null ? undefined : { resumeFrom },
        }),
        signal: abort.signal,
      });
      if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true || response.body === null) {
        const errors = await readErrors(response);
        const cause = { code: response.status, reason: response.statusText };
        end(() => (errors === null ? sink.end(cause) : sink.fail(errors)));
        return;
      }
      const text = response.body.pipeThrough(new TextDecoderStream());
      const reader = new EventStreamReader();
      let isOpen = false;
      for await (const piece of iterate(text)) {
        if (isOver) return;
        expectWithin(silenceTimeoutMs);
        const events = reader.read(piece);
        if (!isOpen) {
          isOpen = true;
          sink.open();
          if (reader.lastEventId !== null && events.length === 0) sink.start(reader.lastEventId);
        }
        for (const { type, data } of events) {
          if (isOver) return;
          if (type === 'next') handleResult(JSON.parse(data) as FormattedExecutionResult);
          // A tape has no end of its own: a server that completes it is going away.
          else if (type === 'complete') end(() => sink.end({ code: null, reason: 'the stream was completed' }));
        }
      }
      end(() => sink.end({ code: null, reason: 'the stream broke' }));
    }

    function handleResult(result: FormattedExecutionResult): void {
      if (result.data !== undefined || result.errors === undefined) return sink.next(result);
      const { errors } = result;
      if (isRefusedAsStream(errors)) end(() => sink.end({ code: null, reason: errors[0]!.message }));
      else end(() => sink.fail(errors));
      return undefined;
    }

    read().catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      end(() => sink.end({ code: null, reason }));
    });
    return () => end(() => {});
  };
}

/** Those of GraphQL, with which the operation is over; `null`: something between here and the server has answered. */
async function readErrors(response: Response): Promise<GraphQLErrors | null> {
  try {
    const { errors } = (await response.json()) as FormattedExecutionResult;
    const isTheirs = Array.isArray(errors) && errors[0]?.extensions?.['code'] !== undefined;
    return isTheirs && !isRefusedAsStream(errors) && response.status < 500 ? errors : null;
  } catch {
    return null;
  }
}

function isRefusedAsStream(errors: GraphQLErrors): boolean {
  return REFUSES_STREAMS.has(errors[0]?.extensions?.['code']);
}

/** A stream is no async iterable in each browser. */
async function* iterate(stream: ReadableStream<string>): AsyncGenerator<string> {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
