import { expect, it } from 'vitest';
import { createMemoryStore } from './memory-store.ts';

it('keeps an entry until its deadline', async () => {
  let now = 1_000;
  const store = createMemoryStore({ clock: () => now });
  await store.write([{ key: 'a', value: '1', ttlMs: 10 }]);
  now += 10;
  expect(await store.read(['a', 'b'])).toEqual(['1', null]);
  now += 1;
  expect(await store.read(['a'])).toEqual([null]);
});

it('is bounded by number and by bytes, and gives up what was least recently used', async () => {
  const store = createMemoryStore({ maxEntries: 3, maxBytes: 400 });
  const entry = (key: string, size = 1) => ({ key, value: 'x'.repeat(size), ttlMs: 60_000 });
  await store.write([entry('a'), entry('b'), entry('c')]);
  await store.read(['a']);
  await store.write([entry('d')]);
  expect(await store.read(['a', 'b', 'c', 'd'])).toEqual(['x', null, 'x', 'x']);
  await store.write([entry('e', 150)]);
  await store.write([entry('f', 150)]);
  expect((await store.read(['e', 'f'])).map((value) => value?.length ?? null)).toEqual([null, 150]);
  await store.write([entry('g', 1_000)]);
  expect(await store.read(['g'])).toEqual([null]);
});

it('writes only over what the writer has seen, where it says so', async () => {
  const store = createMemoryStore();
  const write = (value: string, expected: string | null) => store.write([{ key: 'a', value, ttlMs: 60_000, expected }]);
  await write('1', '0');
  expect(await store.read(['a'])).toEqual([null]);
  await write('1', null);
  await write('2', null);
  expect(await store.read(['a'])).toEqual(['1']);
  await write('2', '1');
  expect(await store.read(['a'])).toEqual(['2']);
});
