import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSchema, createYoga } from 'graphql-yoga';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import type { Enveloped } from '../delivery/websocket.ts';
import { createPlainPost } from './plain-post.ts';

type Answer = { readonly status: number; readonly headers: object; readonly body: string };

let tapeql: TestTapeql;
beforeAll(async () => {
  tapeql = await startTestTapeql();
});
afterAll(() => tapeql[Symbol.asyncDispose]());

function post(path: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = Buffer.byteLength(body);
    const request = httpRequest(
      `${tapeql.url}${path}`,
      { method: 'POST', headers: { 'content-type': 'application/json', 'content-length': length, ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const { date: _, ...rest } = response.headers;
          resolve({ status: response.statusCode!, headers: rest, body: Buffer.concat(chunks).toString() });
        });
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

/** The query string makes it a request that goes all the way through Yoga. */
const throughYoga = (body: string | Buffer, headers?: Record<string, string>): Promise<Answer> =>
  post('/graphql?', body, headers);

const QUERY = '{ __schema { queryType { name } } }';

describe('a query that is posted as JSON is answered as Yoga answers it, headers and body to the byte', () => {
  it.each<[string, string, Record<string, string>]>([
    ['no accept header', QUERY, {}],
    ...[
      '*/*',
      'application/json',
      'application/graphql-response+json',
      'application/*',
      'application/json, application/graphql-response+json',
      'application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed',
      'text/event-stream, application/json',
      'multipart/mixed, */*',
      'application/json; charset=utf-8',
      'application/json; charset=latin1, */*',
      'application/json;q=0.1, application/graphql-response+json',
      'APPLICATION/JSON',
      'text/html',
      'text/event-stream',
      'application/json; charset=latin1',
      '',
    ].map((accept): [string, string, Record<string, string>] => [`accept: ${accept}`, QUERY, { accept }]),
    ['another way to write the type', QUERY, { 'content-type': 'application/json; charset=utf-8' }],
    ['a type of another charset', QUERY, { 'content-type': 'application/json; charset=utf-16' }],
    ['a page of another origin', QUERY, { origin: 'https://evil.example.com' }],
    ['a document that cannot be parsed', '{', {}],
    ['a document that is not valid', '{ nothing }', {}],
    ['an error of a field', '{ quotes(symbols: ["A B"]) { price } }', {}],
    ['a field whose source refuses', '{ recentTrades(symbol: "AAPL", last: 0) { price } }', {}],
    ['a subscription', 'subscription { serviceStatus { state } }', { accept: 'application/json' }],
    ['two operations of which none is named', 'query A { indices { price } } query B { indices { price } }', {}],
    ['text that is not ASCII', '{ a: __typename quote(symbol: "NONE") { price } # “é”\n }', {}],
  ])('%s', async (_what, query, headers) => {
    const body = JSON.stringify({ query });
    expect(await post('/graphql', body, headers)).toEqual(await throughYoga(body, headers));
  });

  it.each([
    ['variables', { query: 'query ($n: String!) { __type(name: $n) { name } }', variables: { n: 'Quote' } }],
    ['variables that are missing', { query: 'query ($n: String!) { __type(name: $n) { name } }' }],
    ['a named operation', { query: 'query A { a: __typename } query B { b: __typename }', operationName: 'B' }],
    ['an operation that is not there', { query: '{ __typename }', operationName: 'C' }],
    ['null where nothing is', { query: QUERY, variables: null, operationName: null, extensions: null }],
    ['variables that are no object', { query: QUERY, variables: [1] }],
    ['extensions that are no object', { query: QUERY, extensions: 'x' }],
    ['a member that is unknown', { query: QUERY, id: 1 }],
    ['no query', { variables: {} }],
    ['a query that is no text', { query: 1 }],
    ['a list', [{ query: QUERY }]],
    ['null', null],
    ['a text', 'query'],
  ])('%s', async (_what, body) => {
    const text = JSON.stringify(body);
    expect(await post('/graphql', text)).toEqual(await throughYoga(text));
  });

  it.each([
    ['no JSON', '{"query":'],
    ['nothing', ''],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xc3, 0x28, 0x7d])],
  ])('%s', async (_what, body) => {
    expect(await post('/graphql', body)).toEqual(await throughYoga(body));
  });

  it('a client that leaves in the middle of its body disturbs nobody', async () => {
    const headers = { 'content-type': 'application/json', 'content-length': 100 };
    const request = httpRequest(`${tapeql.url}/graphql`, { method: 'POST', headers });
    request.on('error', () => undefined);
    await new Promise<void>((resolve) => request.write('{"query":', () => resolve()));
    request.destroy();
    expect((await post('/graphql', JSON.stringify({ query: QUERY }))).status).toBe(200);
  });
});

it('only what does not succeed, or is no such query, is handed on', async () => {
  const yoga = createYoga({
    schema: createSchema({ typeDefs: 'type Query { one: Int, bad: Int! } type Mutation { one: Int }' }),
  });
  const fallback = vi.fn((_request: IncomingMessage, response: ServerResponse) => response.writeHead(418).end());
  const handle = createPlainPost({
    path: '/graphql',
    getEnveloped: (context) => yoga.getEnveloped(context) as unknown as Enveloped,
    fallback,
    maxBytes: 1000,
  });
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
  const statusOf = async (query: string): Promise<number> => {
    const headers = { 'content-type': 'application/json' };
    return (await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) })).status;
  };
  expect(await statusOf('{ one }')).toBe(200);
  expect(fallback).not.toHaveBeenCalled();
  for (const query of ['{ bad }', 'mutation { one }', '{', `{ one } # ${'x'.repeat(1000)}`]) {
    expect(await statusOf(query)).toBe(418);
  }
  server.close();
});
