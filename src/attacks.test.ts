import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Closing, RawWebSocket } from '../test/raw-web-socket.ts';
import { fetchJson, startMain, type TapeqlProcess } from '../test/tapeql.ts';

const SAMPLES = 60;
/**
 * Shorter than this nobody notices, whatever multiple of the normal it is; and the attacker is in the same process as he who measures, whom
 * he keeps waiting for some of it. What these attacks would cost a server that gives way is seconds.
 */
const UNNOTICED_MS = 60;
const ATTACKER = { 'x-forwarded-for': '203.0.113.66' };

let tapeql: TapeqlProcess;
beforeAll(async () => {
  // A process of its own, with the limits that it has where nobody sets any; who comes from where the headers tell.
  const limits = {
    MAX_CONNECTIONS_PER_USER: '5',
    RATE_LIMITS: 'portfolio=10,tradeNotifications=10,market=60,orders=60,http=600',
  };
  tapeql = await startMain({ PORT: '0', FEED: 'simulated', TRUSTED_PROXIES: '1', LOG_LEVEL: 'info', ...limits });
});
afterAll(() => tapeql?.[Symbol.asyncDispose]());

let victims = 0;

/** How long somebody else waits for an answer, in the median. */
async function measureOthers(): Promise<number> {
  const headers = { 'content-type': 'application/json', 'x-forwarded-for': `192.0.2.${++victims}` };
  const times: number[] = [];
  for (let sample = 0; sample < SAMPLES; sample++) {
    const start = performance.now();
    const body = JSON.stringify({ query: '{ indices { symbol price } serviceStatus { state } }' });
    const response = await fetch(`${tapeql.url}/graphql`, { method: 'POST', headers, body });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
    times.push(performance.now() - start);
  }
  return times.toSorted((a, b) => a - b)[SAMPLES / 2]!;
}

/** Runs an attack again and again, while somebody else goes on, and compares what he notices with what is normal. */
async function expectUnnoticed(attack: () => Promise<unknown>): Promise<void> {
  await measureOthers();
  const normal = await measureOthers();
  let isOver = false;
  const attacking = (async () => {
    while (!isOver) await attack();
  })();
  const attacked = await measureOthers();
  isOver = true;
  await attacking;
  expect(attacked).toBeLessThan(Math.max(2 * normal, normal + UNNOTICED_MS));
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
  expect(new Set(refused.map(({ code }) => code))).toEqual(new Set([1013]));
  expect((await fetchJson(`${tapeql.url}/health/websocket`))['activeConnections']).toBe(5);

  await expectUnnoticed(async () => {
    const more = open();
    await Promise.all(more.map(({ closed }) => closed));
  });
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
    // Slowly, as such a client does: what is measured is the server, not this process.
    await new Promise((resolve) => setTimeout(resolve, 50));
  });
  for (const socket of sockets) socket.destroy();
});
