import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { medianOf, percentileOf, summarize } from './percentiles.ts';

describe('percentileOf', () => {
  it('is a value that was measured: the smallest that covers the share', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(percentileOf(hundred, 0.5)).toBe(50);
    expect(percentileOf(hundred, 0.99)).toBe(99);
    expect(percentileOf(hundred, 1)).toBe(100);
    expect(percentileOf([7], 0.99)).toBe(7);
    expect(percentileOf([], 0.5)).toBeNaN();
  });

  it('covers at least the share, and no smaller value does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer(), { minLength: 1 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (values, share) => {
          const found = percentileOf(
            values.toSorted((a, b) => a - b),
            share,
          );
          expect(values.filter((value) => value <= found).length).toBeGreaterThanOrEqual(share * values.length - 1e-9);
          expect(values.filter((value) => value < found).length).toBeLessThan(share * values.length + 1e-9);
        },
      ),
    );
  });
});

describe('summarize', () => {
  it('sorts by value, not by text', () => {
    expect(summarize([10, 9, 100, 1])).toEqual({ samples: 4, p50: 9, p99: 100, max: 100 });
  });

  it('tells that there was nothing', () => {
    expect(summarize([])).toEqual({ samples: 0, p50: Number.NaN, p99: Number.NaN, max: Number.NaN });
  });
});

describe('medianOf', () => {
  it('is the middle, or between the two middle ones', () => {
    expect(medianOf([3, 1, 20])).toBe(3);
    expect(medianOf([4, 1, 2, 30])).toBe(3);
    expect(medianOf([2, Number.NaN])).toBe(2);
    expect(medianOf([])).toBeNaN();
  });
});
