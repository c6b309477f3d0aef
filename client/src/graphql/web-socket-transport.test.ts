import { parse } from 'graphql';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createManualClock } from '../../testing/manual-clock.ts';
import { type ScriptedServer, startScriptedServer } from '../../testing/scripted-server.ts';
import { until } from '../../testing/until.ts';
import type { ConnectionRefusedError } from './close-codes.ts';
import { Credentials } from './credentials.ts';
import type { LiveSink } from './live-transport.ts';
import {
  createWebSocketTransport,
  type SocketState,
  type WebSocketTransport,
  type WebSocketTransportOptions,
} from './web-socket-transport.ts';

const QUICK = { initialDelayMs: 5, maxDelayMs: 20 };
const MINUTE_MS = 60_000;

let server: ScriptedServer;
let opened: WebSocketTransport[];

beforeEach(async () => {
  server = await startScriptedServer();
  opened = [];
});

afterEach(async () => {
  await Promise.all(opened.map((transport) => transport.dispose()));
  await server.close();
});

function connect(options: Partial<WebSocketTransportOptions> = {}) {
  const transport = createWebSocketTransport({
    url: server.url.replace('http', 'ws'),
    credentials: new Credentials(null),
    backoff: QUICK,
    ...options,
  });
  opened.push(transport);
  const states: SocketState[] = [];
  transport.watchState(() => states.push(transport.getState()));
  return { transport, states, seen: () => states.map(({ status }) => status) };
}

function run(transport: WebSocketTransport, query: string, sink: Partial<LiveSink>, readVariables = () => ({})) {
  const document = parse(query);
  return transport.subscribe(
    {
      name: undefined,
      isLog: false,
      polled: null,
      readRequest: () => ({ document, variables: readVariables(), resumeFrom: null }),
    },
    { next: () => {}, fail: () => {}, refuse: () => {}, complete: () => {}, ...sink },
  );
}

function readQuotes(transport: WebSocketTransport) {
  const prices: unknown[] = [];
  const refused: ConnectionRefusedError[] = [];
  const readVariables = vi.fn(() => ({ symbols: ['AAPL'] }));
  const stop = run(
    transport,
    'subscription Q($symbols: [Symbol!]!) { quoteUpdates(symbols: $symbols) { price } }',
    {
      next: ({ data }) => prices.push((data?.['quoteUpdates'] as { price: number } | undefined)?.price),
      refuse: (error) => refused.push(error),
    },
    readVariables,
  );
  return { prices, refused, readVariables, stop };
}

test('is opened for the first subscription and closed after the last', async () => {
  const { transport, seen } = connect();
  expect(transport.getState()).toEqual({ status: 'idle' });
  expect(server.countConnections()).toBe(0);
  const first = readQuotes(transport);
  const second = readQuotes(transport);
  await until(() => expect([first.prices, second.prices]).toEqual([[100], [100]]));
  expect(server.countConnections()).toBe(1);
  first.stop();
  second.stop();
  await until(() => expect(transport.getState()).toEqual({ status: 'idle' }));
  expect(seen()).toEqual(['connecting', 'live', 'idle']);
});

test.each([1001, 1011, 1012, 1013, 4408, 4499, 4500])('comes back after a close with %i', async (code) => {
  const { transport, states } = connect();
  const { prices, refused } = readQuotes(transport);
  await until(() => expect(prices).toHaveLength(1));
  server.closeConnections(code);
  await until(() => expect(prices).toHaveLength(2));
  expect(refused).toEqual([]);
  expect(transport.getState()).toEqual({ status: 'live' });
  expect(states).toContainEqual(
    expect.objectContaining({ status: 'waiting', cause: { code, reason: 'scripted' }, failures: 1 }),
  );
});

test('comes back after the network broke, with the variables of then', async () => {
  const { transport } = connect();
  const { prices, readVariables } = readQuotes(transport);
  await until(() => expect(prices).toHaveLength(1));
  readVariables.mockReturnValue({ symbols: ['MSFT'] });
  server.cut();
  await until(() => expect(prices).toHaveLength(2));
  expect(server.received.map(({ variables }) => variables)).toEqual([{ symbols: ['AAPL'] }, { symbols: ['MSFT'] }]);
});

test('waits longer with each failure, up to a bound, and shortly again after a stable minute', async () => {
  const clock = createManualClock();
  const backoff = { initialDelayMs: 500, maxDelayMs: 4000 };
  const pingIntervalMs = 10 * MINUTE_MS;
  const { transport, states } = connect({ clock, random: () => 1, backoff, pingIntervalMs });
  const readLast = () => states.findLast((state) => state.status === 'waiting');
  const { prices } = readQuotes(transport);
  await until(() => expect(prices).toHaveLength(1));

  async function breakAndWait(waitMs: number, failures: number): Promise<void> {
    const { length } = prices;
    // Not quite long enough.
    clock.advance(MINUTE_MS - 1);
    server.cut();
    await until(() => expect(transport.getState()).toMatchObject({ status: 'waiting', failures }));
    expect(readLast()).toMatchObject({ retryAt: clock.now() + waitMs });
    clock.advance(waitMs - 1);
    expect(transport.getState().status).toBe('waiting');
    clock.advance(1);
    await until(() => expect(prices).toHaveLength(length + 1));
  }
  for (const [index, waitMs] of [500, 1000, 2000, 4000, 4000].entries()) await breakAndWait(waitMs, index + 1);

  clock.advance(MINUTE_MS);
  await breakAndWait(500, 1);
});

test('tries a server that is not there until it is', async () => {
  await server.close();
  const { transport, states } = connect();
  const { prices } = readQuotes(transport);
  await until(() => expect(states.filter(({ status }) => status === 'waiting').length).toBeGreaterThan(2));
  expect(states.find(({ status }) => status === 'waiting')).toMatchObject({ cause: { code: null, reason: '' } });
  server = await startScriptedServer(Number(new URL(server.url).port));
  await until(() => expect(prices).toEqual([100]));
});

test.each([1002, 1008, 4400, 4401, 4403, 4406, 4409, 4429])('takes a close with %i as final', async (code) => {
  const { transport } = connect();
  server.refusals.push(code);
  const { refused } = readQuotes(transport);
  await until(() => expect(refused).toHaveLength(1));
  expect(refused[0]).toMatchObject({ name: 'ConnectionRefusedError', code });
  expect(transport.getState()).toEqual({ status: 'refused', cause: { code, reason: 'scripted' } });
  expect(server.countConnections()).toBe(1);
});

test.each([4401, 4403])('tries again after %i with another token, where there is one', async (code) => {
  const tokens = ['expired', 'newer'];
  const { transport } = connect({ credentials: new Credentials(() => tokens.shift() ?? 'newer') });
  server.refusals.push(code, code);
  const { prices, refused } = readQuotes(transport);
  await until(() => expect(refused).toHaveLength(1));
  expect(server.connectionParams).toEqual([{ authorization: 'Bearer expired' }, { authorization: 'Bearer newer' }]);
  expect(transport.getState()).toEqual({ status: 'refused', cause: { code, reason: 'scripted' } });
  transport.retryNow();
  await until(() => expect(prices).toHaveLength(1));
});

test('what was refused goes on as soon as another is let in', async () => {
  const { transport } = connect();
  server.refusals.push(4403);
  const first = readQuotes(transport);
  await until(() => expect(first.refused).toHaveLength(1));
  const second = readQuotes(transport);
  await until(() => expect([first.prices, second.prices]).toEqual([[100], [100]]));
});

test('tries again where its credentials could not be read', async () => {
  let failures = 2;
  const credentials = new Credentials(() => {
    if (failures-- > 0) throw new Error('no token now');
    return null;
  });
  const { transport } = connect({ credentials });
  const { prices, refused } = readQuotes(transport);
  await until(() => expect(prices).toHaveLength(1));
  expect(refused).toEqual([]);
});

test('renews its token in place, before it ends', async () => {
  const clock = createManualClock();
  const mint = (name: string, seconds: number): string =>
    ['', { name, exp: clock.now() / 1000 + seconds }, '']
      .map((part) => (part === '' ? '' : Buffer.from(JSON.stringify(part)).toString('base64url')))
      .join('.');
  const tokens = [mint('first', 600), mint('second', 6000)];
  const credentials = new Credentials(() => tokens.shift()!, clock);
  const { transport } = connect({ clock, credentials, pingIntervalMs: 10 * MINUTE_MS });
  const { prices } = readQuotes(transport);
  await until(() => expect(prices).toHaveLength(1));
  clock.advance(9 * MINUTE_MS - 1);
  expect(tokens).toHaveLength(1);
  const second = tokens[0];
  clock.advance(1);
  await until(() => expect(server.renewals).toEqual([{ authorization: `Bearer ${second}` }]));
  server.quote(101);
  await until(() => expect(prices).toEqual([100, 101]));
  expect(server.countConnections()).toBe(1);
  credentials.dispose();
});

test('is made anew, at once, with a token that the server does not take in place', async () => {
  let token = 'first';
  const credentials = new Credentials(() => token);
  const { transport, states } = connect({ credentials, backoff: { initialDelayMs: MINUTE_MS, maxDelayMs: MINUTE_MS } });
  const { prices } = readQuotes(transport);
  await until(() => expect(prices).toHaveLength(1));
  server.renewalAnswers.push(false);
  token = 'of another user';
  await credentials.renew('first');
  await until(() => expect(prices).toHaveLength(2));
  expect(server.connectionParams.at(-1)).toEqual({ authorization: 'Bearer of another user' });
  expect(states.find(({ status }) => status === 'waiting')).toMatchObject({ failures: 0 });
});

test('gives up a half-open connection, which no close event ever tells of', async () => {
  const clock = createManualClock();
  const { transport, states } = connect({ clock, pingIntervalMs: 10_000, pongTimeoutMs: 5000 });
  const { prices } = readQuotes(transport);
  await until(() => expect(prices).toHaveLength(1));
  server.freeze();
  clock.advance(10_000);
  expect(transport.getState().status).toBe('live');
  clock.advance(5000);
  await until(() => expect(transport.getState().status).toBe('waiting'));
  clock.advance(QUICK.maxDelayMs);
  await until(() => expect(prices).toHaveLength(2));
  expect(states).toContainEqual(
    expect.objectContaining({ status: 'waiting', cause: { code: 4499, reason: 'Terminated' } }),
  );
});

test('keeps a connection whose pings are answered', async () => {
  const clock = createManualClock();
  const { transport } = connect({ clock, pingIntervalMs: 10_000, pongTimeoutMs: 5000 });
  const { prices } = readQuotes(transport);
  await until(() => expect(prices).toHaveLength(1));
  for (let pings = 0; pings < 5; pings++) {
    clock.advance(10_000);
    expect(clock.readWaits()[0]).toBe(5000);
    // The pong puts off the next ping.
    await until(() => expect(clock.readWaits()[0]).toBe(10_000));
  }
  server.quote(101);
  await until(() => expect(prices).toEqual([100, 101]));
  expect(server.countConnections()).toBe(1);
});

test('gives up a server that never acknowledges', async () => {
  const clock = createManualClock();
  const { transport, seen } = connect({ clock, connectTimeoutMs: 10_000 });
  server.refusals.push('silence');
  const { prices } = readQuotes(transport);
  await until(() => expect(server.connectionParams).toHaveLength(1));
  clock.advance(10_000);
  await until(() => expect(transport.getState().status).toBe('waiting'));
  clock.advance(QUICK.maxDelayMs);
  await until(() => expect(prices).toHaveLength(1));
  expect(server.countConnections()).toBe(2);
  expect(seen()).toEqual(['connecting', 'waiting', 'connecting', 'live']);
});

test('can be disposed of while it is live, while it connects and while it waits', async () => {
  const live = connect();
  const reader = readQuotes(live.transport);
  await until(() => expect(reader.prices).toHaveLength(1));
  await live.transport.dispose();
  await until(() => expect(server.countRunning()).toBe(0));

  server.refusals.push('silence');
  const connecting = connect();
  readQuotes(connecting.transport);
  await until(() => expect(server.connectionParams).toHaveLength(2));
  await connecting.transport.dispose();

  server.refusals.push(1013);
  const waiting = connect({ backoff: { initialDelayMs: 600_000, maxDelayMs: 600_000 }, random: () => 1 });
  readQuotes(waiting.transport);
  await until(() => expect(waiting.transport.getState().status).toBe('waiting'));
  await waiting.transport.dispose();

  for (const { transport } of [live, connecting, waiting]) expect(transport.getState()).toEqual({ status: 'idle' });
  expect(server.countConnections()).toBe(3);
});

test('who leaves from within a result, with the end already on its way, disturbs nobody else', async () => {
  const { transport } = connect();
  const { prices } = readQuotes(transport);
  await until(() => expect(prices).toEqual([100]));
  server.failures.push({ code: 'BAD_USER_INPUT' });
  const left = vi.fn(() => stop());
  const stop = run(transport, 'subscription { trades(symbols: []) { id } }', { next: left });
  await until(() => expect(left).toHaveBeenCalledOnce());
  server.quote(101);
  await until(() => expect(prices).toEqual([100, 101]));
  expect(server.countConnections()).toBe(1);
});

test('a reader that throws is reported as uncaught, and the connection stays', async () => {
  const { transport } = connect();
  const handlers = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  const uncaught = vi.fn();
  process.on('uncaughtException', uncaught);
  try {
    const { prices } = readQuotes(transport);
    const fault = new Error('a fault of the reader');
    run(transport, 'subscription { quoteUpdates(symbols: ["AAPL"]) { price } }', {
      next: () => {
        throw fault;
      },
    });
    await until(() => expect(uncaught.mock.calls[0]?.[0]).toBe(fault));
    server.quote(101);
    await until(() => expect(prices).toEqual([100, 101]));
    await until(() => expect(uncaught).toHaveBeenCalledTimes(2));
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const handler of handlers) process.on('uncaughtException', handler);
  }
  expect(server.countConnections()).toBe(1);
});
