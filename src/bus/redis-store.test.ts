import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { ManualTimers } from '../../test/manual-time.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { startRedis } from '../../test/redis.ts';
import type { TestRedis } from '../../test/redis.ts';
import { createRedisStore } from './redis-store.ts';
import type { RedisStore } from './redis-store.ts';
import { until } from '../../test/until.ts';

const { logger } = recordingLogger();
let server: TestRedis;
let raw: Redis;
let store: RedisStore;

beforeAll(async () => {
  server = await startRedis();
  raw = new Redis(server.url);
});
afterAll(async () => {
  raw.disconnect();
  await server.stop();
});
beforeEach(async () => {
  // A slow machine is not to strike its deadlines.
  store = createRedisStore({ url: server.url, timers: new ManualTimers(), logger });
  await until(() => expect(store.readState().connected).toBe(true));
  await raw.flushall();
  await raw.config('RESETSTAT');
});
afterEach(() => store.close());

async function countCommands(): Promise<Record<string, number>> {
  const lines = [...(await raw.info('commandstats')).matchAll(/cmdstat_(\S+):calls=(\d+)/g)];
  return Object.fromEntries(lines.map(([, command, calls]) => [command, Number(calls)]));
}

it('reads what many ask for in one turn by one command, each its own', async () => {
  await raw.mset('a', '1', 'b', '2');
  const answers = await Promise.all([store.read(['a']), store.read([]), store.read(['b', 'none', 'a'])]);
  expect(answers).toEqual([['1'], [], ['2', null, '1']]);
  expect(await countCommands()).toMatchObject({ mget: 1 });
});

it('keeps an entry for its time, and over what another wrote only where told to', async () => {
  await raw.set('taken', 'theirs');
  await store.write([
    { key: 'plain', value: '1', ttlMs: 50_000 },
    { key: 'taken', value: '2', ttlMs: 50_000, expected: null },
    { key: 'free', value: '3', ttlMs: 50_000, expected: null },
  ]);
  expect(await store.read(['plain', 'taken', 'free'])).toEqual(['1', 'theirs', '3']);
  expect(await raw.pttl('plain')).toBeGreaterThan(40_000);
  expect(await raw.pttl('free')).toBeGreaterThan(40_000);
  await store.write([{ key: 'taken', value: '2', ttlMs: 50_000, expected: 'theirs' }]);
  expect(await store.read(['taken'])).toEqual(['2']);
  await store.write([]);
  await store.remove([]);
});

it('removes thousands of keys by prefix, whatever the prefix is made of, and never by KEYS', async () => {
  const pipeline = raw.pipeline();
  for (let index = 0; index < 3_000; index++) pipeline.set(`cache:quote:{S${index}}`, '1');
  pipeline.set('cache:bars:{S1}', '1').set('cache:[q]*?^\\x', '1').set('cache:q', '1');
  await pipeline.exec();
  expect(await store.removeByPrefix('cache:quote:')).toBe(3_000);
  expect(await store.removeByPrefix('cache:[q]*?^\\')).toBe(1);
  expect((await raw.keys('*')).toSorted()).toEqual(['cache:bars:{S1}', 'cache:q']);
  const { keys, scan } = await countCommands();
  expect(keys).toBe(1); // This test's own.
  expect(scan).toBeGreaterThan(1);
});
