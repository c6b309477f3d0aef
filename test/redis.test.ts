import { Redis } from 'ioredis';
import { afterEach, expect, it } from 'vitest';
import { startRedis, type TestRedis } from './redis.ts';

let server: TestRedis;
afterEach(() => server.stop());

async function ask<T>(question: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(server.url);
  try {
    return await question(redis);
  } finally {
    redis.disconnect();
  }
}

it('a private server comes back on its port, empty or with what it held', async () => {
  server = await startRedis();
  await ask((redis) => redis.set('a', '1'));

  await server.restart({ keepData: true });
  expect(await ask((redis) => redis.get('a'))).toBe('1');

  const { pid } = server;
  await server.kill();
  await server.restart();
  expect(server.pid).not.toBe(pid);
  expect(await ask((redis) => redis.get('a'))).toBeNull();
});
