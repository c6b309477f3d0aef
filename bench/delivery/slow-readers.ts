/* Half of the clients stop reading: what the server keeps for them, and what the others notice. */
import type { Scenario } from './scenario.ts';

const READERS = 10;
const STOPPING = 10;
const WATCHING = { symbols: 50, watchlist: 50 };
const EVENTS_PER_SECOND = 3_000;
/** In measurements. The kernel takes the first four MiB or so of what a client does not read: what comes then is the server's to keep. */
const FILLING = 2;
const STOPPED = 2;

export const slowReaders: Scenario = {
  name: 'S6',
  title: 'slow readers: 10 clients read, 10 stop; 50 symbols each, 3,000 events/s',
  contestants: ['tapeql', 'socket.io', 'raw-ws', 'pre-framed'],
  rounds: 1,
  seconds: 3.5,
  columns: [
    { key: 'p99Alone', title: 'p99 ms before', decimals: 1 },
    { key: 'p99', title: 'p99 ms with', decimals: 1 },
    { key: 'growth', title: 'with / before', decimals: 2 },
    { key: 'inTime', title: 'delivered in time to readers', isShare: true, decimals: 1 },
    { key: 'kibibytes', title: 'KiB more a stopped reader', decimals: 0 },
    { key: 'mebibytes', title: 'MiB more in all', decimals: 1 },
    { key: 'disturbance', title: 'others on the server’s core', isShare: true },
  ],
  goals: [
    { key: 'growth', sense: 'at most', limit: 2 },
    // What waits for ten subscriptions is bounded; a process at work grows a little in any case.
    { key: 'mebibytes', sense: 'at most', limit: 16 },
  ],
  run: (bed, contestant, { seconds }) =>
    bed.run(
      contestant,
      WATCHING.symbols,
      async (arena) => {
        await arena.open(READERS, WATCHING);
        await arena.open(STOPPING, WATCHING, { group: 'beside' });
        await arena.settle();
        const load = { eventsPerSecond: EVENTS_PER_SECOND, seconds };
        await arena.measure(load);
        const alone = await arena.measure(load);
        await arena.server.collectGarbage();
        const before = arena.readResidentBytes();
        await arena.generator.ask('stopReading', { group: 'beside', count: STOPPING });
        await arena.measure({ ...load, seconds: FILLING * seconds });
        const beside = await arena.measure({ ...load, seconds: STOPPED * seconds });
        await arena.server.collectGarbage();
        const grown = arena.readResidentBytes() - before;
        return {
          p99Alone: alone.p99,
          p99: beside.p99,
          growth: beside.p99 / Math.max(1, alone.p99),
          inTime: beside.deliveredInTime / beside.offered,
          kibibytes: grown / 1024 / STOPPING,
          mebibytes: grown / 2 ** 20,
          disturbance: beside.disturbance,
        };
      },
      { isCollectable: true },
    ),
};
