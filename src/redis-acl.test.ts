import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Message, RawWebSocket } from '../test/raw-web-socket.ts';
import { startRedis } from '../test/redis.ts';
import { startRedisCluster } from '../test/redis-cluster.ts';
import { startTestTapeql, type TestTapeql } from '../test/tapeql.ts';
import { JWT_SECRET, mintToken } from '../test/tokens.ts';
import { until } from '../test/until.ts';
import { makeWireTrade } from '../test/wire-samples.ts';
import { createRedisStore } from './bus/redis-store.ts';
import { recordingLogger } from '../test/recording-logger.ts';

const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const PASSWORD = 'a-password-of-this-test';

/** The rules that the README gives to the user of one server, or, added to them, of a Cluster. */
function readRules(): { single: string[]; cluster: string[] } {
  const block = /```redis-acl\n([\s\S]*?)```/.exec(README)![1]!.replaceAll('\\\n', ' ');
  const lines = block.split('\n').flatMap((line) => /^ACL SETUSER tapeql (.*)$/.exec(line)?.[1] ?? []);
  const [single = [], more = []] = lines.map((line) => line.trim().split(/\s+/));
  return { single: single.map((rule) => rule.replace('>PASSWORD', `>${PASSWORD}`)), cluster: more };
}

const ask = async (tapeql: TestTapeql, query: string, token: string) => {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  const response = await fetch(tapeql.endpoint, { method: 'POST', headers, body: JSON.stringify({ query }) });
  return (await response.json()) as { data: Record<string, never>; errors?: unknown };
};

/** What the product does with Redis, by the user of that URL. `publish`: as an operator. */
async function runMainPaths(url: string, publish: (channel: string, message: object) => Promise<unknown>) {
  const env = { REDIS_URL: url, JWT_SECRET };
  await using first = await startTestTapeql({ env });
  // A second one has its own exchange, and stands by.
  await using second = await startTestTapeql({ env: { ...env, ROLE: 'api' } });
  const token = await mintToken({ jti: 'revoked-here' });
  const other = await mintToken({ sub: 'ben' });

  await using socket = new RawWebSocket(second.webSocketUrl);
  await socket.opened;
  socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  expect(await socket.next()).toMatchObject({ type: 'connection_ack' });
  const trades = 'subscription ($after: Cursor) { trades(symbols: ["AAPL"], after: $after) { price } }';
  socket.subscribe('trades', trades);
  socket.subscribe('quotes', 'subscription { quoteUpdates(symbols: ["AAPL", "MSFT"]) { price } }');
  socket.subscribe('status', 'subscription { serviceStatus { state redisConnected } }');
  await first.untilWatched(['AAPL', 'MSFT']);
  await second.untilOpen(3);
  first.simulator.push([1, 2, 3].map((p) => makeWireTrade('AAPL', { p })));
  const pricesOf = (of: string): unknown[] =>
    socket.received.flatMap(({ id, payload }) => (id === of ? (payload.data.trades.price as unknown) : []));
  await until(() => expect(pricesOf('trades')).toEqual([1, 2, 3]));
  const after = socket.received.find(({ id }) => id === 'trades')!.payload.extensions.cursor;
  socket.subscribe('resumed', trades, { after });
  await until(() => expect(pricesOf('resumed')).toEqual([2, 3]));
  const has = (matches: (message: Message) => boolean): Promise<void> =>
    until(() => expect(socket.received.some(matches)).toBe(true));
  await has(({ id, payload }) => id === 'quotes' && payload.data.quoteUpdates.price === 3);

  const reads = `{ quotes(symbols: ["AAPL", "IBM"]) { price } indices { price } recentTrades(symbol: "AAPL") { price }
    instruments(search: "A") { symbol } bars(symbol: "AAPL", interval: DAY, from: "2026-01-01T00:00:00Z") { close }
    serviceStatus { redisConnected } }`;
  expect(await ask(second, reads, token)).toMatchObject({ data: { serviceStatus: { redisConnected: true } } });

  await publish('market-data:control', { action: 'pause', data: { reason: 'a test' } });
  await has(({ id, payload }) => id === 'status' && payload.data.serviceStatus.state === 'PAUSED');
  await publish('market-data:control', { action: 'resume' });
  await has(({ id, payload }) => id === 'status' && payload.data.serviceStatus.state === 'OPERATIONAL');

  socket.subscribe('portfolio', 'subscription { portfolio { cash } }');
  await has(({ id }) => id === 'portfolio');
  socket.subscribe('notices', 'subscription { tradeNotifications { __typename } }');
  await second.untilOpen(6);
  const order =
    'mutation { placeOrder(input: { clientOrderId: "1", symbol: "AAPL", side: BUY, quantity: "1" }) { status } }';
  expect(await ask(second, order, token)).toMatchObject({ data: { placeOrder: {} } });
  await has(({ id }) => id === 'notices');

  await publish('access:revocations', { token: 'revoked-here' });
  await has(({ id, type }) => id === 'portfolio' && type === 'error');
  expect(await ask(second, '{ viewer { id } }', other)).toMatchObject({ data: { viewer: { id: 'ben' } } });
  socket.complete('quotes');
  await first.stop();

  // The role of the writer passes on.
  await using heir = await startTestTapeql({ env });
  await until(async () => expect((await heir.readStats())['ingest']).toMatchObject({ isWriter: 1 }));
  for (const tapeql of [first, second, heir]) {
    const told = inspect(tapeql.records, { depth: null, maxArrayLength: null });
    expect(told).not.toContain('NOPERM');
    expect(told).not.toContain(PASSWORD);
  }

  // What an operator does to the cache by a program of his own.
  const store = createRedisStore({ url, logger: recordingLogger().logger });
  await until(() => store.remove(['cache:nothing']));
  await store.removeByPrefix('cache:quote:');
  await store.close();
}

describe('a user of Redis who may do what the README lists, and nothing else', () => {
  it('can do all that is done on one server', async () => {
    const printed = vi.spyOn(console, 'warn');
    onTestFinished(() => printed.mockRestore());
    await using redis = await startRedis();
    const admin = new Redis(redis.url);
    onTestFinished(() => admin.disconnect());
    await admin.call('ACL', 'SETUSER', 'tapeql', 'reset', ...readRules().single);
    const url = redis.url.replace('redis://', `redis://tapeql:${PASSWORD}@`);
    await runMainPaths(url, (channel, message) => admin.publish(channel, JSON.stringify(message)));
    expect(await admin.call('ACL', 'LOG')).toEqual([]);
    expect(printed.mock.calls).toEqual([]);
  });

  it('can do all that is done on a Cluster, with what is listed for one', async () => {
    await using cluster = await startRedisCluster();
    const { single, cluster: more } = readRules();
    for (const { redis } of cluster.nodes) {
      await redis.call('ACL', 'SETUSER', 'tapeql', 'reset', ...single);
      await redis.call('ACL', 'SETUSER', 'tapeql', ...more);
    }
    const url = cluster.url.replaceAll('redis://', `redis://tapeql:${PASSWORD}@`);
    await runMainPaths(url, (channel, message) => cluster.nodes[0]!.redis.publish(channel, JSON.stringify(message)));
    for (const { redis } of cluster.nodes) expect(await redis.call('ACL', 'LOG')).toEqual([]);
  });

  it('is given nothing that is dangerous but INFO, and no command that the product does not name', async () => {
    await using redis = await startRedis();
    const admin = new Redis(redis.url);
    onTestFinished(() => admin.disconnect());
    const dangerous = new Set((await admin.call('ACL', 'CAT', 'dangerous')) as string[]);
    const { single, cluster } = readRules();
    const commands = [...single, ...cluster].flatMap((rule) => /^\+([a-z|]+)$/.exec(rule)?.[1] ?? []);
    expect(commands.length).toBeGreaterThan(30);
    expect(commands.filter((command) => dangerous.has(command))).toEqual(['info']);
    expect([...single, ...cluster].filter((rule) => /^(allkeys|allchannels|~\*|&\*|\+@)/.test(rule))).toEqual([]);
  });
});
