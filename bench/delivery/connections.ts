/* New connections while delivery goes on: what those who are there notice. */
import { audienceOf } from '../load/symbols.ts';
import { type Scenario, SkippedError } from './scenario.ts';

const CLIENTS = 1_000;
const WATCHING = { symbols: 500, watchlist: 20 };
const DELIVERIES_PER_SECOND = 20_000;
const NEW_PER_SECOND = 1_000;
/** The new ones watch what is quiet: they add no deliveries. */
const QUIET = { symbols: 500, watchlist: 1, first: WATCHING.symbols };

export const connections: Scenario = {
  name: 'connections',
  title: '1,000 new connections a second beside 20,000 deliveries/s to 1,000 clients',
  contestants: ['tapeql', 'pre-framed'],
  rounds: 1,
  seconds: 4,
  columns: [
    { key: 'p99Alone', title: 'p99 ms without', decimals: 1 },
    { key: 'p99', title: 'p99 ms with', decimals: 1 },
    { key: 'inTime', title: 'delivered in time', isShare: true, decimals: 1 },
    { key: 'newPerSecond', title: 'connected a second' },
    { key: 'connectP99', title: 'p99 ms to connect', decimals: 1 },
    { key: 'serverLoad', title: 'server, of a core', isShare: true },
    { key: 'disturbance', title: 'others on the server’s core', isShare: true },
  ],
  goals: [{ key: 'newPerSecond', sense: 'at least', limit: 0.97 * NEW_PER_SECOND }],
  run: (bed, contestant, { seconds }) => {
    const count = Math.round(NEW_PER_SECOND * seconds);
    if (bed.maxConnections < CLIENTS + count) {
      throw new SkippedError(
        `needs ${CLIENTS + count} connections in a process; ulimit -n allows ${bed.maxConnections}`,
      );
    }
    return bed.run(contestant, QUIET.first + QUIET.symbols, async (arena) => {
      await arena.open(CLIENTS, WATCHING);
      await arena.settle();
      const load = { eventsPerSecond: DELIVERIES_PER_SECOND / audienceOf(CLIENTS, WATCHING), seconds };
      const alone = await arena.measure(load);
      const began = performance.now();
      const [measured, opened] = await Promise.all([
        arena.measure(load),
        arena
          .open(count, QUIET, { group: 'beside', perSecond: NEW_PER_SECOND })
          .then(({ took }) => ({ took, elapsed: performance.now() - began })),
      ]);
      return {
        p99Alone: alone.p99,
        p99: measured.p99,
        inTime: measured.deliveredInTime / measured.offered,
        newPerSecond: (count / opened.elapsed) * 1_000,
        connectP99: opened.took.p99,
        serverLoad: measured.serverLoad,
        disturbance: measured.disturbance,
      };
    });
  },
};
