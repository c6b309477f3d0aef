import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DayVolume } from './day-volume.ts';

test('what a bar tells of the day stands for all before its end, prints count from there', () => {
  const day = new DayVolume();
  day.setGranularity(1000);
  day.add(1_500, 10, 2);
  day.add(2_100, 5, 4);
  day.add(2_900, 1, 4);
  expect(day.rebase(2_000, 100, 3, 'bar')).toBe(true);
  expect(day.volume).toBe(106);
  expect(day.vwap).toBeCloseTo((100 * 3 + 6 * 4) / 106, 6);
  day.add(1_900, 50, 1);
  expect(day.volume).toBe(106);
});

test('an older bar is not taken, the same one again is', () => {
  const day = new DayVolume();
  day.rebase(3_000, 100, 1, 'bar');
  expect(day.rebase(2_000, 90, 1, 'bar')).toBe(false);
  expect(day.rebase(3_000, 101, 1, 'bar')).toBe(true);
  expect(day.volume).toBe(101);
});

test('the average price is not known where a base does not tell it, until one does', () => {
  const day = new DayVolume();
  day.add(1_000, 5, 4);
  expect(day.vwap).toBeNaN();
  day.rebase(1_000, 10, null, 'bar');
  expect(day.vwap).toBeNaN();
  day.assumeWhole();
  expect(day.vwap).toBeNaN();
  day.rebase(2_000, 20, 3, 'bar');
  expect(day.vwap).toBe(3);
  day.reset();
  day.add(3_000, 5, 4);
  expect([day.volume, day.vwap]).toEqual([5, 4]);
});

test('fractions of shares add up without the noise of doubles', () => {
  const day = new DayVolume();
  for (let step = 0; step < 1_000; step += 1) day.add(step, 0.1, 1);
  expect(day.volume).toBe(100);
});

test('more times than it remembers: the volume stays exact, and a bar from so long ago is not taken', () => {
  const day = new DayVolume();
  for (let step = 0; step < 2_000; step += 1) day.add(1_000 + step, 1, 2);
  day.add(1_000, 1, 2);
  expect(day.volume).toBe(2_001);
  expect(day.rebase(1_500, 7, 2, 'bar')).toBe(false);
  expect(day.rebase(2_990, 5_000, 2, 'bar')).toBe(true);
  expect(day.volume).toBe(5_010);
});

test('more times than it remembers: what has no time any more is held to be in a snapshot', () => {
  const day = new DayVolume();
  for (let step = 0; step < 2_000; step += 1) day.add(1_000 + step, 1, 2);
  expect(day.rebase(1_001, 5_000, 2, 'snapshot')).toBe(true);
  expect(day.volume).toBeGreaterThanOrEqual(5_000);
  expect(day.volume).toBeLessThan(5_513);
});

test('prints and bars in any order add up to what a recount says', () => {
  const print = fc.record({ time: fc.nat(30_000), size: fc.integer({ min: 1, max: 1_000 }) });
  const bar = fc.record({ second: fc.nat(30), volume: fc.nat(1_000_000) });
  fc.assert(
    fc.property(fc.array(fc.oneof(print, bar), { maxLength: 200 }), (events) => {
      const day = new DayVolume();
      day.setGranularity(1000);
      let base = { time: -Infinity, volume: 0 };
      for (const event of events) {
        if ('size' in event) {
          day.add(event.time, event.size, 1);
        } else {
          const time = event.second * 1_000;
          day.rebase(time, event.volume, 1, 'bar');
          if (time >= base.time) base = { time, volume: event.volume };
        }
      }
      const counted = events.filter((event) => 'size' in event && event.time >= base.time) as { size: number }[];
      expect(day.volume).toBe(base.volume + counted.reduce((sum, { size }) => sum + size, 0));
    }),
  );
});
