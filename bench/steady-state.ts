/**
 * The whole system as a user runs it, for some time: `node bench/steady-state.ts [seconds, default 20]`. One process over a Redis of
 * its own and the simulated exchange; 100 WebSocket clients with a watchlist of 20 and a tape of 5 symbols each, and readers that
 * ask for 20 quotes at a time over HTTP, 100 times a second. Symbols are asked for by their activity, as people do.
 * Shows the time to the first price, the hit rate of the cache, latencies, memory, and the CPU of the process.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { LISTINGS } from '../src/feeds/simulator/listings.ts';
import { startRedis } from '../test/redis.ts';

const CLIENTS = 100;
const WATCHLIST = 20;
const TAPE = 5;
const READS_PER_SECOND = 100;
const HIT_RATE_GOAL = 0.95;
const seconds = Number(process.argv[2] ?? 20);

await using redis = await startRedis();
const startedAt = performance.now();
const child = spawn(process.execPath, [path.join(import.meta.dirname, '../src/main.ts')], {
  env: {
    ...process.env,
    REDIS_URL: redis.url,
    PORT: '0',
    HOST: '127.0.0.1',
    FEED: 'simulated',
    LOG_LEVEL: 'info',
    // All clients come from one address.
    MAX_CONNECTIONS_PER_USER: '1000',
    RATE_LIMITS: 'market=1000000,http=1000000',
  },
  stdio: ['ignore', 'pipe', 'inherit'],
});
process.once('exit', () => child.kill('SIGKILL'));
let url = '';
for await (const line of createInterface({ input: child.stdout })) {
  const record = JSON.parse(line) as { url?: string };
  if (record.url === undefined) continue;
  url = record.url;
  break;
}
child.stdout.resume();

// Zipf-like over the listings, which stand in the order of their activity.
let state = 7;
const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
const symbols = LISTINGS.map(({ symbol }) => symbol);
const pick = (count: number): string[] => {
  const picked = new Set<string>();
  while (picked.size < count) picked.add(symbols[Math.floor(random() ** 2.5 * symbols.length)]!);
  return [...picked];
};

const clients = Array.from({ length: CLIENTS }, () =>
  createClient({ url: `${url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket }),
);
let delivered = 0;
/** From ingest's read of the frame to the client's of the message, in ms, by field. */
const delays: Record<string, number[]> = { quoteUpdates: [], trades: [] };
let firstPriceMs: number | null = null;
function subscribe(client: (typeof clients)[number], query: string, symbols: readonly string[]): void {
  client.subscribe<Record<string, { receivedAt: string }>>(
    { query, variables: { symbols } },
    {
      next: ({ data }) => {
        delivered++;
        firstPriceMs ??= performance.now() - startedAt;
        for (const [field, event] of Object.entries(data ?? {}))
          delays[field]?.push(Date.now() - Date.parse(event.receivedAt));
      },
      error: (error) => console.error('a subscription failed', error),
      complete: () => undefined,
    },
  );
}
for (const client of clients) {
  subscribe(
    client,
    'subscription ($symbols: [Symbol!]!) { quoteUpdates(symbols: $symbols) { symbol price bid ask change changePercent volume receivedAt } }',
    pick(WATCHLIST),
  );
  subscribe(
    client,
    'subscription ($symbols: [Symbol!]!) { trades(symbols: $symbols) { symbol price size sequence receivedAt } }',
    pick(TAPE),
  );
}

const took: number[] = [];
const pending = new Set<Promise<void>>();
async function read(): Promise<void> {
  const before = performance.now();
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      query:
        'query ($symbols: [Symbol!]!) { quotes(symbols: $symbols) { symbol price bid ask change changePercent volume timestamp } }',
      variables: { symbols: pick(20) },
    }),
  });
  const { data } = (await response.json()) as { data: { quotes: unknown[] } };
  if (data.quotes.length !== 20) throw new Error('an answer of another length');
  took.push(performance.now() - before);
}
const reading = setInterval(() => {
  const one = read().finally(() => pending.delete(one));
  pending.add(one);
}, 1000 / READS_PER_SECOND);

type Stats = {
  cache: { hits: number; misses: number; readMs: { p50: number; p99: number } };
  memory: { rss: number };
};
const readStats = async (): Promise<Stats> => (await fetch(`${url}/stats`)).json() as Promise<Stats>;
/** User and system time of the process, its simulated exchange included; 100 ticks a second. */
function readCpuSeconds(): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

await sleep(10_000); // Until every cold symbol has been asked for once.
for (const list of [took, ...Object.values(delays)]) list.length = 0;
const before = { stats: await readStats(), cpu: readCpuSeconds(), delivered, at: performance.now() };
await sleep(seconds * 1000);
const after = { stats: await readStats(), cpu: readCpuSeconds(), delivered, at: performance.now() };
clearInterval(reading);
await Promise.all(pending);

const elapsed = (after.at - before.at) / 1000;
const hits = after.stats.cache.hits - before.stats.cache.hits;
const misses = after.stats.cache.misses - before.stats.cache.misses;
const hitRate = hits / (hits + misses);
const show = (values: readonly number[]): string => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): string => sorted[Math.floor(sorted.length * share)]!.toFixed(1);
  return `p50 ${at(0.5)}, p99 ${at(0.99)}`;
};
console.table({
  'first price after the process started, s': ((firstPriceMs ?? Number.NaN) / 1000).toFixed(2),
  'deliveries/s': Math.round((after.delivered - before.delivered) / elapsed),
  'cache hit rate': `${(hitRate * 100).toFixed(1)} % of ${hits + misses}`,
  'cached read of 20 quotes, ms': `p50 ${after.stats.cache.readMs.p50.toFixed(2)}, p99 ${after.stats.cache.readMs.p99.toFixed(2)}`,
  'quotes of 20 symbols over HTTP, ms': show(took),
  'a print, from the read of its frame to the client, ms': show(delays['trades']!),
  'a quote, likewise (published every 100 ms at most)': show(delays['quoteUpdates']!),
  'CPU of the process, the exchange included': `${(((after.cpu - before.cpu) / elapsed) * 100).toFixed(0)} % of a core`,
  'resident memory, MiB': Math.round(after.stats.memory.rss / 2 ** 20),
});
if (hitRate <= HIT_RATE_GOAL) {
  console.error(`The hit rate is not above ${HIT_RATE_GOAL * 100} %.`);
  process.exitCode = 1;
}
for (const client of clients) await client.dispose();
child.kill('SIGTERM');
await once(child, 'exit');
