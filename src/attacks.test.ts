import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Closing, RawWebSocket } from '../test/raw-web-socket.ts';
import { fetchJson, startMain, startQuietExchange, type TapeqlProcess } from '../test/tapeql.ts';
import { until } from '../test/until.ts';

const SAMPLES = 60;
/**
 * One attempt of an attacker may take so many times the processor time of a normal query, which is about half a millisecond. What is
 * allowed takes up to 40 times as much; these attacks would take seconds of a server that gives way. A slow or busy machine makes both
 * slower, and no difference to how many times more one takes than the other.
 */
const MAX_COST = 200;
const ATTACKER = { 'x-forwarded-for': '203.0.113.66' };

const stack = new AsyncDisposableStack();
let tapeql: TapeqlProcess;
beforeAll(async () => {
  // Nothing is printed, so that what the server does is what it is asked for.
  const exchange = stack.use(await startQuietExchange());
  // A process of its own, with the limits that it has where nobody sets any; who comes from where the headers tell.
  const limits = {
    MAX_CONNECTIONS_PER_USER: '5',
    RATE_LIMITS: 'portfolio=10,tradeNotifications=10,market=60,orders=60,http=600',
  };
  const env = { PORT: '0', TRUSTED_PROXIES: '1', LOG_LEVEL: 'info', ...exchange.env, ...limits };
  tapeql = stack.use(await startMain(env));
  // The first ones take longer than all that follow.
  await serveOthers();
});
afterAll(() => stack.disposeAsync());

let victims = 0;

/** Somebody else, one query after the other: each is answered. */
async function serveOthers(): Promise<void> {
  const headers = { 'content-type': 'application/json', 'x-forwarded-for': `192.0.2.${++victims}` };
  for (let sample = 0; sample < SAMPLES; sample++) {
    const body = JSON.stringify({ query: '{ indices { symbol price } serviceStatus { state } }' });
    const response = await fetch(`${tapeql.url}/graphql`, { method: 'POST', headers, body });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
  }
}

/** The processor time that the server has had. */
async function readCpuSeconds(): Promise<number> {
  const page = await (await fetch(`${tapeql.url}/metrics`)).text();
  return Number(/^process_cpu_seconds_total (\S+)$/m.exec(page)![1]);
}

async function measureCpu(work: () => Promise<unknown>): Promise<number> {
  const before = await readCpuSeconds();
  await work();
  return (await readCpuSeconds()) - before;
}

/** Runs an attack of so many attempts again and again, while somebody else goes on, and compares what it costs with what is normal. */
async function expectUnnoticed(attack: () => Promise<unknown>, attempts = 1): Promise<void> {
  const normal = (await measureCpu(serveOthers)) / SAMPLES;
  let isOver = false;
  let attacks = 0;
  const attacking = (async () => {
    while (!isOver) {
      await attack();
      attacks += attempts;
    }
  })();
  const spent = await measureCpu(async () => {
    await serveOthers();
    isOver = true;
    await attacking;
  });
  expect((spent - SAMPLES * normal) / attacks).toBeLessThan(MAX_COST * normal);
}

const repeat = (count: number, write: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => write(index)).join(' ');

let documents = 0;
/** No two are the same: nothing that was found out about the last one helps with the next. */
const DOCUMENTS: [string, () => object][] = [
  ['10,000 aliases', () => ({ query: `{ ${repeat(10_000, (i) => `a${i}: __typename`)} }` })],
  ['200 levels', () => ({ query: `{ ${'a { '.repeat(200)} a ${'}'.repeat(200)} }` })],
  ['1,000 directives', () => ({ query: `{ __typename ${'@include(if: true) '.repeat(1000)} }` })],
  ['the same field as often as it may be', () => ({ query: `{ ${'serviceStatus { state } '.repeat(149)} }` })],
  [
    'fragments that spread each other twice',
    () => ({
      query: `{ ...F0 } ${repeat(90, (i) => `fragment F${i} on Query { __typename ...F${i + 1} ...F${i + 2} }`)} fragment F90 on Query { __typename } fragment F91 on Query { __typename }`,
    }),
  ],
  ['a variable of 1 MB', () => ({ query: '{ __typename }', variables: { text: 'x'.repeat(1_000_000) } })],
];

it.each(DOCUMENTS)('%s: others do not notice', async (_what, make) => {
  const headers = { 'content-type': 'application/json', ...ATTACKER };
  await expectUnnoticed(async () => {
    const { query, ...rest } = make() as { query: string };
    const body = JSON.stringify({ query: `${query} # ${++documents}`, ...rest });
    const response = await fetch(`${tapeql.url}/graphql`, { method: 'POST', headers, body }).catch(() => null);
    if (response === null) return;
    await response.arrayBuffer();
    // Too complex, too long, or by now too many.
    expect([200, 400, 413, 429]).toContain(response.status);
  });
});

it('1,000 connections from one address: five of them stay, and others do not notice', async () => {
  const url = `${tapeql.url.replace('http', 'ws')}/graphql`;
  const open = (): RawWebSocket[] => Array.from({ length: 1000 }, () => new RawWebSocket(url, { headers: ATTACKER }));
  const sockets = open();
  const outcomes = await Promise.all(
    sockets.map(async (socket): Promise<Closing | 'let in'> => {
      try {
        await socket.opened;
        await socket.initialise();
        return 'let in';
      } catch {
        return socket.closed;
      }
    }),
  );
  expect(outcomes.filter((outcome) => outcome === 'let in')).toHaveLength(5);
  const refused = outcomes.filter((outcome) => outcome !== 'let in');
  const codes = new Set(refused.map(({ code }) => code));
  expect(codes).toContain(1013);
  // Of those that nobody has heard of yet a hundred are let in, and the others answered by an HTTP status, which has no code.
  // Where this process, with a thousand of them, is five seconds late with its first message, that is told as well.
  expect([...codes].filter((code) => ![1006, 1013, 4408].includes(code))).toEqual([]);
  // The server's end of those that were refused ends a moment after ours.
  await until(async () => {
    expect((await fetchJson(`${tapeql.url}/health/websocket`))['activeConnections']).toBe(5);
  });

  await expectUnnoticed(async () => {
    const more = open();
    await Promise.all(more.map(({ closed }) => closed));
  }, 1000);
  await using other = new RawWebSocket(url, { headers: { 'x-forwarded-for': '192.0.2.250' } });
  await other.opened;
  await other.initialise();
  for (const socket of sockets) await socket[Symbol.asyncDispose]();
});

it('500 requests whose headers never end: others do not notice', async () => {
  const { port } = new URL(tapeql.url);
  const sockets: Socket[] = [];
  let bytes = 0;
  for (let count = 0; count < 500; count++) {
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET /graphql HTTP/1.1\r\nhost: x\r\n');
    sockets.push(socket);
  }
  await expectUnnoticed(async () => {
    for (const socket of sockets) if (socket.writable) socket.write(`x-${bytes++}: y\r\n`);
    // Not faster than the server answers, so that it is the server that is measured.
    expect((await fetch(`${tapeql.url}/health/live`)).status).toBe(200);
  }, sockets.length);
  for (const socket of sockets) socket.destroy();
});
