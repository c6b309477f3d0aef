/**
 * Invalid documents: `node bench/attack.ts [seconds, default 5]`. 50 honest clients of as many addresses follow quotes over WebSockets and ask
 * a query that is known 7 times a second each; beside them one more address sends documents that nobody has sent before and that are not
 * valid, 100 and 200 a second, over each transport. The others may not notice it much, and it may not take much of the server.
 */
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { LISTINGS } from '../src/feeds/simulator/listings.ts';
import { medianOf, summarize } from './load/percentiles.ts';
import { readUrls, startProcess } from './processes.ts';

const EVENTS_PER_SECOND = 2_000;
const CLIENTS = 50;
const ASK_EVERY_MS = 150;
const WATCHLIST = 20;
const WARM_UP_MS = 3_000;
const CYCLES = 3;
const P99_RATIO_GOAL = 1.5;
/** Of one core. */
const SHARE_GOAL = 0.1;
const GROWTH_GOAL_BYTES = 96 * 2 ** 20;
const SYMBOLS = LISTINGS.slice(0, 50).map(({ symbol }) => symbol);
const seconds = Number(process.argv[2] ?? 5);

const QUOTES = 'subscription ($symbols: [Symbol!]!) { quoteUpdates(symbols: $symbols) { symbol price } }';
const QUERY = JSON.stringify({ query: '{ quote(symbol: "AAPL") { price bid ask } serviceStatus { state } }' });

const simulator = startProcess([
  'src/feeds/simulator/cli.ts',
  '--port=0',
  '--symbols=50',
  `--rate=${EVENTS_PER_SECOND}`,
]);
const [wsUrl, restUrl] = await readUrls(simulator, ['WebSocket', 'REST']);
// The limits are those that it has where nobody sets any; who comes from where the headers tell.
const server = startProcess(['src/main.ts'], {
  FEED: 'simulated',
  POLYGON_API_KEY: 'bench',
  POLYGON_WS_URL: wsUrl!,
  POLYGON_REST_URL: restUrl!,
  PORT: '0',
  HOST: '127.0.0.1',
  TRUSTED_PROXIES: '1',
});
const [url] = await readUrls(server, ['TapeQL is at']);
const { port } = new URL(url!);

type Figures = {
  readonly cpuSeconds: number;
  readonly rss: number;
  readonly parsed: number;
  readonly refused: number;
};

async function readFigures(): Promise<Figures> {
  const page = await (await fetch(`${url}/metrics`)).text();
  const read = (name: string): number =>
    [...page.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'))].reduce(
      (sum, [, value]) => sum + Number(value),
      0,
    );
  return {
    cpuSeconds: read('process_cpu_seconds_total'),
    rss: read('process_resident_memory_bytes'),
    parsed: read('tapeql_documents_parsed_total'),
    refused: read('tapeql_work_refused_total'),
  };
}

const honest = new Agent({ keepAlive: true });
const hostile = new Agent({ keepAlive: true });

/** Resolves with the status when the answer is whole, or with the name of the error. */
function post(agent: Agent, address: string, body: string, accept = 'application/json'): Promise<number | string> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': address, accept };
    const asking = request({ agent, port, path: '/graphql', method: 'POST', headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode!));
    });
    asking.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    asking.end(body);
  });
}

async function connect(address: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws', {
    headers: { 'x-forwarded-for': address },
  });
  socket.on('error', () => undefined);
  await once(socket, 'open');
  socket.send('{"type":"connection_init"}');
  await once(socket, 'message');
  return socket;
}

let took: number[] = [];
/** Answers to others that are no 200, by status. */
const failures = new Map<number | string, number>();

async function openClient(number: number): Promise<void> {
  const address = `192.0.2.${number + 1}`;
  const socket = await connect(address);
  socket.on('close', (code) => {
    console.error(`an honest client was closed with ${code}`);
    process.exit(1);
  });
  const variables = { symbols: [...SYMBOLS, ...SYMBOLS].slice(number, number + WATCHLIST) };
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: QUOTES, variables } }));
  // Not all in the same moment.
  await sleep((number * ASK_EVERY_MS) / CLIENTS);
  const ask = async (): Promise<void> => {
    const asked = performance.now();
    const status = await post(honest, address, QUERY);
    if (status === 200) took.push(performance.now() - asked);
    else failures.set(status, (failures.get(status) ?? 0) + 1);
  };
  setInterval(() => void ask(), ASK_EVERY_MS);
}

let documents = 0;
function writeInvalid(): string {
  const number = ++documents;
  return `{ ${Array.from({ length: 290 }, (_, index) => `serviceStatu${index}x${number}`).join(' ')} }`;
}

/** Begins to send; returns the function that ends it. */
type Attack = (perSecond: number) => Promise<() => void>;
let attackers = 0;
const nextAttacker = (): string => `203.0.113.${(attackers++ % 250) + 1}`;

function repeat(perSecond: number, send: () => void): () => void {
  const timer = setInterval(send, 1000 / perSecond);
  return () => clearInterval(timer);
}

const attackBySocket: Attack = async (perSecond) => {
  const address = nextAttacker();
  let socket = await connect(address);
  let id = 0;
  let isConnecting = false;
  const stop = repeat(perSecond, () => {
    if (socket.readyState === WebSocket.OPEN) {
      socket.send(JSON.stringify({ id: `${id++}`, type: 'subscribe', payload: { query: writeInvalid() } }));
    } else if (!isConnecting) {
      // Whoever is closed comes again at once.
      isConnecting = true;
      connect(address).then(
        (next) => {
          socket = next;
          isConnecting = false;
        },
        () => (isConnecting = false),
      );
    }
  });
  return () => {
    stop();
    socket.terminate();
  };
};
const attackByPost =
  (accept?: string): Attack =>
  (perSecond) => {
    const address = nextAttacker();
    return Promise.resolve(
      repeat(perSecond, () => void post(hostile, address, JSON.stringify({ query: writeInvalid() }), accept)),
    );
  };

type Phase = {
  readonly attack: string;
  readonly p50: number;
  readonly p99: number;
  readonly share: number;
  readonly rss: number;
  readonly parsed: number;
  readonly refused: number;
};

async function measure(attack: string): Promise<Phase> {
  took = [];
  const before = await readFigures();
  const startedAt = performance.now();
  await sleep(seconds * 1000);
  const elapsed = (performance.now() - startedAt) / 1000;
  const after = await readFigures();
  const { p50, p99 } = summarize(took);
  const share = (after.cpuSeconds - before.cpuSeconds) / elapsed;
  const { rss } = after;
  return {
    attack,
    p50,
    p99,
    share,
    rss,
    parsed: after.parsed - before.parsed,
    refused: after.refused - before.refused,
  };
}

const ATTACKS: readonly (readonly [string, Attack, number])[] = [
  ['WebSocket, 100/s', attackBySocket, 100],
  ['WebSocket, 200/s', attackBySocket, 200],
  ['POST, 200/s', attackByPost(), 200],
  ['SSE, 200/s', attackByPost('text/event-stream'), 200],
];

await Promise.all(Array.from({ length: CLIENTS }, (_, number) => openClient(number)));
await sleep(WARM_UP_MS);
const phases: Phase[] = [];
for (let cycle = 0; cycle < CYCLES; cycle += 1) {
  phases.push(await measure('none'));
  for (const [name, begin, perSecond] of ATTACKS) {
    const end = await begin(perSecond);
    phases.push(await measure(name));
    end();
    await sleep(500);
  }
}

const of = (attack: string, figure: 'p50' | 'p99' | 'share' | 'rss' | 'parsed' | 'refused'): number =>
  medianOf(phases.filter((phase) => phase.attack === attack).map((phase) => phase[figure]));
const rows = ['none', ...ATTACKS.map(([name]) => name)].map((attack) => ({
  attack,
  "others' p50 ms": of(attack, 'p50').toFixed(1),
  "others' p99 ms": of(attack, 'p99').toFixed(1),
  'p99, times of without': of(attack, 'p99') / of('none', 'p99'),
  "attack's part of a core": of(attack, 'share') - of('none', 'share'),
  'new documents': of(attack, 'parsed'),
  refused: of(attack, 'refused'),
  'resident, MiB': (of(attack, 'rss') / 2 ** 20).toFixed(0),
}));
console.table(
  rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, typeof value === 'number' ? value.toFixed(2) : value]),
    ),
  ),
);
const attacked = rows.slice(1);
const ratio = Math.max(...attacked.map((row) => row['p99, times of without']));
const share = Math.max(...attacked.map((row) => row["attack's part of a core"]));
const growth = Math.max(...phases.slice(1).map(({ rss }, index) => rss - phases[index]!.rss));
console.log(`others' p99: at most ${ratio.toFixed(2)} times what it is without; the goal is below ${P99_RATIO_GOAL}`);
console.log(`an attack takes at most ${(share * 100).toFixed(1)} % of a core; the goal is below ${SHARE_GOAL * 100} %`);
console.log(
  `memory: at most ${(growth / 2 ** 20).toFixed(0)} MiB more after a phase than before; the goal is below ${GROWTH_GOAL_BYTES / 2 ** 20} MiB`,
);
console.log(`queries of others that failed, by status: ${JSON.stringify(Object.fromEntries(failures))}`);
const isHeld = ratio < P99_RATIO_GOAL && share < SHARE_GOAL && growth < GROWTH_GOAL_BYTES && failures.size === 0;
process.exit(isHeld ? 0 : 1);
