import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Dashboard, type DashboardOptions, openBrowser, openDashboard } from './dashboard.ts';
import { startMain, startTestTapeql, type TapeqlProcess, type TestTapeql } from './tapeql.ts';
import { until } from './until.ts';
import { makeWireQuote, makeWireTrade } from './wire-samples.ts';

const WIDE: DashboardOptions = { width: 1440, height: 1000, route: '/symbol/AAPL' };

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());

/** The page, and every toast that has ever stood in it, also over reloads. */
async function openWatched(url: string, options: DashboardOptions = WIDE) {
  const dashboard = await openDashboard(browser, url, options);
  const toasts: string[] = [];
  await dashboard.context.exposeFunction('noteToast', (text: string) => toasts.push(text));
  await dashboard.context.addInitScript(() => {
    new MutationObserver((mutations) => {
      const added = mutations
        .flatMap(({ addedNodes }) => [...addedNodes])
        .filter((node) => node instanceof HTMLElement);
      for (const element of added.flatMap((node) => [node, ...node.querySelectorAll('*')])) {
        if (!element.matches('[data-sonner-toast]')) continue;
        const title = element.querySelector('[data-title]')?.textContent ?? '';
        void (globalThis as unknown as { noteToast(text: string): Promise<void> }).noteToast(title);
      }
    }).observe(document, { childList: true, subtree: true });
  });
  // From now on they are counted.
  await dashboard.page.reload();
  await dashboard.page.getByRole('button', { name: /^Buy/ }).waitFor();
  return { ...dashboard, toasts };
}

function ticketOf(page: Page) {
  return page.getByRole('region', { name: /^Order [A-Z]/ });
}

async function place(page: Page, { side = 'Buy', quantity = '2', limit = '' } = {}): Promise<void> {
  const ticket = ticketOf(page);
  await ticket.getByRole('radio', { name: side }).check({ force: true });
  await ticket.getByRole('radio', { name: limit === '' ? 'Market' : 'Limit' }).check({ force: true });
  await ticket.getByLabel('Quantity').fill(quantity);
  if (limit !== '') await ticket.getByLabel('Limit price').fill(limit);
  await ticket.getByLabel('Quantity').press('Enter');
}

describe('a viewer with an account', () => {
  let tapeql: TestTapeql;
  let dashboard: Dashboard & { readonly toasts: readonly string[] };
  let page: Page;
  beforeAll(async () => {
    tapeql = await startTestTapeql();
    dashboard = await openWatched(tapeql.url);
    page = dashboard.page;
    await tapeql.untilWatched(['AAPL']);
    tapeql.simulator.push([makeWireTrade('AAPL', { p: 100 }), makeWireQuote('AAPL', { bp: 99.9, ap: 100.1 })]);
    await ticketOf(page).getByText('100.10').waitFor();
  });
  afterAll(async () => {
    await dashboard?.[Symbol.asyncDispose]();
    await tapeql?.[Symbol.asyncDispose]();
  });

  it('buys at the price of the moment: a toast tells it, position and cash move', async () => {
    await ticketOf(page).getByText('You hold 50 at $180.00').waitFor();
    await place(page);
    await page.locator('[data-sonner-toast]', { hasText: 'Bought 2 AAPL' }).getByText('at $100.10 a share').waitFor();
    await page.getByRole('link', { name: 'Portfolio' }).first().click();
    const row = page.getByRole('row', { name: /AAPL/ });
    await row.getByRole('cell', { name: '52', exact: true }).waitFor();
    await page.locator('.portfolio-totals').getByText('$99,799.80').waitFor();
    expect(dashboard.toasts).toEqual(['Bought 2 AAPL']);
    expect(dashboard.errors).toEqual([]);
  });

  it('is told in words why an order is rejected', async () => {
    await place(page, { side: 'Sell', quantity: '1000' });
    const words = 'Not enough shares to sell beside those in open orders.';
    await page.locator('[data-sonner-toast]', { hasText: 'Rejected: sell 1,000 AAPL' }).getByText(words).waitFor();
    await ticketOf(page).getByText(words).waitFor();
    await page.getByRole('list', { name: 'Past orders' }).getByText('Rejected').waitFor();
    expect(dashboard.toasts.at(-1)).toBe('Rejected: sell 1,000 AAPL');
  });

  it('lets an order wait at its limit, and cancels it', async () => {
    await place(page, { limit: '90.5', quantity: '3' });
    await ticketOf(page).getByText('Buy 3 AAPL waits at $90.50.').waitFor();
    const cancel = page.getByRole('button', { name: 'Cancel: buy 3 AAPL' });
    await cancel.click();
    await page.getByText('Cancelled: buy 3 AAPL.').waitFor();
    expect(await cancel.count()).toBe(0);
    await page.getByRole('list', { name: 'Past orders' }).getByText('Cancelled').waitFor();
    await page.getByText('Nothing waits.').waitFor();
  });

  it('is told of a limit order that the market came to, wherever he looks', async () => {
    await place(page, { limit: '95', quantity: '4' });
    await page.getByRole('button', { name: 'Cancel: buy 4 AAPL' }).waitFor();
    tapeql.simulator.push([makeWireQuote('AAPL', { bp: 94.8, ap: 94.9 })]);
    await until(() => expect(dashboard.toasts.at(-1)).toBe('Bought 4 AAPL'));
    await page.getByText('Nothing waits.').waitFor();
  });

  it('is told at the field what is wrong with it, before anything is sent', async () => {
    const ticket = ticketOf(page);
    await place(page, { quantity: '1,5', limit: '0' });
    const quantity = ticket.getByLabel('Quantity');
    await expect.poll(() => quantity.getAttribute('aria-invalid')).toBe('true');
    const problem = await quantity.getAttribute('aria-describedby');
    expect(await page.locator(`[id="${problem}"]`).textContent()).toContain('Use digits and a decimal point');
    expect(await quantity.evaluate((element) => element === document.activeElement)).toBe(true);
    await ticket.getByText('This must be more than 0.').waitFor();
  });
});

describe('a server that dies', () => {
  const dataDir = path.join(tmpdir(), `tapeql-data-${randomUUID().slice(0, 8)}`);
  let server: TapeqlProcess;
  const start = (port = '0'): Promise<TapeqlProcess> => startMain({ PORT: port, FEED: 'simulated', DATA_DIR: dataDir });
  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await rm(dataDir, { recursive: true, force: true });
  });

  async function killAndStart(): Promise<void> {
    const { port } = new URL(server.url);
    server.child.kill('SIGKILL');
    await server.exited;
    server = await start(port);
  }

  it('right after an order takes no notification with it: each comes once, over a restart and a reload', async () => {
    await using dashboard = await openWatched(server.url);
    const { page, toasts } = dashboard;
    let isHeld = false;
    await page.routeWebSocket(/graphql/, (socket) => {
      const toServer = socket.connectToServer();
      socket.onMessage((message) => toServer.send(message));
      toServer.onMessage((message) => {
        if (!isHeld) socket.send(message);
      });
    });
    await page.reload();
    const price = ticketOf(page).locator('.orders-estimate dd').first();
    await expect.poll(() => price.textContent(), { timeout: 10_000 }).toMatch(/\d/);

    // This browser was told nothing yet, so that there is no place in the log to go on from; then there is one.
    for (const [round, quantity] of ['3', '5'].entries()) {
      isHeld = true;
      await place(page, { quantity });
      await ticketOf(page).getByText(`Bought ${quantity} AAPL`).waitFor();
      await killAndStart();
      isHeld = false;
      await until(() => expect(toasts).toContain(`Bought ${quantity} AAPL`));
      expect(toasts).toHaveLength(round + 1);
    }

    // What happens while no page is open is told by the next one.
    await page.goto('about:blank');
    const token = /tapeql-token" content="([^"]+)"/.exec(await (await fetch(server.url)).text())![1]!;
    await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({
        query: 'mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { status } }',
        variables: { input: { clientOrderId: 'away', symbol: 'AAPL', side: 'BUY', quantity: '7' } },
      }),
    });
    await page.goto(`${server.url}/#/symbol/AAPL`);
    await until(() => expect(toasts).toContain('Bought 7 AAPL'));
    await page.reload();
    await ticketOf(page).getByText('You hold 65').waitFor();
    await place(page, { quantity: '9' });
    await until(() => expect(toasts).toContain('Bought 9 AAPL'));
    expect(toasts).toEqual(['3', '5', '7', '9'].map((quantity) => `Bought ${quantity} AAPL`));
  }, 120_000);
});
