import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Closing, RawWebSocket } from '../../test/raw-web-socket.ts';
import { ManualTimers } from '../../test/manual-time.ts';
import { fetchJson, startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { until } from '../../test/until.ts';
import { makeWireTrade } from '../../test/wire-samples.ts';
import { MAX_MESSAGE_BYTES } from '../server/graphql.ts';

const STATUS = 'subscription { serviceStatus { state } }';
const TRADES = 'subscription ($symbols: [Symbol!]!) { trades(symbols: $symbols) { price sequence } }';

const INIT_TIMEOUT_MS = 5000;
const PING_INTERVAL_MS = 24_000;
/** So late the wheel of the connections may wake. */
const WHEEL_MS = 5;

describe('the WebSocket at /graphql', () => {
  let tapeql: TestTapeql;
  const timers = new ManualTimers();
  const sockets: RawWebSocket[] = [];

  beforeAll(async () => {
    tapeql = await startTestTapeql({
      env: { ALLOWED_ORIGINS: 'https://app.example.com' },
      tuning: { connectionTimers: timers, initTimeoutMs: INIT_TIMEOUT_MS, pingIntervalMs: PING_INTERVAL_MS },
    });
  });
  afterAll(() => tapeql[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const socket of sockets.splice(0)) await socket[Symbol.asyncDispose]();
    // None is left that the next test could take for its own.
    await tapeql.untilOpen(0);
  });

  function open(options: ConstructorParameters<typeof RawWebSocket>[1] = {}): RawWebSocket {
    const socket = new RawWebSocket(tapeql.webSocketUrl, options);
    sockets.push(socket);
    return socket;
  }

  const countConnections = async (): Promise<number> => (await tapeql.readStats())['connections'].connections;
  const untilConnected = (count: number): Promise<void> =>
    until(async () => expect(await countConnections()).toBe(count));

  async function connectInitialised(options: ConstructorParameters<typeof RawWebSocket>[1] = {}) {
    const socket = open(options);
    await socket.opened;
    await socket.initialise();
    return socket;
  }

  describe('closes, at a violation of the protocol,', () => {
    it.each<[string, number, string | object | Buffer]>([
      ['a subscribe before the acknowledgement with 4401', 4401, subscribeMessage('1', STATUS)],
      ['text that is no JSON with 4400', 4400, '{"type":'],
      ['JSON that is no message with 4400', 4400, '[1, 2]'],
      ['null with 4400', 4400, 'null'],
      ['a message without a type with 4400', 4400, { id: '1' }],
      ['a message of an unknown type with 4400', 4400, { type: 'start', id: '1' }],
      ['a subscribe without an id with 4400', 4400, { type: 'subscribe', payload: { query: STATUS } }],
      ['a subscribe without a payload with 4400', 4400, { type: 'subscribe', id: '1' }],
      ['a subscribe without a query with 4400', 4400, { type: 'subscribe', id: '1', payload: {} }],
      ['variables that are no object with 4400', 4400, subscribeMessage('1', STATUS, 'none')],
      ['bytes that are no text with 4400', 4400, Buffer.from([0xde, 0xad, 0xbe, 0xef])],
    ])('%s', async (_name, code, message) => {
      const socket = open();
      await socket.opened;
      socket.send(message);
      expect((await socket.closed).code).toBe(code);
    });

    it('a second connection_init with 4429', async () => {
      const socket = await connectInitialised();
      socket.send({ type: 'connection_init' });
      expect((await socket.closed).code).toBe(4429);
    });

    it('an id that is in use with 4409', async () => {
      const socket = await connectInitialised();
      socket.subscribe('1', STATUS);
      socket.subscribe('1', STATUS);
      expect(await socket.closed).toEqual({ code: 4409, reason: 'Subscriber for 1 already exists' });
    });

    it('no subprotocol, or another one, with 4406', async () => {
      expect((await open({ protocols: [] }).closed).code).toBe(4406);
      // A client ends the connection by itself where the server chooses none of its subprotocols: the bytes tell.
      expect(await readUpgrade(tapeql.url, { 'Sec-WebSocket-Protocol': 'graphql-ws' })).toMatchObject({ code: 4406 });
    });

    it('a message that is too big with 1009', async () => {
      const socket = await connectInitialised();
      socket.subscribe('1', `${STATUS}${' '.repeat(MAX_MESSAGE_BYTES)}`);
      expect((await socket.closed).code).toBe(1009);
    });

    it('text that is no UTF-8 with 1007', async () => {
      const socket = await connectInitialised();
      socket.socket.send(Buffer.from([0xc3, 0x28]), { binary: false });
      expect((await socket.closed).code).toBe(1007);
    });
  });

  describe('asks who comes:', () => {
    it('a foreign origin is refused with 4403', async () => {
      const socket = open({ headers: { origin: 'https://evil.example.com' } });
      expect(await socket.closed).toEqual({ code: 4403, reason: 'Origin not allowed' });
    });

    it.each(['null', 'file://', 'https://app.example.com.evil.example.com', 'http://app.example.com'])(
      'so is %s',
      async (origin) => {
        expect((await open({ headers: { origin } }).closed).code).toBe(4403);
      },
    );

    it('the same origin is let in, so is one of ALLOWED_ORIGINS, so is a client that is no browser', async () => {
      for (const headers of [{ origin: tapeql.url }, { origin: 'https://app.example.com' }, {}]) {
        await connectInitialised({ headers: headers as Record<string, string> });
      }
      expect(sockets.every(({ socket }) => socket.readyState === socket.OPEN)).toBe(true);
    });

    it('an upgrade elsewhere is answered with 404', async () => {
      const socket = new RawWebSocket(tapeql.webSocketUrl.replace('/graphql', '/elsewhere'));
      await expect(socket.opened).rejects.toThrow('404');
    });
  });

  describe('keeps the protocol:', () => {
    it('a ping is answered with its payload, also before the acknowledgement', async () => {
      const socket = open();
      await socket.opened;
      socket.send({ type: 'ping', payload: { at: 1 } });
      expect(await socket.next()).toEqual({ type: 'pong', payload: { at: 1 } });
      socket.send({ type: 'ping' });
      expect(await socket.next()).toEqual({ type: 'pong' });
    });

    it('a query is answered once, then completed', async () => {
      const socket = await connectInitialised();
      socket.subscribe('q', '{ serviceStatus { feed } }');
      expect(await socket.next()).toEqual({
        id: 'q',
        type: 'next',
        payload: { data: { serviceStatus: { feed: 'SIMULATED' } } },
      });
      expect(await socket.next()).toEqual({ id: 'q', type: 'complete' });
    });

    it.each<[string, string, object]>([
      ['a document that cannot be parsed', 'subscription {', { code: 'GRAPHQL_PARSE_FAILED' }],
      ['a field that does not exist', 'subscription { nothing }', { code: 'GRAPHQL_VALIDATION_FAILED' }],
      [
        'two root fields',
        'subscription { serviceStatus { state } marketStatus { session } }',
        { code: 'GRAPHQL_VALIDATION_FAILED' },
      ],
      [
        'a symbol that is none',
        'subscription { quoteUpdates(symbols: ["A B"]) { price } }',
        { code: 'BAD_USER_INPUT', argument: 'symbols' },
      ],
    ])('%s is one error with its code, and the connection lives on', async (_name, query, extensions) => {
      const socket = await connectInitialised();
      socket.subscribe('e', query);
      const message = await socket.next();
      expect(message).toMatchObject({ id: 'e', type: 'error', payload: [{ extensions }] });
      expect(message.payload[0].extensions).toEqual(extensions);
      socket.subscribe('e', STATUS);
      expect(await socket.find(({ id }) => id === 'e')).toMatchObject({ type: 'next' });
    });

    it('a subscription of which all fields are left out is told so, and the connection lives on', async () => {
      const socket = await connectInitialised();
      socket.subscribe('n', 'subscription { serviceStatus @skip(if: true) { state } }');
      expect(await socket.next()).toMatchObject({
        id: 'n',
        type: 'next',
        payload: { errors: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }] },
      });
      expect(await socket.next()).toEqual({ id: 'n', type: 'complete' });
      expect(await socket.settle()).toEqual([]);
    });

    it('complete ends the stream at once and frees the id; nothing of it follows', async () => {
      const socket = await connectInitialised();
      // Somebody else goes on: the exchange is asked for the symbol all the time.
      const other = await connectInitialised();
      other.subscribe('o', TRADES, { symbols: ['AAPL'] });
      socket.subscribe('t', TRADES, { symbols: ['AAPL'] });
      await tapeql.untilOpen(2);
      await tapeql.untilWatched(['AAPL']);
      tapeql.simulator.push([makeWireTrade('AAPL', { p: 1 })]);
      expect(await socket.next()).toMatchObject({ id: 't', type: 'next', payload: { data: { trades: { price: 1 } } } });

      socket.complete('t');
      expect(await socket.settle()).toEqual([]);
      await tapeql.untilOpen(1);
      tapeql.simulator.push([makeWireTrade('AAPL', { p: 2 })]);
      await other.find(({ payload }) => payload.data.trades.price === 2);
      socket.subscribe('t', TRADES, { symbols: ['AAPL'] });
      await tapeql.untilOpen(2);
      tapeql.simulator.push([makeWireTrade('AAPL', { p: 3 })]);
      expect(await socket.next()).toMatchObject({ id: 't', type: 'next', payload: { data: { trades: { price: 3 } } } });
    });

    it('an id is free as soon as it was completed, however slowly its first operation opens', async () => {
      tapeql.simulator.setFault('rest-latency', '100ms');
      const socket = await connectInitialised();
      const quotes = (symbol: string): string => `subscription { quoteUpdates(symbols: ["${symbol}"]) { symbol } }`;
      socket.subscribe('1', quotes('ORCL'));
      socket.complete('1');
      socket.subscribe('1', quotes('IBM'));
      socket.complete('1');
      socket.subscribe('1', quotes('QCOM'));
      expect((await socket.next()).payload).toEqual({ data: { quoteUpdates: { symbol: 'QCOM' } } });
      tapeql.simulator.clearFault();
      await tapeql.untilOpen(1);
      socket.complete('1');
      await socket.settle();
      await tapeql.untilIdle();
      expect(await socket.settle()).toEqual([]);
      const results = socket.received.filter(({ type }) => type === 'next');
      expect(results.every(({ payload }) => payload.data.quoteUpdates.symbol === 'QCOM')).toBe(true);
    });

    it('an id that is waited for already is in use', async () => {
      tapeql.simulator.setFault('rest-latency', '100ms');
      const socket = await connectInitialised();
      socket.subscribe('1', 'subscription { quoteUpdates(symbols: ["CSCO"]) { symbol } }');
      socket.complete('1');
      socket.subscribe('1', STATUS);
      socket.subscribe('1', STATUS);
      expect(await socket.closed).toEqual({ code: 4409, reason: 'Subscriber for 1 already exists' });
      tapeql.simulator.clearFault();
      await tapeql.untilIdle();
    });

    it('no more than 50 may be ending, besides', async () => {
      tapeql.simulator.setFault('rest-latency', '100ms');
      const socket = await connectInitialised();
      for (let id = 1; id <= 51; id++) {
        socket.subscribe(String(id), 'subscription { quoteUpdates(symbols: ["INTC"]) { symbol } }');
        socket.complete(String(id));
      }
      socket.subscribe('52', STATUS);
      expect(await socket.next()).toMatchObject({
        id: '52',
        type: 'error',
        payload: [{ extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' } }],
      });
      tapeql.simulator.clearFault();
      await tapeql.untilIdle();
    });

    it('a socket that closes before its subscriptions are open leaves nothing behind', async () => {
      tapeql.simulator.setFault('rest-latency', '200ms');
      for (let round = 0; round < 5; round++) {
        const socket = await connectInitialised();
        socket.subscribe('q', 'subscription { quoteUpdates(symbols: ["TSLA"]) { price } }');
        socket.subscribe('t', TRADES, { symbols: ['TSLA', 'AMD'] });
        socket.subscribe('b', 'subscription { bars(symbols: ["TSLA"]) { close } }');
        if (round % 2 === 0) await socket.settle();
        socket.socket.terminate();
      }
      tapeql.simulator.clearFault();
      await expect
        .poll(async () => {
          const { hub, subscriptions, connections } = await tapeql.readStats();
          return [hub.mailboxes, hub.channels, hub.symbolsWanted, subscriptions.active, connections.connections];
        })
        .toEqual([0, 0, 0, 0, 0]);
      await tapeql.untilIdle();
    });

    it('whatever is sent, in whatever order: the connection is answered or closed with a code, and nothing is left', async () => {
      const id = fc.constantFrom('1', '2', '3');
      const query = fc.constantFrom(
        STATUS,
        '{ serviceStatus { state } }',
        'subscription { trades(symbols: ["AAPL"]) { price } }',
        'subscription { quoteUpdates(symbols: ["!"]) { price } }',
        '{',
      );
      const message = fc.oneof(
        { weight: 4, arbitrary: fc.record({ type: fc.constant('subscribe'), id, payload: fc.record({ query }) }) },
        { weight: 4, arbitrary: fc.record({ type: fc.constant('complete'), id }) },
        {
          weight: 1,
          arbitrary: fc.record({ type: fc.constantFrom('ping', 'pong', 'connection_init', 'next', 'error') }),
        },
        { weight: 1, arbitrary: fc.anything({ maxDepth: 2 }).filter((value) => value !== undefined) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 12 }), async (messages) => {
          await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
          for (const sent of messages) socket.socket.send(JSON.stringify(sent) ?? 'undefined');
          const outcome = await Promise.race([
            socket.settle().then(() => 'answered'),
            socket.closed.then(({ code }) => code),
          ]).catch(async () => (await socket.closed).code);
          expect(['answered', 4400, 4401, 4409, 4429]).toContain(outcome);
        }),
        { numRuns: 150 },
      );
      await tapeql.untilIdle();
      expect((await tapeql.readStats())['hub']).toMatchObject({ mailboxes: 0, channels: 0, symbolsWanted: 0 });
      expect(tapeql.records.filter(({ level }) => level === 'error')).toEqual([]);
    });

    it('50 subscriptions are allowed on a connection; the 51st is an error, and one that ends makes room', async () => {
      const socket = await connectInitialised();
      for (let id = 1; id <= 51; id++) socket.subscribe(String(id), STATUS);
      const refused = await socket.find(({ type }) => type === 'error');
      expect(refused).toMatchObject({
        id: '51',
        payload: [{ extensions: { code: 'TOO_MANY_SUBSCRIPTIONS', limit: 50 } }],
      });
      socket.complete('1');
      socket.subscribe('52', STATUS);
      expect(await socket.find(({ id }) => id === '52')).toMatchObject({ type: 'next' });
    });
  });

  describe('ends a connection', () => {
    it('without connection_init with 4408, and leaves one that was initialised', async () => {
      const idle = open();
      await idle.opened;
      const initialised = await connectInitialised();
      timers.advance(INIT_TIMEOUT_MS - 1);
      expect(idle.socket.readyState).toBe(idle.socket.OPEN);
      // Answered, though not initialised yet.
      expect(await idle.settle()).toEqual([]);
      timers.advance(1 + WHEEL_MS);
      expect(await idle.closed).toEqual({ code: 4408, reason: 'Connection initialisation timeout' });
      expect(await initialised.settle()).toEqual([]);
    });

    it('not whose connection_init came in time, also where the server had no time to read it', async () => {
      const socket = open();
      await socket.opened;
      // After this turn of the event loop comes one in which sockets are read: both ends are in this process.
      await new Promise((resolve) => setImmediate(resolve));
      socket.send({ type: 'connection_init' });
      holdProcess();
      timers.advance(INIT_TIMEOUT_MS + WHEEL_MS);
      expect(await socket.next()).toEqual({ type: 'connection_ack' });
      expect(await socket.settle()).toEqual([]);
    });

    it('whose other side has gone without a word, and leaves one that answers pings', async () => {
      const alive = await connectInitialised();
      const dead = await connectInitialised();
      dead.subscribe('1', TRADES, { symbols: ['AAPL'] });
      await tapeql.untilOpen(1);
      dead.tcp.pause();
      for (let intervals = 0; intervals < 3; intervals++) {
        const pinged = once(alive.socket, 'ping');
        timers.advance(PING_INTERVAL_MS);
        await pinged;
        // Its pong is under way: it is read in the turns of the event loop that these questions take.
        for (let questions = 0; questions < 3; questions++) await tapeql.readStats();
      }
      await tapeql.untilOpen(0);
      await untilConnected(1);
      expect(await alive.settle()).toEqual([]);
    });

    it('of a client that asks on and on, and reads none of the answers', async () => {
      const socket = await connectInitialised();
      await untilConnected(1);
      socket.tcp.pause();
      const ping = { type: 'ping', payload: { text: 'x'.repeat(50_000) } };
      for (let sent = 0; sent < 2000 && (await countConnections()) === 1; sent += 20) {
        for (let count = 0; count < 20; count++) socket.send(ping);
      }
      await expect.poll(countConnections).toBe(0);
      socket.tcp.resume();
    });
  });
});

describe('the limits of the WebSocket', () => {
  it('close a connection with 1013 while the server is full', async () => {
    await using tapeql = await startTestTapeql({ env: { MAX_CONNECTIONS: '1' } });
    await using first = await RawWebSocket.connect(tapeql.webSocketUrl);
    await using second = new RawWebSocket(tapeql.webSocketUrl);
    expect(await second.closed).toEqual({ code: 1013, reason: 'Too many connections' });
    first.socket.close(1000);
    await expect.poll(async () => (await fetchJson(`${tapeql.url}/health/websocket`))['activeConnections']).toBe(0);
    await using third = await RawWebSocket.connect(tapeql.webSocketUrl);
    expect(third.socket.readyState).toBe(third.socket.OPEN);
  });

  it('cost a reader that moves nothing: a burst of more prints than may wait is read again from history', async () => {
    await using tapeql = await startTestTapeql({ tuning: { logBounds: { maxEntries: 10 } } });
    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    socket.subscribe('t', TRADES, { symbols: ['AAPL'] });
    await tapeql.untilOpen(1);
    await tapeql.untilWatched(['AAPL']);
    for (let burst = 0; burst < 3; burst++) {
      tapeql.simulator.push(Array.from({ length: 100 }, () => makeWireTrade('AAPL')));
    }
    const sequences: number[] = [];
    while (sequences.length < 300) sequences.push((await socket.next()).payload.data.trades.sequence);
    expect(sequences).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
    expect((await tapeql.readStats())['hub']).toMatchObject({ slowConsumers: 0 });
  });

  it('end a reader whose socket takes nothing any more, and no other one', async () => {
    // It answers no ping either, and is not to be ended for that.
    const connectionTimers = new ManualTimers();
    const logBounds = { maxEntries: 500, stallMs: 50 };
    await using tapeql = await startTestTapeql({ tuning: { connectionTimers, logBounds } });
    await using slow = await RawWebSocket.connect(tapeql.webSocketUrl);
    await using good = await RawWebSocket.connect(tapeql.webSocketUrl);
    // Long results fill the buffers of the network sooner.
    const alias = 'x'.repeat(20_000);
    slow.subscribe('t', `subscription { trades(symbols: ["AAPL"]) { sequence ${alias}: cursor } }`);
    good.subscribe('t', 'subscription { trades(symbols: ["AAPL"]) { sequence } }');
    await tapeql.untilOpen(2);
    await tapeql.untilWatched(['AAPL']);
    slow.tcp.pause();
    const sequences: number[] = [];
    const slowConsumers = async (): Promise<number> => (await tapeql.readStats())['hub'].slowConsumers;
    while ((await slowConsumers()) === 0 && sequences.length < 50_000) {
      tapeql.simulator.push(Array.from({ length: 200 }, () => makeWireTrade('AAPL')));
      for (let count = 0; count < 200; count++) sequences.push((await good.next()).payload.data.trades.sequence);
    }
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
    // Nothing is kept for it, though it can be told only when its socket takes something again.
    expect((await tapeql.readStats())['hub']).toMatchObject({ mailboxes: 1, messagesWaiting: 0, slowConsumers: 1 });

    slow.tcp.resume();
    const error = await slow.find(({ type }) => type === 'error');
    const results = slow.received.filter(({ type }) => type === 'next').map(({ payload }) => payload);
    expect(results.map(({ data }) => data.trades.sequence)).toEqual(results.map((_, index) => index + 1));
    expect(error.payload[0].extensions).toEqual({ code: 'SLOW_CONSUMER', cursor: results.at(-1).extensions.cursor });

    const resumed = 'subscription ($after: Cursor) { trades(symbols: ["AAPL"], after: $after) { sequence } }';
    slow.subscribe('r', resumed, { after: results.at(-1).extensions.cursor });
    const next = await slow.find(({ id }) => id === 'r');
    expect(next).toMatchObject({ type: 'next' });
    expect(next.payload.data.trades.sequence).toBe(results.length + 1);
  });
});

describe('a server that stops', () => {
  it('closes each connection with 1001, with subscriptions under way, after telling that it shuts down', async () => {
    await using tapeql = await startTestTapeql();
    const clients = await Promise.all([1, 2, 3].map(() => RawWebSocket.connect(tapeql.webSocketUrl)));
    for (const socket of clients) {
      socket.subscribe('t', TRADES, { symbols: ['AAPL'] });
      socket.subscribe('s', STATUS);
    }
    await tapeql.untilOpen(6);
    const closings: Promise<Closing[]> = Promise.all(clients.map(({ closed }) => closed));
    await tapeql.stop();
    expect(await closings).toEqual(clients.map(() => ({ code: 1001, reason: 'Going away' })));
    for (const { received } of clients) {
      expect(received.at(-1)).toMatchObject({
        id: 's',
        payload: { data: { serviceStatus: { state: 'SHUTTING_DOWN' } } },
      });
      // A client takes a `complete` for the end of the matter, and would not come back.
      expect(received.filter(({ type }) => type === 'complete')).toEqual([]);
    }
  });

  it('is done in time although a client never answers its close', async () => {
    const timers = new ManualTimers();
    await using tapeql = await startTestTapeql({ tuning: { connectionTimers: timers } });
    await using deaf = await RawWebSocket.connect(tapeql.webSocketUrl);
    deaf.tcp.pause();
    const stopped = tapeql.stop();
    await until(() => expect(timers.delays).toContain(2000));
    timers.advance(2000);
    await stopped;
  });
});

/** Nothing in this process goes on for a while; what was sent before is then with the kernel, and nobody has read it. */
function holdProcess(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
}

function subscribeMessage(id: string, query: string, variables?: unknown): object {
  return { type: 'subscribe', id, payload: { query, variables } };
}

/** Upgrades by hand and reads the code of the close frame that follows. */
async function readUpgrade(url: string, headers: Record<string, string>): Promise<{ code: number }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const lines = Object.entries({
    Host: `${hostname}:${port}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET /graphql HTTP/1.1\r\n${lines.join('')}\r\n`);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) {
    chunks.push(chunk as Buffer);
    const all = Buffer.concat(chunks);
    const frame = all.subarray(all.indexOf('\r\n\r\n') + 4);
    if (all.includes('\r\n\r\n') && frame.length >= 4 && frame[0] === 0x88) {
      socket.destroy();
      await once(socket, 'close');
      return { code: frame.readUInt16BE(2) };
    }
  }
  throw new Error('the server closed without a close frame');
}
