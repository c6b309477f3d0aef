import { describe, expect, it } from 'vitest';
import { growthOf } from './trend.ts';

describe('a trend', () => {
  it('is the rise of the line through all points, whatever the last one is', () => {
    const line = Array.from({ length: 11 }, (_, x) => [x, 100 + 2 * x] as const);
    expect(growthOf(line)).toEqual({ first: 100, change: 20 });
    const { change } = growthOf(line.map(([x, y], index) => [x, index === 10 ? y + 5 : y]));
    expect(change).toBeGreaterThan(20);
    expect(change).toBeLessThan(25);
  });

  it('is none of a single point, and cannot be told of none', () => {
    expect(growthOf([[3, 7]])).toEqual({ first: 7, change: 0 });
    expect(growthOf([]).change).toBeNaN();
  });
});
