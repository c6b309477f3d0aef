import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { type ExecutionResult, getOperationAST } from 'graphql';
import type { Enveloped } from '../delivery/websocket.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

export type PlainPostOptions = {
  readonly path: string;
  readonly getEnveloped: (initialContext: object) => Enveloped;
  /** Yoga. */
  readonly fallback: Handler;
  readonly maxBytes: number;
};

type Params = {
  readonly query: string;
  readonly operationName?: string | null;
  readonly variables?: Record<string, unknown> | null;
  readonly extensions?: unknown;
};

/**
 * Answers the request that nearly all are, a query posted as JSON that succeeds, without the detour over fetch's Request and
 * Response, which costs several times what the query does. It goes through the same layers, and is answered to the byte as
 * Yoga answers; whatever else comes, or goes wrong, is handed to Yoga, which tells it by the specification.
 */
export function createPlainPost({ path, getEnveloped, fallback, maxBytes }: PlainPostOptions): Handler {
  async function answer(params: Params, request: IncomingMessage): Promise<string | null> {
    // Under the name by which Yoga gives it.
    const enveloped = getEnveloped({ params, req: request });
    const document = enveloped.parse(params.query);
    if (enveloped.validate(enveloped.schema, document).length > 0) return null;
    if (getOperationAST(document, params.operationName)?.operation !== 'query') return null;
    const args = {
      schema: enveloped.schema,
      document,
      operationName: params.operationName,
      variableValues: params.variables,
      contextValue: await enveloped.contextFactory(),
    };
    const result = await (enveloped.execute(args) as Promise<ExecutionResult>);
    return result.errors === undefined ? JSON.stringify(result) : null;
  }

  return (request, response) => {
    const mediaType = isPlain(request, path, maxBytes) ? negotiate(request.headers.accept) : null;
    if (mediaType === null) return fallback(request, response);
    return readBody(request).then(async (bytes) => {
      const params = parseParams(bytes);
      const body = params === null ? null : await answer(params, request).catch(() => null);
      if (body === null) return fallback(Object.assign(request, { body: Readable.from([bytes]) }), response);
      response.writeHead(200, { 'content-type': mediaType, 'content-length': Buffer.byteLength(body) });
      response.end(body);
      return undefined;
    });
  };
}

function isPlain({ method, url, headers }: IncomingMessage, path: string, maxBytes: number): boolean {
  return (
    method === 'POST' &&
    url === path &&
    /^application\/json(?:; ?charset=utf-8)?$/i.test(headers['content-type'] ?? '') &&
    headers['content-encoding'] === undefined &&
    // A browser's page of another origin is answered with what CORS asks for.
    headers.origin === undefined &&
    Number(headers['content-length'] ?? Number.NaN) <= maxBytes
  );
}

/** What Yoga chooses among the media types of a plain result: the first that is accepted. */
function negotiate(accept = '*/*'): string | null {
  for (const part of accept.replaceAll(/\s/g, '').toLowerCase().split(',')) {
    const [type = '', ...params] = part.split(';');
    const charset = params.find((param) => param.includes('charset='));
    if (charset !== undefined && charset !== 'charset=utf-8') continue;
    if (type === 'application/graphql-response+json') return `${type}; charset=utf-8`;
    if (type === 'application/json' || type === 'application/*' || type === '*/*')
      return 'application/json; charset=utf-8';
  }
  return null;
}

function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.on('error', reject);
  });
}

/** `null`: not of the one form that is answered here. */
function parseParams(bytes: Buffer): Params | null {
  let params: unknown;
  try {
    params = JSON.parse(bytes.toString());
  } catch {
    return null;
  }
  if (!isObject(params)) return null;
  const { query, operationName, variables, extensions, ...rest } = params;
  const fits =
    typeof query === 'string' &&
    (operationName == null || typeof operationName === 'string') &&
    (variables == null || isObject(variables)) &&
    (extensions == null || isObject(extensions)) &&
    Object.keys(rest).length === 0;
  return fits ? (params as Params) : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
