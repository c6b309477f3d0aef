import { Agent, get } from 'node:http';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { runMain, startMain, type Stats, type TapeqlProcess } from '../../test/tapeql.ts';
import { until } from '../../test/until.ts';

/** More than the share of one worker by so much that chance gives no worker less. */
const MAX_CONNECTIONS = 60;
const QUOTES = 'subscription { quoteUpdates(symbols: ["AAPL", "MSFT"]) { symbol price } }';

let redis: TestRedis;
beforeAll(async () => void (redis = await startRedis()));
afterAll(() => redis?.stop());

/** The whole system, with its simulated exchange, as an operator starts it with two workers. */
const startWorkers = (env: Record<string, string> = {}): Promise<TapeqlProcess> =>
  startMain({ PORT: '0', WORKERS: '2', REDIS_URL: redis.url, ...env });

/** The tests follow upon each other. */
describe('two workers', () => {
  let tapeql: TapeqlProcess;
  beforeAll(async () => {
    tapeql = await startWorkers({ MAX_CONNECTIONS: String(MAX_CONNECTIONS) });
    await untilHealthy(tapeql);
  });
  afterAll(() => tapeql?.[Symbol.asyncDispose]());

  it('share the port: connections land on both, and prices move on each', async () => {
    await using clients = await connectMany(tapeql, 40);
    const moved = clients.sockets.map(async (socket) => {
      socket.subscribe('q', QUOTES);
      const prices = new Set<number>();
      while (prices.size < 3) prices.add((await socket.next()).payload.data.quoteUpdates.price);
    });
    await Promise.all(moved);

    const stats = await readWholeStats(tapeql);
    expect(stats).toMatchObject({
      connections: { connections: 40 },
      subscriptions: { active: 40, byField: { quoteUpdates: 40 } },
      symbolsWanted: 2,
    });
    const [first, second, ingest] = stats['workers'];
    expect([first.worker, second.worker, ingest.worker]).toEqual(['api-1', 'api-2', 'ingest']);
    for (const api of [first, second]) expect(api.connections.connections).toBeGreaterThan(0);
    expect(first.connections.connections + second.connections.connections).toBe(40);
    expect(stats['messages'].delivered).toBeGreaterThanOrEqual(120);
    expect(stats['ingest']).toMatchObject({ isWriter: 1 });
  });

  it('sign in the demo viewer by a token that the supervisor tells once, and that both take', async () => {
    const tell = () =>
      tapeql.lines.flatMap((line) => {
        const { msg, token } = JSON.parse(line) as { msg: string; token?: string };
        return msg.startsWith('the demo viewer') ? token : [];
      });
    await expect.poll(tell).toHaveLength(1);
    // Each is a connection of its own, that may land on either.
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        fetch(`${tapeql.url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${tell()[0]}`, connection: 'close' },
          body: '{"query":"{ viewer { name } }"}',
        }).then((response) => response.json()),
      ),
    );
    expect(answers).toEqual(answers.map(() => ({ data: { viewer: { name: 'Demo' } } })));
  });

  it('answer for all, whichever is asked', async () => {
    await using clients = await connectMany(tapeql, 20);
    for (const socket of clients.sockets) socket.subscribe('q', QUOTES);
    await Promise.all(clients.sockets.map((socket) => socket.next()));
    // Each is a connection of its own, that may land on either. A worker that is late by a second is left out.
    const ask = <T>(read: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: 10 }, read));
    await until(async () => {
      for (const page of await ask(() => readJson(tapeql, '/health/websocket'))) {
        expect(page).toMatchObject({ status: 'healthy', activeConnections: 20, uniqueUsers: 1, subscriptions: 20 });
        expect(page['workersMissing']).toEqual([]);
        expect(page['workers']).toHaveLength(3);
      }
    });
    await until(async () => {
      for (const page of await ask(() => readJson(tapeql, '/health'))) {
        expect(page).toMatchObject({ status: 'healthy', clients: 20, redis: true, feed: true, workersMissing: [] });
      }
    });
    await until(async () => {
      for (const page of await ask(() => readMetrics(tapeql))) {
        expect(page.get('tapeql_connections')).toBe(20);
        expect(page.get('tapeql_ingest_writer')).toBe(1);
        expect(page.get('tapeql_workers{state="answering"}')).toBe(3);
        expect(page.get('tapeql_workers{state="missing"}')).toBe(0);
        expect(page.get('tapeql_symbols_wanted')).toBe(2);
        expect(page.get('tapeql_deliveries_total{field="quoteUpdates"}')).toBeGreaterThanOrEqual(20);
        const latency = 'tapeql_delivery_latency_seconds';
        expect(page.get(`${latency}_bucket{field="quoteUpdates",le="+Inf"}`)).toBe(
          page.get(`${latency}_count{field="quoteUpdates"}`),
        );
      }
    });
  });

  it('take as many connections together as MAX_CONNECTIONS says', async () => {
    const sockets = Array.from({ length: 2 * MAX_CONNECTIONS }, () => new RawWebSocket(webSocketUrl(tapeql)));
    const outcomes = await Promise.all(
      sockets.map(async (socket) => {
        await socket.opened;
        socket.send({ type: 'connection_init' });
        return Promise.race([
          socket.closed.then(({ code }) => code),
          socket.next().then(
            ({ type }) => type,
            () => socket.closed.then(({ code }) => code),
          ),
        ]);
      }),
    );
    expect(outcomes.filter((outcome) => outcome === 'connection_ack')).toHaveLength(MAX_CONNECTIONS);
    expect(outcomes.filter((outcome) => outcome === 1013)).toHaveLength(MAX_CONNECTIONS);
    await Promise.all(sockets.map((socket) => socket[Symbol.asyncDispose]()));
    await untilConnected(tapeql, 0);
  });

  it('go on when one is killed: the port answers, the others stay, it is replaced, and no count goes back', async () => {
    await using clients = await connectMany(tapeql, 20);
    const before = await readMetrics(tapeql);
    const { workers } = await readWholeStats(tapeql);
    const killed = workers[0];
    process.kill(killed.pid, 'SIGKILL');
    await expect.poll(() => tapeql.lines.join('\n')).toContain('"a worker ended and is started again"');

    let health: Stats;
    do {
      health = await readJson(tapeql, '/health');
      for (const count of ['tapeql_connections_accepted_total', 'tapeql_websocket_messages_received_total']) {
        expect((await readMetrics(tapeql)).get(count)).toBeGreaterThanOrEqual(before.get(count)!);
      }
    } while (health['status'] !== 'healthy');

    const after = await readWholeStats(tapeql);
    expect(after['workers'][0]).toMatchObject({ worker: 'api-1', pid: expect.any(Number) });
    expect(after['workers'][0].pid).not.toBe(killed.pid);
    expect(after['workers'][1].pid).toBe(workers[1].pid);
    // Its clients were cut off, those of the other were not; who comes back is served.
    const left = clients.sockets.filter(({ socket }) => socket.readyState === socket.OPEN);
    expect(left).toHaveLength(workers[1].connections.connections);
    await Promise.all(left.map((socket) => socket.settle()));
    await using again = await connectMany(tapeql, killed.connections.connections, left.length);
    for (const socket of again.sockets) {
      socket.subscribe('q', QUOTES);
      await socket.next();
    }
  });

  it('leave one out that is silent, and say so', async () => {
    await untilConnected(tapeql, 0);
    const before = await readMetrics(tapeql);
    const { workers } = await readWholeStats(tapeql);
    const silent = workers[1];
    process.kill(silent.pid, 'SIGSTOP');
    try {
      // The kernel gives the silent one its share of the connections still: one of many reaches the other.
      const ask = <T>(read: () => Promise<T>): Promise<T> => Promise.any(Array.from({ length: 20 }, read));
      const missing = { workersMissing: ['api-2'] };
      // On a slow machine another one may be late for once as well.
      for (const page of ['/health', '/health/websocket']) {
        await until(async () =>
          expect(await ask(() => readJson(tapeql, page))).toMatchObject({ status: 'degraded', ...missing }),
        );
      }
      await until(async () => {
        const stats = await ask(() => readJson(tapeql, '/stats'));
        expect(stats).toMatchObject(missing);
        expect(stats['workers'].map((each: Stats) => each['worker'])).toEqual(['api-1', 'ingest']);
      });
      await until(async () => {
        const metrics = await ask(() => readMetrics(tapeql));
        expect(metrics.get('tapeql_workers{state="missing"}')).toBe(1);
        const accepted = 'tapeql_connections_accepted_total';
        expect(metrics.get(accepted)).toBe(before.get(accepted));
      });
    } finally {
      process.kill(silent.pid, 'SIGCONT');
    }
    await untilHealthy(tapeql);
  });

  it('are not joined by another system that would take a share of the connections', async () => {
    const { port } = new URL(tapeql.url);
    const { exited, lines } = runMain({ PORT: port, WORKERS: '2', REDIS_URL: redis.url });
    expect(await exited).toMatchObject({ status: 1, stderr: '' });
    expect(lines.join('\n')).toContain('EADDRINUSE');
  });

  it('name themselves in every line of the one log', () => {
    const lines = tapeql.lines.map((line) => JSON.parse(line) as { worker?: string; msg: string });
    const started = lines.filter(({ msg }) => msg === 'worker started');
    expect(new Set(started.map(({ worker }) => worker))).toEqual(new Set(['api-1', 'api-2', 'ingest']));
  });

  it('end in order by SIGTERM: not ready first, then 1001, then status 0', async () => {
    await untilHealthy(tapeql);
    await untilConnected(tapeql, 0);
    await using clients = await connectMany(tapeql, 20);
    // Clients that take their time keep the port open for a moment, on both.
    await using slow = await connectMany(tapeql, 20, 20);
    for (const socket of slow.sockets) socket.tcp.pause();
    // By connections that stay, on both: each asks again and again, and learns it before it ends.
    const agent = new Agent({ keepAlive: true });
    let asked = 0;
    const unready = Array.from({ length: 10 }, async () => {
      while ((await read(tapeql, '/health/ready', agent)).status !== 503) asked++;
    });
    await expect.poll(() => asked).toBeGreaterThan(20);
    tapeql.child.kill('SIGTERM');
    await Promise.all(unready);
    agent.destroy();
    for (const socket of clients.sockets) expect(await socket.closed).toEqual({ code: 1001, reason: 'Going away' });
    expect(await tapeql.exited).toEqual({ status: 0, signal: null, stderr: '' });
    await expectFree(tapeql);
  });
});

describe('the end of workers', () => {
  it('a supervisor that is killed leaves nobody behind', async () => {
    const tapeql = await startWorkers();
    await using clients = await connectMany(tapeql, 10);
    tapeql.child.kill('SIGKILL');
    for (const socket of clients.sockets) expect(await socket.closed).toMatchObject({ code: 1001 });
    // Its output ends when nobody is left who could write to it.
    expect(await tapeql.exited).toMatchObject({ status: null, signal: 'SIGKILL', stderr: '' });
    await expectFree(tapeql);
  });

  it('SIGINT as well, where a terminal interrupts every process at once', async () => {
    const tapeql = await startWorkers();
    const { workers } = await readWholeStats(tapeql);
    for (const { pid } of workers) process.kill(pid, 'SIGINT');
    tapeql.child.kill('SIGINT');
    expect(await tapeql.exited).toEqual({ status: 0, signal: null, stderr: '' });
    expect(tapeql.lines.join('\n')).not.toContain('is started again');
  });
});

describe('the start of workers', () => {
  it('is refused without a Redis, by name', async () => {
    const { exited, lines } = runMain({ PORT: '0', WORKERS: '2' });
    const { status, stderr } = await exited;
    expect(status).toBe(1);
    expect(stderr).toMatch(/^ +REDIS_URL: .*WORKERS/m);
    expect(lines).toEqual([]);
  });

  it('ends the whole with status 1 where a worker cannot be started, time after time', async () => {
    // An address of nobody (RFC 5737); the port is not tried before, for the system is to choose it.
    const { exited, lines } = runMain({ PORT: '0', HOST: '192.0.2.1', WORKERS: '2', REDIS_URL: redis.url });
    expect(await exited).toMatchObject({ status: 1, signal: null, stderr: '' });
    expect(lines.findLast((line) => line.includes('"msg":"could not start"'))).toContain('3 times in a row');
    expect(lines.filter((line) => line.includes('EADDRNOTAVAIL'))).not.toHaveLength(0);
  });

  it('is without effect for an ingest process, which says so', async () => {
    await using ingest = await startMain({ ROLE: 'ingest', WORKERS: '2', REDIS_URL: redis.url });
    expect(ingest.lines.join('\n')).toContain('WORKERS is without effect');
    expect(ingest.lines.join('\n')).not.toContain('"worker":');
  });

  it('needs a supervisor: one that a person starts says so and ends', async () => {
    const { exited } = runMain({}, ['worker']);
    expect(await exited).toMatchObject({ status: 1, stderr: expect.stringContaining('needs its supervisor') });
  });
});

const webSocketUrl = (tapeql: TapeqlProcess): string => `${tapeql.url}/graphql`.replace('http', 'ws');

/** All of them open and counted, besides those that were there. */
async function connectMany(tapeql: TapeqlProcess, count: number, besides = 0) {
  const connecting = Array.from({ length: count }, () => RawWebSocket.connect(webSocketUrl(tapeql)));
  const sockets = await Promise.all(connecting);
  await untilConnected(tapeql, count + besides);
  return {
    sockets,
    async [Symbol.asyncDispose]() {
      await Promise.all(sockets.map((socket) => socket[Symbol.asyncDispose]()));
    },
  };
}

const untilConnected = (tapeql: TapeqlProcess, count: number): Promise<unknown> =>
  until(async () => expect((await readJson(tapeql, '/health'))['clients']).toBe(count));

const untilHealthy = (tapeql: TapeqlProcess): Promise<unknown> =>
  until(async () => expect((await readJson(tapeql, '/health'))['status']).toBe('healthy'));

/** By a connection of its own, which the kernel may give to any worker, unless an agent has one already. */
function read(
  tapeql: TapeqlProcess,
  path: string,
  agent: Agent | false = false,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    get(`${tapeql.url}${path}`, { agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode!, text }));
      response.on('error', reject);
    }).on('error', reject);
  });
}

async function readJson(tapeql: TapeqlProcess, path: string): Promise<Stats> {
  return JSON.parse((await read(tapeql, path)).text) as Stats;
}

/** What all of them tell: one that is late by a second is left out. */
const readWholeStats = (tapeql: TapeqlProcess): Promise<Stats> =>
  until(async () => {
    const stats = await readJson(tapeql, '/stats');
    expect(stats['workersMissing']).toEqual([]);
    return stats;
  });

async function readMetrics(tapeql: TapeqlProcess): Promise<Map<string, number>> {
  const { text } = await read(tapeql, '/metrics');
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(samples.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

/** Nobody listens there any more. */
async function expectFree(tapeql: TapeqlProcess): Promise<void> {
  const { hostname, port } = new URL(tapeql.url);
  await using server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(port), hostname, resolve);
  });
}
