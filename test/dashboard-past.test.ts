import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BarHistory } from '../client/src/app/symbol/bar-history.ts';
import { createTapeClient, type TapeClient } from '../client/src/graphql/tape-client.ts';
import { startTestTapeql, type TestTapeql } from './tapeql.ts';

/** A Sunday: the last trade was on Friday, at 20:00 in New York. */
const NOW = Date.parse('2026-11-15T17:00:00Z');
const FRIDAY_EVENING = Date.parse('2026-11-14T01:00:00Z');
const now = (): number => NOW;

let tapeql: TestTapeql;
let client: TapeClient;

beforeAll(async () => {
  tapeql = await startTestTapeql({ simulator: { newYorkHours: true, clock: { now } }, tuning: { clock: now } });
  client = createTapeClient({ url: tapeql.endpoint, token: null });
});
afterAll(async () => {
  await client?.dispose();
  await tapeql?.[Symbol.asyncDispose]();
});

describe('the past of a chart', () => {
  it('is found beyond a closed market, and read on backwards from there', async () => {
    const history = new BarHistory(client, 'AAPL', 'MINUTE', now);
    const piece = await history.readNewest();
    if (piece.error !== null) throw piece.error;
    expect(piece.candles.at(-1)!.end).toBeLessThanOrEqual(FRIDAY_EVENING);
    expect(piece.candles.at(-1)!.end).toBeGreaterThan(FRIDAY_EVENING - 1_800_000);
    const first = piece.candles[0]!;
    const older = await history.readBefore(first.start);
    if (older.error !== null) throw older.error;
    expect(older.candles.length).toBeGreaterThan(300);
    expect(older.candles.at(-1)!.end).toBeLessThanOrEqual(first.start);
    expect(older.isFirst).toBe(false);
  });

  it('ends where there is none before', async () => {
    const history = new BarHistory(client, 'AAPL', 'DAY', now);
    const piece = await history.readBefore(Date.parse('2020-01-01T00:00:00Z'));
    expect(piece).toEqual({ candles: [], isFirst: true, error: null });
    const unknown = await new BarHistory(client, 'NOSUCH', 'MINUTE', now).readNewest();
    expect(unknown).toEqual({ candles: [], isFirst: true, error: null });
  });

  it('is read again from a candle on', async () => {
    const history = new BarHistory(client, 'AAPL', 'HOUR', now);
    const start = FRIDAY_EVENING - 3 * 3_600_000;
    const piece = await history.readSince(start);
    if (piece.error !== null) throw piece.error;
    expect(piece.candles.map((candle) => candle.start)).toEqual([0, 1, 2].map((hours) => start + hours * 3_600_000));
  });
});
