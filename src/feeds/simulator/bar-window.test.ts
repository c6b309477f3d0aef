import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BarWindow, formatShares, freezeBar, vwapOf } from './bar-window.ts';

const EVERYTHING = { last: true, highLow: true, volume: true };

test('shares are written as decimals that say exactly what was counted', () => {
  expect([40_000_000, 105_000, 0, 1, 12_500_000].map(formatShares)).toEqual([
    '40.0',
    '0.105',
    '0.0',
    '0.000001',
    '12.5',
  ]);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (micros) => {
      const text = formatShares(micros);
      expect(text).toMatch(/^(0|[1-9]\d*)\.\d{1,6}$/);
      const [whole, fraction] = text.split('.');
      expect(BigInt(whole!) * 1_000_000n + BigInt(fraction!.padEnd(6, '0'))).toBe(BigInt(micros));
    }),
  );
});

test('a bar holds its prices between low and high, and its average price too', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 1e9 })), { minLength: 1 }),
      (trades) => {
        const bar = new BarWindow();
        for (const [cents, micros] of trades) bar.add(cents / 100, micros, EVERYTHING);
        expect([bar.open, bar.close]).toEqual([trades[0]![0] / 100, trades.at(-1)![0] / 100]);
        expect(bar.vwap).toBeGreaterThanOrEqual(bar.low - 1e-4);
        expect(bar.vwap).toBeLessThanOrEqual(bar.high + 1e-4);
        expect(bar.micros).toBe(trades.reduce((sum, [, micros]) => sum + micros, 0));
        expect(vwapOf(freezeBar(bar))).toBe(bar.vwap);
      },
    ),
  );
});

test('what may not set the price makes no bar, what may not count adds no volume', () => {
  const bar = new BarWindow();
  bar.add(10, 5_000_000, { last: false, highLow: true, volume: true });
  expect([bar.exists, bar.averageSize]).toEqual([false, 5]);
  bar.add(11, 7_000_000, { last: true, highLow: true, volume: false });
  expect([bar.exists, bar.open, bar.low, bar.micros]).toEqual([true, 11, 10, 5_000_000]);
  bar.reset(60_000);
  expect([bar.exists, bar.start, bar.vwap, bar.averageSize]).toEqual([false, 60_000, 0, 0]);
});
