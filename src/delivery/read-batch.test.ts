import { describe, expect, test, vi } from 'vitest';
import { ReadBatch } from './read-batch.ts';

describe('what is asked for in one turn', () => {
  test('is read once, each key once', async () => {
    const read = vi.fn(async (keys: readonly string[]) => new Map(keys.map((key) => [key, key.toLowerCase()])));
    const batch = new ReadBatch(read);
    const [first, second] = await Promise.all([batch.read(['A', 'B']), batch.read(['B', 'C'])]);
    expect(read.mock.calls).toEqual([[['A', 'B', 'C']]]);
    expect([first.get('A'), first.get('B'), second.get('B'), second.get('C')]).toEqual(['a', 'b', 'b', 'c']);
    await batch.read(['A']);
    expect(read).toHaveBeenCalledTimes(2);
  });

  test('is read in several parts where it is much', async () => {
    const read = vi.fn(async (keys: readonly string[]) => new Map(keys.map((key) => [key, key])));
    const batch = new ReadBatch(read);
    const lists = Array.from({ length: 4 }, (_, list) =>
      Array.from({ length: 500 }, (__, index) => `${list}/${index}`),
    );
    const found = await Promise.all(lists.map((keys) => batch.read(keys)));
    expect(read.mock.calls.map(([keys]) => keys.length)).toEqual([1000, 1000]);
    expect(lists.every((keys, list) => keys.every((key) => found[list]!.get(key) === key))).toBe(true);
  });

  test('fails for those alone who ask for what cannot be read', async () => {
    const batch = new ReadBatch(async (keys) => {
      if (keys.includes('BAD')) throw new Error('away');
      return new Map(keys.map((key) => [key, key]));
    });
    const [good, bad] = await Promise.allSettled([batch.read(['A']), batch.read(['BAD'])]);
    expect(good).toMatchObject({ status: 'fulfilled', value: new Map([['A', 'A']]) });
    expect(bad).toMatchObject({ status: 'rejected', reason: new Error('away') });
  });
});
