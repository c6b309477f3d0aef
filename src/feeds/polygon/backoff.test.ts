import { expect, it } from 'vitest';
import { Backoff } from './backoff.ts';
import { FEED_LIMITS } from './limits.ts';

const lost = { cause: 'lost', livedMs: 0 } as const;
const times = (count: number, make: () => number) => Array.from({ length: count }, make);

it('doubles from half a second to half a minute', () => {
  const backoff = new Backoff(FEED_LIMITS, () => 1);
  expect(times(9, () => backoff.next(lost))).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

it('spreads each wait over all of its bound', () => {
  const draws = [0, 0.5, 0.25];
  const backoff = new Backoff(FEED_LIMITS, () => draws.shift()!);
  expect(times(3, () => backoff.next(lost))).toEqual([0, 500, 500]);
});

it('starts anew only after a connection that lived a minute', () => {
  const backoff = new Backoff(FEED_LIMITS, () => 1);
  times(4, () => backoff.next(lost));
  expect(backoff.next({ cause: 'lost', livedMs: 59_999 })).toBe(8000);
  expect(backoff.next({ cause: 'lost', livedMs: 60_000 })).toBe(500);
  expect(backoff.next(lost)).toBe(1000);
});

it('waits at least a minute where there are too many connections', () => {
  const backoff = new Backoff(FEED_LIMITS, () => 0);
  expect(backoff.next({ cause: 'crowded', livedMs: 10 })).toBe(60_000);
  const late = new Backoff(FEED_LIMITS, () => 0.999);
  times(20, () => late.next(lost));
  expect(late.next({ cause: 'crowded', livedMs: 10 })).toBeCloseTo(89_970);
});

it('stays within its bounds after any number of attempts', () => {
  const backoff = new Backoff(FEED_LIMITS, () => 1);
  times(5000, () => backoff.next(lost));
  expect(backoff.next(lost)).toBe(30_000);
});
