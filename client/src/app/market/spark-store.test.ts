import { beforeEach, expect, it, vi } from 'vitest';
import { createManualClock, type ManualClock } from '../../../testing/manual-clock.ts';
import type { LiveQuote } from './quote-store.ts';
import { createSparkStore, type Spark, type SparkStore } from './spark-store.ts';

type Fetch = { readonly symbol: string; resolve(closes: Spark): void; reject(error: Error): void };

let clock: ManualClock;
let fetches: Fetch[];
let prices: Record<string, number>;
let store: SparkStore;

beforeEach(() => {
  clock = createManualClock();
  fetches = [];
  prices = {};
  store = createSparkStore({
    fetchCloses: (symbol) => {
      const { promise, resolve, reject } = Promise.withResolvers<Spark>();
      fetches.push({ symbol, resolve, reject });
      return promise;
    },
    readQuote: (symbol) => (prices[symbol] === undefined ? undefined : ({ price: prices[symbol] } as LiveQuote)),
    clock,
  });
});

const asked = () => fetches.map(({ symbol }) => symbol);
const settle = () => new Promise((resolve) => setImmediate(resolve));

it('asks for nothing of a row that is scrolled past', () => {
  const stop = store.watch('A', vi.fn());
  clock.advance(200);
  stop();
  clock.advance(10_000);
  expect(asked()).toEqual([]);
  expect(clock.readWaits()).toEqual([]);
});

it('asks once for what stays on the screen, two at a time, the newest first', async () => {
  for (const symbol of ['A', 'B', 'C', 'D']) store.watch(symbol, vi.fn());
  store.watch('A', vi.fn());
  clock.advance(250);
  expect(asked()).toEqual(['A', 'B']);
  fetches[0]!.resolve([1]);
  await settle();
  expect(asked()).toEqual(['A', 'B', 'D']);
});

it('goes on by the quotes: the last point is live, and each minute begins another', async () => {
  const listener = vi.fn();
  store.watch('A', listener);
  clock.advance(250);
  fetches[0]!.resolve([1, 2, 3]);
  await settle();
  expect(store.read('A')).toEqual([1, 2, 3]);
  prices['A'] = 4;
  clock.advance(2000);
  expect(store.read('A')).toEqual([1, 2, 4]);
  const calls = listener.mock.calls.length;
  clock.advance(2000);
  expect(listener).toHaveBeenCalledTimes(calls);
  clock.advance(55_000);
  prices['A'] = 5;
  clock.advance(2000);
  expect(store.read('A')).toEqual([1, 2, 4, 5]);
});

it('begins with the quotes where there is no past', async () => {
  store.watch('A', vi.fn());
  clock.advance(250);
  fetches[0]!.reject(new Error('no bars'));
  await settle();
  prices['A'] = 7;
  clock.advance(59_000);
  prices['A'] = 8;
  clock.advance(2000);
  expect(store.read('A')).toEqual([7, 8]);
});

it('asks again for what was off the screen for long, and not for what was so for a moment', async () => {
  const stop = store.watch('A', vi.fn());
  clock.advance(250);
  fetches[0]!.resolve([1, 2]);
  await settle();
  stop();
  clock.advance(60_000);
  const stopAgain = store.watch('A', vi.fn());
  clock.advance(250);
  expect(asked()).toEqual(['A']);
  stopAgain();
  clock.advance(600_000);
  store.watch('A', vi.fn());
  clock.advance(250);
  expect(asked()).toEqual(['A', 'A']);
});
