/**
 * Readers that stop: `node bench/firehose.ts [seconds, default 5]`. 20,000 events a second, 25 clients that read the quotes of a
 * watchlist and the prints of a few symbols; then 25 more that want everything and never read. The memory of the server may
 * grow by the sum of what it promises to keep for these, and the readers may not notice them much.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { LISTINGS } from '../src/feeds/simulator/listings.ts';
import { readUrls, startProcess } from './processes.ts';

const EVENTS_PER_SECOND = 20_000;
const READERS = 25;
const STOPPED = 25;
const WATCHLIST = 20;
const TAPE = 2;
const SYMBOLS = LISTINGS.slice(0, 50).map(({ symbol }) => symbol);
/** What waits for one subscription holds no more. */
const BOUND_BYTES = 256 * 1024;
/** By which the memory of a process at work grows otherwise: it remembers the ids of half a million prints. */
const NOISE_BYTES = 40 * 2 ** 20;
const P99_RATIO_GOAL = 2;
const WARM_UP_MS = 4_000;
const CYCLES = 3;
const seconds = Number(process.argv[2] ?? 5);

const QUOTES =
  'subscription ($symbols: [Symbol!]!) { data: quoteUpdates(symbols: $symbols) { symbol price receivedAt } }';
const TRADES =
  'subscription ($symbols: [Symbol!]!) { data: trades(symbols: $symbols) { symbol price size receivedAt } }';

const simulator = startProcess([
  'src/feeds/simulator/cli.ts',
  '--port=0',
  '--symbols=50',
  `--rate=${EVENTS_PER_SECOND}`,
]);
const [wsUrl, restUrl] = await readUrls(simulator, ['WebSocket', 'REST']);
// A signal collects its garbage, so that what is measured is what it holds.
const collect = 'data:text/javascript,process.on("SIGUSR2", () => globalThis.gc())';
const server = startProcess(['--expose-gc', '--import', collect, 'src/main.ts'], {
  FEED: 'simulated',
  POLYGON_API_KEY: 'bench',
  POLYGON_WS_URL: wsUrl!,
  POLYGON_REST_URL: restUrl!,
  PORT: '0',
  HOST: '127.0.0.1',
  MAX_CONNECTIONS_PER_USER: '1000',
  RATE_LIMITS: 'market=1000000,http=1000000',
  // The log itself, which is bounded by time, is to be at its size before anything is measured.
  HISTORY_SECONDS: '1',
});
const [url] = await readUrls(server, ['TapeQL is at']);

type Stats = {
  readonly hub: { readonly messagesWaiting: number; readonly bytesWaiting: number; readonly slowConsumers: number };
  readonly memory: { readonly rss: number; readonly heapUsed: number; readonly external: number };
};
const readStats = async (): Promise<Stats> => (await (await fetch(`${url}/stats`)).json()) as Stats;

async function readMemory(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let time = 0; time < 3; time += 1) {
    server.kill('SIGUSR2');
    const { memory } = await readStats();
    least = Math.min(least, memory.heapUsed + memory.external);
  }
  return least;
}

let took: number[] = [];

async function connect(): Promise<WebSocket> {
  const socket = new WebSocket(`${url!.replace('http', 'ws')}/graphql`, ['graphql-transport-ws']);
  await once(socket, 'open');
  socket.send('{"type":"connection_init"}');
  await once(socket, 'message');
  return socket;
}

function subscribe(socket: WebSocket, id: string, query: string, symbols: readonly string[]): void {
  socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query, variables: { symbols } } }));
}

async function openReader(number: number): Promise<void> {
  const socket = await connect();
  const from = number * TAPE;
  const twice = [...SYMBOLS, ...SYMBOLS];
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as {
      type: string;
      payload?: { data?: { data: { receivedAt: string } } };
    };
    if (message.type === 'ping') socket.send('{"type":"pong"}');
    const receivedAt = message.payload?.data?.data.receivedAt;
    if (receivedAt !== undefined) took.push(Date.now() - Date.parse(receivedAt));
  });
  subscribe(socket, 'quotes', QUOTES, twice.slice(number, number + WATCHLIST));
  subscribe(socket, 'trades', TRADES, twice.slice(from, from + TAPE));
}

async function openStopped(): Promise<WebSocket> {
  const socket = await connect();
  subscribe(socket, 'quotes', QUOTES, SYMBOLS);
  subscribe(socket, 'trades', TRADES, SYMBOLS);
  (socket as unknown as { _socket: Socket })._socket.pause();
  return socket;
}

type Phase = {
  readonly readers: string;
  readonly deliveriesPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly memory: number;
  readonly stats: Stats;
};

async function measure(readers: string): Promise<Phase> {
  took = [];
  await sleep(seconds * 1_000);
  const sorted = took.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  const stats = await readStats();
  const deliveriesPerSecond = Math.round(sorted.length / seconds);
  return { readers, deliveriesPerSecond, p50: at(0.5), p99: at(0.99), memory: await readMemory(), stats };
}

/** Until all that stopped are ended, or have had time enough for it. */
async function untilEnded(slowConsumers: number): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if ((await readStats()).hub.slowConsumers >= slowConsumers) return;
    await sleep(200);
  }
}

await Promise.all(Array.from({ length: READERS }, (_, number) => openReader(number)));
await sleep(WARM_UP_MS);
const phases: Phase[] = [];
for (let cycle = 1; cycle <= CYCLES; cycle += 1) {
  phases.push(await measure('alone'));
  const stopped = await Promise.all(Array.from({ length: STOPPED }, openStopped));
  phases.push(await measure('beside 25 that stop'));
  await untilEnded(cycle * STOPPED);
  phases.push(await measure('beside 25 that have stopped'));
  for (const socket of stopped) socket.terminate();
  await sleep(1_000);
}

const toMebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
console.table(
  phases.map(({ readers, deliveriesPerSecond, p50, p99, memory, stats }) => ({
    '25 readers': readers,
    'deliveries/s': deliveriesPerSecond,
    'p50 ms': p50,
    'p99 ms': p99,
    'heap and buffers, MiB': toMebibytes(memory),
    'resident, MiB': toMebibytes(stats.memory.rss),
    'waiting, messages': stats.hub.messagesWaiting,
    'waiting, KiB': Math.round(stats.hub.bytesWaiting / 1024),
    'ended as slow': stats.hub.slowConsumers,
  })),
);
/** Of the cycles: what else the machine does comes and goes. */
const medianP99 = (readers: string): number =>
  phases
    .filter((phase) => phase.readers === readers)
    .map(({ p99 }) => p99)
    .toSorted((a, b) => a - b)[CYCLES >> 1]!;
const growth = Math.max(...phases.map(({ memory }) => memory)) - phases[0]!.memory;
const allowed = STOPPED * 2 * BOUND_BYTES + NOISE_BYTES;
const alone = Math.max(1, medianP99('alone'));
const whileStopping = medianP99('beside 25 that stop') / alone;
const ratio = medianP99('beside 25 that have stopped') / alone;
console.log(`memory: at most ${toMebibytes(growth)} MiB more than at first, ${toMebibytes(allowed)} MiB allowed`);
console.log(
  `readers' p99, times what it is alone (medians of ${CYCLES}): ${whileStopping.toFixed(2)} while the others' buffers fill, ` +
    `${ratio.toFixed(2)} from then on; the goal is below ${P99_RATIO_GOAL}`,
);
process.exit(growth <= allowed && ratio < P99_RATIO_GOAL ? 0 : 1);
