import { expect, onTestFinished, test } from 'vitest';
import { letRun, ManualTime } from '../../test/manual-time.ts';
import { overrideBus } from '../../test/override-bus.ts';
import { recordingLogger, type LogRecord } from '../../test/recording-logger.ts';
import type { Bus } from '../bus/bus.ts';
import { createMemoryBus } from '../bus/memory.ts';
import { Demand, type DemandOptions } from './demand.ts';

type House = {
  readonly time: ManualTime;
  readonly bus: Bus;
  readonly demand: Demand;
  /** `+` wanted, `-` unwanted, in the order of the calls. */
  readonly calls: string[];
  readonly totals: Map<string, number>;
  readonly records: LogRecord[];
  readonly set: (process: string, counts: Record<string, number>) => Promise<void>;
};

function build(options: Partial<DemandOptions> = {}, change: (bus: Bus) => Partial<Bus> = () => ({})): House {
  const time = new ManualTime(1_000_000);
  const { logger, records } = recordingLogger();
  const memory = createMemoryBus({ historyMs: 1_000, clock: time.clock, logger });
  const totals = new Map<string, number>();
  const bus = overrideBus(memory, {
    publishDemandTotals: async (changed) => {
      for (const [symbol, count] of changed) totals.set(symbol, count);
    },
    ...change(memory),
  });
  const calls: string[] = [];
  const demand = new Demand({
    bus,
    writer: bus,
    timers: time.timers,
    logger,
    lingerMs: 10_000,
    pinned: [],
    onWanted: (symbols) => calls.push(`+${symbols.join()}`),
    onUnwanted: (symbols) => calls.push(`-${symbols.join()}`),
    ...options,
  });
  onTestFinished(() => demand.close());
  const set = (process: string, counts: Record<string, number>) =>
    memory.setDemand(process, new Map(Object.entries(counts)));
  return { time, bus, demand, calls, totals, records, set };
}

test('what was wanted before the start is known after it, as a sum over processes', async () => {
  const { demand, set, calls, totals } = build();
  await set('one', { A: 2, B: 1 });
  await set('two', { A: 3 });
  await demand.start();
  expect(calls).toEqual(['+A,B']);
  expect(totals).toEqual(
    new Map([
      ['A', 5],
      ['B', 1],
    ]),
  );
});

test('a change while the first reading is under way is not lost', async () => {
  const { promise: gate, resolve } = Promise.withResolvers<void>();
  const { demand, set, calls, time } = build({}, (memory) => ({
    readDemand: async () => {
      const answer = await memory.readDemand();
      await gate;
      return answer;
    },
  }));
  const started = demand.start();
  await letRun();
  await set('one', { A: 1 });
  await letRun();
  expect(calls).toEqual(['+A']);
  resolve();
  await started;
  await time.advance(12_000);
  expect(calls).toEqual(['+A']);
});

test('a symbol leaves with its last subscriber in any process, and its total is 0 then', async () => {
  const { demand, set, calls, totals, time } = build();
  await demand.start();
  await set('one', { A: 1 });
  await set('two', { A: 1 });
  await time.advance(1_000);
  expect(totals.get('A')).toBe(2);
  await set('one', { A: 0 });
  await time.advance(12_000);
  expect(calls).toEqual(['+A']);
  expect(totals.get('A')).toBe(1);
  await set('two', { A: 0 });
  await time.advance(200);
  expect(totals.get('A')).toBe(0);
  await time.advance(12_000);
  expect(calls).toEqual(['+A', '-A']);
  expect(demand.readStats()).toMatchObject({ symbolsWanted: 0, symbolsLingering: 0 });
});

test('the part of a process that died ends within 30 s', async () => {
  const { demand, set, totals, time, calls } = build();
  await demand.start();
  await set('one', { A: 1 });
  await time.advance(29_999);
  expect(totals.get('A')).toBe(0);
  await time.advance(11_000);
  expect(calls).toEqual(['+A', '-A']);
});

test('beyond its bound symbols are refused, counted and logged once; they are served when others leave', async () => {
  const { demand, set, calls, records, time } = build({ maxSymbols: 2, lingerMs: 1_000 });
  await demand.start();
  await set('one', { A: 1, B: 1, C: 1, D: 1 });
  await time.advance(1_000);
  expect(calls).toEqual(['+A,B']);
  expect(demand.readStats().symbolsRefused).toBeGreaterThanOrEqual(2);
  expect(records.filter(({ level }) => level === 'error')).toHaveLength(1);
  await set('one', { A: 0, D: 0 });
  await time.advance(8_000);
  expect(calls).toEqual(['+A,B', '-A', '+C']);
});

test('a bus that cannot be read leaves the last known demand standing, is logged once, and is read again', async () => {
  let isAway = false;
  const { demand, set, calls, records, time } = build({}, (memory) => ({
    readDemand: async () => {
      if (isAway) throw new Error('away');
      return memory.readDemand();
    },
  }));
  await set('one', { A: 1 });
  await demand.start();
  isAway = true;
  await time.advance(20_000);
  expect(calls).toEqual(['+A']);
  expect(records).toHaveLength(1);
  expect(demand.readStats().demandReadFailures).toBeGreaterThan(2);
  isAway = false;
  await set('one', { A: 1, B: 1 });
  await time.advance(5_000);
  expect(calls).toEqual(['+A', '+B']);
});

test('a bus that comes back empty unsubscribes nothing before the processes had time to state anew what they want', async () => {
  let isEmpty = false;
  const { demand, set, calls, time } = build({}, (memory) => ({
    readDemand: async () => (isEmpty ? new Map() : memory.readDemand()),
  }));
  await set('one', { A: 1 });
  await demand.start();
  isEmpty = true;
  demand.resume();
  await time.advance(14_000);
  isEmpty = false;
  await set('one', { A: 1 });
  await time.advance(10_000);
  expect(calls).toEqual(['+A']);
});

test('a bus that is there for the first time is trusted at once', async () => {
  const { demand, set, calls, time } = build();
  demand.resume();
  await demand.start();
  await set('one', { A: 1 });
  await set('one', { A: 0 });
  await time.advance(11_000);
  expect(calls).toEqual(['+A', '-A']);
});

test('totals that could not be told are told later', async () => {
  let failures = 2;
  const told: [string, number][] = [];
  const { demand, set, time } = build({}, () => ({
    publishDemandTotals: async (changed) => {
      failures -= 1;
      if (failures >= 0) throw new Error('away');
      told.push(...changed);
    },
  }));
  await set('one', { A: 1 });
  await demand.start();
  await set('one', { A: 2, B: 1 });
  await time.advance(10_000);
  expect(told).toEqual([
    ['A', 2],
    ['B', 1],
  ]);
});

test('a subscription that fails is tried again with the next reading', async () => {
  let failures = 1;
  const { demand, set, calls, time } = build({}, (memory) => ({
    subscribe: async (channel, listener) => {
      failures -= 1;
      if (failures >= 0) throw new Error('away');
      return memory.subscribe(channel, listener);
    },
  }));
  await demand.start();
  await time.advance(5_000);
  await set('one', { A: 1 });
  await letRun();
  expect(calls).toEqual(['+A']);
});

test('after closing nothing is heard and no timer is left', async () => {
  const { demand, set, calls, time } = build();
  await demand.start();
  await set('one', { A: 1 });
  await time.advance(1_000);
  await set('one', { A: 0 });
  await time.advance(1_000);
  await demand.close();
  await set('one', { B: 1 });
  await time.advance(60_000);
  expect(calls).toEqual(['+A']);
  expect(time.pendingTimers).toBe(0);
});
