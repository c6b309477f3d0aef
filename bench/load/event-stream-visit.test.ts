import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EventStreamVisit } from './event-stream-visit.ts';

describe('EventStreamVisit', () => {
  let server: Server;
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  async function visit(answer: RequestListener) {
    server = createServer(answer);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const requested = once(server, 'request') as Promise<[IncomingMessage, ServerResponse]>;
    const trouble = Promise.withResolvers<string>();
    const visitor = new EventStreamVisit({
      port: (server.address() as AddressInfo).port,
      localAddress: '127.0.0.2',
      query: 'subscription { x }',
      symbols: ['AAPL'],
      token: 'a token',
      buffer: Buffer.alloc(1_024),
      onTrouble: trouble.resolve,
    });
    const [request, response] = await requested;
    return { visitor, request, response, trouble: trouble.promise };
  }

  it.each(['leave', 'reset'] as const)('asks for a stream, and can %s', async (manner) => {
    const { visitor, request, response } = await visit((_request, stream) => stream.writeHead(200).write(':\n\n'));
    const body = (await Array.fromAsync(request as AsyncIterable<Buffer>)).join('');
    expect(request.headers).toMatchObject({ accept: 'text/event-stream', authorization: 'Bearer a token' });
    expect(JSON.parse(body)).toEqual({ query: 'subscription { x }', variables: { symbols: ['AAPL'] } });
    const closed = once(response, 'close');
    visitor[manner]();
    await closed;
  });

  it('tells where it is refused, and where the stream ends without its doing', async () => {
    const refused = await visit((_request, response) => response.writeHead(503).end());
    expect(await refused.trouble).toContain('HTTP/1.1 503');
    server.close();
    const cut = await visit((_request, stream) => stream.writeHead(200).write(':\n\n'));
    cut.response.destroy();
    expect(await cut.trouble).toMatch(/closed|ECONNRESET/);
  });
});
