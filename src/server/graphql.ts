import type { IncomingMessage } from 'node:http';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { execute, GraphQLError, type GraphQLSchema } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import { isUnexpected, toGraphQLError } from '../delivery/format-error.ts';
import { ResumePoint } from '../delivery/resume.ts';
import { type EventStreamOptions, useEventStream } from '../delivery/sse.ts';
import { createSubscribe } from '../delivery/subscribe.ts';
import { Plans } from '../delivery/plan.ts';
import type { DeliveryFigures } from '../delivery/figures.ts';
import type { Turn } from '../delivery/turn.ts';
import type { Logger } from '../market/logger.ts';
import type { SchemaContext, SharedContext } from '../schema/context.ts';
import { nameArgument } from './bad-input.ts';
import { playground } from './playground.ts';
import { createSharedContext } from './shared-context.ts';

/** The longest request or message, in bytes: the largest sensible operation, 500 symbols of 32 characters, is a tenth of it. */
export const MAX_MESSAGE_BYTES = 256 * 1024;

/** Parsed documents are kept up to this many characters of source in all: as trees they hold some sixty times as much memory. */
const MAX_CACHED_SOURCE = 512 * 1024;

export type GraphQLServerOptions = {
  readonly schema: GraphQLSchema;
  readonly context: SharedContext;
  readonly figures: DeliveryFigures;
  readonly turn: Turn;
  /** Beside the same origin. */
  readonly allowedOrigins: readonly string[];
  readonly eventStream?: EventStreamOptions;
  readonly logger: Logger;
};

/** GraphQL over HTTP and SSE by Yoga, whose enveloped functions serve the WebSocket too. */
export function createGraphQL(options: GraphQLServerOptions) {
  const { schema, context, figures, turn, logger } = options;
  const reportError = (error: GraphQLError): void => {
    logger.error({ err: error.originalError ?? error, path: error.path }, 'operation failed');
  };
  const plans = new Plans({
    sharedContext: createSharedContext(context),
    viewerOf: () => null,
    observer: { onExecution: (field) => figures.onExecution(field), onUnexpectedError: reportError },
  });
  return createYoga<object, SchemaContext>({
    schema,
    context: ({ request, params }) => ({
      ...context,
      resume: new ResumePoint({ extensions: params?.extensions, lastEventId: readLastEventId(request) }),
      running: { subscription: null },
    }),
    graphqlEndpoint: '/graphql',
    landingPage: false,
    healthCheckEndpoint: '/graphql/health',
    batching: false,
    multipart: false,
    maxRequestBodySize: MAX_MESSAGE_BYTES,
    cors: options.allowedOrigins.length === 0 ? false : { origin: [...options.allowedOrigins], credentials: false },
    graphiql: playground,
    renderGraphiQL,
    maskedErrors: { maskError: (error) => toGraphQLError(error) },
    parserAndValidationCache: {
      documentCache: createSourceCache(),
      errorCache: createSourceCache(),
      validationCache: true,
    },
    // Yoga reports what it masks at `error`; everything a client can bring about is told at `debug`.
    logging: {
      debug: () => undefined,
      info: (...args) => logger.debug({ args }, 'yoga'),
      warn: (...args) => logger.warn({ args }, 'yoga'),
      error: (error: unknown) => {
        if (isUnexpected(error)) reportError(error instanceof GraphQLError ? error : new GraphQLError(String(error)));
        else logger.debug({ err: error }, 'operation refused');
      },
    },
    plugins: [
      useExecution(createSubscribe({ plans, turn, observer: figures })),
      useBadInput(),
      useEventStream(options.eventStream),
    ],
  });
}

/** A WebSocket's operations have the request of its upgrade, which is Node's: that header says nothing of them. */
function readLastEventId(request: Request | IncomingMessage | undefined): string | null {
  const headers = request?.headers;
  return typeof headers?.get === 'function' ? (headers as Headers).get('last-event-id') : null;
}

/** graphql-js executes; subscriptions run over our own bounded sources. */
function useExecution(subscribe: ReturnType<typeof createSubscribe>): Plugin {
  return {
    onExecute({ setExecuteFn }) {
      setExecuteFn(execute);
    },
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(subscribe);
    },
  };
}

/** Errors of a client's own making get their code, and the name of the argument, on every transport. */
function useBadInput(): Plugin {
  return {
    onValidate({ params }) {
      return ({ valid, result, setResult }) => {
        if (!valid) setResult(result.map((error) => nameArgument(error, params.documentAST)));
      };
    },
    onExecute({ args }) {
      return {
        onExecuteDone({ result, setResult }) {
          if ('errors' in result && result.errors !== undefined) {
            setResult({ ...result, errors: result.errors.map((error) => nameArgument(error, args.document)) });
          }
        },
      };
    },
    onSubscribe({ args }) {
      return {
        onSubscribeResult({ result, setResult }) {
          if ('errors' in result && result.errors !== undefined) {
            setResult({ ...result, errors: result.errors.map((error) => nameArgument(error, args.document)) });
          }
        },
      };
    },
  };
}

/** Bounded by the length of the sources, for a client decides how many different ones it sends. */
function createSourceCache<T extends object>() {
  const cache = new LRUCache<string, T>({
    maxSize: MAX_CACHED_SOURCE,
    sizeCalculation: (_value, source) => source.length + 1,
  });
  return {
    get: (source: string) => cache.get(source),
    set: (source: string, value: T) => void cache.set(source, value),
  };
}
