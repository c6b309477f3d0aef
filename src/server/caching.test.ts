import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { JWT_SECRET } from '../../test/tokens.ts';

const APP = 'https://app.example.com';
const SCRIPT = 'export const price = 1;\n'.repeat(100);
const PAGE = '<!doctype html>\n<html>\n  <head>\n    <title>T</title>\n  </head>\n</html>\n';

let folder: string;
/** Where users are told apart, pages of another origin are let in, and the page was built. */
let tapeql: TestTapeql;
/** Where there is one user, whose token the pages hold. */
let demo: TestTapeql;
/** Where the page was not built. */
let bare: TestTapeql;
/** One that waits for nobody. */
let impatient: TestTapeql;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tapeql-caching-'));
  await mkdir(`${folder}/assets`);
  await writeFile(`${folder}/index.html`, PAGE);
  await writeFile(`${folder}/icon.svg`, '<svg/>');
  await writeFile(`${folder}/assets/index-1a2b3c.js`, SCRIPT);
  await writeFile(`${folder}/assets/index-1a2b3c.js.br`, brotliCompressSync(SCRIPT));
  await writeFile(`${folder}/assets/index-1a2b3c.js.gz`, gzipSync(SCRIPT));
  const tuning = { dashboardFolder: folder };
  [tapeql, demo, bare, impatient] = await Promise.all([
    startTestTapeql({ env: { JWT_SECRET, ALLOWED_ORIGINS: `${APP},https://other.example.com` }, tuning }),
    startTestTapeql({ tuning }),
    startTestTapeql({
      env: { JWT_SECRET, RATE_LIMITS: 'http=1' },
      tuning: { dashboardFolder: `${folder}/nowhere` },
    }),
    startTestTapeql({ tuning: { httpTimeouts: { headersMs: 50, requestMs: 50 } } }),
  ]);
});
afterAll(async () => {
  await Promise.all([tapeql, demo, bare, impatient].map((one) => one?.[Symbol.asyncDispose]()));
  await rm(folder, { recursive: true, force: true });
});

type Answer = { readonly status: number; readonly headers: ReadonlyMap<string, string>; readonly body: Buffer };

/** The bytes as they are sent and as they come, up to the end of the headers or of the connection. */
async function exchange(server: TestTapeql, text: string, until: 'headers' | 'end' = 'end'): Promise<Answer> {
  const socket: Socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  await once(socket, 'connect');
  socket.write(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) {
    chunks.push(chunk as Buffer);
    if (until === 'headers' && Buffer.concat(chunks).includes('\r\n\r\n')) break;
  }
  socket.destroy();
  const all = Buffer.concat(chunks);
  const end = all.indexOf('\r\n\r\n');
  const [first = '', ...lines] = all.subarray(0, end).toString().split('\r\n');
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  expect(new Set(fields.map(([name]) => name)).size).toBe(fields.length);
  return { status: Number(first.split(' ')[1]), headers: new Map(fields), body: all.subarray(end + 4) };
}

type Asked = {
  readonly server?: () => TestTapeql;
  readonly method?: string;
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly stream?: boolean;
};

function ask({ server = () => tapeql, method = 'GET', path: target, headers = {}, body, stream }: Asked) {
  const lines = Object.entries({
    host: new URL(server().url).host,
    connection: 'close',
    ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
    ...headers,
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return exchange(
    server(),
    `${method} ${target} HTTP/1.1\r\n${head}\r\n${body ?? ''}`,
    stream === true ? 'headers' : 'end',
  );
}

const GRAPHQL_VARY = 'Accept, Accept-Encoding, Authorization, Origin, X-Api-Key';
const JSON_TYPE = { 'content-type': 'application/json' };
const SPECIFIC = { accept: 'application/graphql-response+json' };
const BROWSER = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' };
const STREAM = { accept: 'text/event-stream' };
const UPGRADE = { connection: 'upgrade', upgrade: 'websocket' };
const get = (query: string): string => `/graphql?query=${encodeURIComponent(query)}`;
const post = (query: string, headers: Record<string, string> = {}): Asked => ({
  method: 'POST',
  path: '/graphql',
  headers: { ...JSON_TYPE, ...headers },
  body: JSON.stringify({ query }),
});
const STATUS = '{ serviceStatus { state } }';
const FOLLOWED = 'subscription { serviceStatus { state } }';
const VIEWER = '{ viewer { id } portfolio { id cash } }';

type Row = [what: string, asked: Asked, status: number, cacheControl: string, vary: string | undefined];
const operation = (what: string, asked: Asked, status: number): Row => [what, asked, status, 'no-store', GRAPHQL_VARY];
const plain = (what: string, asked: Asked, status: number): Row => [what, asked, status, 'no-store', undefined];

/** Every route and every kind of answer: what a cache on the way may do with it. */
const ANSWERS: Row[] = [
  operation('an operation by GET', { path: get(STATUS) }, 200),
  operation('an operation by GET with credentials', { path: get(VIEWER), headers: { 'x-api-key': 'unknown' } }, 401),
  operation('an operation by POST', post(STATUS), 200),
  operation('an operation by POST that goes through all of Yoga', post(STATUS, { origin: APP }), 200),
  operation('an operation of a page of another origin', { path: get(STATUS), headers: { origin: APP } }, 200),
  operation(
    'a page of an origin that is not allowed',
    { path: get(STATUS), headers: { origin: 'https://x.test' } },
    200,
  ),
  operation(
    'an operation that is refused for its origin',
    { path: get(STATUS), headers: { 'sec-fetch-site': 'cross-site' } },
    403,
  ),
  operation('a document that is no GraphQL', { path: get('{'), headers: SPECIFIC }, 400),
  operation('a document that is not valid', post('{ nothing }', SPECIFIC), 400),
  operation('a document that is too large', post(`{ ${'a: __typename '.repeat(3000)} }`, SPECIFIC), 400),
  operation('an error of a field', post(VIEWER), 200),
  operation('a mutation by GET', { path: get('mutation { cancelOrder(id: "1") { id } }') }, 405),
  operation('no operation', { path: '/graphql' }, 400),
  operation('a body that is too long', post(`{ a } # ${'x'.repeat(300_000)}`), 413),
  operation('a type that is not taken', { ...post(STATUS), headers: { 'content-type': 'image/png' } }, 415),
  operation('a type that is not given', { path: get(STATUS), headers: { accept: 'image/png' } }, 406),
  operation('a method that is not there', { method: 'PUT', path: '/graphql', headers: JSON_TYPE, body: '{}' }, 405),
  operation(
    'what a browser asks before it posts',
    {
      method: 'OPTIONS',
      path: '/graphql',
      headers: { origin: APP, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-api-key' },
    },
    204,
  ),
  operation('an event stream by GET', { path: get(FOLLOWED), headers: STREAM, stream: true }, 200),
  operation('an event stream by POST', { ...post(FOLLOWED, STREAM), stream: true }, 200),
  operation(
    'an event stream that is refused',
    { ...post('subscription { trades(symbols: []) { id } }', STREAM), stream: true },
    200,
  ),
  ['the playground', { path: '/graphql', headers: BROWSER }, 200, 'no-cache', 'Accept, Accept-Encoding'],
  [
    'the playground with an operation',
    { path: get(STATUS), headers: BROWSER },
    200,
    'no-cache',
    'Accept, Accept-Encoding',
  ],
  [
    'the playground with a token',
    { server: () => demo, path: '/graphql', headers: BROWSER },
    200,
    'private, no-cache',
    'Accept, Accept-Encoding',
  ],
  ['the page', { path: '/' }, 200, 'no-cache', undefined],
  ['the page with a token', { server: () => demo, path: '/' }, 200, 'private, no-cache', undefined],
  ['a file without a hash', { path: '/icon.svg' }, 200, 'no-cache', undefined],
  [
    'a file with a hash',
    { path: '/assets/index-1a2b3c.js' },
    200,
    'public, max-age=31536000, immutable',
    'Accept-Encoding',
  ],
  ['the schema', { path: '/schema.graphql' }, 200, 'no-cache', 'Accept-Encoding'],
  plain('the way to the playground where there is no page', { server: () => bare, path: '/' }, 302),
  plain('/health', { path: '/health' }, 200),
  plain('/health/live', { path: '/health/live' }, 200),
  plain('/health/ready', { path: '/health/ready' }, 200),
  plain('/health/websocket', { path: '/health/websocket' }, 200),
  plain('/stats', { path: '/stats' }, 200),
  plain('/metrics', { path: '/metrics' }, 200),
  plain('the head of a page of the operator', { method: 'HEAD', path: '/health' }, 200),
  plain('what is not there', { path: '/nothing' }, 404),
  plain('a page of the operator by another method', { method: 'DELETE', path: '/health' }, 405),
  plain('an expectation that is not met', { path: '/health', headers: { expect: 'nothing' } }, 417),
  plain('an upgrade at another path', { path: '/nothing', headers: UPGRADE }, 404),
  plain('an upgrade that is no handshake', { path: '/graphql', headers: UPGRADE }, 400),
];

describe('what a cache on the way may do with an answer', () => {
  it.each(ANSWERS)('%s', async (_what, asked, status, cacheControl, vary) => {
    const { headers, ...answer } = await ask(asked);
    expect([answer.status, headers.get('cache-control'), headers.get('vary')]).toEqual([status, cacheControl, vary]);
    // What may be kept can be asked for again by its tag; what may not be has none.
    expect(headers.has('etag')).toBe(cacheControl !== 'no-store');
  });

  it('an operation beyond the rate limit is answered with 429, which no cache may keep', async () => {
    const asked = { server: () => bare, path: get(STATUS) };
    await expect
      .poll(async () => {
        const { status, headers } = await ask(asked);
        return [status, headers.get('cache-control'), headers.get('vary')];
      })
      .toEqual([429, 'no-store', GRAPHQL_VARY]);
  });

  it.each([
    ['no HTTP', '\u0016\u0003\u0001 hello\r\n\r\n', 400],
    ['a request without a host', 'GET /health HTTP/1.1\r\nconnection: close\r\n\r\n', 400],
    ['headers that are too long', `GET /health HTTP/1.1\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`, 431],
    ['headers that never end', 'GET /health HTTP/1.1\r\nhost: x\r\n', 408],
  ])('%s', async (_what, text, status) => {
    const answer = await exchange(status === 408 ? impatient : bare, text);
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([status, 'no-store']);
  });
});

describe('what may be kept', () => {
  const FILES: [string, Asked, (body: Buffer) => void][] = [
    [
      'the playground',
      { path: '/graphql', headers: BROWSER },
      (body) => expect(body.length).toBeGreaterThan(8_000_000),
    ],
    ['the schema', { path: '/schema.graphql' }, (body) => expect(body.toString()).toContain('type Query {')],
    ['a file with a hash', { path: '/assets/index-1a2b3c.js' }, (body) => expect(body.toString()).toBe(SCRIPT)],
  ];
  const withHeader = (asked: Asked, headers: Record<string, string>): Asked => ({
    ...asked,
    headers: { ...asked.headers, ...headers },
  });

  it.each(FILES)(
    '%s comes compressed, each form with a tag of its own by which it is asked for again',
    async (_what, asked, expectBody) => {
      const forms: [string, string | undefined, (body: Buffer) => Buffer][] = [
        ['br, gzip', 'br', (body) => brotliDecompressSync(body)],
        ['gzip', 'gzip', (body) => gunzipSync(body)],
        ['identity', undefined, (body) => body],
      ];
      const tags = new Set<string>();
      for (const [accepted, encoding, decode] of forms) {
        const form = withHeader(asked, { 'accept-encoding': accepted });
        const { headers, body } = await ask(form);
        expect(headers.get('content-encoding')).toBe(encoding);
        expect(Number(headers.get('content-length'))).toBe(body.length);
        expectBody(decode(body));
        const etag = headers.get('etag')!;
        tags.add(etag);
        for (const known of [etag, `W/${etag}`, `"another", ${etag}`, '*']) {
          const again = await ask(withHeader(form, { 'if-none-match': known }));
          expect([again.status, again.body.length]).toEqual([304, 0]);
          expect(['cache-control', 'etag', 'vary'].map((name) => again.headers.get(name))).toEqual(
            ['cache-control', 'etag', 'vary'].map((name) => headers.get(name)),
          );
        }
        expect((await ask(withHeader(form, { 'if-none-match': '"another"' }))).status).toBe(200);
        const head = await ask({ ...form, method: 'HEAD' });
        expect([head.status, head.body.length, head.headers.get('etag')]).toEqual([200, 0, etag]);
      }
      expect(tags.size).toBe(3);
    },
  );
});
