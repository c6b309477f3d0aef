/**
 * The picture at the head of the README: `npm run screenshot` writes docs/dashboard.png (or the file that is named). The system
 * runs on a simulated market, with an account that holds something, until prices have moved.
 */
import path from 'node:path';
import { chromium } from 'playwright-core';
import { readLaunchOptions } from '../test/chromium.ts';
import { openDashboard } from '../test/dashboard.ts';
import { startSystem } from './system.ts';

const file = process.argv[2] ?? path.join(import.meta.dirname, '../docs/dashboard.png');

await using system = await startSystem();
const browser = await chromium.launch(readLaunchOptions());
try {
  await buyPositions(system.url);
  await using dashboard = await openDashboard(browser, system.url, {
    ...{ width: 1440, height: 900, colorScheme: 'dark', route: '/symbol/NVDA' },
    // The mark in the header says as much.
    remembered: { 'notice-dismissed': { version: 1, value: 'Simulated market' } },
  });
  const { page } = dashboard;
  // Every view has what it waits for, every line in sight its past, and the market has moved.
  await page.waitForFunction(() => document.querySelector('.skeleton, .spark-unknown') === null);
  const price = page.locator('[id="watch-SPY"] .watch-price');
  const first = await price.textContent();
  await page.waitForFunction(
    (last) => document.querySelector('[id="watch-SPY"] .watch-price')?.textContent !== last,
    first,
  );
  // The tape fills its height.
  await page.waitForTimeout(5000);
  await page.mouse.move(0, 0);
  await page.screenshot({ path: file });
  process.stdout.write(`${path.relative(process.cwd(), file)}\n`);
} finally {
  await browser.close();
}

async function buyPositions(url: string): Promise<void> {
  const [, token] = /name="tapeql-token" content="([^"]+)"/.exec(await (await fetch(url)).text()) ?? [];
  const orders = { NVDA: '120', AAPL: '60', MSFT: '25', SPY: '30' };
  for (const [symbol, quantity] of Object.entries(orders)) {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({
        query: `mutation Buy($input: PlaceOrderInput!) { placeOrder(input: $input) { status reason } }`,
        variables: { input: { clientOrderId: `screenshot-${symbol}`, symbol, side: 'BUY', quantity } },
      }),
    });
    const { data, errors } = (await response.json()) as { data?: { placeOrder: object } | null; errors?: object[] };
    if (data == null) throw new Error(`${symbol} could not be bought: ${JSON.stringify(errors)}`);
  }
}
