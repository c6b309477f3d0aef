import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { CLOSE, RawFrames } from '../../test/raw-frames.ts';
import { type Sender, SocketOutlet } from './socket-outlet.ts';
import { Turn } from './turn.ts';
import { until } from '../../test/until.ts';

/** One end is the outlet's, the other one reads bytes. */
type Pair = AsyncDisposable & {
  readonly outlet: SocketOutlet;
  readonly webSocket: WebSocket;
  readonly tcp: Duplex;
  readonly client: RawFrames;
  readonly sent: () => number;
};

const pairs: Pair[] = [];
afterEach(async () => {
  for (const pair of pairs.splice(0)) await pair[Symbol.asyncDispose]();
});

async function createPair(turn = new Turn(() => undefined), maxWaiting = 10): Promise<Pair> {
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  const server = createServer();
  const upgraded = new Promise<{ webSocket: WebSocket; tcp: Duplex }>((resolve) => {
    server.on('upgrade', (request, tcp, head) =>
      webSockets.handleUpgrade(request, tcp, head, (webSocket) => resolve({ webSocket, tcp })),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = await RawFrames.upgrade(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const { webSocket, tcp } = await upgraded;
  let sent = 0;
  const outlet = new SocketOutlet(webSocket, tcp, {
    ...{ turn, maxWaiting, onSent: (messages) => (sent += messages) },
    onBacklog: () => undefined,
  });
  const pair: Pair = {
    ...{ outlet, webSocket, tcp, client, sent: () => sent },
    async [Symbol.asyncDispose]() {
      webSocket.terminate();
      await client[Symbol.asyncDispose]();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  pairs.push(pair);
  return pair;
}

const HEAD = Buffer.from('{"head":"ü",');

function push(outlet: SocketOutlet, text: string): void {
  outlet.push(HEAD, Buffer.from(`"text":"${text}"}`));
}

async function untilTurnEnds(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** Sends on and on, as long as it may; each message has its name and number. */
class Eager implements Sender {
  sent = 0;
  readonly #outlet: SocketOutlet;
  readonly #name: string;
  readonly #filling: string;
  readonly #atOnce: number;

  constructor(outlet: SocketOutlet, name: string, options: { bytes: number; atOnce: number }) {
    this.#outlet = outlet;
    this.#name = name;
    this.#filling = 'x'.repeat(options.bytes);
    this.#atOnce = options.atOnce;
  }

  pull(): void {
    for (let count = 0; count < this.#atOnce && this.#outlet.ready; count++) {
      push(this.#outlet, `${this.#name} ${this.sent++} ${this.#filling}`);
    }
  }
}

describe('a socket outlet', () => {
  it('writes what is gathered in a turn at its end, at once and in order', async () => {
    const { outlet, client, tcp, sent } = await createPair();
    const write = vi.spyOn(tcp, 'write');
    for (let index = 0; index < 100; index++) push(outlet, String(index));
    expect(write).not.toHaveBeenCalled();
    await untilTurnEnds();
    expect(write).toHaveBeenCalledTimes(1);
    expect(sent()).toBe(100);
    for (let index = 0; index < 100; index++)
      expect(await client.nextMessage()).toEqual({ head: 'ü', text: String(index) });
  });

  it('writes before the end of the turn what is longer than it gathers', async () => {
    const { outlet, client, tcp } = await createPair();
    const write = vi.spyOn(tcp, 'write');
    const long = 'x'.repeat(10_000);
    for (let index = 0; index < 20; index++) push(outlet, `${index} ${long}`);
    expect(write.mock.calls.length).toBeGreaterThanOrEqual(2);
    push(outlet, 'last');
    push(outlet, 'y'.repeat(500_000));
    await untilTurnEnds();
    for (let index = 0; index < 20; index++) expect((await client.nextMessage()).text).toBe(`${index} ${long}`);
    expect((await client.nextMessage()).text).toBe('last');
    expect((await client.nextMessage()).text).toHaveLength(500_000);
  });

  it('is one of many that write from the same memory, and none writes what another one does', async () => {
    const turn = new Turn(() => undefined);
    const all = await Promise.all(Array.from({ length: 5 }, () => createPair(turn)));
    // One of them reads late: what it was given has to stay as it was.
    const late = all[2]!;
    late.client.tcp.pause();
    const filling = 'x'.repeat(3000);
    const pushed = all.map(() => 0);
    const pushTo = (index: number): void => push(all[index]!.outlet, `${index} ${pushed[index]!++} ${filling}`);
    while (late.outlet.backlog === 0) {
      for (const index of all.keys()) pushTo(index);
      await untilTurnEnds();
    }
    for (let round = 0; round < 100; round++) {
      for (const index of [0, 1, 3, 4]) pushTo(index);
      await untilTurnEnds();
    }
    late.client.tcp.resume();
    for (const [index, { client }] of all.entries()) {
      for (let count = 0; count < pushed[index]!; count++) {
        expect((await client.nextMessage()).text).toBe(`${index} ${count} ${filling}`);
      }
    }
  });

  it('is not ready while its reader has stopped, and what waits for it is bounded', async () => {
    const { outlet, client, tcp } = await createPair();
    client.tcp.pause();
    const sender = new Eager(outlet, 'a', { bytes: 1000, atOnce: 1_000_000 });
    outlet.attach(sender);
    sender.pull();
    expect(outlet.ready).toBe(false);
    await untilTurnEnds();
    expect(outlet.ready).toBe(false);
    // The mark, and what was gathered when it was reached.
    expect(outlet.backlog).toBeGreaterThan(0);
    expect(tcp.writableLength).toBeLessThanOrEqual(tcp.writableHighWaterMark + 2 * 64 * 1024);
    const stopped = sender.sent;
    sender.pull();
    expect(sender.sent).toBe(stopped);

    client.tcp.resume();
    await until(() => expect(sender.sent).toBeGreaterThan(2 * stopped));
    outlet.detach(sender);
    for (let index = 0; index < stopped; index++) expect((await client.nextMessage()).text).toMatch(`a ${index} x`);
  });

  it('gives each that waits its share when the reader moves again', async () => {
    const { outlet, client } = await createPair();
    client.tcp.pause();
    // Each would fill the socket alone, time and again.
    const senders = ['a', 'b', 'c', 'd', 'e'].map((name) => new Eager(outlet, name, { bytes: 8000, atOnce: 1000 }));
    for (const sender of senders) {
      outlet.attach(sender);
      sender.pull();
    }
    client.tcp.resume();
    await until(() => expect(Math.min(...senders.map(({ sent }) => sent))).toBeGreaterThan(100));
    for (const sender of senders) outlet.detach(sender);
    const counts = senders.map(({ sent }) => sent);
    expect(Math.max(...counts)).toBeLessThan(4 * Math.min(...counts));
  });

  it('writes what it holds before it closes, and nothing after', async () => {
    const { outlet, client, sent } = await createPair();
    push(outlet, 'before');
    outlet.close(4400, 'no');
    push(outlet, 'after');
    await outlet.send('{"text":"after"}');
    await untilTurnEnds();
    expect((await client.nextMessage()).text).toBe('before');
    const { opcode, payload } = await client.next();
    expect([opcode, payload.readUInt16BE(0), String(payload.subarray(2))]).toEqual([CLOSE, 4400, 'no']);
    await expect(client.next()).rejects.toThrow('the connection ended');
    expect(sent()).toBe(1);
  });

  it('keeps what is sent in order with what is pushed, and lets who sends wait while the reader has stopped', async () => {
    const { outlet, client } = await createPair();
    push(outlet, '1');
    await outlet.send('{"text":"2"}');
    push(outlet, '3');
    for (const text of ['1', '2', '3']) expect((await client.nextMessage()).text).toBe(text);

    client.tcp.pause();
    new Eager(outlet, 'filler', { bytes: 1000, atOnce: 1_000_000 }).pull();
    let isSent = false;
    const sending = outlet.send('{"text":"waited"}').then(() => (isSent = true));
    await untilTurnEnds();
    expect(isSent).toBe(false);
    client.tcp.resume();
    await sending;
    while ((await client.nextMessage()).text !== 'waited');
  });

  it('cuts off a reader that has stopped where too many wait for it', async () => {
    const { outlet, client, webSocket } = await createPair(undefined, 3);
    client.tcp.pause();
    new Eager(outlet, 'filler', { bytes: 1000, atOnce: 1_000_000 }).pull();
    const closed = new Promise((resolve) => webSocket.once('close', resolve));
    webSocket.once('close', () => outlet.drop());
    const sending = Array.from({ length: 4 }, () => outlet.send('{}'));
    await closed;
    // Who waits is told, and what is sent now is lost with the connection.
    await Promise.all(sending);
    await outlet.send('{}');
    expect(webSocket.readyState).toBe(webSocket.CLOSED);
  });
});
