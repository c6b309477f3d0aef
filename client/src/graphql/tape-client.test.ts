import { createHmac, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type Barred, type BreakableLink, openBreakableLink } from '../../testing/breakable-link.ts';
import { createManualClock } from '../../testing/manual-clock.ts';
import { type RealServer, startRealServer } from '../../testing/real-server.ts';
import { until } from '../../testing/until.ts';
import { QuoteUpdates, Trades } from './operations.ts';
import { readGap } from './resumption.ts';
import { createTapeClient, type TapeClient, type TapeClientOptions } from './tape-client.ts';

const QUICK = { initialDelayMs: 10, maxDelayMs: 100 };
const SYMBOLS = ['AAPL', 'MSFT', 'NVDA', 'TSLA'];
const JWT_SECRET = 'a secret of this test alone, of 32 bytes and more';

let server: RealServer;
let link: BreakableLink;
let dataDir: string;
let clients: TapeClient[];
/** Those of one test. */
let servers: RealServer[];

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'tapeql-client-'));
  server = await startRealServer(0, { JWT_SECRET, DATA_DIR: dataDir });
});

afterAll(async () => {
  await server.kill();
  await rm(dataDir, { recursive: true });
});

beforeEach(async () => {
  clients = [];
  servers = [];
  link = await openBreakableLink(server.url);
});

afterEach(async () => {
  for (const client of clients) await client.dispose();
  for (const own of servers) await own.kill();
  await link.close();
});

function connect(options: Partial<TapeClientOptions> = {}): TapeClient {
  const client = createTapeClient({ url: link.url, backoff: QUICK, ...options });
  clients.push(client);
  return client;
}

/** A token of Ann that ends in so many seconds. */
function mint(seconds: number, claims: object = {}): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ sub: 'ann', jti: randomUUID(), exp, ...claims })}`;
  return `${signed}.${createHmac('sha256', JWT_SECRET).update(signed).digest('base64url')}`;
}

/** A socket that says what it hears and sends. */
function recordSockets() {
  const sockets: { readonly sent: Record<string, unknown>[]; readonly heard: Record<string, unknown>[] }[] = [];
  class RecordingSocket extends WebSocket {
    readonly #record = { sent: [] as Record<string, unknown>[], heard: [] as Record<string, unknown>[] };

    constructor(url: string, protocol: string) {
      super(url, protocol);
      sockets.push(this.#record);
      this.addEventListener('message', ({ data }) => this.#record.heard.push(JSON.parse(String(data))));
    }

    override send(data: string): void {
      this.#record.sent.push(JSON.parse(data));
      super.send(data);
    }
  }
  return { sockets, webSocket: RecordingSocket as unknown as typeof WebSocket };
}

function readTrades(client: TapeClient) {
  const sequences = new Map<string, number[]>();
  let prints = 0;
  let gaps = 0;
  client.subscription(Trades, { symbols: SYMBOLS }).subscribe((result) => {
    if (readGap(result) !== null) gaps++;
    if (!result.data) return;
    const { symbol, sequence } = result.data.trades;
    prints++;
    sequences.set(symbol, [...(sequences.get(symbol) ?? []), sequence]);
  });
  return {
    more: (count: number): Promise<void> => {
      const before = prints;
      return until(() => expect(prints).toBeGreaterThan(before + count));
    },
    /** Each print once, in order, without a hole. */
    check: (): void => {
      for (const [symbol, received] of sequences) {
        const first = received[0]!;
        expect({ symbol, received }).toEqual({ symbol, received: received.map((_, index) => first + index) });
      }
      expect(gaps).toBe(0);
    },
  };
}

const reach = (client: TapeClient, state: string): Promise<void> =>
  until(() => expect(client.status.getSnapshot().state).toBe(state));

test('reads quotes by subscription and by query, which asks the server each time', async () => {
  const fetches = vi.fn(fetch);
  const client = connect({ fetch: fetches });
  const seen = new Set<string>();
  client
    .subscription(QuoteUpdates, { symbols: SYMBOLS })
    .subscribe(({ data }) => data && seen.add(data.quoteUpdates.symbol));
  await until(() => expect([...seen].toSorted()).toEqual(SYMBOLS));
  expect(client.status.getSnapshot()).toMatchObject({ state: 'live', failures: 0, cause: null, waiting: 0 });

  for (let asked = 1; asked <= 2; asked++) {
    const { data, error } = await client.query('query { quote(symbol: "AAPL") { symbol price } }', {}).toPromise();
    expect(error).toBeUndefined();
    expect(data).toMatchObject({ quote: { symbol: 'AAPL', price: expect.any(Number) } });
    expect(fetches).toHaveBeenCalledTimes(asked);
  }
});

test('every print arrives once and in order over a link that breaks again and again', async () => {
  const client = connect();
  const trades = readTrades(client);
  for (let cuts = 0; cuts < 5; cuts++) {
    await trades.more(5);
    // It may be live again before anybody looks: each change is noted.
    const states: string[] = [];
    const stop = client.status.subscribe(() => states.push(client.status.getSnapshot().state));
    link.cut();
    await until(() => expect(states).toContain('resuming'));
    stop();
  }
  await trades.more(5);
  trades.check();
});

test('every print arrives once and in order by socket, by event stream, by queries, and back', async () => {
  // Somebody else watches all the time: the server numbers the prints of a symbol as long as somebody does.
  readTrades(connect({ url: server.url }));
  const client = connect({ fallAfter: 3, streamProbeMs: 200, pollIntervalMs: 300 });
  const trades = readTrades(client);
  await trades.more(5);
  const ways: [Barred, string][] = [
    ['sockets', 'degraded'],
    ['sockets and streams', 'polling'],
    ['sockets', 'degraded'],
    ['nothing', 'live'],
    ['sockets and streams', 'polling'],
    ['nothing', 'live'],
  ];
  for (const [barred, state] of ways) {
    link.bar(barred);
    await reach(client, state);
    expect(client.status.getSnapshot().cause === null).toBe(state === 'live');
    await trades.more(20);
  }
  trades.check();
});

test('goes on with a server that was killed and started anew, and says that prints were missed', async () => {
  const own = await startRealServer(0, { DATA_DIR: dataDir, JWT_SECRET });
  servers.push(own);
  const client = connect({ url: own.url });
  const gaps: unknown[] = [];
  let prints = 0;
  client.subscription(Trades, { symbols: SYMBOLS }).subscribe((result) => {
    if (readGap(result) !== null) gaps.push(readGap(result));
    if (result.data) prints++;
  });
  await until(() => expect(prints).toBeGreaterThan(5));
  await own.kill();
  await until(() => expect(client.status.getSnapshot().state).not.toBe('live'));
  const asked = client.query('query { quote(symbol: "AAPL") { symbol } }', {}).toPromise();
  servers.push(await startRealServer(Number(new URL(own.url).port), { DATA_DIR: dataDir, JWT_SECRET }));
  // Its log is a new one: the cursor of the old server leads nowhere in it.
  await until(() => expect(gaps).toEqual([{ after: expect.any(String), oldestCursor: expect.any(String) }]));
  expect((await asked).data).toMatchObject({ quote: { symbol: 'AAPL' } });
});

test('says who it is on each way, and goes on with a newer token on the same connection', async () => {
  const clock = createManualClock(Date.now());
  const tokens = [mint(3600), mint(36_000)];
  const { sockets, webSocket } = recordSockets();
  const client = connect({ clock, webSocket, token: () => tokens.shift()!, pingIntervalMs: 7_200_000 });
  const totals: unknown[] = [];
  client
    .subscription('subscription Totals { portfolio { totalValue } }', {})
    .subscribe(({ data }) => totals.push(data?.portfolio.totalValue));
  await until(() => expect(totals).toHaveLength(1));
  expect((await client.query('query { viewer { id } }', {}).toPromise()).data?.viewer).toMatchObject({ id: 'ann' });

  const second = tokens[0];
  clock.advance(3600_000);
  const heard = () => sockets.flatMap((socket) => socket.heard);
  await until(() => expect(heard()).toContainEqual({ type: 'pong', payload: { renewed: true } }));
  expect(sockets).toHaveLength(1);
  expect(sockets[0]!.sent).toContainEqual({ type: 'ping', payload: { authorization: `Bearer ${second}` } });
});

test('what ends with its viewer’s time goes on with another token, and so does a query', async () => {
  const results: { total: unknown; error: unknown }[] = [];
  /** How many of them were had when it was asked for the second token. */
  let hadBefore = Infinity;
  // The server leaves five seconds' grace: the first holds good for one more.
  const tokens = [mint(-4), mint(3600)];
  const client = connect({
    token: () => {
      if (tokens.length === 1) hadBefore = results.length;
      return tokens.shift() ?? mint(3600);
    },
  });
  client
    .subscription('subscription Totals { portfolio { totalValue } }', {})
    .subscribe(({ data, error }) => results.push({ total: data?.portfolio.totalValue, error }));
  await until(() => expect(results.length).toBeGreaterThan(hadBefore));
  expect(results.every(({ total, error }) => total !== undefined && error === undefined)).toBe(true);

  const wrong = ['expired', mint(3600)];
  const other = connect({ token: () => wrong.shift() ?? null });
  expect((await other.query('query { viewer { id } }', {}).toPromise()).data?.viewer).toMatchObject({ id: 'ann' });
});

test('a token that holds good for nobody is told, and without a source of others nothing is tried again', async () => {
  const client = connect({ token: mint(-3600) });
  const errors: unknown[] = [];
  client.subscription(QuoteUpdates, { symbols: SYMBOLS }).subscribe(({ error }) => errors.push(error?.networkError));
  await until(() => expect(errors).toMatchObject([{ name: 'ConnectionRefusedError', code: 4403 }]));
  expect(client.status.getSnapshot()).toMatchObject({ state: 'offline', isRefused: true, retryAt: null });
  const { error } = await client.query('query { viewer { id } }', {}).toPromise();
  expect(error?.graphQLErrors[0]?.extensions['code']).toBe('UNAUTHENTICATED');
});

test('who disposes of a client leaves nothing behind that would keep a program', async () => {
  const clock = createManualClock(Date.now());
  const client = connect({ clock, token: () => mint(3600) });
  readTrades(client);
  await reach(client, 'live');
  link.bar('all');
  void client.query('query { viewer { id } }', {}).toPromise();
  await until(() => expect(client.status.getSnapshot().waiting).toBe(1));
  await client.dispose();
  await until(() => expect(clock.readWaits()).toEqual([]));
});
