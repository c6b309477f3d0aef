import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openBrowser } from '../../test/browser.ts';
import { startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';

let tapeql: TestTapeql;
let browser: Browser;

beforeAll(async () => {
  [tapeql, browser] = await Promise.all([startTestTapeql({ simulator: { tape: true } }), openBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await tapeql?.[Symbol.asyncDispose]();
});

it('a newcomer sees prices move at one click, from this host alone', async () => {
  const page = await browser.newPage();
  const requested: string[] = [];
  const complaints: string[] = [];
  page.on('request', (request) => requested.push(request.url()));
  page.on('websocket', (socket) => requested.push(socket.url()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });

  await page.goto(`${tapeql.url}/graphql`);
  await page.getByRole('tab').first().waitFor();
  expect(await page.title()).toBe('TapeQL');
  expect(await page.getByRole('tab').allInnerTexts()).toEqual([
    ...['Watchlist', 'Buy', 'Portfolio', 'Notifications', 'Tape', 'ResumeTape', 'SecondBars', 'Market'],
  ]);

  await page.getByRole('button', { name: /execute query/i }).click();
  const prices = new Set<string>();
  await expect.poll(async () => prices.add(await readResponse(page)).size).toBeGreaterThan(3);
  expect(await readResponse(page)).toMatch(/"quoteUpdates": \{\s+"symbol": "(AAPL|MSFT|NVDA|SPY)",\s+"price": [\d.]+/);

  await page.getByRole('button', { name: /stop query/i }).click();
  await tapeql.untilOpen(0);

  // data: and blob: are of the page itself.
  const foreign = requested.filter(
    (url) => /^(https?|wss?):/.test(url) && new URL(url).host !== new URL(tapeql.url).host,
  );
  expect(foreign).toEqual([]);
  expect(complaints).toEqual([]);
});

it('is signed in as the demo viewer', async () => {
  const page = await browser.newPage();
  await openAccount();
  const own = encodeURIComponent('subscription { portfolio { totalValue } }');
  await page.goto(`${tapeql.url}/graphql?query=${own}`);
  await page.getByRole('button', { name: /execute query/i }).click();
  await expect.poll(() => readResponse(page)).toMatch(/"totalValue": "\d+\.\d+"/);
  await page.close();
});

/** The database is opened by the first who needs it, which may take longer than anything else here. */
async function openAccount(): Promise<void> {
  const html = await (await fetch(tapeql.endpoint, { headers: { accept: 'text/html' } })).text();
  const [, authorization] = /(Bearer ey[\w.-]+)/.exec(html)!;
  const response = await fetch(tapeql.endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: authorization! },
    body: JSON.stringify({ query: '{ portfolio { cash } }' }),
  });
  expect(response.status).toBe(200);
}

const readResponse = async (page: Page): Promise<string> =>
  // The editor keeps its text by lines and its blanks as no-break spaces.
  (await page.locator('.graphiql-response .view-lines, .graphiql-response .CodeMirror-code').innerText()).replaceAll(
    '\u00a0',
    ' ',
  );
