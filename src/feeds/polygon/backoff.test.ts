import { expect, it } from 'vitest';
import { Backoff } from './backoff.ts';
import { FEED_LIMITS } from './limits.ts';

/** Nobody is there. */
const closed = { cause: 'lost', livedMs: 0 } as const;
/** Let in, and cut soon. */
const cut = { cause: 'lost', livedMs: 2000 } as const;
const times = (count: number, make: () => number) => Array.from({ length: count }, make);

it('doubles from half a second to half a minute where connections are cut again and again soon after they stood', () => {
  const backoff = new Backoff(FEED_LIMITS, () => 1);
  expect(times(9, () => backoff.next(cut))).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

it('looks every five seconds at the least for an upstream that lets nobody in', () => {
  const backoff = new Backoff(FEED_LIMITS, () => 1);
  expect(times(6, () => backoff.next(closed))).toEqual([500, 1000, 2000, 4000, 5000, 5000]);
  times(4, () => backoff.next(cut));
  expect(backoff.next(closed)).toBe(5000);
});

it('looks for it as at first when it was let in once more', () => {
  const backoff = new Backoff(FEED_LIMITS, () => 1);
  times(9, () => backoff.next(closed));
  expect([backoff.next(cut), backoff.next(closed)]).toEqual([500, 1000]);
});

it('spreads each wait over all of its bound', () => {
  const draws = [0, 0.5, 0.25];
  const backoff = new Backoff(FEED_LIMITS, () => draws.shift()!);
  expect(times(3, () => backoff.next(cut))).toEqual([0, 500, 500]);
});

it('starts anew after a connection that lived ten seconds: one more cut within a minute is not punished', () => {
  const backoff = new Backoff(FEED_LIMITS, () => 1);
  times(4, () => backoff.next(cut));
  expect(backoff.next({ cause: 'lost', livedMs: 9999 })).toBe(8000);
  expect(times(3, () => backoff.next({ cause: 'lost', livedMs: 10_000 }))).toEqual([500, 500, 500]);
  expect(backoff.next(cut)).toBe(1000);
});

it('waits at least a minute where there are too many connections', () => {
  const backoff = new Backoff(FEED_LIMITS, () => 0);
  expect(backoff.next({ cause: 'crowded', livedMs: 10 })).toBe(60_000);
  const late = new Backoff(FEED_LIMITS, () => 0.999);
  times(20, () => late.next(cut));
  expect(late.next({ cause: 'crowded', livedMs: 0 })).toBeCloseTo(89_970);
});

it('stays within its bounds after any number of attempts', () => {
  const backoff = new Backoff(FEED_LIMITS, () => 1);
  times(5000, () => backoff.next(cut));
  expect([backoff.next(cut), backoff.next(closed)]).toEqual([30_000, 5000]);
});
