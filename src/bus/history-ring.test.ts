import fc from 'fast-check';
import { expect, it } from 'vitest';
import { makeTrade } from '../../test/market-samples.ts';
import { OFFSETS_PER_MS } from '../market/log.ts';
import { HistoryRing } from './history-ring.ts';
import { LAST_ENTRY_MS } from './lifetimes.ts';

const HISTORY_MS = 1_000;
const START = 1_800_000_000_000;
const log = (symbol: string) => ({ kind: 'trade', symbol }) as const;

function makeRing(limits: { maxEntriesPerLog?: number; maxEntries?: number } = {}) {
  const time = { now: START };
  const ring = new HistoryRing({
    historyMs: HISTORY_MS,
    maxEntriesPerLog: 1_000,
    maxEntries: 100_000,
    clock: () => time.now,
    ...limits,
  });
  let counter = 0;
  const append = (symbol: string) => {
    const entry = makeTrade(symbol, time.now * OFFSETS_PER_MS + counter++);
    ring.append(entry);
    return entry;
  };
  return { ring, time, append };
}

it('loses nothing above the floor that it tells, and never its last entry, whatever is appended', () => {
  const steps = fc.array(fc.record({ symbol: fc.constantFrom('A', 'B', 'C'), waitMs: fc.nat(400) }), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 3, max: 40 }), (appends, perLog, total) => {
      const { ring, time, append } = makeRing({ maxEntriesPerLog: perLog, maxEntries: total });
      const all = new Map<string, ReturnType<typeof append>[]>([
        ['A', []],
        ['B', []],
        ['C', []],
      ]);
      let highestCount = 0;
      for (const { symbol, waitMs } of appends) {
        time.now += waitMs;
        all.get(symbol)!.push(append(symbol));
        highestCount = Math.max(highestCount, ring.count);
      }
      expect(highestCount).toBeLessThanOrEqual(Math.max(total, 3));
      for (const [symbol, appended] of all) {
        const floor = ring.readFloor(log(symbol));
        expect(ring.read(log(symbol), { after: floor })).toEqual(appended.filter((entry) => entry.offset > floor));
        expect(ring.read(log(symbol), { after: -1 }).length).toBeLessThanOrEqual(perLog);
        expect(ring.readLast(log(symbol))).toEqual(appended.at(-1) ?? null);
      }
    }),
    { numRuns: 200 },
  );
});

it('gives up the oldest entries of all logs where there is no room, not those of one', () => {
  const { ring, time, append } = makeRing({ maxEntries: 100 });
  append('QUIET');
  for (let index = 0; index < 60; index++) append('OLD');
  time.now += 100;
  for (let index = 0; index < 60; index++) append('NEW');
  expect(ring.count).toBeLessThanOrEqual(100);
  expect(ring.read(log('NEW'), { after: -1 })).toHaveLength(60);
  expect(ring.readLast(log('QUIET'))).not.toBeNull();
  expect(ring.readFloor(log('NEW'))).toBe((time.now - HISTORY_MS) * OFFSETS_PER_MS - 1);
  expect(ring.readFloor(log('OLD'))).toBeGreaterThan((START - 1) * OFFSETS_PER_MS);
});

it('forgets in time what nobody appends to any more', () => {
  const { ring, time, append } = makeRing();
  for (let index = 0; index < 10; index++) append('GONE');
  time.now += 2 * HISTORY_MS;
  append('AAPL');
  expect(ring.count).toBe(2);
  expect(ring.readLast(log('GONE'))).not.toBeNull();
  time.now += LAST_ENTRY_MS + 1;
  append('AAPL');
  expect(ring.readLast(log('GONE'))).toBeNull();
  expect(ring.count).toBe(1);
});
