import { describe, expect, it } from 'vitest';
import { measureWaits, PriceTrail } from './price-trail.ts';

function makeTrail(changes: readonly (readonly [at: number, price: number])[]): PriceTrail {
  const trail = new PriceTrail();
  for (const [at, price] of changes) trail.note(price, at);
  return trail;
}

describe('a trail of prices', () => {
  it('finds the newest change to a price that was known at a time', () => {
    const trail = makeTrail([
      [10, 5],
      [20, 6],
      [25, 6],
      [30, 5],
    ]);
    expect(trail.find(5, 29)).toBe(0);
    expect(trail.find(5, 30)).toBe(2);
    expect(trail.find(6, 40)).toBe(1);
    expect(trail.find(6, 19)).toBeNull();
    expect([1, 2, 3].map((place) => trail.timeOf(place))).toEqual([20, 30, null]);
  });
});

describe('the waits of a viewer', () => {
  it('begin at the first change that was not told, and are due a pace after the frame before', () => {
    const trail = makeTrail([
      [0, 1],
      [1_100, 2],
      [1_900, 3],
      [5_000, 4],
    ]);
    const frames = [
      { at: 1_000, prices: [1] },
      { at: 2_040, prices: [3] },
      { at: 5_150, prices: [4] },
    ];
    expect(measureWaits(frames, [trail], 1_000)).toEqual({ sinceChange: [940, 150], sinceDue: [40, 150] });
  });

  it('are those of each position, and of each frame by its oldest change', () => {
    const trails = [
      makeTrail([
        [0, 1],
        [1_300, 2],
      ]),
      makeTrail([
        [0, 7],
        [1_200, 8],
      ]),
    ];
    const frames = [
      { at: 100, prices: [1, 7] },
      { at: 1_350, prices: [2, 8] },
    ];
    expect(measureWaits(frames, trails, 1_000)).toEqual({ sinceChange: [50, 150], sinceDue: [150] });
  });

  it('are not told of a price whose change nobody has seen', () => {
    const trail = makeTrail([[500, 9]]);
    const frames = [
      { at: 100, prices: [null] },
      { at: 200, prices: [8] },
      { at: 1_300, prices: [9] },
      { at: 2_400, prices: [9] },
    ];
    expect(measureWaits(frames, [trail], 1_000)).toEqual({ sinceChange: [], sinceDue: [] });
  });
});
