import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { refuseUpgrade } from '../delivery/refuse-upgrade.ts';
import type { UnreadBytes } from '../delivery/unread-bytes.ts';
import type { Logger } from '../market/logger.ts';
import { Answer } from './answer.ts';
import { SECURITY_HEADERS } from './browser-policy.ts';
import { GRAPHQL_VARY, NOT_CACHED } from './caching.ts';
import type { Dashboard } from './dashboard.ts';
import type { HostPolicy } from './host-policy.ts';
import type { OperatorPages } from './operator-pages.ts';
import type { Playground } from './playground.ts';
import { compressVariants, REVALIDATED, sendStaticFile, type StaticFile } from './static-file.ts';

export type HttpServerOptions = {
  readonly host: string;
  readonly port: number;
  /** Other processes listen there as well, and the kernel gives each connection to one of them. */
  readonly reusePort: boolean;
  /** Requests whose Host header it does not let pass are answered with 403. Default: all pass. */
  readonly hostPolicy?: HostPolicy;
  readonly pages: OperatorPages;
  /** What serves clients; `null` where this port, or this process, serves none. */
  readonly api: {
    readonly sdl: string;
    readonly handle: (request: IncomingMessage, response: Answer) => unknown;
    /** What a browser is shown at /graphql. */
    readonly playground: Playground;
    /** The page and its files; `null` where it was not built. */
    readonly dashboard: Dashboard | null;
    readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  } | null;
  /** Who does not read is cut off by these bounds. */
  readonly unread: UnreadBytes;
  /** Whom an answer counts for. */
  readonly readAddress: (request: IncomingMessage) => string;
  /** Default 10 s for the headers of a request, 30 s for all of it. */
  readonly timeouts?: { readonly headersMs: number; readonly requestMs: number };
  readonly logger: Logger;
};

export type HttpServer = {
  /** Where it listens, such as `http://127.0.0.1:4000`. */
  readonly url: string;
  /** Stops to accept, ends what runs, and resolves when the port is free. */
  close(): Promise<void>;
};

/**
 * Connections that may wait to be accepted; the kernel lowers it to its own limit (`net.core.somaxconn`). Where the clients of a
 * process that died come at once, one that found no room would try again only after seconds.
 */
const BACKLOG = 65_535;

/**
 * How long a connection may be idle between two requests: longer than the minute after which proxies give up one of theirs, so that none
 * sends a request where the connection is just being closed.
 */
const KEEP_ALIVE_MS = 65_000;

/** Requests that a client may send on a connection before the first of them is answered. With more of them it is cut off. */
const MAX_REQUESTS_AHEAD = 100;

/** Listens, and routes: the operator's pages here, everything below /graphql to Yoga. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { pages, api, logger, hostPolicy = () => true } = options;
  const sdl: StaticFile | null =
    api === null
      ? null
      : {
          type: 'text/plain; charset=utf-8',
          cacheControl: REVALIDATED,
          variants: await compressVariants(Buffer.from(api.sdl)),
        };

  async function route(request: IncomingMessage, response: Answer): Promise<void> {
    const path = request.url?.split('?', 1)[0] ?? '/';
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    response.setHeaders(SECURITY_HEADERS);
    if (!hostPolicy(request.headers.host)) {
      send(response, 403, JSON_TYPE, FOREIGN_HOST, { connection: 'close' });
      return;
    }
    if (api !== null && path === '/graphql') {
      response.setHeader('vary', GRAPHQL_VARY);
      if (isRead && request.headers.accept?.includes('text/html') === true) await api.playground(request, response);
      else await api.handle(request, response);
      return;
    }
    if (!isRead) {
      send(response, 405, 'text/plain; charset=utf-8', 'Method not allowed\n', { allow: 'GET, HEAD' });
      return;
    }
    const readPage = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (readPage !== undefined) {
      const { status, contentType, body } = await readPage();
      send(response, status, contentType, body);
    } else if (sdl !== null && path === '/schema.graphql') {
      sendStaticFile(sdl, request, response);
    } else if (api?.dashboard?.(request, response) === true) {
      return;
    } else if (api !== null && path === '/') {
      send(response, 302, 'text/plain; charset=utf-8', 'The playground is at /graphql\n', { location: '/graphql' });
    } else {
      send(response, 404, 'text/plain; charset=utf-8', 'Not found\n');
    }
  }

  const { headersMs, requestMs } = options.timeouts ?? { headersMs: 10_000, requestMs: 30_000 };
  const timeouts = {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: Math.min(1000, headersMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  /** Of each connection, the last answer, and how many requests wait for their turn. */
  const turns = new WeakMap<Duplex, { last: Answer; waiting: number }>();
  /** Requests that a client sends without waiting are answered one after the other, so that a connection holds one answer at a time. */
  async function takeTurn(request: IncomingMessage, response: Answer): Promise<void> {
    const { socket } = request;
    const turn = turns.get(socket);
    if (turn === undefined) turns.set(socket, { last: response, waiting: 0 });
    else {
      const before = turn.last;
      turn.last = response;
      if (!before.closed) {
        if (++turn.waiting > MAX_REQUESTS_AHEAD) socket.destroy();
        await once(before, 'close');
        turn.waiting--;
      }
    }
    if (!socket.destroyed) await route(request, response);
  }
  const server = createServer({ ...timeouts, ServerResponse: Answer }, (request, response) => {
    response.countIn(options.unread, options.readAddress(request));
    takeTurn(request, response).catch((error: unknown) => {
      const details = { err: error, path: request.url?.split('?', 1)[0] };
      // Who leaves before his request is whole, or takes too long, is no failure of ours.
      if (request.complete) logger.error(details, 'request failed');
      else logger.debug(details, 'request left');
      if (response.headersSent) response.destroy();
      else
        send(
          response,
          500,
          JSON_TYPE,
          JSON.stringify({
            errors: [{ message: 'Internal server error', extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
          }),
        );
    });
  });
  server.on('upgrade', (request, socket, head) => {
    if (api === null) socket.destroy();
    else if (hostPolicy(request.headers.host)) api.upgrade(request, socket, head);
    else refuseUpgrade(socket, 403, FOREIGN_HOST);
  });
  // A request that is no HTTP, or never becomes a whole one, is answered and forgotten.
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const status = CLIENT_ERRORS[error.code ?? ''] ?? '400 Bad Request';
    if (socket.writable)
      socket.end(
        `HTTP/1.1 ${status}\r\nCache-Control: ${NOT_CACHED}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
    else socket.destroy();
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const { host, port, reusePort } = options;
    server.listen({ host, port, reusePort, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => logger.error({ err: error }, 'http server'));
  return { url: urlOf(server, options.host), close: () => closeServer(server) };
}

const CLIENT_ERRORS: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
};

const JSON_TYPE = 'application/json; charset=utf-8';

const FOREIGN_HOST = JSON.stringify({
  errors: [
    {
      message:
        'The Host header does not name this server. In development it is localhost, an IP address, HOST, ADMIN_HOST, or the host of an origin in ALLOWED_ORIGINS.',
      extensions: { code: 'FORBIDDEN' },
    },
  ],
});

function send(
  response: Answer,
  status: number,
  type: string,
  body: string,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': NOT_CACHED,
    ...headers,
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  const shown = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${shown}:${port}`;
}

/** Requests that run are ended: what streams has no end of its own, and the rest takes milliseconds. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
    const patience = setTimeout(() => server.closeAllConnections(), 1000);
    server.once('close', () => clearTimeout(patience));
  });
}
