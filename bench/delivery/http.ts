/* The current quote by HTTP, as a page asks for it: requests a second of one core, and latencies below that. */
import path from 'node:path';
import { LOAD_CORE, readCoreTimes, readCpuSeconds, SERVER_CORE } from '../load/cores.ts';
import type { HttpGeneratorCommands, HttpLoad, HttpResult } from '../load/http-generator.ts';
import { startServant } from '../load/servant.ts';
import { symbolName } from '../load/symbols.ts';
import type { Scenario } from './scenario.ts';

const SYMBOLS = 500;
const CONNECTIONS = 50;
const WARM_UP_SECONDS = 2;
const FIELDS = 'symbol price change changePercent bid ask volume timestamp';
const NAMES = Array.from({ length: SYMBOLS }, (_, index) => symbolName(index));

const ONE = NAMES.map((symbol) =>
  JSON.stringify({ query: `query ($symbol: Symbol!) { quote(symbol: $symbol) { ${FIELDS} } }`, variables: { symbol } }),
);
const ALL = [
  JSON.stringify({
    query: `query ($symbols: [Symbol!]!) { quotes(symbols: $symbols) { ${FIELDS} } }`,
    variables: { symbols: NAMES },
  }),
];

export const http: Scenario = {
  name: 'http',
  title: 'cached quote by HTTP POST, 8 fields; then quotes of 500 symbols, one request at a time',
  contestants: ['tapeql', 'stock'],
  possible: ['tapeql', 'stock'],
  rounds: 1,
  seconds: 4,
  columns: [
    { key: 'perSecond', title: 'requests/s of one core' },
    { key: 'cpuMicros', title: 'CPU µs a request', decimals: 0 },
    { key: 'p50', title: 'p50 ms at half of that', decimals: 2 },
    { key: 'p99', title: 'p99 ms at half of that', decimals: 2 },
    { key: 'allP50', title: '500 symbols: p50 ms', decimals: 1 },
    { key: 'allP99', title: '500 symbols: p99 ms', decimals: 1 },
    { key: 'failures', title: 'failures' },
    { key: 'serverLoad', title: 'server, of a core', isShare: true },
    { key: 'generatorLoad', title: 'generator', isShare: true },
    { key: 'disturbance', title: 'others on the server’s core', isShare: true },
  ],
  goals: [
    { key: 'perSecond', sense: 'at least', limit: 3, of: 'stock' },
    { key: 'p99', sense: 'at most', limit: 5 },
    { key: 'allP99', sense: 'at most', limit: 15 },
  ],
  run: (bed, contestant, { seconds }) =>
    bed.run(contestant, SYMBOLS, async ({ server }) => {
      const file = path.join(import.meta.dirname, '../load/http-generator.ts');
      const generator = startServant<HttpGeneratorCommands>(file, LOAD_CORE);
      try {
        const ask = (load: Pick<HttpLoad, 'bodies' | 'connections' | 'seconds' | 'perSecond'>): Promise<HttpResult> =>
          generator.ask('run', { ...load, port: server.port, path: '/graphql' });
        await ask({ bodies: ONE, connections: CONNECTIONS, seconds: WARM_UP_SECONDS, perSecond: null });
        const before = {
          server: readCpuSeconds(server.pid),
          generator: readCpuSeconds(generator.pid),
          core: readCoreTimes(SERVER_CORE),
        };
        const began = performance.now();
        const full = await ask({ bodies: ONE, connections: CONNECTIONS, seconds, perSecond: null });
        const elapsed = (performance.now() - began) / 1_000;
        const cpu = readCpuSeconds(server.pid) - before.server;
        const core = readCoreTimes(SERVER_CORE);
        const onCore = core.busy + core.stolen - before.core.busy - before.core.stolen;
        const generatorCpu = readCpuSeconds(generator.pid) - before.generator;
        const perSecond = full.answersPerSecond / 2;
        const half = await ask({ bodies: ONE, connections: CONNECTIONS, seconds, perSecond });
        await ask({ bodies: ALL, connections: 1, seconds: WARM_UP_SECONDS / 2, perSecond: null });
        const all = await ask({ bodies: ALL, connections: 1, seconds, perSecond: null });
        const failures = full.failures + half.failures + all.failures;
        if (failures > 0) {
          console.error(`answers that failed: ${[full, half, all].find((one) => one.failures > 0)!.example}`);
        }
        return {
          // Of the core's whole time: what others took of it meanwhile is not the server's.
          perSecond: full.answers / cpu,
          cpuMicros: (cpu / full.answers) * 1e6,
          p50: half.took.p50,
          p99: half.took.p99,
          allP50: all.took.p50,
          allP99: all.took.p99,
          failures,
          serverLoad: cpu / elapsed,
          generatorLoad: generatorCpu / elapsed,
          disturbance: Math.max(0, onCore - cpu) / elapsed,
        };
      } finally {
        await generator.stop();
      }
    }),
};
