import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listViolations } from './axe.ts';
import { openBrowser } from './browser.ts';
import { type Dashboard, type DashboardOptions, openDashboard, tryNow } from './dashboard.ts';
import { startMain, startTestTapeql, type TapeqlProcess, type TestTapeql } from './tapeql.ts';
import { makeWireQuote, makeWireTrade } from './wire-samples.ts';

// Motion is reduced: what moves is between two colours for a moment, which axe would take for the text's own.
const WIDE: DashboardOptions = { width: 1440, height: 1000, route: '/symbol/AAPL' };

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());

/** How many orders toasts have told of: one of many at once begins with their number. */
function countTold(toasts: readonly string[]): number {
  return toasts.reduce((sum, toast) => sum + Number(/^(\d+) orders/.exec(toast)?.[1] ?? 1), 0);
}

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
    await expect.poll(() => dashboard.toasts.at(-1)).toBe('Bought 4 AAPL');
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
    expect(await listViolations(page)).toEqual([]);
  });

  it('trades once where the answer to an order is lost', async () => {
    let sent = 0;
    await page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('PlaceOrder') || ++sent > 1) return route.continue();
      await route.fetch();
      return route.abort();
    });
    await place(page, { quantity: '6' });
    await ticketOf(page).getByText('Bought 6 AAPL').waitFor();
    await page.unroute('**/graphql');
    expect(sent).toBe(2);
    // Two before, and four of the limit order.
    await page.getByRole('row', { name: /AAPL/ }).getByRole('cell', { name: '62', exact: true }).waitFor();
  });

  it('finds an order again that had no answer when the page was left, and sends it once more', async () => {
    await page.route('**/graphql', (route) =>
      route.request().postData()?.includes('PlaceOrder') ? undefined : route.continue(),
    );
    await place(page, { quantity: '8' });
    await ticketOf(page).getByRole('button', { name: 'Sending' }).waitFor();
    await page.reload();
    await ticketOf(page).getByText('No answer yet: buy 8 AAPL').waitFor();
    await page.unrouteAll({ behavior: 'ignoreErrors' });
    await ticketOf(page).getByRole('button', { name: 'Send again' }).click();
    await ticketOf(page).getByText('Bought 8 AAPL').waitFor();
    await expect.poll(() => dashboard.toasts.at(-1)).toBe('Bought 8 AAPL');
    await page.getByRole('row', { name: /AAPL/ }).getByRole('cell', { name: '70', exact: true }).waitFor();
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

  /** Another program of the same viewer. */
  async function placeByHand(count: number): Promise<void> {
    const token = /tapeql-token" content="([^"]+)"/.exec(await (await fetch(server.url)).text())![1]!;
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const query = 'mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { status } }';
    for (let order = 0; order < count; order++) {
      const input = { clientOrderId: `by hand ${order}`, symbol: 'AAPL', side: 'BUY', quantity: '1' };
      const body = JSON.stringify({ query, variables: { input } });
      const response = await fetch(`${server.url}/graphql`, { method: 'POST', headers, body });
      expect(await response.json()).toEqual({ data: { placeOrder: { status: 'FILLED' } } });
    }
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
    await expect.poll(() => price.textContent()).toMatch(/\d/);

    // This browser was told nothing yet, so that there is no place in the log to go on from; then there is one.
    for (const [round, quantity] of ['3', '5'].entries()) {
      isHeld = true;
      await place(page, { quantity });
      await ticketOf(page).getByText(`Bought ${quantity} AAPL`).waitFor();
      await killAndStart();
      isHeld = false;
      await tryNow(page);
      await expect.poll(() => toasts).toContain(`Bought ${quantity} AAPL`);
      expect(toasts).toHaveLength(round + 1);
    }

    // What happens while no page is open is told by the next one: together, for it is much.
    await page.goto('about:blank');
    await placeByHand(12);
    await page.goto(`${server.url}/#/symbol/AAPL`);
    await ticketOf(page).getByText('You hold 70').waitFor();
    await expect.poll(() => countTold(toasts)).toBe(14);
    expect(toasts.length).toBeLessThan(8);

    // What was told is told.
    await page.reload();
    await ticketOf(page).getByText('You hold 70').waitFor();
    await place(page, { quantity: '9' });
    await expect.poll(() => toasts).toContain('Bought 9 AAPL');
    expect(countTold(toasts)).toBe(15);

    const past = page.getByRole('list', { name: 'Past orders' }).getByRole('listitem');
    await expect.poll(() => past.count()).toBe(10);
    await page.getByRole('button', { name: 'Show older orders' }).click();
    await expect.poll(() => past.count()).toBe(15);
  });
});
