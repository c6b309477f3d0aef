import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventSourceReader } from '../../test/event-source-reader.ts';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { until } from '../../test/until.ts';
import { makeWireQuote, makeWireTrade } from '../../test/wire-samples.ts';
import { decodeCursor } from '../market/log.ts';

const SYMBOLS = ['AAPL', 'MSFT', 'NVDA'];
/** A machine that is busy is not given ever more prints; beyond what is printed while a loss is mended. */
const MAX_UNDER_WAY = 1000;
const TRADES = 'subscription { trades(symbols: ["AAPL", "MSFT", "NVDA"]) { symbol sequence price } }';

type Prints = { readonly printed: number; stop(): number };

type Result = {
  readonly data: { readonly trades: { readonly symbol: string; readonly sequence: number; readonly price: number } };
  readonly extensions: { readonly cursor: string };
};

describe('an api process that loses its Redis', () => {
  let redis: TestRedis;
  let operator: Redis;
  beforeAll(async () => {
    redis = await startRedis();
    operator = new Redis(redis.url, { retryStrategy: () => 20 });
    operator.on('error', () => undefined);
  });
  afterAll(async () => {
    operator?.disconnect();
    await redis?.stop();
  });

  /** The subscribing connections that stand, as soon as one does. */
  async function cutSubscribers(): Promise<void> {
    await expect.poll(() => operator.call('CLIENT', 'KILL', 'TYPE', 'pubsub')).toBeGreaterThan(0);
  }

  /** Prints that go on, numbered by their price, until they are stopped; no faster than they are received, as soon as they can be. */
  function startPrints(tapeql: TestTapeql, countReceived: () => number): Prints {
    let printed = 0;
    const flow = setInterval(() => {
      if (printed - countReceived() > MAX_UNDER_WAY) return;
      tapeql.simulator.push(
        Array.from({ length: 5 }, () => makeWireTrade(SYMBOLS[printed % SYMBOLS.length]!, { p: ++printed })),
      );
    }, 2);
    return {
      get printed() {
        return printed;
      },
      stop() {
        clearInterval(flow);
        return printed;
      },
    };
  }

  /** All prints, each once, those of a symbol in its order, and each at a later place in the log than the one before. */
  function expectWhole(results: readonly Result[], printed: number): void {
    const trades = results.map(({ data }) => data.trades);
    const prices = trades.map(({ price }) => price).toSorted((a, b) => a - b);
    expect(prices).toEqual(Array.from({ length: printed }, (_, index) => index + 1));
    for (const symbol of SYMBOLS) {
      const own = trades.filter((trade) => trade.symbol === symbol).map(({ sequence }) => sequence);
      expect(own).toEqual(own.map((_, index) => own[0]! + index));
    }
    const offsets = results.map(({ extensions }) => decodeCursor(extensions.cursor)!.offset);
    expect(offsets).toEqual([...new Set(offsets)].toSorted((a, b) => a - b));
  }

  const pricesOf = (socket: RawWebSocket): number[] =>
    socket.received.flatMap(({ id, payload }) => (id === 't' ? [payload.data.trades.price as number] : []));

  it.each([
    // The subscribers' connections alone, again and again: everything else goes on.
    [
      'by a cut of the subscriber',
      async () => {
        for (let round = 0; round < 8; round++) await cutSubscribers();
      },
    ],
    [
      'by a cut of every connection',
      async () => {
        await cutSubscribers();
        expect(await operator.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')).toBeGreaterThan(0);
      },
    ],
    ['by a restart that keeps its data', () => redis.restart({ keepData: true })],
    [
      'by a server that does not answer for a while',
      async (prints: Prints) => {
        redis.pause();
        // What is printed meanwhile waits for its answer.
        const before = prints.printed;
        await until(() => expect(prints.printed).toBeGreaterThan(before + 500));
        redis.resume();
      },
    ],
  ])('%s gives its clients every print, once and in order', async (_name, lose) => {
    await using ingest = await startTestTapeql({ env: { REDIS_URL: redis.url } });
    await using api = await startTestTapeql({ env: { REDIS_URL: redis.url, ROLE: 'api' } });
    await using socket = await RawWebSocket.connect(api.webSocketUrl);
    socket.subscribe('t', TRADES);
    await using events = await EventSourceReader.open(api.endpoint, { query: TRADES });
    await api.untilOpen(2);
    await ingest.untilWatched(SYMBOLS);

    const prints = startPrints(ingest, () => pricesOf(socket).length);
    await expect.poll(() => pricesOf(socket).length).toBeGreaterThan(20);
    await lose(prints);
    const before = pricesOf(socket).length;
    await expect.poll(() => pricesOf(socket).length).toBeGreaterThan(before + 200);
    const printed = prints.stop();
    await expect.poll(() => pricesOf(socket).length).toBeGreaterThanOrEqual(printed);

    const results = socket.received.flatMap(({ id, payload }) => (id === 't' ? [payload] : []));
    expectWhole(results, printed);
    const told = [];
    while (told.length < printed) told.push((await events.next()).data);
    expect(told).toEqual(results);
    expect(api.records.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('shows the current quotes at its return, and tells what is away', async () => {
    await using ingest = await startTestTapeql({ env: { REDIS_URL: redis.url } });
    await using api = await startTestTapeql({ env: { REDIS_URL: redis.url, ROLE: 'api' } });
    await using socket = await RawWebSocket.connect(api.webSocketUrl);
    const bid = (): unknown => socket.received.findLast(({ id }) => id === 'q')?.payload.data.quoteUpdates.bid;
    const status = () => socket.received.findLast(({ id }) => id === 's')?.payload.data.serviceStatus;
    socket.subscribe('q', 'subscription { quoteUpdates(symbols: ["AAPL"]) { bid stale } }');
    socket.subscribe('s', 'subscription { serviceStatus { state reason redisConnected } }');
    await api.untilOpen(2);
    await ingest.untilWatched(['AAPL']);
    ingest.simulator.push([makeWireQuote('AAPL', { bp: 10, ap: 99 })]);
    await expect.poll(bid).toBe(10);
    await expect.poll(status).toMatchObject({ state: 'OPERATIONAL' });

    await redis.kill();
    // Not only when ingest has been silent for so long that it counts as away.
    await expect
      .poll(status)
      .toMatchObject({ state: 'DEGRADED', redisConnected: false, reason: expect.stringMatching(/Redis/) });
    expect((await api.query('{ quote(symbol: "AAPL") { price } }')).errors).toBeUndefined();

    await redis.restart();
    await expect.poll(status).toMatchObject({ state: 'OPERATIONAL', reason: null });

    for (let next = 20; next < 23; next++) {
      await cutSubscribers();
      // Published while nobody hears it.
      ingest.simulator.push([makeWireQuote('AAPL', { bp: next, ap: 99 })]);
      await expect.poll(bid).toBe(next);
    }
  });
});
