/* One quote of eight fields to each subscriber, at a given rate: what a delivery costs, and whether all arrive. */
import { audienceOf, type Watching } from '../load/symbols.ts';
import { CONTESTANTS } from './contestants.ts';
import { figuresOf, MEASUREMENT_COLUMNS, type Scenario } from './scenario.ts';

type Shape = { readonly clients: number; readonly watching: Watching; readonly deliveriesPerSecond: number };

function defineFanOut(
  head: Pick<Scenario, 'name' | 'title' | 'goals'>,
  { clients, watching, deliveriesPerSecond }: Shape,
): Scenario {
  return {
    ...head,
    contestants: CONTESTANTS,
    seconds: 4,
    columns: MEASUREMENT_COLUMNS,
    run: (bed, contestant, { seconds }) =>
      bed.run(contestant, watching.symbols, async (arena) => {
        await arena.open(clients, watching);
        await arena.settle();
        const eventsPerSecond = deliveriesPerSecond / audienceOf(clients, watching);
        return figuresOf(await arena.measure({ eventsPerSecond, seconds }));
      }),
  };
}

const ALL_ARRIVE = { key: 'isExact', sense: 'at least', limit: 1 } as const;

export const broadcast = defineFanOut(
  {
    name: 'S1',
    title: 'broadcast: 1,000 clients on 1 symbol, 100 events/s',
    goals: [
      { key: 'cpuMicros', sense: 'at most', limit: 1, of: 'pre-framed' },
      ALL_ARRIVE,
      { key: 'p99', sense: 'at most', limit: 1, of: 'pre-framed' },
    ],
  },
  { clients: 1_000, watching: { symbols: 1, watchlist: 1 }, deliveriesPerSecond: 100_000 },
);

export const watchlists = defineFanOut(
  {
    name: 'S2',
    title: 'watchlists: 2,000 clients × 20 of 500 symbols, 40,000 deliveries/s',
    goals: [{ key: 'cpuMicros', sense: 'at most', limit: 1, of: 'pre-framed' }, ALL_ARRIVE],
  },
  { clients: 2_000, watching: { symbols: 500, watchlist: 20 }, deliveriesPerSecond: 40_000 },
);

export const personal = defineFanOut(
  {
    name: 'S5',
    title: 'personal: 5,000 clients, each its own symbol, 5,000 events/s',
    goals: [{ key: 'cpuMicros', sense: 'at most', limit: 1.1, of: 'pre-framed' }, ALL_ARRIVE],
  },
  { clients: 5_000, watching: { symbols: 5_000, watchlist: 1 }, deliveriesPerSecond: 5_000 },
);

const CROWDS = [1_000, 5_000, 20_000] as const;
const FLAT_PER_SECOND = 40_000;

/** The same number of deliveries to ever more clients. */
export const flat: Scenario = {
  name: 'flat',
  title: 'cost of a delivery as clients grow: broadcast, 40,000 deliveries/s, CPU µs',
  contestants: ['tapeql', 'pre-framed'],
  rounds: 1,
  seconds: 4,
  columns: [
    ...CROWDS.map((clients) => ({
      key: `at${clients}`,
      title: `${clients.toLocaleString('en')} clients`,
      decimals: 1,
    })),
    { key: 'growth', title: 'highest / lowest', decimals: 2 },
    { key: 'most', title: 'clients at the most' },
    { key: 'delivered', title: 'delivered, at worst', isShare: true, decimals: 1 },
    { key: 'disturbance', title: 'others on the server’s core', isShare: true },
  ],
  goals: [{ key: 'growth', sense: 'at most', limit: 1.25 }],
  run: async (bed, contestant, { seconds }) => {
    const figures: Record<string, number> = { delivered: 1, disturbance: 0 };
    for (const crowd of CROWDS) {
      const clients = Math.min(crowd, bed.maxConnections);
      if (clients < crowd)
        console.log(`   a process may open ${bed.maxConnections} connections here (ulimit -n): not ${crowd}`);
      const watching = { symbols: 1, watchlist: 1 };
      const measured = await bed.run(contestant, 1, async (arena) => {
        await arena.open(clients, watching);
        await arena.settle();
        return arena.measure({ eventsPerSecond: FLAT_PER_SECOND / clients, seconds });
      });
      figures[`at${crowd}`] = measured.cpuMicros;
      figures['most'] = clients;
      figures['delivered'] = Math.min(figures['delivered']!, measured.delivered / measured.offered);
      figures['disturbance'] = Math.max(figures['disturbance']!, measured.disturbance);
    }
    const costs = CROWDS.map((crowd) => figures[`at${crowd}`]!);
    return { ...figures, growth: Math.max(...costs) / Math.min(...costs) };
  },
};
