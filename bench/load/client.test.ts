import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { Client } from './client.ts';
import { type ProtocolName, protocols } from './protocol.ts';

const NEXT = '{"id":"1","type":"next","payload":{"data":{"quoteUpdates":{"volume":1000000000}}}}';

describe('Client', () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  async function listen(server: HttpServer): Promise<number> {
    closers.push(() => {
      server.close();
      server.closeAllConnections();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  function connect(port: number, protocol: ProtocolName = 'graphql-transport-ws') {
    const samples: string[] = [];
    const troubles: string[] = [];
    const sampled = Promise.withResolvers<void>();
    const troubled = Promise.withResolvers<void>();
    const client = new Client({
      port,
      localAddress: '127.0.0.2',
      protocol: protocols[protocol],
      symbols: ['AAPL', 'MSFT'],
      token: 'a token',
      buffer: Buffer.alloc(1_024),
      onSample: (message) => {
        samples.push(message.toString());
        sampled.resolve();
      },
      onTrouble: (trouble) => {
        troubles.push(trouble);
        troubled.resolve();
      },
    });
    client.walker.reset(1, 0);
    closers.push(() => client.close());
    return { client, samples, troubles, sampled: sampled.promise, troubled: troubled.promise };
  }

  /** A server that speaks to one client by hand. */
  async function listenByHand() {
    const server = createServer();
    const webSockets = new WebSocketServer({ server });
    const connected = once(webSockets, 'connection') as Promise<[WebSocket]>;
    const port = await listen(server);
    const hear = async (socket: WebSocket): Promise<unknown> =>
      JSON.parse(String(((await once(socket, 'message')) as [Buffer])[0]));
    return { port, connected, hear };
  }

  it('opens a subscription and counts what comes of it', async () => {
    const { port, connected, hear } = await listenByHand();
    const { client, samples, sampled, troubles } = connect(port);
    const [socket] = await connected;
    expect(socket.protocol).toBe('graphql-transport-ws');
    expect(await hear(socket)).toEqual({ type: 'connection_init', payload: { authorization: 'Bearer a token' } });
    socket.send('{"type":"connection_ack"}');
    const asked = await hear(socket);
    expect(asked).toMatchObject({ id: '1', type: 'subscribe', payload: { variables: { symbols: ['AAPL', 'MSFT'] } } });
    await client.opened;
    socket.send(NEXT);
    await sampled;
    expect({ samples, messages: client.walker.messages, troubles }).toEqual({
      samples: [NEXT],
      messages: 1,
      troubles: [],
    });
  });

  it('answers a ping, so that no server takes it for dead', async () => {
    const { port, connected } = await listenByHand();
    connect(port);
    const [socket] = await connected;
    const answered = once(socket, 'pong') as Promise<[Buffer]>;
    socket.ping('still there');
    expect(String((await answered)[0])).toBe('still there');
  });

  it('tells of errors, and of the end of the connection', async () => {
    const { port, connected, hear } = await listenByHand();
    const { client, troubles, troubled } = connect(port);
    const [socket] = await connected;
    await hear(socket);
    socket.send('{"type":"connection_ack"}');
    await client.opened;
    socket.send('{"id":"1","type":"error","payload":[{"message":"no"}]}');
    await troubled;
    expect(troubles).toEqual(['{"id":"1","type":"error","payload":[{"message":"no"}]}']);
    expect(client.walker.messages).toBe(0);
  });

  it('leaves in order, or by a reset', async () => {
    const orderly = await listenByHand();
    const leaving = connect(orderly.port);
    const [socket] = await orderly.connected;
    await orderly.hear(socket);
    socket.send('{"type":"connection_ack"}');
    await orderly.hear(socket);
    await leaving.client.opened;
    const closed = once(socket, 'close') as Promise<[number]>;
    const said = orderly.hear(socket);
    leaving.client.leave();
    expect(await said).toEqual({ id: '1', type: 'complete' });
    expect((await closed)[0]).toBe(1000);

    const abrupt = await listenByHand();
    const { client, troubles } = connect(abrupt.port);
    const [lost] = await abrupt.connected;
    const failed = once(lost, 'close') as Promise<[number]>;
    lost.on('error', () => undefined);
    client.reset();
    expect((await failed)[0]).toBe(1006);
    expect([...troubles, ...leaving.troubles]).toEqual([]);
  });

  it('fails to open where the server refuses', async () => {
    const port = await listen(createServer((_request, response) => response.writeHead(503).end()));
    await expect(connect(port).client.opened).rejects.toThrow('HTTP/1.1 503');
  });
});
