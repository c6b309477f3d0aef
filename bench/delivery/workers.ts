/* Two processes that share the port. Where there are but two cores, the load shares one of them: a look, not a measure of scaling. */
import { audienceOf } from '../load/symbols.ts';
import { NotStartedError } from './contestants.ts';
import { type Scenario, SkippedError } from './scenario.ts';
import type { Measurement } from './test-bed.ts';

const CLIENTS = 2_000;
const WATCHING = { symbols: 500, watchlist: 20 };
const DELIVERIES_PER_SECOND = 40_000;

export const workers: Scenario = {
  name: 'workers',
  title: 'WORKERS=2 against 1, on all cores: 2,000 clients × 20 of 500 symbols, 40,000 deliveries/s',
  contestants: ['tapeql'],
  possible: ['tapeql'],
  rounds: 1,
  seconds: 4,
  columns: [
    { key: 'one', title: '1: CPU µs a delivery', decimals: 1 },
    { key: 'oneInTime', title: '1: delivered in time', isShare: true, decimals: 1 },
    { key: 'oneP99', title: '1: p99 ms', decimals: 1 },
    { key: 'two', title: '2: CPU µs a delivery', decimals: 1 },
    { key: 'twoInTime', title: '2: delivered in time', isShare: true, decimals: 1 },
    { key: 'twoP99', title: '2: p99 ms', decimals: 1 },
    { key: 'isExact', title: '2: each client exactly its own', isShare: true },
  ],
  goals: [],
  run: async (bed, contestant, { seconds }) => {
    const measure = (count: number): Promise<Measurement> =>
      bed.run(
        contestant,
        WATCHING.symbols,
        async (arena) => {
          await arena.open(CLIENTS, WATCHING);
          await arena.settle();
          const eventsPerSecond = DELIVERIES_PER_SECOND / audienceOf(CLIENTS, WATCHING);
          return arena.measure({ eventsPerSecond, seconds });
        },
        { core: null, env: { WORKERS: String(count) } },
      );
    try {
      const two = await measure(2);
      const one = await measure(1);
      return {
        one: one.cpuMicros,
        oneInTime: one.deliveredInTime / one.offered,
        oneP99: one.p99,
        two: two.cpuMicros,
        twoInTime: two.deliveredInTime / two.offered,
        twoP99: two.p99,
        isExact: two.isExact ? 1 : 0,
      };
    } catch (error) {
      if (error instanceof NotStartedError) throw new SkippedError(error.message);
      throw error;
    }
  },
};
