import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemTimers, type Timers } from './market/timers.ts';
import { RawWebSocket } from '../test/raw-web-socket.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { fetchJson, startTestTapeql } from '../test/tapeql.ts';
import { makeWireTrade } from '../test/wire-samples.ts';

describe('roles', () => {
  let redis: TestRedis;
  beforeAll(async () => void (redis = await startRedis()));
  afterAll(() => redis?.stop());

  it('an api process is ready once it hears of ingest, and tells when it hears no more', async () => {
    let aheadMs = 0;
    const statusTimers: Timers = { ...systemTimers, now: () => systemTimers.now() + aheadMs };
    await using api = await startTestTapeql({ env: { ROLE: 'api', REDIS_URL: redis.url }, tuning: { statusTimers } });
    const readStatus = async (): Promise<unknown> =>
      (await api.query('{ serviceStatus { state reason feedConnected } }')).data.serviceStatus;
    expect((await fetch(`${api.url}/health/ready`)).status).toBe(503);
    await expect
      .poll(() => fetchJson(`${api.url}/health`))
      .toMatchObject({ status: 'unhealthy', redis: true, feed: false });
    expect(await readStatus()).toEqual({
      state: 'DEGRADED',
      reason: expect.stringMatching(/Ingest/),
      feedConnected: false,
    });
    await using socket = await RawWebSocket.connect(api.webSocketUrl);
    socket.subscribe('t', 'subscription { trades(symbols: ["AAPL"]) { price } }');
    await api.untilOpen(1);

    const ingest = await startTestTapeql({ env: { ROLE: 'ingest', REDIS_URL: redis.url } });
    await expect.poll(async () => (await fetch(`${api.url}/health/ready`)).status).toBe(200);
    await expect.poll(readStatus).toEqual({ state: 'OPERATIONAL', reason: null, feedConnected: true });
    await ingest.untilWatched(['AAPL']);
    ingest.simulator.push([makeWireTrade('AAPL', { p: 42 })]);
    expect((await socket.next()).payload.data).toEqual({ trades: { price: 42 } });

    await ingest[Symbol.asyncDispose]();
    aheadMs = 20_000;
    expect(await readStatus()).toMatchObject({ state: 'DEGRADED', feedConnected: false });
    expect((await fetch(`${api.url}/health/ready`)).status).toBe(200);
  });

  it('an ingest process with a port shows its figures to operators and serves no clients', async () => {
    await using ingest = await startTestTapeql({ env: { ROLE: 'ingest', REDIS_URL: redis.url } });
    await expect.poll(() => fetchJson(`${ingest.url}/health`)).toMatchObject({ status: 'healthy', feed: true });
    for (const path of ['/stats', '/metrics', '/health/live', '/health/ready']) {
      expect((await fetch(`${ingest.url}${path}`)).status).toBe(200);
    }
    // The indices, which are wanted at all times.
    await expect.poll(async () => (await ingest.readStats())['ingest'].symbols).toBe(4);
    for (const path of ['/graphql', '/schema.graphql', '/']) {
      expect((await fetch(`${ingest.url}${path}`)).status).toBe(404);
    }
    const socket = new RawWebSocket(ingest.webSocketUrl);
    await expect(socket.opened).rejects.toThrow();
  });
});
