import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startMain, startQuietExchange, startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';

type Answer = { readonly status: number; readonly body: string };

/** The answer of a server to a request that names it so. */
async function ask(url: string, path: string, host: string, headers: Record<string, string> = {}): Promise<Answer> {
  const asked = request(`${url}${path}`, { agent: false, setHost: false, headers: { host, ...headers } });
  asked.end();
  const [response] = await once(asked, 'response');
  let body = '';
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode, body };
}

/** The status by which an upgrade is answered; 101: it is let in. */
async function upgrade(url: string, host: string): Promise<number> {
  const headers = { host, origin: `http://${host}` };
  const socket = new WebSocket(`${url.replace('http:', 'ws:')}/graphql`, ['graphql-transport-ws'], { headers });
  socket.on('error', () => undefined);
  const opened = once(socket, 'open').then(() => 101);
  const refused = once(socket, 'unexpected-response').then(([, response]) => response.statusCode as number);
  const status = await Promise.race([opened, refused]);
  socket.terminate();
  return status;
}

describe('in development, where the pages sign their visitor in', () => {
  let tapeql: TestTapeql;
  beforeAll(async () => {
    tapeql = await startTestTapeql({ env: { ALLOWED_ORIGINS: 'http://box.lan:4000,https://app.example.com' } });
  });
  afterAll(() => tapeql?.[Symbol.asyncDispose]());

  const PATHS = ['/', '/graphql', '/graphql?query={__typename}', '/stats', '/metrics', '/health', '/schema.graphql'];
  const FOREIGN = [
    'evil.example.com',
    'evil.example.com:4000',
    'localhost.evil.example.com',
    'evil-localhost',
    'localhost:4000@evil.example.com',
    'localhost@evil.example.com',
    '127.0.0.1.evil.example.com',
    'other.lan:4000',
    '[evil.example.com]',
    '',
  ];

  it.each(FOREIGN)('a page whose name is %j reads nothing: 403 that says how it is allowed', async (host) => {
    for (const path of PATHS) {
      const { status, body } = await ask(tapeql.url, path, host, { accept: 'text/html' });
      expect([path, status]).toEqual([path, 403]);
      expect(JSON.parse(body)).toEqual({
        errors: [{ message: expect.stringContaining('ALLOWED_ORIGINS'), extensions: { code: 'FORBIDDEN' } }],
      });
    }
    expect(await upgrade(tapeql.url, host === '' ? 'evil' : host)).toBe(403);
  });

  it.each([
    'localhost',
    'localhost:4000',
    'LOCALHOST.',
    'tapeql.localhost:4000',
    '127.0.0.1:4000',
    '192.168.1.7',
    '[::1]:4000',
    'box.lan',
    'BOX.lan:4000',
    'app.example.com',
  ])('by the name %j it is served', async (host) => {
    expect((await ask(tapeql.url, '/graphql', host, { accept: 'text/html' })).status).toBe(200);
    expect(await upgrade(tapeql.url, host)).toBe(101);
  });

  it('a program that names no host is served', async () => {
    const socket = connect(Number(new URL(tapeql.url).port), '127.0.0.1');
    socket.write('GET /health/live HTTP/1.0\r\n\r\n');
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });
});

it('in production any name is served, for what is in front gives it one', async () => {
  await using exchange = await startQuietExchange();
  const env = {
    PORT: '0',
    NODE_ENV: 'production',
    JWT_SECRET: 'a secret of the tests alone, of 32 bytes',
    ...exchange.env,
  };
  await using tapeql = await startMain(env);
  expect((await ask(tapeql.url, '/health/live', 'tape.example.com')).status).toBe(200);
  expect(await upgrade(tapeql.url, 'tape.example.com')).toBe(101);
});
