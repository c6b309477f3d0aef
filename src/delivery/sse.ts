import { Readable } from 'node:stream';
import type { GraphQLError } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import { encodeCursor } from '../market/log.ts';
import { every, type Timers } from '../market/timers.ts';
import { backgroundTimers } from './background-timers.ts';
import { serializeError, toGraphQLError } from './format-error.ts';
import type { Payload } from './payload.ts';
import type { Sender } from './socket-outlet.ts';
import type { RunningOperation } from './subscribe.ts';
import type { Subscription, Transport } from './subscription.ts';

export type EventStreamOptions = {
  /** How often a comment is written while nothing else is, so that proxies and clients see that it lives. Default 12 s. */
  readonly pingIntervalMs?: number;
  /** Default: the machine's. */
  readonly timers?: Timers;
};

const HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  connection: 'keep-alive',
  // A proxy that gathers a stream before it passes it on would hold it for ever.
  'x-accel-buffering': 'no',
};

/**
 * Server-sent events for subscriptions, by the GraphQL over SSE protocol ("distinct connections"): `next` for each result and
 * `complete` at the end. In place of Yoga's own, because the results are shared payloads, because a result of a log has its
 * cursor as `id`, which an EventSource sends back as `Last-Event-ID`, and because an error that ends the source is told, as a
 * `next` with `errors`.
 */
export function useEventStream(options: EventStreamOptions = {}): Plugin {
  const operations = new WeakMap<Request, RunningOperation>();
  return {
    onSubscribe({ args }) {
      const { request, running } = args.contextValue as unknown as { request?: Request; running: RunningOperation };
      if (request !== undefined) operations.set(request, running);
    },
    async onResultProcess(payload) {
      const { request, result, resultProcessor } = payload;
      if (!isAsyncIterable(result)) return;
      const subscription = operations.get(request)?.subscription ?? null;
      if (resultProcessor === undefined || subscription === null) {
        // The client accepts no stream: it is told with 406, and what was opened for it is closed.
        await result[Symbol.asyncIterator]().return?.();
        return;
      }
      payload.setResultProcessor((_result, fetchAPI) => {
        const body = new EventStream(subscription, options);
        // A connection that ended while the subscription was being opened never takes a body, and so never destroys it.
        if (request.signal.aborted) body.destroy();
        else request.signal.addEventListener('abort', () => body.destroy(), { once: true });
        // A copy: what is set later on the headers of an answer (CORS) is written into the object that they were made of
        // (@whatwg-node/node-fetch, PonyfillHeaders.set), and would be in the next one's as well.
        return new fetchAPI.Response(body as unknown as BodyInit, { status: 200, headers: { ...HEADERS } });
      }, 'text/event-stream');
    },
  };
}

/** Takes the next result only when the socket has taken the one before. */
class EventStream extends Readable implements Transport {
  readonly #subscription: Subscription;
  readonly #stopPinging: () => void;
  #isWanted = false;
  #sender: Sender | null = null;

  constructor(subscription: Subscription, options: EventStreamOptions) {
    // One byte: no more than one result is ever read ahead.
    super({ highWaterMark: 1 });
    this.#subscription = subscription;
    // Something is written at once, for some clients see the headers only with the first byte. An event without data is
    // none to an EventSource, but it keeps the id: a connection that is lost before the first result is resumed as well.
    const { start } = subscription;
    this.push(start === null ? ':\n\n' : `id: ${encodeCursor(start)}\n\n`);
    const { timers = backgroundTimers, pingIntervalMs = 12_000 } = options;
    this.#stopPinging = every(timers, pingIntervalMs, () => {
      if (this.readableLength === 0) this.push(':\n\n');
    });
    subscription.deliverTo(this);
    subscription.next().then(
      () => this.#complete(''),
      (error: unknown) => this.#complete(formatError(toGraphQLError(error))),
    );
  }

  get ready(): boolean {
    return this.#isWanted && !this.destroyed;
  }

  attach(sender: Sender): void {
    this.#sender = sender;
  }

  detach(): void {
    this.#sender = null;
  }

  write(payload: Payload): void {
    this.#isWanted = this.push(payload.event);
  }

  override _read(): void {
    this.#isWanted = true;
    this.#sender?.pull();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#stopPinging();
    this.#subscription.return().then(
      () => callback(error),
      () => callback(error),
    );
  }

  #complete(last: string): void {
    this.#stopPinging();
    if (this.destroyed || this.readableEnded) return;
    this.push(`${last}event: complete\ndata:\n\n`);
    this.push(null);
  }
}

function formatError(error: GraphQLError): string {
  return `event: next\ndata: ${JSON.stringify({ errors: [serializeError(error)] })}\n\n`;
}
