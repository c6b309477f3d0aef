import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type ScriptedServer, startScriptedServer } from '../../testing/scripted-server.ts';
import type { ConnectionRefusedError } from './close-codes.ts';
import {
  type Connection,
  type ConnectionOptions,
  type ConnectionState,
  createConnection,
} from './web-socket-transport.ts';
import { until } from '../../testing/until.ts';

const QUICK = { initialDelayMs: 5, maxDelayMs: 20 };

let server: ScriptedServer;
let opened: Connection[];

beforeEach(async () => {
  server = await startScriptedServer();
  opened = [];
});

afterEach(async () => {
  await Promise.all(opened.map((connection) => connection.dispose()));
  await server.close();
});

function connect(options: Partial<ConnectionOptions> = {}) {
  const connection = createConnection({ url: server.url.replace('http', 'ws'), backoff: QUICK, ...options });
  opened.push(connection);
  const states: ConnectionState[] = [];
  connection.watchState(() => states.push(connection.getState()));
  return { connection, states, seen: () => states.map(({ status }) => status) };
}

function readQuotes(connection: Connection) {
  const prices: unknown[] = [];
  const refused: ConnectionRefusedError[] = [];
  const readVariables = vi.fn(() => ({ symbols: ['AAPL'] }));
  const stop = connection.subscribe(
    {
      query: 'subscription Q($symbols: [Symbol!]!) { quoteUpdates(symbols: $symbols) { price } }',
      operationName: 'Q',
      readVariables,
    },
    {
      next: ({ data }) => prices.push((data?.['quoteUpdates'] as { price: number } | undefined)?.price),
      fail: () => {},
      refuse: (error) => refused.push(error),
      complete: () => {},
    },
  );
  return { prices, refused, readVariables, stop };
}

test('is opened for the first subscription and closed after the last', async () => {
  const { connection, seen } = connect();
  expect(connection.getState()).toEqual({ status: 'idle' });
  expect(server.countConnections()).toBe(0);
  const first = readQuotes(connection);
  const second = readQuotes(connection);
  await until(() => expect([first.prices, second.prices]).toEqual([[100], [100]]));
  expect(server.countConnections()).toBe(1);
  first.stop();
  second.stop();
  await until(() => expect(connection.getState()).toEqual({ status: 'idle' }));
  expect(seen()).toEqual(['connecting', 'live', 'idle']);
});

test.each([1001, 1011, 1012, 1013, 4408, 4499, 4500])('comes back after a close with %i', async (code) => {
  const { connection, states } = connect();
  const { prices, refused } = readQuotes(connection);
  await until(() => expect(prices).toHaveLength(1));
  server.closeConnections(code);
  await until(() => expect(prices).toHaveLength(2));
  expect(refused).toEqual([]);
  expect(connection.getState()).toEqual({ status: 'live' });
  expect(states).toContainEqual(
    expect.objectContaining({ status: 'waiting', cause: { code, reason: 'scripted' }, failures: 1 }),
  );
});

test('comes back after the network broke, with the variables of then', async () => {
  const { connection } = connect();
  const { prices, readVariables } = readQuotes(connection);
  await until(() => expect(prices).toHaveLength(1));
  readVariables.mockReturnValue({ symbols: ['MSFT'] });
  server.cut();
  await until(() => expect(prices).toHaveLength(2));
  expect(server.received.map(({ variables }) => variables)).toEqual([{ symbols: ['AAPL'] }, { symbols: ['MSFT'] }]);
});

test('waits longer with each failure, up to a bound, and shortly again once it was served', async () => {
  const { connection, states } = connect({ random: () => 1 });
  server.refusals.push(1013, 1013, 1013, 1013);
  const { prices } = readQuotes(connection);
  await until(() => expect(prices).toHaveLength(1));
  server.cut();
  await until(() => expect(prices).toHaveLength(2));
  expect(states.flatMap((state) => (state.status === 'waiting' ? [state.retryInMs] : []))).toEqual([5, 10, 20, 20, 5]);
});

test('tries a server that is not there until it is', async () => {
  await server.close();
  const { connection, states } = connect();
  const { prices } = readQuotes(connection);
  await until(() => expect(states.filter(({ status }) => status === 'waiting').length).toBeGreaterThan(2));
  expect(states.find(({ status }) => status === 'waiting')).toMatchObject({ cause: { code: null, reason: '' } });
  server = await startScriptedServer(Number(new URL(server.url).port));
  await until(() => expect(prices).toEqual([100]));
});

test.each([1002, 1008, 4400, 4401, 4403, 4406, 4409, 4429])('takes a close with %i as final', async (code) => {
  const { connection } = connect();
  server.refusals.push(code);
  const { refused } = readQuotes(connection);
  await until(() => expect(refused).toHaveLength(1));
  expect(refused[0]).toMatchObject({ name: 'ConnectionRefusedError', code });
  expect(connection.getState()).toEqual({ status: 'refused', cause: { code, reason: 'scripted' } });
  expect(server.countConnections()).toBe(1);
});

test('tries again after 4401 where it is told to, with the credentials of then', async () => {
  let token = 'expired';
  const { connection } = connect({ retryUnauthorized: true, readConnectionParams: () => ({ token }) });
  server.refusals.push(4401, 4401);
  connection.watchState(() => {
    if (connection.getState().status === 'waiting') token = 'renewed';
  });
  const { prices } = readQuotes(connection);
  await until(() => expect(prices).toHaveLength(1));
  expect(server.connectionParams).toEqual([{ token: 'expired' }, { token: 'renewed' }, { token: 'renewed' }]);
});

test('tries again where its credentials could not be read', async () => {
  let failures = 2;
  const { connection } = connect({
    readConnectionParams: () => {
      if (failures-- > 0) throw new Error('no token now');
      return {};
    },
  });
  const { prices, refused } = readQuotes(connection);
  await until(() => expect(prices).toHaveLength(1));
  expect(refused).toEqual([]);
});

test('gives up a half-open connection, which no close event ever tells of', async () => {
  const { connection, states } = connect({ pingIntervalMs: 30, pongTimeoutMs: 30 });
  const { prices } = readQuotes(connection);
  await until(() => expect(prices).toHaveLength(1));
  server.freeze();
  await until(() => expect(prices).toHaveLength(2));
  expect(states).toContainEqual(
    expect.objectContaining({ status: 'waiting', cause: { code: 4499, reason: 'Terminated' } }),
  );
});

test('keeps a connection whose pings are answered', async () => {
  const { connection } = connect({ pingIntervalMs: 10, pongTimeoutMs: 200 });
  const { prices } = readQuotes(connection);
  await until(() => expect(prices).toHaveLength(1));
  for (let price = 101; price < 106; price++) {
    server.quote(price);
    await until(() => expect(prices).toContain(price));
  }
  expect(server.countConnections()).toBe(1);
});

test('gives up a server that never acknowledges', async () => {
  const { connection, states } = connect({ connectTimeoutMs: 50 });
  server.refusals.push('silence');
  const { prices } = readQuotes(connection);
  await until(() => expect(prices).toHaveLength(1));
  expect(server.countConnections()).toBe(2);
  expect(states.filter(({ status }) => status === 'waiting')).toHaveLength(1);
});

test('can be disposed of while it is live, while it connects and while it waits', async () => {
  const live = connect();
  const reader = readQuotes(live.connection);
  await until(() => expect(reader.prices).toHaveLength(1));
  await live.connection.dispose();
  await until(() => expect(server.countRunning()).toBe(0));

  server.refusals.push('silence');
  const connecting = connect();
  readQuotes(connecting.connection);
  await until(() => expect(server.connectionParams).toHaveLength(2));
  await connecting.connection.dispose();

  server.refusals.push(1013);
  const waiting = connect({ backoff: { initialDelayMs: 600_000, maxDelayMs: 600_000 }, random: () => 1 });
  readQuotes(waiting.connection);
  await until(() => expect(waiting.connection.getState().status).toBe('waiting'));
  await waiting.connection.dispose();

  for (const { connection } of [live, connecting, waiting]) expect(connection.getState()).toEqual({ status: 'idle' });
  expect(server.countConnections()).toBe(3);
});

test('who leaves from within a result, with the end already on its way, disturbs nobody else', async () => {
  const { connection } = connect();
  const { prices } = readQuotes(connection);
  await until(() => expect(prices).toEqual([100]));
  server.failures.push({ code: 'BAD_USER_INPUT' });
  const left = vi.fn(() => stop());
  const stop = connection.subscribe(
    { query: 'subscription { trades(symbols: []) { id } }', readVariables: () => ({}) },
    { next: left, fail: () => {}, refuse: () => {}, complete: () => {} },
  );
  await until(() => expect(left).toHaveBeenCalledOnce());
  server.quote(101);
  await until(() => expect(prices).toEqual([100, 101]));
  expect(server.countConnections()).toBe(1);
});

test('a reader that throws is reported as uncaught, and the connection stays', async () => {
  const { connection } = connect();
  const handlers = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  const uncaught = vi.fn();
  process.on('uncaughtException', uncaught);
  try {
    const { prices } = readQuotes(connection);
    const fault = new Error('a fault of the reader');
    connection.subscribe(
      { query: 'subscription { quoteUpdates(symbols: ["AAPL"]) { price } }', readVariables: () => ({}) },
      {
        next: () => {
          throw fault;
        },
        fail: () => {},
        refuse: () => {},
        complete: () => {},
      },
    );
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
