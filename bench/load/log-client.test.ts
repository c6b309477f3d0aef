import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { createTally, LogClient } from './log-client.ts';
import { until } from '../../test/until.ts';

type Subscribe = { readonly payload: { readonly extensions?: { readonly resumeFrom: string } } };

describe('LogClient', () => {
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  /** A server that speaks to each client by hand, from the subscription on. */
  async function listenByHand() {
    const server = createServer();
    const lines: { socket: WebSocket; subscribe: Subscribe }[] = [];
    new WebSocketServer({ server }).on('connection', (socket) => {
      socket.once('message', () => {
        socket.send('{"type":"connection_ack"}');
        socket.once('message', (data: Buffer) => {
          lines.push({ socket, subscribe: JSON.parse(data.toString()) as Subscribe });
        });
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(() => {
      server.close();
      server.closeAllConnections();
      for (const { socket } of lines) socket.terminate();
    });
    const untilLine = (count: number) =>
      until(() => {
        expect(lines.length).toBeGreaterThanOrEqual(count);
        return lines[count - 1]!;
      });
    return { port: (server.address() as AddressInfo).port, untilLine };
  }

  function open(ports: readonly number[]) {
    const tally = createTally();
    const buffer = Buffer.alloc(4_096);
    const options = { ports, symbols: ['AAPL'], token: 'a token', number: 0, jitterMs: 1, buffer, tally };
    const client = new LogClient(options);
    closers.push(() => client.close());
    return { client, tally };
  }

  function print(sequence: number, { gapBefore = false, ageMs = 0 } = {}): string {
    const receivedAt = new Date(Date.now() - ageMs).toISOString();
    const trades = { symbol: 'AAPL', sequence, gapBefore, receivedAt };
    const payload = { data: { trades }, extensions: { cursor: `place-${sequence}` } };
    return JSON.stringify({ id: '1', type: 'next', payload });
  }

  it('goes on at the next server after the last print, and tells how long that took', async () => {
    const [first, second] = [await listenByHand(), await listenByHand()];
    const { client, tally } = open([first.port, second.port]);
    const before = await first.untilLine(1);
    expect(before.subscribe.payload.extensions).toBeUndefined();
    before.socket.send(print(1));
    await until(() => expect(tally.entries).toBe(1));
    before.socket.terminate();

    const after = await second.untilLine(1);
    expect(after.subscribe.payload.extensions).toEqual({ resumeFrom: 'place-1' });
    expect(client.lastReturn!.resumedAt).toBeNull();
    after.socket.send(print(2, { ageMs: 2_000 }));
    after.socket.send(print(3));
    await until(() => expect(tally.entries).toBe(3));
    const { lostAt, askedAt, resumedAt } = client.lastReturn!;
    expect(askedAt).toBeGreaterThanOrEqual(lostAt);
    expect(resumedAt).toBeGreaterThan(askedAt!);
    expect(tally).toMatchObject({ silentGaps: 0, repeated: 0, gapsTold: 0, troubles: 1 });
    expect(tally.lastLateAt).toBe(resumedAt);
  });

  it('finds what is missing, what comes twice, and what was told', async () => {
    const { port, untilLine } = await listenByHand();
    const { tally } = open([port]);
    const { socket } = await untilLine(1);
    for (const text of [print(1), print(2), print(2), print(5), print(9, { gapBefore: true })]) socket.send(text);
    await until(() => expect(tally.entries).toBe(5));
    expect(tally).toMatchObject({ silentGaps: 2, repeated: 1, gapsTold: 1, troubles: 0 });
  });

  it('goes on from the oldest cursor where the history has expired, and counts that as told', async () => {
    const { port, untilLine } = await listenByHand();
    const { tally } = open([port]);
    const { socket } = await untilLine(1);
    socket.send(print(1));
    await until(() => expect(tally.entries).toBe(1));
    const extensions = { code: 'HISTORY_EXPIRED', oldestCursor: 'oldest' };
    socket.send(JSON.stringify({ id: '1', type: 'error', payload: [{ message: 'gone', extensions }] }));
    const again = await untilLine(2);
    expect(again.subscribe.payload.extensions).toEqual({ resumeFrom: 'oldest' });
    again.socket.send(print(7));
    await until(() => expect(tally.entries).toBe(2));
    expect(tally).toMatchObject({ silentGaps: 0, gapsTold: 1 });
  });

  it('knows that it had no place before its first print', async () => {
    const { port, untilLine } = await listenByHand();
    const { client, tally } = open([port]);
    (await untilLine(1)).socket.terminate();
    (await untilLine(2)).socket.send(print(4));
    await until(() => expect(tally.entries).toBe(1));
    expect(client.hasLostPlace).toBe(true);
    expect(tally.silentGaps).toBe(0);
  });
});
