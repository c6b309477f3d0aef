import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Simulator, startSimulator } from '../src/feeds/simulator/simulator.ts';
import { openBrowser } from './browser.ts';
import { openDashboard, tryNow } from './dashboard.ts';
import { readTape } from './dashboard-tape.ts';
import { startRedis, type TestRedis } from './redis.ts';
import { postOperation, startMain, type TapeqlProcess } from './tapeql.ts';

/** What signs the page in again is kept here. */
const DATA_DIR = path.join(tmpdir(), `tapeql-data-${randomUUID().slice(0, 8)}`);

let browser: Browser;
let redis: TestRedis;
/** It goes on printing whatever becomes of the server. */
let exchange: Simulator;

beforeAll(async () => {
  [browser, redis, exchange] = await Promise.all([
    openBrowser(),
    startRedis(),
    startSimulator({ eventsPerSecond: 500, symbols: 5 }),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await exchange?.close();
  await redis?.stop();
  await rm(DATA_DIR, { recursive: true, force: true });
});

function start(env: Record<string, string>): Promise<TapeqlProcess> {
  return startMain({
    DATA_DIR,
    REDIS_URL: redis.url,
    FEED: 'simulated',
    POLYGON_API_KEY: 'any',
    POLYGON_WS_URL: exchange.wsUrl,
    POLYGON_REST_URL: exchange.restUrl,
    ...env,
  });
}

it.each([
  { who: 'the whole server', role: 'all' },
  // The log grows on without the page.
  { who: 'the api process', role: 'api' },
])('a page goes on when $who is killed and started again, its tape with every print once', async ({ role }) => {
  await using others = new AsyncDisposableStack();
  if (role === 'api') others.use(await start({ ROLE: 'ingest', PORT: '0' }));
  let server = await start({ ROLE: role, PORT: '0' });
  try {
    await using dashboard = await openDashboard(browser, server.url, { width: 1700, route: '/symbol/AAPL' });
    const { page } = dashboard;
    const readNewest = async () => Number(await page.locator('.tape-row').first().getAttribute('data-sequence'));
    await expect.poll(readNewest).toBeGreaterThan(0);
    const began = await readNewest();
    await expect.poll(readNewest).toBeGreaterThan(began + 20);

    const { port } = new URL(server.url);
    server.child.kill('SIGKILL');
    await server.exited;
    const atDeath = await readNewest();
    await page.locator('.connection', { hasNotText: 'Live' }).waitFor();
    let rereads = 0;
    page.on('request', (request) => {
      if (request.postData()?.includes('RecentPrints') === true) rereads++;
    });
    server = await start({ ROLE: role, PORT: port });
    await tryNow(page);
    await page.locator('.connection', { hasText: /^Connection: Live$/ }).waitFor();
    await expect.poll(readNewest).toBeGreaterThan(atDeath + 40);

    // Before the tape is read through, while which prints go on: so this reaches back to what it shows, however long that takes.
    const known = new Map((await readRecent(server)).map(({ sequence, price }) => [sequence, price]));
    const shown = await readTape(page);
    const sequences = shown.map((row) => ('hole' in row ? row.hole : row.sequence));
    const newest = sequences[0] as number;
    // From the newest back to before the page was opened: without a hole, each once, and no row that tells of a hole.
    expect(sequences).toEqual(Array.from({ length: sequences.length }, (_, index) => newest - index));
    expect(sequences.at(-1)).toBeLessThan(began);

    // The log gave them all: none was fetched from the history.
    expect(rereads).toBe(0);
    // And each is the print that the log has under that number.
    const both = shown.filter((row): row is { sequence: number; price: string } => {
      return 'sequence' in row && known.has(row.sequence);
    });
    expect(both.length).toBeGreaterThan(60);
    for (const { sequence, price } of both) expect(Number(price)).toBeCloseTo(known.get(sequence)!, 3);
  } finally {
    await server[Symbol.asyncDispose]();
  }
});

async function readRecent(server: TapeqlProcess): Promise<readonly { sequence: number; price: number }[]> {
  const query = '{ recentTrades(symbol: "AAPL", last: 1000) { sequence price } }';
  const { data } = await postOperation(`${server.url}/graphql`, { query });
  return data.recentTrades;
}
