import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawWebSocket } from '../test/raw-web-socket.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { fetchJson, postOperation, startMain, type TapeqlProcess } from '../test/tapeql.ts';
import { until } from '../test/until.ts';

/** As `ROLE=ingest` and `ROLE=api` run on two machines, with nothing in common but Redis. */
describe.concurrent('ingest and api as two processes over Redis', () => {
  let redis: TestRedis;
  let client: Redis;
  let ingest: TapeqlProcess;
  let api: TapeqlProcess;

  beforeAll(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
    [ingest, api] = await Promise.all([
      startMain({ ROLE: 'ingest', REDIS_URL: redis.url }),
      startMain({ ROLE: 'api', REDIS_URL: redis.url, PORT: '0' }),
    ]);
    await until(async () => expect((await fetchJson(`${api.url}/health`))['status']).toBe('healthy'));
  });
  afterAll(async () => {
    await api?.[Symbol.asyncDispose]();
    await ingest?.[Symbol.asyncDispose]();
    client?.disconnect();
    await redis?.stop();
  });

  const connect = (to: TapeqlProcess) => RawWebSocket.connect(`${to.url}/graphql`.replace('http', 'ws'));

  it('quotes and trades are delivered, contiguous, with the names that the contract gives', async ({ expect }) => {
    await using socket = await connect(api);
    socket.subscribe('q', 'subscription { quoteUpdates(symbols: ["AAPL", "MSFT"]) { symbol price stale } }');
    socket.subscribe('t', 'subscription { trades(symbols: ["AAPL", "NVDA"]) { symbol price sequence cursor } }');
    const sequences = new Map<string, number>();
    const quoted = new Set<string>();
    for (let trades = 0; trades < 20 || quoted.size < 2;) {
      const { id, payload } = await socket.next();
      if (id === 'q') quoted.add(payload.data.quoteUpdates.symbol);
      else {
        const { symbol, sequence, cursor } = payload.data.trades;
        expect(sequence).toBe((sequences.get(symbol) ?? sequence - 1) + 1);
        expect(payload.extensions.cursor).toBe(cursor);
        sequences.set(symbol, sequence);
        trades += 1;
      }
    }

    await expect.poll(() => client.get('subscriptions:count:{AAPL}')).toBe('2');
    expect(await client.get('subscriptions:count:{MSFT}')).toBe('1');
    expect(await client.smembers('subscriptions:active')).toEqual(expect.arrayContaining(['AAPL', 'MSFT', 'NVDA']));
    expect(JSON.parse((await client.get('cache:quote:{AAPL}'))!)).toMatchObject({ symbol: 'AAPL' });
    // The prints that came so far may all be of the other symbols.
    await expect.poll(() => client.exists('history:{AAPL}:trades')).toBe(1);
    for (const key of ['cache:quote:{AAPL}', 'subscriptions:count:{AAPL}', 'history:{AAPL}:trades']) {
      expect(await client.pttl(key)).toBeGreaterThan(0);
    }
    const query = '{ serviceStatus { state redisConnected feed } quote(symbol: "TSLA") { price } indices { symbol } }';
    await expect
      .poll(() => postOperation(`${api.url}/graphql`, { query }))
      .toMatchObject({
        data: {
          serviceStatus: { state: 'OPERATIONAL', redisConnected: true, feed: 'SIMULATED' },
          quote: { price: expect.any(Number) },
          indices: expect.arrayContaining([{ symbol: 'I:SPX' }]),
        },
      });
  });

  it('a stream that was cut is resumed at another api process without a gap', async ({ expect }) => {
    await using other = await startMain({ ROLE: 'api', REDIS_URL: redis.url, PORT: '0' });
    const query = (after: string) => `subscription { trades(symbols: ["AMD", "TSLA"]${after}) { symbol sequence } }`;
    await using first = await connect(api);
    first.subscribe('t', query(''));
    const seen: { symbol: string; sequence: number }[] = [];
    let cursor = '';
    while (seen.length < 10) {
      const { payload } = await first.next();
      seen.push(payload.data.trades);
      ({ cursor } = payload.extensions);
    }
    first.socket.terminate();
    await using second = await connect(other);
    second.subscribe('t', query(`, after: "${cursor}"`));
    while (seen.length < 40) seen.push((await second.next()).payload.data.trades);
    for (const symbol of ['AMD', 'TSLA']) {
      const sequences = seen.filter((trade) => trade.symbol === symbol).map(({ sequence }) => sequence);
      expect(sequences).toEqual(sequences.map((_, index) => sequences[0]! + index));
    }
  });

  it('a process that is killed leaves a lease that ends, and with it what it wanted', async ({ expect }) => {
    await using doomed = await startMain({ ROLE: 'api', REDIS_URL: redis.url, PORT: '0' });
    await using socket = await connect(doomed);
    socket.subscribe('q', 'subscription { quoteUpdates(symbols: ["KO"]) { price } }');
    await expect.poll(() => client.get('subscriptions:count:{KO}')).toBe('1');
    doomed.child.kill('SIGKILL');
    await doomed.exited;

    let lease = '';
    for (const key of await client.keys('demand:process:*')) if ((await client.hexists(key, 'KO')) === 1) lease = key;
    // Ingest looks every 4 s: together less than the 30 s that are promised.
    expect(await client.pttl(lease)).toBeGreaterThan(0);
    expect(await client.pttl(lease)).toBeLessThanOrEqual(25_000);
    // What time would do.
    await client.pexpire(lease, 1);
    await expect.poll(() => client.sismember('subscriptions:active', 'KO')).toBe(0);
    expect(await client.exists('subscriptions:count:{KO}')).toBe(0);
  });
});
