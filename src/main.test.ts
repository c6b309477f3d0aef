import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type Message, RawWebSocket } from '../test/raw-web-socket.ts';
import { fetchJson, runMain, startMain, startQuietExchange, TEST_API_KEY } from '../test/tapeql.ts';

const QUOTES = 'subscription { quoteUpdates(symbols: ["AAPL", "MSFT"]) { symbol price } }';

describe('node src/main.ts', () => {
  it('without an environment shows prices that move, and ends on SIGTERM with a word to every client', async () => {
    await using tapeql = await startMain({ PORT: '0' });
    const endpoint = `${tapeql.url}/graphql`;
    await expect.poll(() => fetchJson(`${tapeql.url}/health`)).toMatchObject({ status: 'healthy', feed: true });

    await using socket = await RawWebSocket.connect(endpoint.replace('http', 'ws'));
    socket.subscribe('q', QUOTES);
    socket.subscribe('s', 'subscription { serviceStatus { state } }');
    const prices = new Set<number>();
    while (prices.size < 4) {
      const { payload } = await socket.find(({ id, type }) => id === 'q' && type === 'next');
      prices.add(payload.data.quoteUpdates.price);
    }

    const stream = await fetch(`${endpoint}?query=${encodeURIComponent(QUOTES)}`, {
      headers: { accept: 'text/event-stream' },
    });
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('"price":')) text += (await reader.read()).value;
    const ended = readRest(reader);

    tapeql.child.kill('SIGTERM');
    expect(await socket.closed).toEqual({ code: 1001, reason: 'Going away' });
    expect(socket.received.filter(isStatus).at(-1)?.payload.data.serviceStatus.state).toBe('SHUTTING_DOWN');
    expect(await ended).not.toContain('event: complete');
    // Else it would end itself after five seconds, with status 1.
    expect(await tapeql.exited).toEqual({ status: 0, signal: null, stderr: '' });
    for (const line of tapeql.lines) expect(JSON.parse(line)).toMatchObject({ level: expect.any(String) });
  });

  it('ends on SIGINT as well', async () => {
    await using exchange = await startQuietExchange();
    await using tapeql = await startMain({ PORT: '0', ...exchange.env });
    tapeql.child.kill('SIGINT');
    expect(await tapeql.exited).toMatchObject({ status: 0 });
  });

  it('starts as `node --watch` starts it, with its simulated exchange', async () => {
    await using tapeql = await startMain({ PORT: '0', WATCH_REPORT_DEPENDENCIES: '1' });
    await expect.poll(() => fetchJson(`${tapeql.url}/health`)).toMatchObject({ status: 'healthy' });
  });

  it('outlives a failure that nobody waited for, and tells it', async () => {
    await using exchange = await startQuietExchange();
    const fail = `process.on('SIGUSR2', () => void Promise.reject(new Error('made up by a test')))`;
    const NODE_OPTIONS = `--import data:text/javascript,${encodeURIComponent(fail).replaceAll("'", '%27')}`;
    await using tapeql = await startMain({ PORT: '0', NODE_OPTIONS, ...exchange.env });
    tapeql.child.kill('SIGUSR2');
    await expect.poll(() => tapeql.lines.join()).toContain('made up by a test');
    expect(await fetchJson(`${tapeql.url}/health/live`)).toEqual({ status: 'live' });
    tapeql.child.kill('SIGTERM');
    expect(await tapeql.exited).toMatchObject({ status: 0 });
  });

  it('serves on, and ends in order, when whoever reads its log goes away', async () => {
    await using exchange = await startQuietExchange();
    await using tapeql = await startMain({ PORT: '0', LOG_LEVEL: 'debug', ...exchange.env });
    tapeql.child.stdout!.destroy();
    tapeql.child.stderr!.destroy();
    // Each of these is told in the log.
    for (let round = 0; round < 20; round++) await fetch(`${tapeql.url}/graphql?query={nonsense}`);
    expect(await fetchJson(`${tapeql.url}/health/live`)).toEqual({ status: 'live' });
    tapeql.child.kill('SIGTERM');
    expect(await tapeql.exited).toMatchObject({ status: 0 });
  });

  it('with a wrong environment names every wrong variable and ends with status 1', async () => {
    const { exited, lines } = runMain({
      PORT: 'four',
      ROLE: 'everything',
      REDIS_URL: 'http://127.0.0.1',
      QUOTE_INTERVAL_MS: '-1',
      ALLOWED_ORIGINS: 'example.com',
      JWT_SECRET: TEST_API_KEY,
      JWT_JWKS_URL: TEST_API_KEY,
    });
    const { status, stderr } = await exited;
    expect(status).toBe(1);
    for (const variable of ['PORT', 'ROLE', 'REDIS_URL', 'QUOTE_INTERVAL_MS', 'ALLOWED_ORIGINS', 'JWT_JWKS_URL']) {
      expect(stderr).toMatch(new RegExp(`^ +${variable}: `, 'm'));
    }
    expect(stderr).not.toContain(TEST_API_KEY);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(lines).toEqual([]);
  });

  it('refuses production without what makes it safe', async () => {
    const { status, stderr } = await runMain({ PORT: '0', NODE_ENV: 'production' }).exited;
    expect(status).toBe(1);
    expect(stderr).toContain('JWT_SECRET');
    expect(stderr).toContain('FEED');
  });

  it('ends with status 1 where its port is taken', async () => {
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
    const { port } = squatter.address() as { port: number };
    await using exchange = await startQuietExchange();
    const { exited, lines } = runMain({ PORT: String(port), ...exchange.env });
    expect(await exited).toMatchObject({ status: 1 });
    expect(lines.join('\n')).toContain('EADDRINUSE');
    squatter.close();
  });

  it('starts while the upstream is away, says so, and never prints the key', async () => {
    await using exchange = await startQuietExchange();
    exchange.simulator.setFault('auth-failed');
    exchange.simulator.setFault('rest-status', 401);
    await using tapeql = await startMain({
      PORT: '0',
      LOG_LEVEL: 'trace',
      ...exchange.env,
      FEED: 'polygon',
      POLYGON_API_KEY: TEST_API_KEY,
    });
    await expect.poll(() => fetchJson(`${tapeql.url}/health`)).toMatchObject({ status: 'degraded', feed: false });
    await using socket = await RawWebSocket.connect(`${tapeql.url}/graphql`.replace('http', 'ws'));
    socket.subscribe('q', '{ quote(symbol: "AAPL") { price } }');
    expect((await socket.next()).payload.errors[0].extensions.code).toBe('UPSTREAM_UNAVAILABLE');
    tapeql.child.kill('SIGTERM');
    const { status, stderr } = await tapeql.exited;
    expect(status).toBe(0);
    expect(`${tapeql.lines.join('\n')}${stderr}`).not.toContain(TEST_API_KEY);
    expect(tapeql.lines.length).toBeGreaterThan(3);
  });
});

const isStatus = ({ id, type }: Message): boolean => id === 's' && type === 'next';

/** What still comes, however it ends. */
async function readRest(reader: ReadableStreamDefaultReader<string>): Promise<string> {
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text;
      text += value;
    }
  } catch {
    return text;
  }
}
