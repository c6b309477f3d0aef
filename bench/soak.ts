/**
 * Visitors who come and go for a long time: `npm run bench -- soak [--minutes 30] [--rate 100] [--held 3000] [--json FILE]`. One
 * api process over Redis, ingest and a simulated exchange; `rate` connections a second, by WebSocket and by server-sent events,
 * to quotes and to prints; some with a document of their own, some read nothing; one leaves for each that comes, in order or by a reset.
 *
 * Looks at the memory of the api every 30 s, after its garbage was collected. From the fifth minute on it may not grow, and when
 * all have left nothing may remain of them: no connection, no subscription, no mailbox, no symbol that is wanted.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { LISTINGS } from '../src/feeds/simulator/listings.ts';
import { startRedis } from '../test/redis.ts';
import { JWT_SECRET, startContestant, startExchange } from './delivery/contestants.ts';
import type { ChurnCommands } from './load/churn-generator.ts';
import { LOAD_CORE, pinProcess, readCpuSeconds, readFileLimit, readResidentBytes, SERVER_CORE } from './load/cores.ts';
import { startServant } from './load/servant.ts';
import { growthOf } from './load/trend.ts';

const SAMPLE_MS = 30_000;
/** Until the code is warm, the caches are full, and the heap has its size. At the most a third of the time. */
const WARM_UP_MS = 5 * 60_000;
/** Of the log, which is kept in Redis. */
const HISTORY_SECONDS = '60';
const EVENTS_PER_SECOND = 300;
const SYMBOLS = LISTINGS.slice(0, 200).map(({ symbol }) => symbol);
const WATCHLIST = 2;
const OTHER_FILES = 200;
/** What the heap may have grown by from the end of the warm-up to the end, and what is resident: of what it was. */
const MAX_HEAP_GROWTH = 0.05;
const MAX_RESIDENT_GROWTH = 0.1;
/** Ingest lets go of a symbol a while after the last who wanted it; a visitor who reads nothing is missed by pings alone. */
const LEAVING_MS = 90_000;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    rate: { type: 'string', default: '100' },
    held: { type: 'string', default: '3000' },
    json: { type: 'string' },
  },
});
const [minutes, perSecond, held] = [values.minutes, values.rate, values.held].map(Number) as [number, number, number];
if (held + OTHER_FILES > readFileLimit()) {
  console.log(`skipped: needs ${held + OTHER_FILES} files open in a process; ulimit -n allows ${readFileLimit()}`);
  process.exit(0);
}

// What runs beside this process ends at its `exit`, which a signal alone does not bring.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
pinProcess(process.pid, LOAD_CORE);
await using redis = await startRedis();
pinProcess(redis.pid, LOAD_CORE);
const client = new Redis(redis.url);
const exchange = await startExchange(redis.url, { symbols: SYMBOLS.length, eventsPerSecond: EVENTS_PER_SECOND });
exchange.startIngest();
const server = await startContestant('tapeql', {
  redisUrl: redis.url,
  core: SERVER_CORE,
  isCollectable: true,
  env: { ...exchange.env, HISTORY_SECONDS },
});
const visitors = startServant<ChurnCommands>(path.join(import.meta.dirname, 'load/churn-generator.ts'), LOAD_CORE);

type Stats = {
  readonly connections: { readonly connections: number; readonly accepted: number };
  readonly subscriptions: { readonly active: number };
  readonly symbolsWanted: number;
  readonly memory: { readonly heapUsed: number; readonly external: number };
  readonly hub: {
    readonly channels: number;
    readonly mailboxes: number;
    readonly messagesWaiting: number;
    readonly slowConsumers: number;
  };
};

/** Of all processes: what each has stated in Redis, and what ingest has made of it. */
async function readDemand() {
  let stated = 0;
  for (const key of await client.keys('demand:process:*')) {
    const { '#version': _, ...counts } = await client.hgetall(key);
    for (const count of Object.values(counts)) stated += Number(count);
  }
  return {
    demandStated: stated,
    symbolsActive: await client.scard('subscriptions:active'),
    symbolsCounted: (await client.keys('subscriptions:count:*')).length,
  };
}

async function takeSample(began: number) {
  await server.collectGarbage();
  const stats = (await (await fetch(`http://127.0.0.1:${server.port}/stats`)).json()) as Stats;
  const { came, troubles } = await visitors.ask('read', undefined);
  return {
    minute: (performance.now() - began) / 60_000,
    came,
    accepted: stats.connections.accepted,
    connections: stats.connections.connections,
    subscriptions: stats.subscriptions.active,
    mailboxes: stats.hub.mailboxes,
    channels: stats.hub.channels,
    messagesWaiting: stats.hub.messagesWaiting,
    slowConsumers: stats.hub.slowConsumers,
    symbolsWanted: stats.symbolsWanted,
    ...(await readDemand()),
    files: readdirSync(`/proc/${server.pid}/fd`).length,
    heapBytes: stats.memory.heapUsed + stats.memory.external,
    residentBytes: readResidentBytes(server.pid),
    cpuSeconds: readCpuSeconds(server.pid),
    troubles,
  };
}
type Sample = Awaited<ReturnType<typeof takeSample>>;

const toMebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
function show(sample: Sample): void {
  const { minute, heapBytes, residentBytes, connections, subscriptions, mailboxes, files, symbolsWanted } = sample;
  console.log(
    `${minute.toFixed(1).padStart(5)} min: heap and buffers ${toMebibytes(heapBytes)} MiB, resident ${toMebibytes(residentBytes)} MiB; ` +
      `${sample.came} came, ${connections} WebSockets, ${subscriptions} subscriptions, ${mailboxes} mailboxes, ${files} files, ` +
      `${symbolsWanted} symbols wanted, ${sample.demandStated} stated in Redis; ${sample.slowConsumers} ended as slow`,
  );
}

const began = performance.now();
const samples: Sample[] = [await takeSample(began)];
show(samples[0]!);
const watching = { symbols: SYMBOLS.length, watchlist: WATCHLIST, names: SYMBOLS };
await visitors.ask('begin', { port: server.port, perSecond, held, watching, secret: JWT_SECRET });
for (let next = SAMPLE_MS; next <= minutes * 60_000; next += SAMPLE_MS) {
  await sleep(Math.max(0, began + next - performance.now()));
  const sample = await takeSample(began);
  samples.push(sample);
  show(sample);
}
const { troubles, words } = await visitors.ask('read', undefined);
await visitors.ask('end', undefined);

const remains = ({ connections, subscriptions, mailboxes, messagesWaiting, symbolsWanted, ...more }: Sample) => ({
  connections,
  subscriptions,
  mailboxes,
  'messages that wait': messagesWaiting,
  'symbols wanted': symbolsWanted,
  'demand stated in Redis': more.demandStated,
  'symbols active in Redis': more.symbolsActive,
  'symbols counted in Redis': more.symbolsCounted,
});
let last: Sample;
const left = performance.now();
do {
  await sleep(1_000);
  last = await takeSample(began);
} while (Object.values(remains(last)).some((count) => count > 0) && performance.now() - left < LEAVING_MS);
show(last);
console.log(`   all have left; nothing to wait for after ${Math.round((performance.now() - left) / 1_000)} s`);

const warmUp = Math.min(WARM_UP_MS / 60_000, minutes / 3);
const measured = samples.filter(({ minute }) => minute >= warmUp);
const heap = growthOf(measured.map(({ minute, heapBytes }) => [minute, heapBytes] as const));
const resident = growthOf(measured.map(({ minute, residentBytes }) => [minute, residentBytes] as const));
const cpu = samples.at(-1)!.cpuSeconds - samples[0]!.cpuSeconds;
const telling = (growth: typeof heap): string =>
  `${toMebibytes(growth.first)} MiB, ${growth.change < 0 ? '' : '+'}${toMebibytes(growth.change)} MiB`;
console.table({
  minutes,
  'connections accepted, WebSocket and SSE': samples.at(-1)!.came,
  'held at a time': held,
  'CPU of the api, of a core': `${((cpu / minutes / 60) * 100).toFixed(0)} %`,
  'ended as slow': samples.at(-1)!.slowConsumers,
  'heap and buffers, after warming up, and its trend until the end': telling(heap),
  'resident, likewise': telling(resident),
  'heap and buffers when all have left': `${toMebibytes(last.heapBytes)} MiB (${toMebibytes(samples[0]!.heapBytes)} before the first)`,
  'files open before the first, and when all have left': `${samples[0]!.files}, ${last.files}`,
  'visitors who were refused or lost': troubles,
});
for (const text of words) console.log(`   ${text}`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ samples, last }, null, 2)}\n`);

const failures = [
  heap.change > heap.first * MAX_HEAP_GROWTH && 'the heap grows',
  resident.change > resident.first * MAX_RESIDENT_GROWTH && 'what is resident grows',
  troubles > 0 && `${troubles} visitors were refused or lost`,
  ...Object.entries(remains(last)).map(([name, count]) => count > 0 && `${count} ${name} when all have left`),
].filter((failure) => failure !== false);
for (const failure of failures) console.error(failure);
await visitors.stop();
await server.stop();
await exchange.stop();
client.disconnect();
await redis.stop();
process.exit(failures.length === 0 ? 0 : 1);
