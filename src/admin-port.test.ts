import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDataDir } from '../test/ledger.ts';
import { RawWebSocket } from '../test/raw-web-socket.ts';
import { recordingLogger } from '../test/recording-logger.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { fetchJson, startMain, startQuietExchange, type TapeqlProcess } from '../test/tapeql.ts';
import { until } from '../test/until.ts';
import { startThreads } from './assembly/threads.ts';
import { readConfig } from './config.ts';
import { startTapeql } from './tapeql.ts';

const PROBES = ['/health', '/health/live', '/health/ready'];
const OPERATORS = ['/metrics', '/stats', '/health/websocket'];
const PRODUCTION = { NODE_ENV: 'production', JWT_SECRET: 'a secret of the tests alone, of 32 bytes' };

const statusesOf = (url: string, paths: readonly string[]): Promise<number[]> =>
  Promise.all(paths.map(async (page) => (await fetch(`${url}${page}`)).status));

const ANSWERED = [200, 200, 200];
const NOT_FOUND = [404, 404, 404];

let redis: TestRedis;
let exchange: Awaited<ReturnType<typeof startQuietExchange>>;
beforeAll(async () => {
  redis = await startRedis();
  exchange = await startQuietExchange();
});
afterAll(async () => {
  await redis?.stop();
  await exchange?.[Symbol.asyncDispose]();
});

const start = (env: Record<string, string>): Promise<TapeqlProcess> =>
  startMain({ PORT: '0', ...exchange.env, ...env });

const isReady = (url: string): Promise<void> =>
  until(async () => expect((await fetch(`${url}/health/ready`)).status).toBe(200));

describe('the pages of operators', () => {
  it('are on the port of the clients in development, where there is no other', async () => {
    await using tapeql = await start({});
    await isReady(tapeql.url);
    expect(tapeql.adminUrl).toBe('');
    expect(await statusesOf(tapeql.url, [...PROBES, ...OPERATORS])).toEqual([...ANSWERED, ...ANSWERED]);
  });

  it('are nowhere in production without ADMIN_PORT, but for what an orchestrator asks', async () => {
    await using tapeql = await start(PRODUCTION);
    await isReady(tapeql.url);
    expect(await statusesOf(tapeql.url, [...PROBES, ...OPERATORS])).toEqual([...ANSWERED, ...NOT_FOUND]);
  });

  it.each([
    ['development', {}],
    ['production', PRODUCTION],
  ])(
    'are all on ADMIN_PORT in %s, which serves no clients; the port of the clients has what an orchestrator asks',
    async (_where, env) => {
      await using tapeql = await start({ ADMIN_PORT: '0', ...env });
      await isReady(tapeql.adminUrl);
      expect(new URL(tapeql.adminUrl).hostname).toBe('127.0.0.1');
      expect(await statusesOf(tapeql.adminUrl, [...PROBES, ...OPERATORS])).toEqual([...ANSWERED, ...ANSWERED]);
      expect(await statusesOf(tapeql.url, [...PROBES, ...OPERATORS])).toEqual([...ANSWERED, ...NOT_FOUND]);
      expect(await statusesOf(tapeql.adminUrl, ['/', '/graphql', '/schema.graphql'])).toEqual(NOT_FOUND);
      await expect(new RawWebSocket(`${tapeql.adminUrl.replace('http', 'ws')}/graphql`).opened).rejects.toThrow();
    },
  );

  it('tell of all workers, whichever of them is asked; the port that the system chose is the same for all', async () => {
    const env = { ...PRODUCTION, ADMIN_PORT: '0', WORKERS: '2', REDIS_URL: redis.url };
    await using tapeql = await start(env);
    await isReady(tapeql.adminUrl);
    // Each request is a connection of its own, that may land on either.
    await until(async () => {
      const pages = await Promise.all(
        Array.from({ length: 8 }, async () => {
          const answer = await fetch(`${tapeql.adminUrl}/stats`, { headers: { connection: 'close' } });
          return (await answer.json()) as { workers: { worker: string }[] };
        }),
      );
      for (const { workers } of pages) {
        expect(workers.map(({ worker }) => worker)).toEqual(['api-1', 'api-2', 'ingest']);
      }
    });
    expect(await statusesOf(tapeql.url, [...PROBES, ...OPERATORS])).toEqual([...ANSWERED, ...NOT_FOUND]);
    expect(await (await fetch(`${tapeql.adminUrl}/metrics`)).text()).toContain('tapeql_workers{state="answering"} 3');
  });

  it('are there for an ingest process that has no other port', async () => {
    const { PORT: _, ...env } = { PORT: '', ROLE: 'ingest', REDIS_URL: redis.url, ADMIN_PORT: '0' };
    await using tapeql = await startMain({ ...exchange.env, ...env });
    expect(tapeql.url).toBe('');
    await isReady(tapeql.adminUrl);
    expect(await statusesOf(tapeql.adminUrl, OPERATORS)).toEqual(ANSWERED);
  });

  it('are there until all else is closed, and say that it is not ready', async () => {
    const { logger } = recordingLogger();
    const config = readConfig({ ...exchange.env, PORT: '0', ADMIN_PORT: '0', DATA_DIR: await makeDataDir() });
    const threads = startThreads(config, { tuning: { opensDatabaseAtStart: false }, logger });
    const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const tapeql = await startTapeql(config, {
      logger,
      tuning: { opensDatabaseAtStart: false },
      // They were opened first.
      threads: {
        ...threads,
        async [Symbol.asyncDispose]() {
          reached.resolve();
          await release.promise;
          await threads[Symbol.asyncDispose]();
        },
      },
    });
    const adminUrl = tapeql.adminUrl!;
    const closing = tapeql.close();
    await reached.promise;
    await expect(fetch(`${tapeql.url}/health/live`)).rejects.toThrow();
    expect(await statusesOf(adminUrl, ['/health/ready', '/health'])).toEqual([503, 503]);
    expect(await statusesOf(adminUrl, ['/health/live', '/metrics', '/stats'])).toEqual(ANSWERED);
    expect(await fetchJson(`${adminUrl}/health`)).toMatchObject({ status: 'unhealthy' });
    release.resolve();
    await closing;
    await expect(fetch(`${adminUrl}/health/live`)).rejects.toThrow();
  });
});
