import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Redis } from 'ioredis';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { startTestTapeql } from '../../test/tapeql.ts';
import { until } from '../../test/until.ts';
import { makeWireQuote, makeWireTrade } from '../../test/wire-samples.ts';

describe('a pause said on market-data:control', () => {
  let redis: TestRedis;
  let operator: Redis;
  beforeAll(async () => {
    redis = await startRedis();
    operator = new Redis(redis.url);
    operator.on('error', () => undefined);
  });
  afterAll(async () => {
    operator?.disconnect();
    await redis?.stop();
  });

  const say = (action: 'pause' | 'resume', reason?: string): Promise<number> =>
    operator.publish('market-data:control', JSON.stringify({ action, data: { reason } }));

  /** So many processes hear what is said: what nobody hears is lost. */
  const untilHeardBy = (processes: number): Promise<void> =>
    until(async () => {
      expect(await operator.call('PUBSUB', 'NUMSUB', 'market-data:control')).toEqual([
        'market-data:control',
        processes,
      ]);
    });

  const statusesOf = (socket: RawWebSocket): unknown[] =>
    socket.received.filter(({ id }) => id === 's').map(({ payload }) => payload.data.serviceStatus);
  const tradesOf = (socket: RawWebSocket, id = 't'): number[] =>
    socket.received
      .filter((message) => message.id === id && message.type === 'next')
      .map(({ payload }) => payload.data.trades.price);

  it('holds every replica’s market events back until resume: prints are delivered then, quotes are the newest', async () => {
    await using first = await startTestTapeql({ env: { REDIS_URL: redis.url } });
    await using second = await startTestTapeql({ env: { REDIS_URL: redis.url, ROLE: 'api' } });
    await using one = await RawWebSocket.connect(first.webSocketUrl);
    await using two = await RawWebSocket.connect(second.webSocketUrl);
    for (const socket of [one, two]) {
      socket.subscribe('s', 'subscription { serviceStatus { state reason } }');
      socket.subscribe('t', 'subscription { trades(symbols: ["AAPL", "MSFT"]) { price } }');
      socket.subscribe('q', 'subscription { quoteUpdates(symbols: ["NVDA"]) { bid } }');
    }
    await first.untilOpen(3);
    await second.untilOpen(3);
    await first.untilWatched(['AAPL', 'MSFT', 'NVDA']);
    first.simulator.push([makeWireTrade('AAPL', { p: 1 })]);
    for (const socket of [one, two]) await expect.poll(() => tradesOf(socket)).toEqual([1]);

    await say('pause', 'exchange halted');
    for (const socket of [one, two]) {
      await expect.poll(() => statusesOf(socket).at(-1)).toEqual({ state: 'PAUSED', reason: 'exchange halted' });
    }
    await one.settle();
    const quotesBefore = one.received.filter(({ id }) => id === 'q').length;
    first.simulator.push([makeWireTrade('AAPL', { p: 2 }), makeWireTrade('MSFT', { p: 3 })]);
    first.simulator.push([makeWireTrade('AAPL', { p: 4 })]);
    for (let bid = 10; bid <= 20; bid++) first.simulator.push([makeWireQuote('NVDA', { bp: bid, ap: 30 })]);
    // Queries keep answering, and they show that all of it has arrived.
    await expect
      .poll(async () => (await first.query('{ recentTrades(symbol: "AAPL", last: 1) { price } }')).data.recentTrades)
      .toEqual([{ price: 4 }]);
    await expect
      .poll(async () => (await first.query('{ quote(symbol: "NVDA") { bid } }')).data.quote)
      .toEqual({ bid: 20 });
    // A subscription that begins meanwhile is accepted and waits, one of a state is told it at once.
    one.subscribe('n', 'subscription { trades(symbols: ["AAPL"]) { price } }');
    one.subscribe('z', 'subscription { serviceStatus { state } }');
    await first.untilOpen(5);
    await one.settle();
    expect(one.received.filter(({ id }) => id === 'z').map(({ payload }) => payload.data.serviceStatus.state)).toEqual([
      'PAUSED',
    ]);
    expect(tradesOf(one)).toEqual([1]);
    expect(one.received.filter(({ id }) => id === 'q')).toHaveLength(quotesBefore);
    first.simulator.push([makeWireTrade('AAPL', { p: 5 })]);

    await say('resume');
    for (const socket of [one, two]) {
      await expect.poll(() => tradesOf(socket)).toEqual([1, 2, 3, 4, 5]);
      await expect.poll(() => socket.received.findLast(({ id }) => id === 'q')?.payload.data.quoteUpdates.bid).toBe(20);
      await expect.poll(() => statusesOf(socket).at(-1)).toEqual({ state: 'OPERATIONAL', reason: null });
    }
    await expect.poll(() => tradesOf(one, 'n')).toEqual([5]);
    // Of what changed meanwhile, the newest alone.
    expect(one.received.filter(({ id }) => id === 'q')).toHaveLength(quotesBefore + 1);
  });

  it('holds for a process that starts while it lasts, and through a Redis that loses its data', async () => {
    await using first = await startTestTapeql({ env: { REDIS_URL: redis.url } });
    const stateOf = async (tapeql: typeof first): Promise<unknown> =>
      (await tapeql.query('{ serviceStatus { state } }')).data.serviceStatus.state;
    await say('pause');
    await expect.poll(() => stateOf(first)).toBe('PAUSED');
    // A start does not wait for long, and what has to reach it may take longer on a busy machine.
    const tuning = { pausePatienceMs: 60_000 };
    await using second = await startTestTapeql({ env: { REDIS_URL: redis.url, ROLE: 'api' }, tuning });
    expect((await second.query('{ serviceStatus { state reason } }')).data.serviceStatus).toEqual({
      state: 'PAUSED',
      reason: 'Market events are paused.',
    });

    await redis.restart();
    await expect.poll(() => operator.get('market-data:control:last')).toContain('pause');
    expect([await stateOf(first), await stateOf(second)]).toEqual(['PAUSED', 'PAUSED']);
    await untilHeardBy(2);
    await say('resume');
    await expect.poll(() => stateOf(second)).not.toBe('PAUSED');
    await expect.poll(() => stateOf(first)).not.toBe('PAUSED');
  });

  it('that is no message of its kind changes nothing', async () => {
    await using tapeql = await startTestTapeql({ env: { REDIS_URL: redis.url } });
    for (const text of ['pause', '{"action":"stop"}', '[]', '{"action":"pause","data":7}']) {
      await operator.publish('market-data:control', text);
    }
    await say('pause', 'the last one');
    await expect
      .poll(async () => (await tapeql.query('{ serviceStatus { reason } }')).data.serviceStatus.reason)
      .toBe('the last one');
    await say('resume');
  });
});
