import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventSourceReader } from '../test/event-source-reader.ts';
import { ManualTimers } from '../test/manual-time.ts';
import { RawWebSocket } from '../test/raw-web-socket.ts';
import {
  fetchJson,
  startMain,
  startQuietExchange,
  startTestTapeql,
  type TapeqlProcess,
  type TestTapeql,
} from '../test/tapeql.ts';
import { until } from '../test/until.ts';
import { makeWireTrade } from '../test/wire-samples.ts';
import { UNREAD_BOUNDS } from './delivery/unread-bytes.ts';

const MIB = 1024 * 1024;
/**
 * What a process may grow by for having worked out some hundred answers of 2 MB at a time, whether they are read or not: results, texts and
 * what the allocator keeps. Measured: 150 to 170 MiB.
 */
const WORKING_BYTES = 384 * MIB;

/** About 2 MB of answer, of which little has to be worked out: its names are long. */
const NAMES = Array.from({ length: 10 }, (_, index) => `${'x'.repeat(180)}${index}: close`).join(' ');
const BARS = `{ bars(symbol: "AAPL", interval: MINUTE, from: "2020-01-01T00:00:00Z", first: 1000) { ${NAMES} } }`;
const PAGE = 'GET /graphql HTTP/1.1\r\nhost: localhost\r\naccept: text/html\r\n\r\n';
const postOf = (query: string): string => {
  const body = JSON.stringify({ query });
  return `POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
};
const getOf = (query: string): string =>
  `GET /graphql?query=${encodeURIComponent(query)} HTTP/1.1\r\nhost: localhost\r\n\r\n`;

type Unread = { connections: number; bytes: number; cutTooMuch: number; cutTooSlow: number };

async function readUnread(url: string): Promise<{ unread: Unread; rss: number }> {
  const { unread, memory } = await fetchJson(`${url}/stats`);
  return { unread, rss: memory.rss };
}

/** Connections that send their requests and read nothing of the answers. */
async function openUnread(
  url: string,
  connections: number,
  requests: string,
): Promise<Disposable & { sockets: Socket[] }> {
  const sockets = Array.from({ length: connections }, () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').pause();
    socket.on('error', () => undefined);
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  for (const socket of sockets) socket.write(requests);
  return {
    sockets,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** In which the bound on CPU time does not keep anybody from getting as far as the bounds on what is not read. */
async function startProcess(): Promise<AsyncDisposable & { tapeql: TapeqlProcess }> {
  const stack = new AsyncDisposableStack();
  const exchange = stack.use(await startQuietExchange());
  const tapeql = stack.use(await startMain({ PORT: '0', ...exchange.env }, { worksWithoutLimit: true }));
  return { tapeql, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Somebody else is answered. */
async function expectServed(url: string): Promise<void> {
  const answer = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ indices { symbol } }' }),
  });
  expect(answer.status).toBe(200);
  await answer.arrayBuffer();
}

describe('the memory of a process whose answers nobody reads', () => {
  it('200 pages of 9 MB take no more than one', async () => {
    await using started = await startProcess();
    const { url } = started.tapeql;
    // The first one makes the page, for all.
    const page = await fetch(`${url}/graphql`, { headers: { accept: 'text/html', 'accept-encoding': 'identity' } });
    expect((await page.arrayBuffer()).byteLength).toBeGreaterThan(8 * MIB);
    const before = await readUnread(url);
    // Twice on each connection, so that the kernel cannot take them all.
    using attack = await openUnread(url, 200, PAGE + PAGE);
    await until(async () => expect((await readUnread(url)).unread.connections).toBe(attack.sockets.length));
    await expectServed(url);
    const { unread, rss } = await readUnread(url);
    expect(unread).toMatchObject({ cutTooMuch: 0, cutTooSlow: 0 });
    // Their headers.
    expect(unread.bytes).toBeLessThan(MIB);
    expect(rss - before.rss).toBeLessThan(64 * MIB);
  });

  it.each([
    ['POST', postOf(BARS)],
    ['GET', getOf(BARS)],
  ])(
    'answers by %s take no more than the bound for all, and connections that hold the most are cut',
    async (_how, request) => {
      await using started = await startProcess();
      const { url } = started.tapeql;
      const answer = await fetch(`${url}/graphql?query=${encodeURIComponent(BARS)}`);
      expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(1.5 * MIB);
      const before = await readUnread(url);
      // More than the kernel takes on each, more than the bound in all.
      using attack = await openUnread(url, 100, request.repeat(8));
      let highest = 0;
      await until(async () => {
        const { unread } = await readUnread(url);
        highest = Math.max(highest, unread.bytes);
        expect(unread.connections + unread.cutTooMuch + unread.cutTooSlow).toBe(attack.sockets.length);
        expect(unread.cutTooMuch).toBeGreaterThan(0);
      });
      await expectServed(url);
      const { rss } = await readUnread(url);
      expect(highest).toBeLessThanOrEqual(UNREAD_BOUNDS.max);
      expect(rss - before.rss).toBeLessThan(UNREAD_BOUNDS.max + WORKING_BYTES);
    },
  );

  it('one WebSocket takes the answers to a few queries, and gets all of them once it reads', async () => {
    await using started = await startProcess();
    const { url } = started.tapeql;
    await using socket = await RawWebSocket.connect(`${url.replace('http', 'ws')}/graphql`);
    socket.tcp.pause();
    for (let index = 0; index < 50; index++) socket.subscribe(String(index), BARS);
    let highest = 0;
    await until(async () => {
      const { connections } = await fetchJson(`${url}/stats`);
      highest = Math.max(highest, connections.backlogBytes);
      expect(connections.backlogBytes).toBeGreaterThan(MIB);
    });
    await expectServed(url);
    const { connections } = await fetchJson(`${url}/stats`);
    expect(Math.max(highest, connections.backlogBytes)).toBeLessThanOrEqual(UNREAD_BOUNDS.maxPerConnection);
    socket.tcp.resume();
    const answered = new Set<string>();
    while (answered.size < 50) {
      const { type, id, payload } = await socket.next();
      if (type !== 'next') continue;
      expect(payload.data.bars).toHaveLength(1000);
      answered.add(id!);
    }
    expect((await readUnread(url)).unread.cutTooMuch).toBe(0);
  });
});

it('pings are not answered on and on where no answer is read', async () => {
  await using tapeql = await startTestTapeql();
  await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
  let pongs = 0;
  socket.socket.on('pong', () => pongs++);
  socket.tcp.pause();
  for (let index = 0; index < 20; index++) socket.subscribe(String(index), BARS);
  // With the one that it begins with.
  await until(async () => {
    const { messagesIn, backlogBytes } = (await tapeql.readStats())['connections'];
    expect(messagesIn).toBe(21);
    expect(backlogBytes).toBeGreaterThan(0);
  });
  for (let index = 0; index < 1000; index++) socket.socket.ping();
  socket.complete('none');
  await until(async () => expect((await tapeql.readStats())['connections'].messagesIn).toBe(22));
  socket.tcp.resume();
  await socket.find(({ type, id }) => type === 'complete' && id === '19');
  expect(pongs).toBeLessThan(100);
  // Now that it reads, it is answered.
  const known = pongs;
  socket.socket.ping();
  await expect.poll(() => pongs).toBe(known + 1);
});

it('a connection on which hundreds of requests are sent without waiting is cut off', async () => {
  await using tapeql = await startTestTapeql();
  using attack = await openUnread(tapeql.url, 1, getOf('{ __typename }').repeat(500));
  const [socket] = attack.sockets;
  const closed = once(socket!, 'close');
  socket!.resume();
  await closed;
  await expectServed(tapeql.url);
});

describe('a client that reads too slowly', () => {
  const timers = new ManualTimers();
  let tapeql: TestTapeql;
  beforeAll(async () => {
    // Pings would end a WebSocket that does not read as well, where its client does not send anything itself.
    tapeql = await startTestTapeql({
      tuning: { connectionTimers: timers, pingIntervalMs: 1_000_000_000, unreadBounds: UNREAD_BOUNDS },
    });
  });
  afterAll(() => tapeql?.[Symbol.asyncDispose]());

  const untilUnread = (connections: number): Promise<void> =>
    until(async () => expect((await readUnread(tapeql.url)).unread.connections).toBe(connections));
  const readCut = async (): Promise<number> => (await readUnread(tapeql.url)).unread.cutTooSlow;

  it('is cut off over HTTP and over a WebSocket, and one that reads is not', async () => {
    await using reading = await RawWebSocket.connect(tapeql.webSocketUrl);
    await using stopped = await RawWebSocket.connect(tapeql.webSocketUrl);
    stopped.tcp.pause();
    for (let index = 0; index < 40; index++) stopped.subscribe(String(index), BARS);
    using unread = await openUnread(tapeql.url, 1, getOf(BARS).repeat(8));
    await untilUnread(2);
    const before = await readCut();
    timers.advance(UNREAD_BOUNDS.patienceMs - 1000);
    await expectServed(tapeql.url);
    expect(await readCut()).toBe(before);

    timers.advance(5 * UNREAD_BOUNDS.patienceMs);
    expect(await readCut()).toBe(before + 2);
    // It reads what the kernel has, and then that the connection was reset.
    stopped.tcp.resume();
    expect((await stopped.closed).code).toBe(1006);
    const [socket] = unread.sockets;
    const closed = once(socket!, 'close');
    socket!.resume();
    await closed;
    await untilUnread(0);

    reading.subscribe('1', '{ indices { symbol } }');
    expect((await reading.next()).type).toBe('next');
  });

  it('is cut off in an event stream', async () => {
    const name = 'x'.repeat(20_000);
    await using reader = await EventSourceReader.open(tapeql.endpoint, {
      query: `subscription { quoteUpdates(symbols: ["AAPL"]) { price ${name}: symbol } }`,
    });
    await tapeql.untilOpen(1);
    await tapeql.untilWatched(['AAPL']);
    reader.response.pause();
    const before = await readCut();
    await until(async () => {
      tapeql.simulator.push(Array.from({ length: 20 }, () => makeWireTrade('AAPL')));
      expect((await readUnread(tapeql.url)).unread.connections).toBe(1);
    });
    timers.advance(5 * UNREAD_BOUNDS.patienceMs);
    expect(await readCut()).toBe(before + 1);
    await tapeql.untilOpen(0);
  });
});

it('requests that are sent without waiting are answered one after the other, in their order', async () => {
  await using tapeql = await startTestTapeql();
  const socket = connect(Number(new URL(tapeql.url).port), '127.0.0.1');
  const queries = ['{ __typename }', BARS, '{ indices { symbol } }', '{ nothing }'];
  socket.write(queries.map(getOf).join('') + 'GET /nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  const found = [...text.matchAll(/HTTP\/1\.1 \d+|"__typename":"Query"|"bars":|"indices":|Cannot query field/g)];
  expect(found.map(([what]) => what)).toEqual([
    ...['HTTP/1.1 200', '"__typename":"Query"', 'HTTP/1.1 200', '"bars":', 'HTTP/1.1 200', '"indices":'],
    ...['HTTP/1.1 200', 'Cannot query field', 'HTTP/1.1 404'],
  ]);
});

it('a field under a name of thousands of characters costs as much as many fields', async () => {
  await using tapeql = await startTestTapeql();
  const query = (length: number, first: number): string =>
    `{ bars(symbol: "AAPL", interval: MINUTE, from: "2020-01-01T00:00:00Z", first: ${first}) { ${'x'.repeat(length)}: close } }`;
  expect((await tapeql.query(query(5000, 100))).errors).toBeUndefined();
  expect((await tapeql.query(query(5000, 5000))).errors![0]!.extensions['code']).toBe('QUERY_TOO_COMPLEX');
});
