import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WORK_LIMITS } from './access/work-budget.ts';
import { RawWebSocket } from '../test/raw-web-socket.ts';
import {
  fetchJson,
  type Stats,
  startMain,
  startQuietExchange,
  startTestTapeql,
  type TapeqlProcess,
} from '../test/tapeql.ts';
import { JWT_SECRET, mintToken } from '../test/tokens.ts';

const STATUS = '{ serviceStatus { state } }';
const ATTEMPTS = 1000;
/**
 * Of 1,000 documents so many may be looked at. By what is charged for their length alone, 5.5 ms, a connection may send 18 at once and then 2 a
 * second, an address twice as many. In the 90 s after which a test is given up an address comes to some 360.
 */
const MAX_PARSED = ATTEMPTS / 2;
/** The memory of a process at work changes by so much for other reasons: what is garbage, and compiled code. */
const MAX_GROWTH_BYTES = 96 * 2 ** 20;

let documents = 0;
/** Names that are none, which have to be compared with those of the schema. No two documents are the same. */
function writeInvalid(): string {
  const number = ++documents;
  return `{ ${Array.from({ length: 290 }, (_, i) => `serviceStatu${i}x${number}`).join(' ')} }`;
}

describe('1,000 invalid documents from one address, sent without a pause,', () => {
  const stack = new AsyncDisposableStack();
  let tapeql: TapeqlProcess;
  let addresses = 0;
  beforeAll(async () => {
    const exchange = stack.use(await startQuietExchange());
    const limits = {
      MAX_CONNECTIONS_PER_USER: '5',
      RATE_LIMITS: 'portfolio=10,tradeNotifications=10,market=60,orders=60,http=600',
    };
    tapeql = stack.use(await startMain({ PORT: '0', TRUSTED_PROXIES: '1', ...exchange.env, ...limits }));
    // The first documents take longer than all that follow.
    await measureDocument();
  });
  afterAll(() => stack.disposeAsync());

  const nextAddress = (): string => `203.0.113.${++addresses}`;
  const readStats = (): Promise<Stats> => fetchJson(`${tapeql.url}/stats`);

  async function readCpuSeconds(): Promise<number> {
    const page = await (await fetch(`${tapeql.url}/metrics`)).text();
    return Number(/^process_cpu_seconds_total (\S+)$/m.exec(page)![1]);
  }

  type Outcome = { readonly status: number; readonly code: string; readonly retryAfterMs?: number };
  type Ask = (address: string, query: string) => Promise<Outcome>;

  const post =
    (headers: Record<string, string> = {}): Ask =>
    async (address, query) => {
      const response = await fetch(`${tapeql.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': address, ...headers },
        body: JSON.stringify({ query }),
      });
      return readOutcome(response);
    };
  const get =
    (parameter: string): Ask =>
    async (address, query) => {
      const response = await fetch(`${tapeql.url}/graphql?${parameter}=${encodeURIComponent(query)}`, {
        headers: { 'x-forwarded-for': address, accept: 'application/graphql-response+json' },
      });
      return readOutcome(response);
    };
  async function readOutcome(response: Response): Promise<Outcome> {
    const text = await response.text();
    const body = JSON.parse(/^data: (.+)$/m.exec(text)?.[1] ?? text) as { errors?: { extensions: Outcome }[] };
    const { code = '', retryAfterMs } = body.errors?.[0]?.extensions ?? {};
    return { status: response.status, code, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }

  /** What one such document takes of the process' time where it is looked at: each comes from an address of its own. */
  async function measureDocument(): Promise<number> {
    const before = await readCpuSeconds();
    for (let count = 0; count < 20; count++) expect((await post()(nextAddress(), writeInvalid())).status).toBe(200);
    return ((await readCpuSeconds()) - before) / 20;
  }

  /** Others are served as always. */
  async function serveOther(): Promise<void> {
    const answer = await post()(nextAddress(), STATUS);
    expect(answer).toEqual({ status: 200, code: '' });
  }

  async function expectBounded(attack: () => Promise<void>): Promise<Stats> {
    const one = await measureDocument();
    const before = await readStats();
    const cpuBefore = await readCpuSeconds();
    await attack();
    const spent = (await readCpuSeconds()) - cpuBefore;
    const after = await readStats();
    expect(after['work'].documents.parsed - before['work'].documents.parsed).toBeLessThan(MAX_PARSED);
    // What is refused takes a fraction of what it would take to look at it.
    expect(spent / ATTEMPTS).toBeLessThan(one / 2);
    expect(after['memory'].rss - before['memory'].rss).toBeLessThan(MAX_GROWTH_BYTES);
    return after;
  }

  it('over one WebSocket: they wait, and in the end it is closed with 1013', async () => {
    const before = await readStats();
    const after = await expectBounded(async () => {
      await using socket = await RawWebSocket.connect(`${tapeql.url.replace('http', 'ws')}/graphql`, {
        headers: { 'x-forwarded-for': nextAddress() },
      });
      for (let id = 0; id < ATTEMPTS; id++) socket.subscribe(`${id}`, writeInvalid());
      await serveOther();
      expect(await socket.closed).toEqual({ code: 1013, reason: 'Too much work' });
      const refused = socket.received.filter(({ type }) => type === 'error');
      expect(refused.length).toBeGreaterThan(0);
      expect(refused.length).toBeLessThan(MAX_PARSED);
      await serveOther();
    });
    expect(after['work'].slowed.websocket).toBeGreaterThan(before['work'].slowed.websocket);
    expect(after['work'].refused.websocket).toBe(before['work'].refused.websocket + 1);
  });

  it.each<[string, 'http' | 'sse', Ask]>([
    ['by POST', 'http', post()],
    ['by GET', 'http', get('query')],
    ['by GET, its parameter written otherwise', 'http', get('%71uery')],
    ['over SSE', 'sse', post({ accept: 'text/event-stream' })],
  ])('%s: they wait, or are refused with 429 and the time to wait', async (_how, transport, ask) => {
    const outcomes: Outcome[] = [];
    const before = await readStats();
    const after = await expectBounded(async () => {
      const address = nextAddress();
      let left = ATTEMPTS;
      const attack = async (): Promise<void> => {
        while (left-- > 0) outcomes.push(await ask(address, writeInvalid()));
      };
      const attacking = Promise.all(Array.from({ length: 30 }, attack));
      await serveOther();
      await attacking;
    });
    const refused = outcomes.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(ATTEMPTS - MAX_PARSED);
    for (const { code, retryAfterMs } of refused) {
      expect(code).toBe('RATE_LIMITED');
      expect(retryAfterMs).toBeGreaterThan(0);
    }
    for (const figure of ['slowed', 'refused']) {
      expect(after['work'][figure][transport]).toBeGreaterThan(before['work'][figure][transport]);
    }
    const page = await (await fetch(`${tapeql.url}/metrics`)).text();
    expect(page).toContain(`tapeql_work_refused_total{transport="${transport}"} ${after['work'].refused[transport]}`);
  });
});

describe('whoever spends little', () => {
  const FOLLOW = 'subscription ($symbols: [Symbol!]!) { quoteUpdates(symbols: $symbols) { symbol price } }';
  const symbols = Array.from({ length: 500 }, (_, index) => `S${index}`);

  async function openDashboard(url: string, address: string): Promise<RawWebSocket> {
    const socket = await RawWebSocket.connect(url, { headers: { 'x-forwarded-for': address } });
    for (let id = 0; id < 50; id++) socket.subscribe(`${id}`, FOLLOW, { symbols });
    await socket.settle();
    return socket;
  }

  it('starts, and starts again, with 50 subscriptions of 500 symbols by a small part of what it may do', async () => {
    const env = { TRUSTED_PROXIES: '1', MAX_CONNECTIONS_PER_USER: '5' };
    await using tapeql = await startTestTapeql({ env, tuning: { workLimits: WORK_LIMITS } });
    // Somebody has sent the document before.
    await (await openDashboard(tapeql.webSocketUrl, '192.0.2.1'))[Symbol.asyncDispose]();
    const { workedMs } = (await tapeql.readStats())['work'];
    for (let time = 0; time < 5; time++)
      await (await openDashboard(tapeql.webSocketUrl, '192.0.2.2'))[Symbol.asyncDispose]();
    const { work } = await tapeql.readStats();
    expect((work.workedMs - workedMs) / 5).toBeLessThan(WORK_LIMITS.connection.burstMs / 20);
    expect(work.slowed.websocket).toBe(0);
  });

  it('is served while another connection of the same address spends too much', async () => {
    const env = { TRUSTED_PROXIES: '1' };
    await using tapeql = await startTestTapeql({ env, tuning: { workLimits: WORK_LIMITS } });
    const headers = { 'x-forwarded-for': '192.0.2.1' };
    await using neighbour = await RawWebSocket.connect(tapeql.webSocketUrl, { headers });
    await using attacker = await RawWebSocket.connect(tapeql.webSocketUrl, { headers });
    for (let id = 0; id < ATTEMPTS; id++) attacker.subscribe(`${id}`, writeInvalid());
    await expect.poll(async () => (await tapeql.readStats())['work'].slowed.websocket).toBeGreaterThan(0);
    for (let id = 0; id < 20; id++) {
      neighbour.subscribe(`${id}`, STATUS);
      expect((await neighbour.find((message) => message.id === `${id}`)).type).toBe('next');
    }
    expect(attacker.received.length).toBeLessThan(MAX_PARSED);
    expect(neighbour.socket.readyState).toBe(neighbour.socket.OPEN);
  });

  it('is answered in order, and in full, when it had to wait', async () => {
    const quick = { burstMs: 5, msPerSecond: 500 };
    const workLimits = { connection: quick, account: quick, pace: quick, all: quick };
    await using tapeql = await startTestTapeql({ tuning: { workLimits } });
    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    for (let id = 0; id < 50; id++) socket.subscribe(`${id}`, writeInvalid());
    socket.subscribe('last', STATUS);
    await socket.find(({ id, type }) => id === 'last' && type === 'complete');
    const errors = socket.received.filter(({ type }) => type === 'error').map(({ id }) => id);
    expect(errors).toEqual(Array.from({ length: 50 }, (_, id) => `${id}`));
    const { slowed, refused } = (await tapeql.readStats())['work'];
    expect(slowed.websocket).toBeGreaterThan(0);
    expect(refused.websocket).toBe(0);
  });

  it('is not held back, where it has signed in, by others of its address', async () => {
    await using tapeql = await startTestTapeql({
      env: { JWT_SECRET },
      // Without a refill: so however slow the machine is, most of them are one too many.
      tuning: { workLimits: { ...WORK_LIMITS, account: { burstMs: 100, msPerSecond: 0.001 } } },
    });
    const attack = Array.from({ length: 60 }, () =>
      fetch(tapeql.endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: writeInvalid() }),
      }).then(({ status }) => status),
    );
    expect(await Promise.all(attack)).toContain(429);
    const { slowed } = (await tapeql.readStats())['work'];
    const answer = await fetch(tapeql.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${await mintToken({ sub: 'alice' })}` },
      body: JSON.stringify({ query: STATUS }),
    });
    expect(answer.status).toBe(200);
    expect((await tapeql.readStats())['work'].slowed.http).toBe(slowed.http);
  });
});
