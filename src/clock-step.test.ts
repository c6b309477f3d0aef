import { describe, expect, it } from 'vitest';
import { RawWebSocket } from '../test/raw-web-socket.ts';
import { startRedis } from '../test/redis.ts';
import { startTestTapeql } from '../test/tapeql.ts';
import { makeWireTrade } from '../test/wire-samples.ts';
import { decodeCursor, OFFSETS_PER_MS } from './market/log.ts';

const QUOTES = 'subscription { quoteUpdates(symbols: ["AAPL"]) { price } }';
const TRADES = 'subscription { trades(symbols: ["AAPL"]) { sequence price gapBefore cursor } }';
const RESUMED =
  'subscription Resumed($after: Cursor) { trades(symbols: ["AAPL"], after: $after) { sequence price gapBefore } }';

const HOUR_MS = 3_600_000;

describe('the clock of the host', () => {
  it.for([
    { how: 'back by a minute', steps: [-60_000], hasRedis: true },
    { how: 'back by a minute, where there is no Redis', steps: [-60_000], hasRedis: false },
    { how: 'forward by an hour, and back again', steps: [HOUR_MS, 0], hasRedis: true },
    { how: 'forward by an hour, and back again, where there is no Redis', steps: [HOUR_MS, 0], hasRedis: false },
    { how: 'back by an hour, and forward again', steps: [-HOUR_MS, 0], hasRedis: true },
  ])('is set $how: quotes and prints go on, and a reader resumes', async ({ steps, hasRedis }) => {
    let aheadMs = 0;
    const clock = (): number => Date.now() + aheadMs;
    await using redis = hasRedis ? await startRedis() : null;
    await using tapeql = await startTestTapeql({
      env: { QUOTE_INTERVAL_MS: '100', ...(redis !== null && { REDIS_URL: redis.url }) },
      tuning: { clock },
    });
    await using quotes = await RawWebSocket.connect(tapeql.webSocketUrl);
    await using trades = await RawWebSocket.connect(tapeql.webSocketUrl);
    quotes.subscribe('q', QUOTES);
    trades.subscribe('t', TRADES);
    await tapeql.untilOpen(2);
    await tapeql.untilWatched(['AAPL']);
    let price = 1;
    let cursor = '';
    const pushAndExpect = async (): Promise<void> => {
      price += 1;
      tapeql.simulator.push([makeWireTrade('AAPL', { p: price })]);
      const { trades: trade } = (await trades.next()).payload.data;
      expect(trade).toMatchObject({ sequence: price - 1, price, gapBefore: false });
      cursor ||= trade.cursor;
      await quotes.find(({ payload }) => payload.data.quoteUpdates.price === price);
    };
    await pushAndExpect();
    for (const step of steps) {
      const told = tapeql.records.filter(({ message }) => message.includes('clock of this host was set')).length;
      aheadMs = step;
      // Twice: the interval of the first has begun before the step.
      await pushAndExpect();
      await pushAndExpect();
      await expect
        .poll(() => tapeql.records.filter(({ message }) => message.includes('clock of this host was set')).length)
        .toBe(told + 1);
    }
    const status = await tapeql.query('{ serviceStatus { state reason } }');
    expect(status.data.serviceStatus).toEqual({ state: 'OPERATIONAL', reason: null });
    await using resumed = await RawWebSocket.connect(tapeql.webSocketUrl);
    resumed.subscribe('r', RESUMED, { after: cursor });
    for (let sequence = 2; sequence < price; sequence += 1) {
      expect((await resumed.next()).payload.data.trades).toEqual({ sequence, price: sequence + 1, gapBefore: false });
    }
  });

  it('does not number the log, where Redis has one: a writer that is an hour ahead writes what all others can read', async () => {
    await using redis = await startRedis();
    const clock = (): number => Date.now() + HOUR_MS;
    await using ingest = await startTestTapeql({ env: { ROLE: 'ingest', REDIS_URL: redis.url }, tuning: { clock } });
    await using api = await startTestTapeql({ env: { ROLE: 'api', REDIS_URL: redis.url } });
    await using trades = await RawWebSocket.connect(api.webSocketUrl);
    trades.subscribe('t', TRADES);
    await api.untilOpen(1);
    await ingest.untilWatched(['AAPL']);
    ingest.simulator.push([makeWireTrade('AAPL')]);
    const { cursor } = (await trades.next()).payload.data.trades;
    const writtenAt = decodeCursor(cursor)!.offset / OFFSETS_PER_MS;
    expect(Math.abs(writtenAt - Date.now())).toBeLessThan(HOUR_MS / 2);
  });
});
