import { connect } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from '../../test/browser.ts';
import { startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';

const APP = 'https://app.example.com';
const QUERY = encodeURIComponent('{ __typename }');

let tapeql: TestTapeql;
beforeAll(async () => {
  tapeql = await startTestTapeql({ env: { ALLOWED_ORIGINS: APP } });
});
afterAll(() => tapeql?.[Symbol.asyncDispose]());

describe('pages of other origins', () => {
  type Asked = { method?: string; path?: string; headers?: Record<string, string>; body?: string };
  const statusOf = async ({ path = '', ...init }: Asked): Promise<number> => {
    // fetch itself forbids to set what a browser tells of a page; the bytes do not.
    const { port } = new URL(tapeql.url);
    const socket = connect(Number(port), '127.0.0.1');
    const { method = 'GET', headers = {}, body = '' } = init;
    const lines = Object.entries({ host: `127.0.0.1:${port}`, 'content-length': String(body.length), ...headers });
    socket.write(
      `${method} /graphql${path} HTTP/1.1\r\nconnection: close\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
    );
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    return Number(answer.slice(9, 12));
  };
  const json = { 'content-type': 'application/json' };
  const body = '{"query":"{ __typename }"}';

  it.each<[string, Asked]>([
    [
      'a form',
      { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `query=${QUERY}` },
    ],
    ['a text', { method: 'POST', headers: { 'content-type': 'text/plain' }, body }],
    ['a form of parts', { method: 'POST', headers: { 'content-type': 'multipart/form-data; boundary=x' }, body }],
    ['an image', { path: `?query=${QUERY}`, headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' } }],
    [
      'a link to an operation',
      { path: `?query=${QUERY}`, headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' } },
    ],
    [
      'an event source',
      { path: `?query=${QUERY}`, headers: { 'sec-fetch-site': 'same-site', origin: 'https://evil.example.com' } },
    ],
    [
      'a post',
      {
        method: 'POST',
        headers: { ...json, 'sec-fetch-site': 'cross-site', origin: 'https://evil.example.com' },
        body,
      },
    ],
  ])('%s is refused', async (_what, asked) => {
    expect(await statusOf(asked)).toBe(403);
  });

  it.each<[string, Asked]>([
    ['a program that posts', { method: 'POST', headers: json, body }],
    ['a program that gets', { path: `?query=${QUERY}`, headers: { accept: 'application/json' } }],
    ['a page of this server', { method: 'POST', headers: { ...json, 'sec-fetch-site': 'same-origin' }, body }],
    [
      'what the user typed',
      { path: `?query=${QUERY}`, headers: { 'sec-fetch-site': 'none', accept: 'application/json' } },
    ],
    ['an allowed origin', { method: 'POST', headers: { ...json, 'sec-fetch-site': 'cross-site', origin: APP }, body }],
    [
      'a link to the playground',
      { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', accept: 'text/html' } },
    ],
  ])('%s is answered', async (_what, asked) => {
    expect(await statusOf(asked)).toBe(200);
  });
});

describe('with two ALLOWED_ORIGINS', () => {
  const OTHER = 'https://other.example.com';
  let own: TestTapeql;
  beforeAll(async () => void (own = await startTestTapeql({ env: { ALLOWED_ORIGINS: `${APP},${OTHER}` } })));
  afterAll(() => own?.[Symbol.asyncDispose]());

  const json = { 'content-type': 'application/json', accept: 'application/json' };
  type Asked = [what: string, init: RequestInit, path?: string];
  const ASKED: Asked[] = [
    ['a posted query', { method: 'POST', headers: json, body: '{"query":"{ __typename }"}' }],
    ['a query that is refused', { method: 'POST', headers: json, body: '{"query":"{ nothing }"}' }],
    ['a query by GET', { headers: json }, `?query=${QUERY}`],
    ['a preflight', { method: 'OPTIONS', headers: { 'access-control-request-method': 'POST' } }],
    [
      'an event stream',
      {
        method: 'POST',
        headers: { ...json, accept: 'text/event-stream' },
        body: '{"query":"subscription { serviceStatus { state } }"}',
      },
    ],
  ];

  async function ask([, init, path = '']: Asked, origin: string | null): Promise<Headers> {
    const headers = { ...(init.headers as Record<string, string>), ...(origin !== null && { origin }) };
    const controller = new AbortController();
    const answer = await fetch(`${own.endpoint}${path}`, { ...init, headers, signal: controller.signal });
    controller.abort();
    return answer.headers;
  }

  it.each(ASKED)('%s says which of them may read it, and no other', async (...asked) => {
    for (const origin of [APP, OTHER]) {
      const headers = await ask(asked, origin);
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('vary')).toMatch(/\borigin\b/i);
    }
    for (const origin of ['https://evil.example.com', 'null', `${APP}.evil.example.com`]) {
      const headers = await ask(asked, origin);
      const told = [...headers.keys()].filter((name) => name.startsWith('access-control-'));
      expect(told).toEqual([]);
      expect(headers.get('vary')).toMatch(/\borigin\b/i);
    }
  });

  it('a query by GET of no origin is kept by no cache for one of them', async () => {
    expect((await ask(ASKED[2]!, null)).get('vary')).toMatch(/\borigin\b/i);
  });
});

describe('every answer', () => {
  it.each(['/', '/graphql', `/graphql?query=${QUERY}`, '/health', '/metrics', '/nothing'])(
    '%s has its headers',
    async (path) => {
      const { headers } = await fetch(`${tapeql.url}${path}`, {
        redirect: 'manual',
        headers: { accept: 'text/html, application/json' },
      });
      expect(Object.fromEntries(headers)).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
        'content-security-policy': expect.stringContaining("default-src 'none'"),
      });
    },
  );

  it('lets a posted query be no exception', async () => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(tapeql.endpoint, { method: 'POST', headers, body: '{"query":"{ __typename }"}' });
    expect(answer.headers.get('content-security-policy')).toMatch(/default-src 'none'/);
  });
});

describe('the playground in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  it('runs its own scripts and none that was put in', async () => {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    await page.goto(tapeql.endpoint);
    await page.getByRole('tab').first().waitFor();
    expect(complaints).toEqual([]);
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.wasPutIn = true';
      document.body.append(script);
    });
    expect(await page.evaluate(() => 'wasPutIn' in globalThis)).toBe(false);
    expect(complaints.join()).toMatch(/Content Security Policy/);
  });
});

describe('who is slow', () => {
  let impatient: TestTapeql;
  beforeAll(async () => {
    impatient = await startTestTapeql({ tuning: { httpTimeouts: { headersMs: 100, requestMs: 200 } } });
  });
  afterAll(() => impatient?.[Symbol.asyncDispose]());

  /** What a client that writes this and then nothing is told. */
  async function readAnswer({ url }: TestTapeql, bytes: string): Promise<string> {
    const { port } = new URL(url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(bytes);
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    return answer.split('\r\n', 1)[0]!;
  }

  it.each([
    ['its headers', 'GET /graphql HTTP/1.1\r\nhost: localhost\r\n'],
    [
      'its body',
      'POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"query":',
    ],
  ])('with %s is answered with 408', async (_what, bytes) => {
    expect(await readAnswer(impatient, bytes)).toBe('HTTP/1.1 408 Request Timeout');
  });

  it('headers that are too long are answered with 431', async () => {
    expect(await readAnswer(tapeql, `GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(/ 431 /);
  });
});
