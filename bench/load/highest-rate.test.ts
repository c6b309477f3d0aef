import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findHighestRate } from './highest-rate.ts';

/** A server that sustains up to a rate. */
async function search(capacity: number, options: { start?: number; factor?: number; max?: number } = {}) {
  const tried: number[] = [];
  const found = await findHighestRate({
    start: 10_000,
    factor: 4,
    precision: 1.1,
    min: 1_000,
    max: 10_000_000,
    ...options,
    attempt: (rate) => {
      tried.push(rate);
      return Promise.resolve({ isSustained: rate <= capacity });
    },
  });
  return { rate: found?.rate ?? null, tried };
}

describe('findHighestRate', () => {
  it('finds the capacity within the precision that it is told, never above it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1_000, max: 9_000_000 }),
        fc.integer({ min: 1_000, max: 9_000_000 }),
        fc.constantFrom(1.3, 4),
        async (capacity, start, factor) => {
          const { rate } = await search(capacity, { start, factor });
          expect(rate).toBeLessThanOrEqual(capacity);
          expect(rate! * 1.1).toBeGreaterThanOrEqual(capacity * 0.999_999);
        },
      ),
    );
  });

  it('tells that not even the lowest rate is sustained', async () => {
    expect(await search(999)).toEqual({ rate: null, tried: [10_000, 2_500, 1_000] });
  });

  it('stops at the highest rate that makes sense', async () => {
    expect(await search(1e12, { max: 100_000 })).toEqual({ rate: 100_000, tried: [10_000, 40_000, 100_000] });
  });

  it('tries no rate twice, and few', async () => {
    const { tried } = await search(2_000_000);
    expect(new Set(tried).size).toBe(tried.length);
    expect(tried.length).toBeLessThanOrEqual(10);
  });

  it('starts near what is known already, and is not lost where that was far off', async () => {
    expect((await search(2_000_000, { start: 1_900_000, factor: 1.3 })).tried.length).toBeLessThanOrEqual(4);
    expect((await search(2_000_000, { start: 40_000, factor: 1.3 })).tried.length).toBeLessThanOrEqual(11);
  });
});
