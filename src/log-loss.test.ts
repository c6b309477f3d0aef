import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { RawWebSocket } from '../test/raw-web-socket.ts';
import { startRedis } from '../test/redis.ts';
import { startTestTapeql } from '../test/tapeql.ts';
import { makeWireTrade } from '../test/wire-samples.ts';

const TRADES = 'subscription { trades(symbols: ["AAPL"]) { sequence cursor } }';
const RESUMED = 'subscription Resumed($after: Cursor) { trades(symbols: ["AAPL"], after: $after) { sequence } }';

describe('a log that is removed from Redis alone', () => {
  it('is told to a reader that resumes', async () => {
    await using redis = await startRedis();
    await using tapeql = await startTestTapeql({ env: { REDIS_URL: redis.url } });
    await using trades = await RawWebSocket.connect(tapeql.webSocketUrl);
    trades.subscribe('t', TRADES);
    await tapeql.untilOpen(1);
    await tapeql.untilWatched(['AAPL']);
    let cursor = '';
    for (let sequence = 1; sequence <= 20; sequence += 1) {
      tapeql.simulator.push([makeWireTrade('AAPL')]);
      const { trades: trade } = (await trades.next()).payload.data;
      expect(trade.sequence).toBe(sequence);
      cursor ||= trade.cursor;
    }
    const operator = new Redis(redis.url);
    await operator.unlink('history:{AAPL}:trades');
    operator.disconnect();
    await using resumed = await RawWebSocket.connect(tapeql.webSocketUrl);
    resumed.subscribe('r', RESUMED, { after: cursor });
    tapeql.simulator.push([makeWireTrade('AAPL')]);
    const told = await resumed.next();
    expect(told.type).toBe('error');
    expect(told.payload[0].extensions).toMatchObject({ code: 'HISTORY_EXPIRED', oldestCursor: expect.any(String) });
  });
});
