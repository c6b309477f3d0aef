import type { IncomingMessage } from 'node:http';
import { execute, GraphQLError, type GraphQLSchema } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import { readCredentials } from '../access/credentials.ts';
import { isUnexpected, toGraphQLError } from '../delivery/format-error.ts';
import { ResumePoint } from '../delivery/resume.ts';
import { type EventStreamOptions, useEventStream } from '../delivery/sse.ts';
import { createSubscribe } from '../delivery/subscribe.ts';
import { Plans } from '../delivery/plan.ts';
import type { DeliveryFigures } from '../delivery/figures.ts';
import type { Turn } from '../delivery/turn.ts';
import type { Logger } from '../market/logger.ts';
import type { SchemaContext, SharedContext } from '../schema/context.ts';
import { type AdmissionOptions, useAdmission } from './admission.ts';
import { nameArgument } from './bad-input.ts';
import { corsOf, useCsrfPrevention } from './browser-policy.ts';
import { GRAPHQL_VARY, NOT_CACHED } from './caching.ts';
import type { Session, Sessions } from './sessions.ts';
import { createSharedContext } from './shared-context.ts';

/** The longest message on a WebSocket, in bytes: the largest sensible operation, 500 symbols of 32 characters, is a third of it. */
export const MAX_MESSAGE_BYTES = 64 * 1024;
/** The longest body of a request. More than is of use, so that what is wrong with a long document is told by name. */
export const MAX_BODY_BYTES = 256 * 1024;

export type GraphQLServerOptions = {
  readonly schema: GraphQLSchema;
  readonly context: SharedContext;
  readonly figures: DeliveryFigures;
  readonly turn: Turn;
  /** Beside the same origin. */
  readonly allowedOrigins: readonly string[];
  readonly eventStream?: EventStreamOptions;
  readonly admission: Omit<AdmissionOptions, 'schema'>;
  readonly sessions: Sessions;
  /** Who has sent a request, where that was found out before. */
  readonly sessionOf?: (request: IncomingMessage) => Session | Promise<Session> | undefined;
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
    viewerOf: (contextValue) => (contextValue as SchemaContext).viewer?.id ?? null,
    observer: { onExecution: (field) => figures.onExecution(field), onUnexpectedError: reportError },
  });
  return createYoga<object, SchemaContext>({
    schema,
    context: (initial) => {
      const { request, params, req, session } = initial as InitialContext;
      const build = (signedIn: Session | null): SchemaContext => ({
        ...context,
        viewer: signedIn?.viewer ?? null,
        session: signedIn,
        resume: new ResumePoint({ extensions: params?.extensions, lastEventId: readLastEventId(request) }),
        running: { subscription: null },
      });
      // On a WebSocket it is the connection's, whoever that is.
      if (session !== undefined) return build(session);
      const known = req === undefined ? undefined : options.sessionOf?.(req);
      if (known !== undefined) return known instanceof Promise ? known.then(build) : build(known);
      const opened = options.sessions.open(readCredentials((name) => readHeader(req ?? request, name)));
      return opened instanceof Promise ? opened.then(build) : build(opened);
    },
    graphqlEndpoint: '/graphql',
    landingPage: false,
    healthCheckEndpoint: '/graphql/health',
    batching: false,
    multipart: false,
    maxRequestBodySize: MAX_BODY_BYTES,
    cors: corsOf(options.allowedOrigins),
    // A page of its own: see playground.ts.
    graphiql: false,
    maskedErrors: { maskError: (error) => toGraphQLError(error) },
    // Documents are kept by those who charge for them: see documents.ts.
    parserAndValidationCache: false,
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
      useCsrfPrevention(options.allowedOrigins),
      useAdmission({ schema, ...options.admission }),
      {
        onResponse({ response }) {
          // Yoga sets them as well, and to less: for what allows another origin, and for an event stream that is refused.
          response.headers.set('cache-control', NOT_CACHED);
          response.headers.set('vary', GRAPHQL_VARY);
        },
      },
      useExecution(createSubscribe({ plans, turn, observer: figures })),
      useBadInput(),
      useEventStream(options.eventStream),
    ],
  });
}

/** What an operation's context begins with, by transport. */
type InitialContext = {
  /** Fetch's, over HTTP. */
  readonly request?: Request;
  /** Node's, over HTTP. */
  readonly req?: IncomingMessage;
  readonly params?: { readonly extensions?: unknown };
  /** Of a WebSocket's connection. */
  readonly session?: Session | null;
};

function readHeader(request: Request | IncomingMessage | undefined, name: string): unknown {
  const headers = request?.headers;
  if (headers === undefined) return undefined;
  return typeof headers.get === 'function'
    ? (headers as Headers).get(name)
    : (headers as IncomingMessage['headers'])[name];
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
