import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawWebSocket } from '../test/raw-web-socket.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { postOperation, startMain, startQuietExchange, startTestTapeql } from '../test/tapeql.ts';
import { makeWireTrade } from '../test/wire-samples.ts';

describe('while Redis is away', () => {
  let redis: TestRedis;
  beforeAll(async () => void (redis = await startRedis()));
  afterAll(() => redis?.stop());

  const TRADES = 'subscription ($after: Cursor) { trades(symbols: ["AAPL"], after: $after) { price sequence } }';

  it('clients are told and served from memory; what is printed meanwhile is delivered when it is back', async () => {
    await using tapeql = await startTestTapeql({ env: { REDIS_URL: redis.url } });
    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    const statusOf = (): unknown => socket.received.findLast(({ id }) => id === 's')?.payload.data.serviceStatus;
    socket.subscribe('s', 'subscription { serviceStatus { state redisConnected } }');
    socket.subscribe('t', TRADES);
    await tapeql.untilOpen(2);
    await tapeql.untilWatched(['AAPL']);
    await expect.poll(statusOf).toEqual({ state: 'OPERATIONAL', redisConnected: true });
    tapeql.simulator.push([makeWireTrade('AAPL', { p: 1 })]);
    const before = await socket.find(({ id }) => id === 't');
    expect(before.payload.data.trades).toEqual({ price: 1, sequence: 1 });
    const known = await tapeql.query('{ quote(symbol: "MSFT") { price } }');
    expect(known.errors).toBeUndefined();

    await redis.kill();
    await expect.poll(statusOf).toEqual({ state: 'DEGRADED', redisConnected: false });
    const meanwhile = await tapeql.query('{ quote(symbol: "MSFT") { price } indices { price } }');
    expect(meanwhile.errors).toBeUndefined();
    expect(meanwhile.data.quote).toEqual(known.data.quote);
    tapeql.simulator.push([makeWireTrade('AAPL', { p: 2 })]);
    tapeql.simulator.push([makeWireTrade('AAPL', { p: 3 })]);

    await redis.restart();
    await expect.poll(statusOf).toEqual({ state: 'OPERATIONAL', redisConnected: true });
    tapeql.simulator.push([makeWireTrade('AAPL', { p: 4 })]);
    // It came back empty: that the log begins anew is told, and from where. What was printed meanwhile is in it.
    const ended = await socket.find(({ id }) => id === 't');
    expect(ended).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'HISTORY_EXPIRED' } }] });
    socket.subscribe('t', TRADES, { after: ended.payload[0].extensions.oldestCursor });
    const after = [];
    while (after.length < 3) {
      const { id, payload } = await socket.next();
      if (id === 't') after.push(payload.data.trades.price);
    }
    expect(after).toEqual([2, 3, 4]);

    // A place in the log that was is known to be none in the log that is.
    socket.subscribe('r', TRADES, { after: before.payload.extensions.cursor });
    const refused = await socket.find(({ id }) => id === 'r');
    expect(refused.payload.errors).toMatchObject([{ extensions: { code: 'HISTORY_EXPIRED' } }]);
    expect(tapeql.records.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('the system starts, and stops in time', async () => {
    await redis.kill();
    await using exchange = await startQuietExchange();
    await using tapeql = await startMain({ PORT: '0', REDIS_URL: redis.url, ...exchange.env });
    const query = '{ serviceStatus { state redisConnected } }';
    expect((await postOperation(`${tapeql.url}/graphql`, { query })).data.serviceStatus).toEqual({
      state: 'DEGRADED',
      redisConnected: false,
    });
    await using socket = await RawWebSocket.connect(`${tapeql.url}/graphql`.replace('http', 'ws'));
    socket.subscribe('t', TRADES);
    socket.subscribe('q', 'subscription { quoteUpdates(symbols: ["AAPL"]) { price } }');
    await socket.settle();
    tapeql.child.kill('SIGTERM');
    expect((await socket.closed).code).toBe(1001);
    // Where it cannot stop in time it ends itself, with status 1.
    expect(await tapeql.exited).toMatchObject({ status: 0, stderr: '' });
  });
});
