import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import { fetchJson, startMain, startQuietExchange, type Stats, type TapeqlProcess } from '../../test/tapeql.ts';
import { until } from '../../test/until.ts';

const ATTEMPTS = 800;
/** Of one address, before it is known who they are. */
const MAX_PENDING = 100;
/** More than the server opens meanwhile for other reasons, such as its database, and far less than there are attempts. */
const MORE_DESCRIPTORS = 150;

let exchange: Awaited<ReturnType<typeof startQuietExchange>>;
beforeAll(async () => void (exchange = await startQuietExchange()));
afterAll(() => exchange?.[Symbol.asyncDispose]());

const sockets: RawUpgrade[] = [];
afterEach(() => {
  for (const { socket } of sockets.splice(0)) socket.destroy();
});

function start(env: Record<string, string> = {}): Promise<TapeqlProcess> {
  return startMain({ PORT: '0', TRUSTED_PROXIES: '1', MAX_CONNECTIONS_PER_USER: '5', ...exchange.env, ...env });
}

/** Asks for an upgrade, and never closes: neither when it is answered, nor when the other end closes. */
class RawUpgrade {
  readonly socket: Socket;
  answer = '';
  hasEnded = false;

  constructor(url: string, path: string, headers: Record<string, string>) {
    this.socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('data', (data) => (this.answer += data.toString('latin1')));
    this.socket.on('end', () => (this.hasEnded = true));
    this.socket.on('close', () => (this.hasEnded = true));
    this.socket.on('error', () => undefined);
    const lines = {
      ...{ host: 'localhost', connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' },
      ...{ 'sec-websocket-key': randomBytes(16).toString('base64'), 'sec-websocket-protocol': 'graphql-transport-ws' },
      ...headers,
    };
    const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
    this.socket.write(`GET ${path} HTTP/1.1\r\n${head.join('')}\r\n`);
    sockets.push(this);
  }

  get status(): number {
    return Number(this.answer.slice(9, 12));
  }
}

async function readDescriptors(tapeql: TapeqlProcess): Promise<number> {
  const page = await (await fetch(`${tapeql.url}/metrics`)).text();
  return Number(/^process_open_fds (\S+)$/m.exec(page)?.[1] ?? Number.NaN);
}

const readStats = async (tapeql: TapeqlProcess): Promise<Stats> =>
  (await fetchJson(`${tapeql.url}/stats`))['connections'] as Stats;

/** How many were answered by each status, when all are. */
async function countStatuses(upgrades: readonly RawUpgrade[]): Promise<Record<number, number>> {
  await until(() => expect(upgrades.filter(({ status }) => !(status > 0)).length).toBe(0));
  const counts: Record<number, number> = {};
  for (const { status } of upgrades) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

it('800 upgrades of one address that never close: those beyond 100 are answered with 429, ended at once, and counted', async () => {
  await using tapeql = await start();
  const before = await readDescriptors(tapeql);
  const headers = { 'x-forwarded-for': '203.0.113.66' };
  const upgrades = Array.from({ length: ATTEMPTS }, () => new RawUpgrade(tapeql.url, '/graphql', headers));
  const counts = await countStatuses(upgrades);
  // On a machine that is late by seconds some of the first have been given up before the last have come.
  expect(counts[101]).toBeGreaterThanOrEqual(MAX_PENDING);
  expect(counts[429]).toBe(ATTEMPTS - counts[101]!);
  await until(() => expect(upgrades.filter(({ status, hasEnded }) => status === 429 && !hasEnded).length).toBe(0));
  expect(await readStats(tapeql)).toMatchObject({
    accepted: counts[101],
    refused: counts[429],
    refusedUpgrades: { pending: counts[429], full: 0, origin: 0 },
  });
  const page = await (await fetch(`${tapeql.url}/metrics`)).text();
  expect(page).toContain(`tapeql_upgrades_refused_total{cause="pending"} ${counts[429]}`);
  expect(page).toContain(`tapeql_connections_refused_total ${counts[429]}`);
  if (!Number.isNaN(before)) {
    expect(await readDescriptors(tapeql)).toBeLessThanOrEqual(before + MAX_PENDING + MORE_DESCRIPTORS);
  }
  // Those that say nothing, and do not answer their close, are gone as well before long.
  await until(async () => expect((await readStats(tapeql))['connections']).toBe(0));
});

it('while the server is full, 64 at a time are told 1013, and all others are answered with 503 and ended at once', async () => {
  await using tapeql = await start({ MAX_CONNECTIONS: '1' });
  await using first = await RawWebSocket.connect(`${tapeql.url.replace('http', 'ws')}/graphql`);
  const before = await readDescriptors(tapeql);
  const upgrades = Array.from(
    { length: ATTEMPTS },
    (_, index) => new RawUpgrade(tapeql.url, '/graphql', { 'x-forwarded-for': `203.0.113.${index % 200}` }),
  );
  const counts = await countStatuses(upgrades);
  expect(counts[101]).toBeGreaterThanOrEqual(64);
  expect(counts[503]).toBe(ATTEMPTS - counts[101]!);
  for (const { status, answer } of upgrades) {
    // A close frame of the server: 1013, big-endian, before its reason.
    if (status === 101) expect(answer).toContain('\u0003\u00f5Too many connections');
    else expect(answer).toContain('retry-after: 1');
  }
  // Also those that do not answer the close.
  await until(() => expect(upgrades.filter(({ hasEnded }) => !hasEnded).length).toBe(0));
  await until(async () => expect((await readStats(tapeql))['refusing']).toBe(0));
  expect(await readStats(tapeql)).toMatchObject({
    connections: 1,
    refused: ATTEMPTS,
    refusedUpgrades: { full: counts[503], pending: 0 },
  });
  if (!Number.isNaN(before)) {
    await until(async () => expect(await readDescriptors(tapeql)).toBeLessThanOrEqual(before + MORE_DESCRIPTORS));
  }
  expect(first.socket.readyState).toBe(first.socket.OPEN);
});

it.each([
  ['to another path', '/elsewhere', {}, 404, 'path'],
  ['of a foreign origin', '/graphql', { origin: 'https://evil.example.com' }, 403, 'origin'],
])('800 upgrades %s are ended at once, and counted', async (_what, path, headers, status, cause) => {
  await using tapeql = await start();
  const before = await readDescriptors(tapeql);
  const upgrades = Array.from({ length: ATTEMPTS }, () => new RawUpgrade(tapeql.url, path, headers));
  const counts = await countStatuses(upgrades);
  expect(counts[status]! + (counts[101] ?? 0)).toBe(ATTEMPTS);
  await until(() => expect(upgrades.filter(({ hasEnded }) => !hasEnded).length).toBe(0));
  expect(await readStats(tapeql)).toMatchObject({
    accepted: 0,
    refused: ATTEMPTS,
    refusedUpgrades: { [cause]: counts[status] },
  });
  if (Number.isNaN(before)) return;
  await until(async () => expect(await readDescriptors(tapeql)).toBeLessThanOrEqual(before + MORE_DESCRIPTORS));
});

it('connections that are refused for their credentials count for their address until they have ended', async () => {
  await using tapeql = await start();
  const headers = { 'x-forwarded-for': '203.0.113.66' };
  const text = JSON.stringify({ type: 'connection_init', payload: { authorization: 'Bearer none' } });
  // Masked by nothing: the mask is four zeros.
  const frame = Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
  expect(text.length).toBeLessThan(126);
  const refused = Array.from({ length: MAX_PENDING }, () => {
    const upgrade = new RawUpgrade(tapeql.url, '/graphql', headers);
    upgrade.socket.write(frame);
    return upgrade;
  });
  await countStatuses(refused);
  // 4403, and nothing that answers it.
  await until(() => expect(refused.filter(({ answer }) => !answer.includes('\u0011\u0033')).length).toBe(0));
  const next = new RawUpgrade(tapeql.url, '/graphql', headers);
  const [[status]] = Object.entries(await countStatuses([next])) as [[string, number]];
  // On a machine that is late by seconds some have been cut off by now, and made room.
  const areHeld = refused.every(({ hasEnded }) => !hasEnded);
  expect(areHeld ? ['429'] : ['429', '101']).toContain(status);
  await until(() => expect(refused.filter(({ hasEnded }) => !hasEnded).length).toBe(0));
  await using other = await RawWebSocket.connect(`${tapeql.url.replace('http', 'ws')}/graphql`, { headers });
  expect(other.socket.readyState).toBe(other.socket.OPEN);
});
