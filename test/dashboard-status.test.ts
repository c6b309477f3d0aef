import { Redis } from 'ioredis';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { QuoteUpdates } from '../client/src/graphql/operations.ts';
import { createTapeClient } from '../client/src/graphql/tape-client.ts';
import { openBreakableLink } from '../client/testing/breakable-link.ts';
import { openBrowser } from './browser.ts';
import { ANONYMOUS, openDashboard, readConnection, tryNow } from './dashboard.ts';
import { startRedis } from './redis.ts';
import { startMain, startTestTapeql } from './tapeql.ts';

let browser: Browser;

beforeAll(async () => {
  browser = await openBrowser();
});

afterAll(() => browser?.close());

const readBanner = (page: Page) => page.getByRole('status', { name: 'Service' }).textContent();
async function retryAndRead(page: Page): Promise<string> {
  await tryNow(page);
  return readConnection(page);
}

describe('what the page says of its server', () => {
  it('live, then away with the next attempt, then live again when it is back after a kill -9', async () => {
    const env = { ...ANONYMOUS, FEED: 'simulated' };
    const first = await startMain({ ...env, PORT: '0' });
    try {
      await using dashboard = await openDashboard(browser, first.url);
      const { page } = dashboard;
      await expect.poll(() => readConnection(page)).toBe('Live');
      await expect.poll(() => readBanner(page)).toContain('Simulated market');

      await first[Symbol.asyncDispose]();
      await expect.poll(() => readConnection(page)).not.toBe('Live');
      await expect.poll(() => readBanner(page)).toContain('The server cannot be reached. Prices stand still');

      await using second = await startMain({ ...env, PORT: new URL(first.url).port });
      await expect.poll(() => retryAndRead(page)).toBe('Live');
      await expect.poll(() => readBanner(page)).not.toContain('cannot be reached');
      const price = page.locator('[id="watch-SPY"] .watch-price');
      const last = await price.textContent();
      await expect.poll(() => price.textContent()).not.toBe(last);
      expect(second.url).toBe(first.url);
    } finally {
      await first[Symbol.asyncDispose]();
    }
  });

  it('how events come: by stream where sockets are barred, by queries where streams are as well, and live again', async () => {
    await using tapeql = await startTestTapeql({ env: ANONYMOUS, simulator: { tape: true, eventsPerSecond: 500 } });
    const link = await openBreakableLink(tapeql.url);
    // Somebody else watches it all the time: what nobody is told of at once is read from the exchange at intervals of its own.
    const other = createTapeClient({ url: tapeql.endpoint });
    other.subscription(QuoteUpdates, { symbols: ['SPY'] }).subscribe(() => undefined);
    try {
      await using dashboard = await openDashboard(browser, new URL(link.url).origin);
      const { page } = dashboard;
      const price = page.locator('[id="watch-SPY"] .watch-price');
      for (const [barred, words] of [
        ['nothing', 'Live'],
        ['sockets', 'Live by stream'],
        ['sockets and streams', 'Every 2 s'],
        ['nothing', 'Live'],
      ] as const) {
        link.bar(barred);
        await expect.poll(() => retryAndRead(page)).toBe(words);
        const last = await price.textContent();
        await expect.poll(() => price.textContent()).not.toBe(last);
      }
    } finally {
      await other.dispose();
      await link.close();
    }
  });

  it('paused, with the operator’s reason, until it is resumed', async () => {
    await using redis = await startRedis();
    const operator = new Redis(redis.url);
    await using tapeql = await startTestTapeql({ env: { ...ANONYMOUS, REDIS_URL: redis.url } });
    await using dashboard = await openDashboard(browser, tapeql.url);
    const say = (action: 'pause' | 'resume') =>
      operator.publish('market-data:control', JSON.stringify({ action, data: { reason: 'The exchange halted' } }));
    try {
      await expect.poll(() => readConnection(dashboard.page)).toBe('Live');
      await say('pause');
      await expect.poll(() => readBanner(dashboard.page)).toBe('Market data is paused. The exchange halted');
      await say('resume');
      await expect.poll(() => readBanner(dashboard.page)).not.toContain('paused');
    } finally {
      operator.disconnect();
    }
  });

  it('when the market opens or closes next, counting down', async () => {
    await using tapeql = await startTestTapeql({
      env: ANONYMOUS,
      simulator: { newYorkHours: true },
    });
    await using dashboard = await openDashboard(browser, tapeql.url);
    const clock = dashboard.page.locator('.market-countdown');
    await expect.poll(() => clock.textContent()).toMatch(/^(opens|closes) in \d+ (d|h|min|s)/);
  });
});
