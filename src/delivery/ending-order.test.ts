import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventSourceReader } from '../../test/event-source-reader.ts';
import { ManualTimers } from '../../test/manual-time.ts';
import { makeTrade } from '../../test/market-samples.ts';
import { RawFrames } from '../../test/raw-frames.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { startTestTapeql } from '../../test/tapeql.ts';
import { makeWireTrade } from '../../test/wire-samples.ts';
import { tradeChannel } from '../bus/bus.ts';
import { codecs } from '../bus/codec.ts';
import { decodeCursor, encodeCursor } from '../market/log.ts';

const TRADES = 'subscription { trades(symbols: ["AAPL"]) { sequence price } }';

describe('a result and the end of its subscription, heard in one turn,', () => {
  let redis: TestRedis;
  let operator: Redis;
  beforeAll(async () => {
    redis = await startRedis();
    operator = new Redis(redis.url);
  });
  afterAll(async () => {
    operator?.disconnect();
    await redis?.stop();
  });

  it('are told in this order, with the bytes of the result whole and nothing of that id after it', async () => {
    await using tapeql = await startTestTapeql({ env: { REDIS_URL: redis.url } });
    await using raw = await RawFrames.connect(tapeql.webSocketUrl);
    for (const id of ['a', 'b', 'c']) raw.subscribe(id, TRADES);
    await using events = await EventSourceReader.open(tapeql.endpoint, { query: TRADES });
    await tapeql.untilOpen(4);
    await tapeql.untilWatched(['AAPL']);
    tapeql.simulator.push([makeWireTrade('AAPL', { p: 1 })]);
    const first = await raw.nextMessage();
    await raw.nextMessage();
    await raw.nextMessage();
    const { sequence } = first.payload.data.trades;
    const { epoch, offset } = decodeCursor(first.payload.extensions.cursor)!;

    // The next print, and then one of a log that began anew, as one piece on the wire.
    const next = makeTrade('AAPL', offset + 1, { epoch, sequence: sequence + 1, price: 2 });
    const lost = makeTrade('AAPL', offset + 2, { epoch: 'another', sequence: sequence + 2, price: 3 });
    const { name } = tradeChannel('AAPL');
    await operator.multi().publish(name, codecs.trade.encode(next)).publish(name, codecs.trade.encode(lost)).exec();

    const messages = [];
    while (messages.length < 6) messages.push(await raw.nextMessage());
    for (const id of ['a', 'b', 'c']) {
      expect(messages.filter((message) => message.id === id)).toEqual([
        {
          id,
          type: 'next',
          payload: {
            data: { trades: { sequence: sequence + 1, price: 2 } },
            extensions: { cursor: encodeCursor({ epoch, offset: offset + 1 }) },
          },
        },
        {
          id,
          type: 'error',
          payload: [
            {
              message: 'The log was lost, and begins anew.',
              extensions: { code: 'HISTORY_EXPIRED', oldestCursor: expect.any(String) },
            },
          ],
        },
      ]);
    }
    expect((await events.next()).data.data.trades.price).toBe(1);
    expect((await events.next()).data.data.trades.price).toBe(2);
    expect((await events.next()).data.errors[0].extensions.code).toBe('HISTORY_EXPIRED');
    expect((await events.next()).event).toBe('complete');

    // Each id is free again.
    for (const id of ['a', 'b', 'c']) raw.subscribe(id, '{ serviceStatus { feed } }');
    const after = [];
    while (after.length < 6) after.push(await raw.nextMessage());
    for (const id of ['a', 'b', 'c']) {
      expect(after.filter((message) => message.id === id).map(({ type }) => type)).toEqual(['next', 'complete']);
    }
  });
});

it('of several subscriptions on a socket that stops and moves again, each log is whole or ended, and each state is the newest', async () => {
  // The one that stops answers no ping either, and is not to be ended for that.
  const connectionTimers = new ManualTimers();
  const logBounds = { maxEntries: 200, stallMs: 50 };
  await using tapeql = await startTestTapeql({ tuning: { connectionTimers, logBounds } });
  await using stopped = await RawFrames.connect(tapeql.webSocketUrl);
  await using moving = await RawFrames.connect(tapeql.webSocketUrl);
  const alias = 'x'.repeat(2000);
  const logs = Array.from({ length: 10 }, (_, index) => `log ${index}`);
  for (const id of logs)
    stopped.subscribe(id, `subscription { trades(symbols: ["AAPL"]) { sequence ${alias}: price } }`);
  for (const id of ['state 0', 'state 1']) {
    stopped.subscribe(id, `subscription { quoteUpdates(symbols: ["AAPL"]) { price ${alias}: symbol } }`);
  }
  moving.subscribe('m', TRADES);
  await tapeql.untilOpen(13);
  await tapeql.untilWatched(['AAPL']);
  stopped.tcp.pause();

  // Above whatever was current before.
  let price = 10_000;
  const slowConsumers = async (): Promise<number> => (await tapeql.readStats())['hub'].slowConsumers;
  for (let seen = 0; (await slowConsumers()) < logs.length;) {
    expect(price).toBeLessThan(60_000);
    tapeql.simulator.push(Array.from({ length: 50 }, () => makeWireTrade('AAPL', { p: ++price })));
    for (let count = 0; count < 50; count++) {
      expect((await moving.nextMessage()).payload.data.trades.sequence).toBe(++seen);
    }
    const { hub, connections } = await tapeql.readStats();
    // The mark of the socket and what was gathered when it was reached; of the states one quote each.
    expect(connections.backlogBytes).toBeLessThan(1024 * 1024);
    expect(hub.messagesWaiting).toBeLessThanOrEqual(logs.length * 200 + 2);
  }

  stopped.tcp.resume();
  const ends = new Map<string, string>();
  const cursors = new Map<string, string>();
  const sequences = new Map<string, number>();
  const prices = new Map<string, number>();
  while (ends.size < logs.length || [...prices.values()].filter((last) => last === price).length < 2) {
    const { id, type, payload } = await stopped.nextMessage();
    expect(ends.has(id)).toBe(false);
    if (type === 'error') {
      expect(payload[0].extensions).toEqual({ code: 'SLOW_CONSUMER', cursor: cursors.get(id) });
      ends.set(id, payload[0].extensions.code);
    } else if (id.startsWith('log')) {
      expect(payload.data.trades.sequence).toBe((sequences.get(id) ?? 0) + 1);
      sequences.set(id, payload.data.trades.sequence);
      cursors.set(id, payload.extensions.cursor);
    } else {
      // Never an older one; the same price may come again, where something else of the quote has changed.
      expect(payload.data.quoteUpdates.price).toBeGreaterThanOrEqual(prices.get(id) ?? 0);
      prices.set(id, payload.data.quoteUpdates.price);
    }
  }
  // None of them was served at the cost of another.
  const counts = logs.map((id) => sequences.get(id) ?? 0);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(200);
});
