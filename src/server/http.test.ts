import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { createClient } from 'graphql-sse';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beginRequest } from '../../test/raw-request.ts';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import {
  fetchJson,
  startMain,
  startQuietExchange,
  startTestTapeql,
  TEST_API_KEY,
  type TestTapeql,
} from '../../test/tapeql.ts';
import { makeWireTrade } from '../../test/wire-samples.ts';
import { printSdl } from '../schema/schema.ts';

let tapeql: TestTapeql;
beforeAll(async () => {
  tapeql = await startTestTapeql();
});
afterAll(() => tapeql[Symbol.asyncDispose]());

describe('health', () => {
  it('tells of the whole', async () => {
    const expected = {
      status: 'healthy',
      clients: 0,
      uptime: expect.any(Number),
      redis: null,
      database: true,
      feed: true,
      timestamp: expect.any(Number),
    };
    await expect.poll(() => fetchJson(`${tapeql.url}/health`)).toEqual(expected);
    expect((await fetch(`${tapeql.url}/health`)).status).toBe(200);
  });

  it.each(['/health/live', '/health/ready'])('%s is 200', async (path) => {
    expect((await fetch(`${tapeql.url}${path}`)).status).toBe(200);
  });

  it('tells of the connections', async () => {
    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    socket.subscribe('1', 'subscription { serviceStatus { state } }');
    await tapeql.untilOpen(1);
    expect(await fetchJson(`${tapeql.url}/health/websocket`)).toEqual({
      status: 'healthy',
      activeConnections: 1,
      uniqueUsers: 1,
      subscriptions: 1,
      uptime: expect.any(Number),
    });
  });

  it('is ready no more as soon as it shuts down, and lives on', async () => {
    await using own = await startTestTapeql();
    // A client that takes its time keeps it from being over at once.
    await using slow = await RawWebSocket.connect(own.webSocketUrl);
    slow.tcp.pause();
    const requests = await Promise.all(
      ['/health/ready', '/health', '/health/live'].map((path) => beginRequest(own.url, path)),
    );
    const stopping = own.stop();
    const [ready, health, live] = await Promise.all(requests.map(({ finish }) => finish()));
    expect(ready!.status).toBe(503);
    expect([health!.status, JSON.parse(health!.body)]).toMatchObject([503, { status: 'unhealthy' }]);
    expect(live!.status).toBe(200);
    await stopping;
  });
});

describe('figures', () => {
  it('/stats and /metrics count what passed', async () => {
    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    socket.subscribe('1', 'subscription { trades(symbols: ["AAPL"]) { price } }');
    await tapeql.untilOpen(1);
    await tapeql.untilWatched(['AAPL']);
    const before = await readMetrics();
    tapeql.simulator.push([makeWireTrade('AAPL'), makeWireTrade('AAPL')]);
    await socket.next();
    await socket.next();
    await tapeql.query('{ quotes(symbols: ["MSFT", "IBM"]) { price } }');
    await tapeql.query('{ quotes(symbols: ["MSFT", "IBM"]) { price } }');

    const stats = await tapeql.readStats();
    expect(stats).toMatchObject({
      connections: { connections: 1 },
      subscriptions: { active: 1, byField: { trades: 1 } },
      hub: { symbolsWanted: 1 },
      memory: { rss: expect.any(Number) },
    });
    expect(JSON.stringify(stats)).toMatch(/"hitRate":/);
    const after = await readMetrics();
    const delivered = 'tapeql_deliveries_total{field="trades"}';
    expect(after.get(delivered)! - (before.get(delivered) ?? 0)).toBe(2);
    expect(after.get('tapeql_connections')).toBe(1);
    expect(after.get('tapeql_subscriptions{field="trades"}')).toBe(1);
    const latency = 'tapeql_delivery_latency_seconds_count{field="trades"}';
    expect(after.get(latency)! - (before.get(latency) ?? 0)).toBe(2);
    expect(after.get('tapeql_socket_backlog_bytes')).toBe(0);

    socket.complete('1');
    await tapeql.untilOpen(0);
    const ended = (cause: string): string => `tapeql_subscriptions_ended_total{cause="${cause}"}`;
    const last = await readMetrics();
    expect(last.get(ended('client'))! - (after.get(ended('client')) ?? 0)).toBe(1);
  });

  it('/metrics is Prometheus text: every sample has its help and type, and none comes twice', async () => {
    const response = await fetch(`${tapeql.url}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const samples = parsePrometheus(await response.text());
    expect(samples.size).toBeGreaterThan(50);
  });

  const readMetrics = async () => parsePrometheus(await (await fetch(`${tapeql.url}/metrics`)).text());
});

describe('routes', () => {
  it('/schema.graphql is the schema that is served and the one that is committed', async () => {
    const served = await (await fetch(`${tapeql.url}/schema.graphql`)).text();
    expect(served).toBe(printSdl());
    expect(served).toBe(await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8'));
  });

  it.each(['/nothing', '/health/nothing', '/constructor', '/graphql/nothing', '/stats/', '//', '/%00'])(
    '%s is 404',
    async (path) => {
      expect((await fetch(`${tapeql.url}${path}`)).status).toBe(404);
    },
  );

  it('operators read: another method is 405, HEAD has no body', async () => {
    expect((await fetch(`${tapeql.url}/health`, { method: 'POST' })).status).toBe(405);
    const head = await fetch(`${tapeql.url}/health`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('what is no HTTP is answered with 400, and the next one is served', async () => {
    const { port } = new URL(tapeql.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('\u0016\u0003\u0001 hello\r\n\r\n');
    let answer = '';
    for await (const chunk of socket) answer += String(chunk);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect((await fetch(`${tapeql.url}/health/live`)).status).toBe(200);
  });

  it('a connection is kept longer than proxies keep one, which is told', async () => {
    const answer = await fetch(`${tapeql.url}/health/live`);
    expect(answer.headers.get('keep-alive')).toBe('timeout=65');
  });

  it('answers of other origins are not to be read, those of ALLOWED_ORIGINS are', async () => {
    await using own = await startTestTapeql({ env: { ALLOWED_ORIGINS: 'https://app.example.com' } });
    const ask = async (server: TestTapeql, origin: string) => {
      const headers = { origin, 'content-type': 'application/json' };
      const response = await fetch(server.endpoint, { method: 'POST', headers, body: '{"query":"{ __typename }"}' });
      await response.arrayBuffer();
      return response.headers.get('access-control-allow-origin');
    };
    expect(await ask(own, 'https://app.example.com')).toBe('https://app.example.com');
    expect(await ask(own, 'https://evil.example.com')).not.toBe('https://evil.example.com');
    expect(await ask(tapeql, 'https://app.example.com')).toBeNull();
  });
});

it('a shutdown ends SSE streams without `complete`, so that a client comes back', async () => {
  await using own = await startTestTapeql();
  const headers = { accept: 'text/event-stream', 'content-type': 'application/json' };
  const body = JSON.stringify({ query: 'subscription { serviceStatus { state } }' });
  const response = await fetch(own.endpoint, { method: 'POST', headers, body });
  await own.untilOpen(1);
  const client = createClient({ url: own.endpoint, retryAttempts: 0 });
  const failure = client.iterate({ query: 'subscription { trades(symbols: ["AAPL"]) { price } }' }).next();
  failure.catch(() => undefined);
  await own.untilOpen(2);

  const reading = readToEnd(response);
  await own.stop();
  const text = await reading;
  expect(text).toContain('"state":"SHUTTING_DOWN"');
  expect(text).not.toContain('complete');
  await expect(failure).rejects.toThrow();
});

it('the key of the upstream is in no line of the log, in no figure and in no answer', async () => {
  await using own = await startTestTapeql({ simulator: { keys: { [TEST_API_KEY]: { rest: false } } } });
  own.simulator.setFault('unknown-status');
  await own.query(
    '{ quote(symbol: "AAPL") { price } bars(symbol: "AAPL", interval: DAY, from: "2026-01-01T00:00:00Z") { close } }',
  );
  own.simulator.setFault('auth-failed');
  own.simulator.dropConnections();
  await expect
    .poll(async () => (await own.query('{ serviceStatus { reason } }')).data.serviceStatus.reason)
    .toMatch(/key/);
  const told = [
    ...own.records.map((record) => printAll(record)),
    JSON.stringify(await own.query('{ serviceStatus { reason } quote(symbol: "IBM") { price } }')),
    JSON.stringify(await own.readStats()),
    await (await fetch(`${own.url}/metrics`)).text(),
  ];
  expect(told.length).toBeGreaterThan(5);
  expect(told.filter((text) => text.includes(TEST_API_KEY))).toEqual([]);
});

/** All that came, however it ended. */
async function readToEnd(response: Response): Promise<string> {
  let text = '';
  try {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk;
  } catch {
    // Cut off: that is an end, too.
  }
  return text;
}

/** With what JSON leaves out: errors, their causes and their stacks. */
function printAll(record: object): string {
  return JSON.stringify(record, (_key, value: unknown) =>
    value instanceof Error
      ? Object.fromEntries(Object.getOwnPropertyNames(value).map((name) => [name, value[name as keyof Error]]))
      : value,
  );
}

/** Samples by name and labels. @throws where a line is no Prometheus text */
function parsePrometheus(text: string): Map<string, number> {
  const types = new Map<string, string>();
  const helps = new Set<string>();
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const meta = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line);
    if (meta !== null) {
      if (meta[1] === 'HELP') helps.add(meta[2]!);
      else types.set(meta[2]!, meta[3]!);
      continue;
    }
    const sample = /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*\})? (\S+)$/.exec(line);
    if (sample === null) throw new Error(`no Prometheus text: ${line}`);
    const [, name, labels = '', value] = sample;
    const family = types.has(name!) ? name! : name!.replace(/_(bucket|sum|count)$/, '');
    if (!types.has(family) || !helps.has(family)) throw new Error(`${name} has no help or no type`);
    if (samples.has(name! + labels)) throw new Error(`${name}${labels} comes twice`);
    samples.set(name! + labels, parseValue(value!));
  }
  return samples;
}

/** As Go's ParseFloat reads it, which minds no case. */
function parseValue(text: string): number {
  if (/^nan$/i.test(text)) return Number.NaN;
  const value = Number(text.replace(/inf/i, 'Infinity'));
  if (Number.isNaN(value)) throw new Error(`no value: ${text}`);
  return value;
}

describe('a herd of connections', () => {
  /** Node's own room for connections that wait is less than this. */
  const HERD = 800;

  it('waits while the process has no time for it, as far as the kernel has room', async () => {
    const room = Number(await readFile('/proc/sys/net/core/somaxconn', 'utf8').catch(() => '128'));
    await using exchange = await startQuietExchange();
    await using own = await startMain({ PORT: '0', ...exchange.env });
    own.child.kill('SIGSTOP');
    const sockets = Array.from({ length: Math.min(HERD, room) }, () =>
      connect(Number(new URL(own.url).port), '127.0.0.1'),
    );
    try {
      // The kernel of one that found no room would try again for a minute, and here in vain.
      const connected = await Promise.all(sockets.map((socket) => once(socket, 'connect')));
      expect(connected).toHaveLength(sockets.length);
    } finally {
      own.child.kill('SIGCONT');
      for (const socket of sockets) socket.destroy();
    }
  });
});
