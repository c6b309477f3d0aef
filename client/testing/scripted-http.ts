import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionResult, type GraphQLSchema, graphql, parse, subscribe, validate } from 'graphql';

export type HttpRequest = {
  readonly query: string;
  readonly operationName?: string;
  readonly variables?: Record<string, unknown>;
  readonly extensions?: { readonly resumeFrom?: string };
};

export type ScriptedHttpOptions = {
  readonly schema: GraphQLSchema;
  readonly query: object;
  readonly subscription: object;
  readonly onRequest: (request: HttpRequest, kind: 'stream' | 'query', message: IncomingMessage) => void;
  /** How this one is met in place of an answer: with a status, or with the end of the connection; `null`: it is answered. */
  readonly refuse: () => number | 'cut' | null;
  readonly toContext: (request: HttpRequest) => unknown;
  readonly readCursor: (result: ExecutionResult) => string | null;
  /** Where the log stands: the `id` with which a stream begins. */
  readonly readStart: (request: HttpRequest) => string | null;
};

/** Queries and event streams as the real server has them: each result of a log has its cursor as `id` as well. */
export function createScriptedHttp(options: ScriptedHttpOptions) {
  const { schema } = options;

  async function answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = JSON.parse(await readBody(message)) as HttpRequest;
    const isStream = message.headers.accept?.startsWith('text/event-stream') === true;
    options.onRequest(request, isStream ? 'stream' : 'query', message);
    const refusal = options.refuse();
    if (refusal === 'cut') return void response.destroy();
    if (refusal !== null) return void response.writeHead(refusal).end();
    const { query, operationName, variables } = request;
    const shared = { schema, operationName, variableValues: variables, contextValue: options.toContext(request) };
    if (!isStream) {
      const result = await graphql({ ...shared, source: query, rootValue: options.query });
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
      return undefined;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const start = options.readStart(request);
    response.write(start === null ? ':\n\n' : `id: ${start}\n\n`);
    const document = parse(query);
    const errors = validate(schema, document);
    const results =
      errors.length > 0 ? { errors } : await subscribe({ ...shared, document, rootValue: options.subscription });
    if (!(Symbol.asyncIterator in results)) {
      response.end(`event: next\ndata: ${JSON.stringify({ errors: results.errors })}\n\nevent: complete\ndata:\n\n`);
      return undefined;
    }
    response.once('close', () => void results.return?.(undefined));
    try {
      for await (const result of results) {
        const cursor = options.readCursor(result);
        const data = JSON.stringify(cursor === null ? result : { ...result, extensions: { cursor } });
        response.write(`event: next\n${cursor === null ? '' : `id: ${cursor}\n`}data: ${data}\n\n`);
      }
    } catch (error) {
      response.write(`event: next\ndata: ${JSON.stringify({ errors: [error] })}\n\n`);
    }
    response.end('event: complete\ndata:\n\n');
    return undefined;
  }

  return (message: IncomingMessage, response: ServerResponse): void => {
    if (message.method !== 'POST') return void response.writeHead(404).end();
    answer(message, response).catch(() => response.destroy());
    return undefined;
  };
}

async function readBody(message: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of message) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}
