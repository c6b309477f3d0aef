import { Readable } from 'node:stream';
import type { ExecutionResult } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import { encodeCursor } from '../market/log.ts';
import { serializeError, toGraphQLError } from './format-error.ts';
import { ResumePoint } from './resume.ts';

export type EventStreamOptions = {
  /** How often a comment is written while nothing else is, so that proxies and clients see that it lives. Default 12 s. */
  readonly pingIntervalMs?: number;
};

const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  connection: 'keep-alive',
  // A proxy that gathers a stream before it passes it on would hold it for ever.
  'x-accel-buffering': 'no',
};

/**
 * Server-sent events for subscriptions, by the GraphQL over SSE protocol ("distinct connections"): `next` for each result and
 * `complete` at the end. In place of Yoga's own, because a result of a log has its cursor as `id`, which an EventSource
 * sends back as `Last-Event-ID`, and because an error that ends the source is told, as a `next` with `errors`.
 */
export function useEventStream(options: EventStreamOptions = {}): Plugin {
  const points = new WeakMap<Request, ResumePoint>();
  return {
    onSubscribe({ args }) {
      const { request, resume } = args.contextValue as { request?: Request; resume?: unknown };
      if (request !== undefined && resume instanceof ResumePoint) points.set(request, resume);
    },
    async onResultProcess(payload) {
      const { request, result, resultProcessor } = payload;
      if (!isAsyncIterable(result)) return;
      if (resultProcessor === undefined) {
        // The client accepts no stream: it is told with 406, and what was opened for it is closed.
        await result[Symbol.asyncIterator]().return?.();
        return;
      }
      const start = points.get(request)?.start ?? null;
      payload.setResultProcessor((stream, fetchAPI) => {
        const body = new EventStream(
          stream as AsyncIterable<ExecutionResult>,
          start === null ? null : encodeCursor(start),
          options.pingIntervalMs ?? 12_000,
        );
        return new fetchAPI.Response(body as unknown as BodyInit, { status: 200, headers: HEADERS });
      }, 'text/event-stream');
    },
  };
}

/** Asks the source for the next result only when the socket has taken the one before. */
class EventStream extends Readable {
  readonly #source: AsyncIterator<ExecutionResult>;
  readonly #pinging: NodeJS.Timeout;
  #isAsking = false;

  /** `start`: the cursor of the place before the first result. */
  constructor(source: AsyncIterable<ExecutionResult>, start: string | null, pingIntervalMs: number) {
    // One byte: no more than one result is ever read ahead.
    super({ highWaterMark: 1 });
    this.#source = source[Symbol.asyncIterator]();
    // Something is written at once, for some clients see the headers only with the first byte. An event without data is
    // none to an EventSource, but it keeps the id: a connection that is lost before the first result is resumed as well.
    this.push(start === null ? ':\n\n' : `id: ${start}\n\n`);
    this.#pinging = setInterval(() => {
      if (this.readableLength === 0) this.push(':\n\n');
    }, pingIntervalMs);
  }

  override _read(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#source.next().then(
      ({ done, value }) => {
        this.#isAsking = false;
        if (this.destroyed) return;
        if (done === true) this.#complete('');
        else this.push(formatNext(value));
      },
      (error: unknown) => {
        this.#isAsking = false;
        if (!this.destroyed) this.#complete(formatNext({ errors: [toGraphQLError(error)] }));
      },
    );
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    clearInterval(this.#pinging);
    const ended = this.#source.return?.() ?? Promise.resolve();
    ended.then(
      () => callback(error),
      () => callback(error),
    );
  }

  #complete(last: string): void {
    clearInterval(this.#pinging);
    this.push(`${last}event: complete\ndata:\n\n`);
    this.push(null);
  }
}

function formatNext(result: ExecutionResult): string {
  const { errors, extensions } = result;
  const shown = errors === undefined ? result : { ...result, errors: errors.map(serializeError) };
  const cursor = extensions?.['cursor'];
  const id = typeof cursor === 'string' ? `id: ${cursor}\n` : '';
  return `event: next\n${id}data: ${JSON.stringify(shown)}\n\n`;
}
