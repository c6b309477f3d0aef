/*
 * What a cached quote costs, with Redis on loopback: node bench/cache.ts [seconds per row, default 3]
 * Every row is measured through the cache (key, freshness, liveness, decoding), as a resolver uses it. Needs redis-server.
 */
import { createCache } from '../src/bus/cache.ts';
import { marketKinds } from '../src/bus/cache-kinds.ts';
import { createMemoryStore } from '../src/bus/memory-store.ts';
import { createRedisBus } from '../src/bus/redis.ts';
import { createRedisStore } from '../src/bus/redis-store.ts';
import { makeQuote } from '../test/market-samples.ts';
import { recordingLogger } from '../test/recording-logger.ts';
import { startRedis } from '../test/redis.ts';

const SYMBOLS = 500;
const secondsPerRow = Number(process.argv[2] ?? 3);

const { logger } = recordingLogger();
/** It stands still: nothing grows old, however long this runs. */
const startedAt = Date.now();
const clock = () => startedAt;
await using server = await startRedis();
const bus = createRedisBus({ url: server.url, historyMs: 60_000, logger });
const store = createRedisStore({ url: server.url, logger });
const connected = Promise.withResolvers<void>();
const poll = setInterval(() => {
  if (bus.readState().connected && store.readState().connected) connected.resolve();
}, 5);
await connected.promise;
clearInterval(poll);

const symbols = Array.from({ length: SYMBOLS }, (_, index) => `SYM${index}`);
await bus.publishQuotes(
  symbols.map((symbol, index) => makeQuote(symbol, { price: 10 + index / 100, receivedAt: startedAt })),
);
await bus.publishDemandTotals(new Map(symbols.map((symbol) => [symbol, 1])));

const memory = createMemoryStore();
await memory.write(
  symbols.flatMap((symbol) => [
    {
      key: marketKinds.quote.key(symbol),
      value: JSON.stringify(makeQuote(symbol, { receivedAt: startedAt })),
      ttlMs: 3_600_000,
    },
    { key: marketKinds.quote.liveKey(symbol), value: '1', ttlMs: 3_600_000 },
  ]),
);
const overRedis = createCache({ store, fallback: createMemoryStore(), kinds: marketKinds, clock, logger });
const inMemory = createCache({ store: memory, kinds: marketKinds, clock, logger });
type QuoteCache = typeof overRedis;

type Row = {
  readonly name: string;
  readonly cache: QuoteCache;
  /** Symbols per read. */
  readonly size: number;
  readonly readers: number;
  readonly p99GoalMs: number;
};
const rows: Row[] = [
  { name: 'Redis, 1 symbol', cache: overRedis, size: 1, readers: 1, p99GoalMs: 5 },
  { name: 'Redis, 1 symbol', cache: overRedis, size: 1, readers: 50, p99GoalMs: 5 },
  { name: 'Redis, 500 symbols', cache: overRedis, size: 500, readers: 1, p99GoalMs: 15 },
  { name: 'in process, 1 symbol', cache: inMemory, size: 1, readers: 1, p99GoalMs: 5 },
  { name: 'in process, 500 symbols', cache: inMemory, size: 500, readers: 1, p99GoalMs: 15 },
];

/** `readers` readers at a time, each asking again as soon as it is answered. */
async function measure(
  { name, cache, size, readers, p99GoalMs }: Row,
  milliseconds: number,
): Promise<Record<string, unknown>> {
  const took: number[] = [];
  const start = performance.now();
  let next = 0;
  const read = async (): Promise<void> => {
    while (performance.now() - start < milliseconds) {
      const asked = size === SYMBOLS ? symbols : [symbols[next++ % SYMBOLS]!];
      const before = performance.now();
      const answers = await cache.read('quote', asked, () => Promise.reject(new Error('a miss in the benchmark')));
      took.push(performance.now() - before);
      if (answers.size !== size) throw new Error(`${answers.size} answers of ${size}`);
    }
  };
  await Promise.all(Array.from({ length: readers }, read));
  const seconds = (performance.now() - start) / 1_000;
  took.sort((a, b) => a - b);
  const at = (share: number) => Number(took[Math.floor(took.length * share)]!.toFixed(3));
  return {
    'cached quotes': name,
    'at a time': readers,
    'reads/s': Math.round(took.length / seconds),
    'p50 ms': at(0.5),
    'p99 ms': at(0.99),
    'goal ms': p99GoalMs,
  };
}

const table: Record<string, unknown>[] = [];
for (const row of rows) {
  await measure(row, 500); // The first half second is the compiler's.
  const figures = await measure(row, secondsPerRow * 1_000);
  table.push(figures);
  if ((figures['p99 ms'] as number) >= row.p99GoalMs) process.exitCode = 1;
}
console.table(table);
console.log(`hit rate ${(overRedis.readStats()['quote']!.hitRate * 100).toFixed(1)} %`);
if (process.exitCode === 1) console.error('A p99 is above its goal.');
await Promise.all([bus.close(), store.close()]);
