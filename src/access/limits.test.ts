import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { until } from '../../test/until.ts';
import { createRedisCounts, type RedisCounts } from '../bus/redis-counts.ts';
import { RATE_KINDS, type RateKind, RateLimits, type RateLimitsOptions } from './limits.ts';

const every = (limit: number) =>
  Object.fromEntries(RATE_KINDS.map((kind) => [kind, limit])) as Record<RateKind, number>;

const REFUSED = { code: 'RATE_LIMITED', details: { retryAfterMs: expect.any(Number) } };

/** How many of so many operations, one after the other, are let in. */
async function countGranted(limits: RateLimits, kind: RateKind, user: string, attempts: number): Promise<number> {
  let granted = 0;
  for (let attempt = 0; attempt < attempts; attempt++) {
    try {
      await limits.consume(kind, user);
      granted++;
    } catch (error) {
      expect(error).toMatchObject(REFUSED);
    }
  }
  return granted;
}

describe('a process alone', () => {
  const alone = (options: Partial<RateLimitsOptions> = {}): RateLimits =>
    new RateLimits({ limits: every(20), shared: null, ...options });

  it.each(RATE_KINDS)('lets in as many of %s as the limit says, to each user', async (kind) => {
    const limits = alone();
    expect(await countGranted(limits, kind, 'ann', 25)).toBe(20);
    expect(await countGranted(limits, kind, 'ben', 25)).toBe(20);
  });

  it('also where all come at once', async () => {
    const limits = alone();
    const tries = Array.from({ length: 50 }, async () => limits.consume('market', 'ann'));
    const outcomes = await Promise.allSettled(tries);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(20);
  });

  it('counts the kinds apart, and several at once as several', async () => {
    const limits = alone();
    await limits.consume('orders', 'ann', 19);
    await expect((async () => limits.consume('orders', 'ann', 2))()).rejects.toMatchObject(REFUSED);
    await limits.consume('market', 'ann');
  });

  it('knows who has spent his limit, without counting', async () => {
    const limits = alone();
    expect(await countGranted(limits, 'http', 'ann', 21)).toBe(20);
    expect(() => limits.refuseSpent('http', 'ann')).toThrow(/No more than 20 operations/);
    expect(() => limits.refuseSpent('http', 'ben')).not.toThrow();
  });

  it('says when to come back, and lets in then', async () => {
    const windowSeconds = 0.2;
    const limits = alone({ limits: every(1), windowSeconds });
    // On a slow machine a window may be over before the second operation, which is then let in as well.
    const { retryAfterMs } = await until(async () => {
      const outcome = await (async () => limits.consume('http', 'ann'))().catch((error: unknown) => error);
      expect(outcome).toMatchObject(REFUSED);
      return (outcome as { details: { retryAfterMs: number } }).details;
    });
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(windowSeconds * 1000);
    await expect.poll(async () => countGranted(limits, 'http', 'ann', 1)).toBe(1);
  });

  it('a limit of 0 lets nothing in', async () => {
    expect(await countGranted(alone({ limits: every(0) }), 'market', 'ann', 2)).toBe(0);
  });
});

describe('processes with a Redis', () => {
  let redis: TestRedis;
  const opened: RedisCounts[] = [];
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    for (const counts of opened) await counts.close();
    await redis?.stop();
  });

  /** One that waits for Redis however long that takes, unless it is told how long it may. */
  async function replica(limit: number, deadlineMs = 600_000): Promise<RateLimits> {
    const counts = createRedisCounts({ url: redis.url, deadlineMs, logger: recordingLogger().logger });
    opened.push(counts);
    await expect
      .poll(() =>
        counts.add('connected?', 1, 1000).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    return new RateLimits({ limits: every(limit), shared: counts });
  }

  it.each(RATE_KINDS)('count %s together', async (kind) => {
    const [a, b] = [await replica(20), await replica(20)];
    const user = `ann ${kind}`;
    expect(await countGranted(a, kind, user, 20)).toBe(20);
    expect(await countGranted(b, kind, user, 5)).toBe(0);
  });

  it.each(RATE_KINDS.filter((kind) => kind !== 'http'))(
    'let in exactly as many of %s, in whatever turns',
    async (kind) => {
      const [a, b] = [await replica(20), await replica(20)];
      const user = `ben ${kind}`;
      let granted = 0;
      for (let turn = 0; turn < 15; turn++) {
        granted += await countGranted(turn % 3 === 0 ? a : b, kind, user, 2);
      }
      expect(granted).toBe(20);
    },
  );

  it('let in a few more HTTP operations than the limit says, at the most, and never fewer', async () => {
    const [a, b] = [await replica(80), await replica(80)];
    let granted = 0;
    for (let turn = 0; turn < 100; turn++) granted += await countGranted(turn % 2 === 0 ? a : b, 'http', 'cleo', 1);
    expect(granted).toBeGreaterThanOrEqual(80);
    // Each of them has granted up to an eighth of what was left untold.
    expect(granted).toBeLessThanOrEqual(100);
  });

  it('while it is away or stands still: market data goes on, counted by each process; orders are refused', async () => {
    const limits = await replica(20, 250);
    redis.pause();
    expect(await countGranted(limits, 'market', 'dora', 25)).toBe(20);
    expect(await countGranted(limits, 'orders', 'dora', 2)).toBe(0);
    redis.resume();
    await expect.poll(() => countGranted(limits, 'orders', 'eve', 1)).toBe(1);
    await redis.kill();
    expect(await countGranted(limits, 'market', 'fay', 25)).toBe(20);
    expect(await countGranted(limits, 'orders', 'fay', 2)).toBe(0);
    await redis.restart();
    await expect.poll(() => countGranted(limits, 'orders', 'gil', 1)).toBe(1);
  });
});
