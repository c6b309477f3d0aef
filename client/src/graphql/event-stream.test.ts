import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parse } from 'graphql';
import { afterEach, expect, test } from 'vitest';
import { createManualClock } from '../../testing/manual-clock.ts';
import { until } from '../../testing/until.ts';
import { createEventStreams } from './event-stream.ts';

const closings: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closings.splice(0)) await close();
});

/** Opens a stream from a server that answers as the test says. */
async function open(answer: RequestListener) {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const clock = createManualClock();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
  const told: unknown[] = [];
  const document = parse('subscription { trades(symbols: ["AAPL"]) { price } }');
  const readRequest = () => ({ document, variables: {}, resumeFrom: 'c1' });
  const stop = createEventStreams({ url, fetch, clock })(
    { name: undefined, isLog: true, polled: null, readRequest },
    {
      open: () => told.push('open'),
      start: (cursor) => told.push({ start: cursor }),
      next: ({ data }) => told.push(data),
      fail: (errors) => told.push({ fail: errors[0]?.extensions?.['code'] }),
      end: ({ code, reason }) => told.push({ end: code ?? reason }),
    },
  );
  closings.push(async () => {
    stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { clock, told, stop };
}

function beginStream(response: ServerResponse): ServerResponse {
  return response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
}

test('a stream of which nothing comes through is given up: something may gather it on its way', async () => {
  let response: ServerResponse | null = null;
  const { clock, told } = await open((_request, answer) => {
    response = beginStream(answer);
    response.flushHeaders();
  });
  await until(() => expect(response).not.toBeNull());
  clock.advance(4999);
  expect(told).toEqual([]);
  clock.advance(1);
  expect(told).toEqual([{ end: 'silent' }]);
});

test('a stream that falls silent is given up, and one that says that it lives is not', async () => {
  let response: ServerResponse | null = null;
  const { clock, told } = await open((_request, answer) => {
    response = beginStream(answer);
    response.write('id: c1\n\n');
  });
  await until(() => expect(told).toEqual(['open', { start: 'c1' }]));
  for (let pings = 0; pings < 5; pings++) {
    clock.advance(20_000);
    response!.write(':\n\n');
    await until(() => expect(clock.readWaits()).toEqual([30_000]));
  }
  clock.advance(30_000);
  expect(told.at(-1)).toEqual({ end: 'silent' });
});

const next = (result: object): string => `event: next\ndata: ${JSON.stringify(result)}\n\n`;
const refusal = (code: string): object => ({ errors: [{ message: code, extensions: { code } }] });

test.each([
  ['results', next({ data: 1 }) + next({ data: 2 }), [1, 2, { end: 'the stream broke' }]],
  [
    'the end of a tape that has none',
    `${next({ data: 1 })}event: complete\ndata:\n\n`,
    [1, { end: 'the stream was completed' }],
  ],
  ['an error with which the operation is over', next(refusal('BAD_USER_INPUT')), [{ fail: 'BAD_USER_INPUT' }]],
  ['that there are too many streams', next(refusal('TOO_MANY_SUBSCRIPTIONS')), [{ end: 'TOO_MANY_SUBSCRIPTIONS' }]],
])('tells %s', async (_name, text, wanted) => {
  const { told } = await open((_request, response) => beginStream(response).end(text));
  await until(() => expect(told).toEqual(['open', ...wanted]));
});

test.each([
  [429, JSON.stringify(refusal('RATE_LIMITED')), { fail: 'RATE_LIMITED' }],
  [200, JSON.stringify(refusal('TOO_MANY_SUBSCRIPTIONS')), { end: 200 }],
  // Of whoever stands between here and the server.
  [403, '<html>', { end: 403 }],
  [502, JSON.stringify({ errors: [{ message: 'bad gateway' }] }), { end: 502 }],
  [200, '{}', { end: 200 }],
])('tells an answer of %i that is no stream: %s', async (status, text, wanted) => {
  const { told } = await open((_request, response) => response.writeHead(status).end(text));
  await until(() => expect(told).toEqual([wanted]));
});

test('who leaves hears nothing more, and the server is told', async () => {
  let isClosed = false;
  let response: ServerResponse | null = null;
  const { clock, told, stop } = await open((_request, answer) => {
    answer.once('close', () => (isClosed = true));
    response = beginStream(answer);
    response.write(':\n\n');
  });
  await until(() => expect(told).toEqual(['open']));
  stop();
  await until(() => expect(isClosed).toBe(true));
  expect(told).toEqual(['open']);
  expect(clock.readWaits()).toEqual([]);
});
