import { expect, onTestFinished, test } from 'vitest';
import { letRun, ManualTime } from '../../test/manual-time.ts';
import { makeQuote } from '../../test/market-samples.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import type { Quote } from '../market/quote.ts';
import { SourceUnavailableError } from '../market/source.ts';
import { Seeder } from './seeder.ts';

function build() {
  const time = new ManualTime(0);
  const { logger, records } = recordingLogger();
  const asked: { readonly at: number; readonly symbols: readonly string[] }[] = [];
  const seeds: [string, number | null][] = [];
  const settled: string[] = [];
  const source = {
    failures: [] as Error[],
    gate: Promise.resolve(),
    async readQuotes(symbols: readonly string[], signal?: AbortSignal): Promise<Map<string, Quote>> {
      asked.push({ at: time.clock(), symbols });
      await source.gate;
      signal?.throwIfAborted();
      const failure = source.failures.shift();
      if (failure !== undefined) throw failure;
      return new Map(symbols.filter((symbol) => symbol !== 'NONE').map((symbol) => [symbol, makeQuote(symbol)]));
    },
  };
  const wanted = { has: (_symbol: string): boolean => true };
  const seeder = new Seeder({
    source,
    timers: time.timers,
    logger,
    isWanted: (symbol) => wanted.has(symbol),
    onSeed: (symbol, seed) => seeds.push([symbol, seed?.price ?? null]),
    onSettled: (symbols) => settled.push(...symbols),
  });
  onTestFinished(() => seeder.close());
  return { time, seeder, source, wanted, asked, seeds, settled, records };
}

test('a symbol that the upstream does not know is told as such', async () => {
  const { seeder, seeds, settled } = build();
  seeder.request(['A', 'NONE']);
  await letRun();
  expect(seeds).toEqual([
    ['A', 100.25],
    ['NONE', null],
  ]);
  expect(settled).toEqual(['A', 'NONE']);
  expect(seeder.readStats()).toMatchObject({ seedsRead: 1, seedsUnknown: 1, seedsWaiting: 0 });
});

test('many symbols are asked in batches, one after another', async () => {
  const { seeder, asked } = build();
  seeder.request(Array.from({ length: 600 }, (_, index) => `S${index}`));
  await letRun();
  expect(asked.map(({ symbols }) => symbols.length)).toEqual([250, 250, 100]);
});

test('indices that cannot be read do not keep stocks waiting', async () => {
  const { seeder, source, asked, seeds, time } = build();
  source.failures = [new Error('no')];
  seeder.request(['I:X', 'A', 'I:Y']);
  await time.advance(1_000);
  expect(asked.map(({ symbols }) => symbols)).toEqual([['I:X', 'I:Y'], ['A'], ['I:X', 'I:Y']]);
  expect(seeds.map(([symbol]) => symbol)).toEqual(['A', 'I:X', 'I:Y']);
});

test('a failure is logged once, settles its symbols, and is tried again with growing delays or when the upstream says', async () => {
  const { seeder, source, asked, seeds, settled, records, time } = build();
  const limited = new SourceUnavailableError('slow down', { retryAfterMs: 20_000 });
  source.failures = [new Error('no'), new Error('no'), limited];
  seeder.request(['A']);
  await letRun();
  expect(settled).toEqual(['A']);
  await time.advance(60_000);
  expect(asked.map(({ at }) => at)).toEqual([0, 1_000, 3_000, 23_000]);
  expect(seeds).toEqual([['A', 100.25]]);
  expect(records).toHaveLength(1);
});

test('a request made while one is under way asks again, for a newer snapshot', async () => {
  const { seeder, source, asked } = build();
  const { promise, resolve } = Promise.withResolvers<void>();
  source.gate = promise;
  seeder.request(['A']);
  seeder.request(['A']);
  resolve();
  await letRun();
  expect(asked).toHaveLength(2);
});

test('what nobody wants any more is not asked', async () => {
  const { seeder, source, asked, wanted, time } = build();
  source.failures = [new Error('no')];
  seeder.request(['A']);
  await letRun();
  wanted.has = () => false;
  await time.advance(60_000);
  expect(asked).toHaveLength(1);
  expect(seeder.readStats().seedsWaiting).toBe(0);
});

test('closing ends a request that is under way', async () => {
  const { seeder, source, seeds, settled, time } = build();
  const { promise, resolve } = Promise.withResolvers<void>();
  source.gate = promise;
  seeder.request(['A', 'B']);
  seeder.close();
  resolve();
  await time.advance(60_000);
  expect([seeds, settled]).toEqual([[], []]);
  expect(time.pendingTimers).toBe(0);
});
