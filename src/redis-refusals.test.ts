import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeTrade } from '../test/market-samples.ts';
import { RawWebSocket } from '../test/raw-web-socket.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { fetchJson, startTestTapeql, type TestTapeql } from '../test/tapeql.ts';
import { makeWireTrade } from '../test/wire-samples.ts';
import { OFFSETS_PER_MS } from './market/log.ts';

const TRADES = 'subscription { trades(symbols: ["AAPL", "MSFT"]) { sequence price gapBefore } }';
const HOUR_MS = 3_600_000;
const MEBIBYTE = 1024 * 1024;

describe('a Redis that answers and takes no writes', () => {
  let redis: TestRedis;
  /** What an operator does to the server. */
  let operator: Redis;
  let api: TestTapeql;
  let ingest: TestTapeql;
  let socket: RawWebSocket;

  beforeEach(async () => {
    redis = await startRedis(['--maxmemory-policy', 'noeviction']);
    operator = new Redis(redis.url);
    operator.on('error', () => {});
  });
  afterEach(async () => {
    await socket?.[Symbol.asyncDispose]();
    await ingest?.[Symbol.asyncDispose]();
    await api?.[Symbol.asyncDispose]();
    operator.disconnect();
    await redis.stop();
  });

  async function start(): Promise<void> {
    [api, ingest] = await Promise.all([
      startTestTapeql({ env: { ROLE: 'api', REDIS_URL: redis.url } }),
      startTestTapeql({ env: { ROLE: 'ingest', REDIS_URL: redis.url } }),
    ]);
    socket = await RawWebSocket.connect(api.webSocketUrl);
    socket.subscribe('t', TRADES);
    await api.untilOpen(1);
    await ingest.untilWatched(['AAPL', 'MSFT']);
    await expect.poll(readState).toEqual({ state: 'OPERATIONAL', reason: null });
    push(1);
    expect(await nextTrade()).toEqual({ sequence: 1, price: 1, gapBefore: false });
  }

  const push = (price: number): void => ingest.simulator.push([makeWireTrade('AAPL', { p: price })]);
  const nextTrade = async (): Promise<unknown> => (await socket.next()).payload.data.trades;
  const readState = async (): Promise<unknown> =>
    (await api.query('{ serviceStatus { state reason } }')).data.serviceStatus;
  const readHealth = async ({ url }: TestTapeql): Promise<unknown> =>
    (await fetchJson<{ status: string }>(`${url}/health`)).status;

  const countUsed = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await operator.info('memory'))![1]);

  it('goes on by itself where it is full of what is too old, also of what a former writer has left', async () => {
    // As a writer leaves it that was here for long: in one log that is written now, and in one that stands still.
    for (const symbol of ['AAPL', 'MSFT']) {
      const batch = operator.pipeline();
      for (let number = 1; number <= 3_000; number += 1) {
        const offset = (Date.now() - HOUR_MS) * OFFSETS_PER_MS + number;
        const text = JSON.stringify(makeTrade(symbol, offset, { sequence: number }));
        batch.xadd(`history:{${symbol}}:trades`, `${offset}-0`, 'data', text);
      }
      await batch.exec();
    }
    await start();
    const left = await operator.xlen('history:{MSFT}:trades');
    await operator.config('SET', 'maxmemory', (await countUsed()) - 64 * 1024);
    push(2);
    expect(await nextTrade()).toEqual({ sequence: 2, price: 2, gapBefore: false });
    expect(left).toBe(3_000);
    expect(await operator.xlen('history:{MSFT}:trades')).toBe(1);
    await expect.poll(readState).toEqual({ state: 'OPERATIONAL', reason: null });
  });

  it('is told where it is full of other things, and all that was printed meanwhile comes when there is room', async () => {
    await start();
    await operator.set('of somebody else', 'x'.repeat(MEBIBYTE));
    await operator.config('SET', 'maxmemory', (await countUsed()) - MEBIBYTE / 2);
    for (let price = 2; price <= 20; price += 1) push(price);
    await expect.poll(readState).toMatchObject({ state: 'DEGRADED', reason: expect.stringContaining('Redis is full') });
    expect(await Promise.all([api, ingest].map(readHealth))).toEqual(['degraded', 'degraded']);
    expect((await fetch(`${api.url}/health/ready`)).status).toBe(200);
    await operator.del('of somebody else');
    for (let price = 2; price <= 20; price += 1) {
      expect(await nextTrade()).toEqual({ sequence: price, price, gapBefore: false });
    }
    await expect.poll(readState).toEqual({ state: 'OPERATIONAL', reason: null });
    // The role of the writer was kept, and with it the connection upstream.
    expect((await ingest.readStats())['ingest']).toMatchObject({ feedGaps: 0, leaseLosses: 0, entriesGivenUp: 0 });
  });

  async function breakSaving(): Promise<void> {
    // No file takes the place of a folder.
    await mkdir(path.join(redis.folder, 'dump.rdb', 'full'), { recursive: true });
    await operator.config('SET', 'save', '3600 1');
    await operator.bgsave();
    await expect.poll(() => operator.info('persistence')).toContain('rdb_last_bgsave_status:err');
  }

  async function mendSaving(): Promise<void> {
    await rm(path.join(redis.folder, 'dump.rdb'), { recursive: true });
    await operator.config('SET', 'save', '');
  }

  it('is connected to anew while it cannot save its data, and nothing is lost', async () => {
    await start();
    await breakSaving();
    for (const type of ['NORMAL', 'PUBSUB']) await operator.client('KILL', 'TYPE', type, 'SKIPME', 'yes');
    push(2);
    const query = '{ serviceStatus { state redisConnected } recentTrades(symbol: "AAPL", last: 1) { price } }';
    await expect
      .poll(async () => (await api.query(query)).data)
      .toEqual({ serviceStatus: { state: 'DEGRADED', redisConnected: true }, recentTrades: [{ price: 1 }] });
    await mendSaving();
    expect(await nextTrade()).toMatchObject({ sequence: 2, price: 2 });
    await expect.poll(readState).toEqual({ state: 'OPERATIONAL', reason: null });
  });

  it.for([
    {
      cause: 'it has become a replica',
      reason: 'a replica',
      begin: () => operator.replicaof('127.0.0.1', 1),
      end: () => operator.replicaof('NO', 'ONE'),
    },
    {
      cause: 'it cannot save its data',
      reason: 'cannot save',
      begin: breakSaving,
      end: mendSaving,
    },
    {
      cause: 'the user of ingest may not write the log',
      reason: 'may not run a command',
      begin: () => operator.acl('SETUSER', 'default', '-xadd'),
      end: () => operator.acl('SETUSER', 'default', '+xadd'),
    },
  ])('is told where $cause, and nothing is lost', async ({ reason, begin, end }) => {
    await start();
    await begin();
    push(2);
    await expect.poll(readState).toMatchObject({ state: 'DEGRADED', reason: expect.stringContaining(reason) });
    expect(await Promise.all([api, ingest].map(readHealth))).toEqual(['degraded', 'degraded']);
    push(3);
    await end();
    expect(await nextTrade()).toEqual({ sequence: 2, price: 2, gapBefore: false });
    expect(await nextTrade()).toEqual({ sequence: 3, price: 3, gapBefore: false });
    await expect.poll(readState).toEqual({ state: 'OPERATIONAL', reason: null });
  });
});
