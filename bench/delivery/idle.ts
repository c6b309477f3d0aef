/* Connections that wait: what each holds, and what it costs to take it. */
import { CONTESTANTS } from './contestants.ts';
import { type Scenario, SkippedError } from './scenario.ts';

const CONNECTIONS = 10_000;
/** They bring the process to its working size: code, pools, the heap's first growth. */
const FIRST = 1_000;
const WATCHING = { symbols: 500, watchlist: 1 };

export const idle: Scenario = {
  name: 'S3',
  title: '10,000 idle connections with a subscription, after 1,000 others',
  contestants: CONTESTANTS,
  rounds: 1,
  seconds: 2,
  columns: [
    { key: 'kibibytes', title: 'KiB resident a connection', decimals: 1 },
    { key: 'connectMicros', title: 'CPU µs to accept, acknowledge and subscribe one', decimals: 0 },
    { key: 'perSecond', title: 'connections/s' },
    { key: 'connectP99', title: 'p99 ms to connect', decimals: 1 },
    { key: 'reached', title: 'reached by an event then', isShare: true },
  ],
  goals: [
    { key: 'kibibytes', sense: 'at most', limit: 1.25, of: 'pre-framed' },
    { key: 'kibibytes', sense: 'at most', limit: 11 },
    { key: 'connectMicros', sense: 'at most', limit: 250 },
  ],
  run: (bed, contestant, { seconds }) => {
    const needed = FIRST + CONNECTIONS;
    if (bed.maxConnections < needed) {
      throw new SkippedError(`needs ${needed} connections in a process; ulimit -n allows ${bed.maxConnections}`);
    }
    return bed.run(
      contestant,
      WATCHING.symbols,
      async (arena) => {
        await arena.open(FIRST, WATCHING);
        await arena.waitForIdle();
        await arena.server.collectGarbage();
        const cpuBefore = await arena.waitForIdle();
        const residentBefore = arena.readResidentBytes();
        const began = performance.now();
        const { took } = await arena.open(CONNECTIONS, WATCHING);
        const elapsed = performance.now() - began;
        const cpu = (await arena.waitForIdle()) - cpuBefore;
        await arena.server.collectGarbage();
        const resident = arena.readResidentBytes() - residentBefore;
        // That all of them are subscribed is seen only when something comes.
        const reached = await arena.measure({ eventsPerSecond: WATCHING.symbols / 2, seconds }, 10_000);
        return {
          kibibytes: resident / 1024 / CONNECTIONS,
          connectMicros: (cpu / CONNECTIONS) * 1e6,
          perSecond: (CONNECTIONS / elapsed) * 1_000,
          connectP99: took.p99,
          reached: reached.delivered / reached.offered,
        };
      },
      { isCollectable: true },
    );
  },
};
