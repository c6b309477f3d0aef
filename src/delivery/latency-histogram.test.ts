import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from './latency-histogram.ts';

const LONGEST_MS = 2 ** 31 / 1000;

/** From a microsecond to longer than it can tell, all magnitudes alike. */
const latency = fc.oneof(
  fc.double({ min: -3, max: 7, noNaN: true }).map((exponent) => 10 ** exponent),
  fc.integer({ min: 0, max: 100 }),
  fc.constantFrom(0, 0.001, 0.015, 0.016, 0.017, 0.031, 0.032, 0.033, LONGEST_MS, 1e9),
);
const recorded = fc.array(fc.tuple(latency, fc.integer({ min: 1, max: 5 })), { minLength: 1, maxLength: 200 });

function fill(values: readonly (readonly [number, number])[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const [ms, times] of values) histogram.record(ms, times);
  return histogram;
}

/** All of them, as often as they were recorded, in order. */
function sort(values: readonly (readonly [number, number])[]): number[] {
  return values.flatMap(([ms, times]) => Array.from({ length: times }, () => ms)).toSorted((a, b) => a - b);
}

/** Half a microsecond is rounded away. */
const ROUNDING = 0.0005 + 1e-9;

describe('a latency histogram', () => {
  it('tells each percentile of what was recorded, never too low, and at most a sixteenth too high', () => {
    fc.assert(
      fc.property(recorded, fc.integer({ min: 1, max: 100 }), (values, percent) => {
        const sorted = sort(values);
        const exact = Math.min(LONGEST_MS, sorted[Math.ceil((sorted.length * percent) / 100) - 1]!);
        const told = fill(values).percentile(percent)!;
        expect(told).toBeGreaterThanOrEqual(Math.min(exact, (2 ** 31 - 1) / 1000) - ROUNDING);
        expect(told).toBeLessThanOrEqual(exact * (1 + 1 / 16) + ROUNDING);
      }),
    );
  });

  it('counts what was at most so long, exact to a sixteenth of it', () => {
    fc.assert(
      fc.property(recorded, latency, (values, limit) => {
        const sorted = sort(values);
        const count = fill(values).countUpTo(limit);
        const atLeast = sorted.filter((ms) => ms <= limit).length;
        const atMost = sorted.filter((ms) => ms <= limit * (1 + 1 / 16) + 2 * ROUNDING).length;
        expect(count).toBeGreaterThanOrEqual(atLeast);
        if (limit < LONGEST_MS / 2) expect(count).toBeLessThanOrEqual(atMost);
      }),
    );
  });

  it('is the sum of its parts', () => {
    fc.assert(
      fc.property(recorded, recorded, (a, b) => {
        const sum = LatencyHistogram.sum(fill(a), fill(b));
        const all = fill([...a, ...b]);
        expect(sum.count).toBe(sort([...a, ...b]).length);
        expect(sum.sumMs).toBeCloseTo(all.sumMs, 3);
        for (const percent of [1, 50, 99, 100]) expect(sum.percentile(percent)).toBe(all.percentile(percent));
      }),
    );
  });

  it('knows nothing where nothing was recorded', () => {
    expect(new LatencyHistogram().percentile(50)).toBeNull();
    expect(LatencyHistogram.sum().percentile(99)).toBeNull();
    expect(new LatencyHistogram().countUpTo(1)).toBe(0);
  });

  it('takes a clock that went back for no time at all', () => {
    const histogram = fill([[-5, 1]]);
    expect(histogram.percentile(50)).toBe(0);
    expect(histogram.countUpTo(0)).toBe(1);
  });
});
