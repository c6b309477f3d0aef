import { expect, test } from 'vitest';
import { Random, WeightedChoice } from './random.ts';

const draw = (count: number, next: () => number): number[] => Array.from({ length: count }, next);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

test('the same seeds give the same numbers, others give others', () => {
  const numbers = (...seeds: number[]): number[] => {
    const random = new Random(...seeds);
    return draw(20, () => random.next());
  };
  expect(numbers(1, 2)).toEqual(numbers(1, 2));
  for (const other of [[2, 1], [1, 3], [1], [1, 2 + 2 ** 32]]) expect(numbers(...other)).not.toEqual(numbers(1, 2));
});

test('distributions have their means', () => {
  const random = new Random(5);
  const uniform = draw(50_000, () => random.next());
  expect(mean(uniform)).toBeCloseTo(0.5, 1);
  expect(uniform.every((value) => value >= 0 && value < 1)).toBe(true);
  expect(mean(draw(50_000, () => random.exponential(400))) / 400).toBeCloseTo(1, 1);
  const geometric = draw(50_000, () => random.geometric(2.35));
  expect(mean(geometric)).toBeCloseTo(2.35, 1);
  expect(geometric.every((value) => Number.isInteger(value) && value >= 1)).toBe(true);
  expect(random.geometric(1)).toBe(1);
  const normal = draw(50_000, () => random.normal());
  expect(mean(normal)).toBeCloseTo(0, 1);
  expect(mean(normal.map((value) => value * value))).toBeCloseTo(1, 1);
  expect(new Set(draw(1_000, () => random.below(6)))).toEqual(new Set([0, 1, 2, 3, 4, 5]));
});

test('a weighted choice is made by weight', () => {
  const random = new Random(9);
  const choice = new WeightedChoice([1, 2, 7]);
  const counts = [0, 0, 0];
  for (let count = 0; count < 50_000; count += 1) counts[choice.draw(random)]! += 1;
  expect(counts.map((count) => Math.round((count / 50_000) * 10))).toEqual([1, 2, 7]);
  expect(new WeightedChoice([3]).draw(random)).toBe(0);
});
