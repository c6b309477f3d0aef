import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listViolations } from './axe.ts';
import { openBrowser } from './browser.ts';
import { type Dashboard, openDashboard } from './dashboard.ts';
import { startTestTapeql, type TestTapeql } from './tapeql.ts';

let browser: Browser;
let tapeql: TestTapeql;

beforeAll(async () => {
  [browser, tapeql] = await Promise.all([
    openBrowser(),
    startTestTapeql({ simulator: { tape: true, eventsPerSecond: 50 } }),
  ]);
});

afterAll(async () => {
  await browser?.close();
  await tapeql?.[Symbol.asyncDispose]();
});

async function untilSettled({ page }: Dashboard): Promise<void> {
  await page.locator('.connection', { hasText: /^Connection: Live$/ }).waitFor();
  // In the page: to ask it from here again and again costs more than what it waits for.
  await page.waitForFunction(() => document.querySelector('.skeleton') === null);
}

const ROUTES = ['/', '/symbol/AAPL', '/portfolio'];

/** Resolves once the page shows another view, or what stands for it until it is there. */
function show({ page }: Dashboard, route: string): Promise<void> {
  return page.evaluate(async (hash) => {
    if (location.hash === hash) return;
    const changed = new Promise((resolve) => addEventListener('hashchange', resolve, { once: true }));
    location.hash = hash;
    await changed;
    await new Promise(requestAnimationFrame);
  }, `#${route}`);
}

describe.each([
  [1440, 900],
  [390, 844],
])('at %i pixels', (width, height) => {
  let dashboard: Dashboard;
  beforeAll(async () => {
    // Motion is reduced: what moves is between two colours for a moment, which axe would take for the text's own.
    dashboard = await openDashboard(browser, tapeql.url, { width, height });
  });
  afterAll(() => dashboard?.[Symbol.asyncDispose]());

  it.each(['dark', 'light'] as const)('axe finds nothing in any view in the %s theme', async (colorScheme) => {
    const { page } = dashboard;
    await page.emulateMedia({ colorScheme });
    await page.locator(`html[data-theme=${colorScheme}]`).waitFor();
    for (const route of ROUTES) {
      await show(dashboard, route);
      await untilSettled(dashboard);
      expect({ route, violations: await listViolations(page) }).toEqual({ route, violations: [] });
    }
    expect(dashboard.errors).toEqual([]);
  });
});

describe('on a phone', () => {
  const phone = { width: 390, height: 844 };

  it('one view is shown at a time, and nothing is wider than the screen', async () => {
    await using dashboard = await openDashboard(browser, tapeql.url, phone);
    const { page } = dashboard;
    // What is cut off does not widen the page: each part is asked where it ends.
    const listTooWide = () =>
      page.evaluate(() =>
        [...document.querySelectorAll('.shell *')]
          .filter((element) => element.getBoundingClientRect().right > innerWidth + 0.5)
          .map((element) => `${element.tagName} ${element.getAttribute('class')}`),
      );
    await page.getByRole('grid', { name: 'Watchlist' }).waitFor();
    expect(await listTooWide()).toEqual([]);

    await page.locator('[id="watch-QQQ"]').click();
    await page.getByRole('region', { name: 'Symbol' }).getByRole('heading', { name: /QQQ/ }).waitFor();
    expect(await page.getByRole('grid', { name: 'Watchlist' }).count()).toBe(0);
    expect(await listTooWide()).toEqual([]);

    await page.getByRole('link', { name: 'Portfolio' }).click();
    await page.getByRole('region', { name: 'Portfolio' }).waitFor();
    expect(await page.getByRole('link', { name: 'Portfolio' }).getAttribute('aria-current')).toBe('page');
    expect(await listTooWide()).toEqual([]);

    // The symbol is remembered.
    await page.getByRole('link', { name: 'QQQ' }).click();
    await page.getByRole('region', { name: 'Symbol' }).getByRole('heading', { name: /QQQ/ }).waitFor();
  });
});

it('the last view is remembered, until the address names another', async () => {
  await using dashboard = await openDashboard(browser, tapeql.url);
  const { page } = dashboard;
  await page.getByRole('link', { name: 'Portfolio' }).click();
  await page.getByRole('region', { name: 'Portfolio' }).waitFor();
  await page.goto(`${tapeql.url}/health/live`);
  await page.goto(tapeql.url);
  await page.getByRole('region', { name: 'Portfolio' }).waitFor();
  await page.goto(`${tapeql.url}/health/live`);
  await page.goto(`${tapeql.url}/#/symbol/QQQ`);
  await page.getByRole('region', { name: 'Symbol' }).waitFor();
  expect(await page.getByRole('region', { name: 'Portfolio' }).count()).toBe(0);
});

it('the theme is that of the system until another is chosen, which is remembered', async () => {
  await using dashboard = await openDashboard(browser, tapeql.url, { colorScheme: 'light' });
  const { page } = dashboard;
  const readTheme = () => page.evaluate(() => document.documentElement.dataset['theme']);
  expect(await readTheme()).toBe('light');
  await page.getByRole('button', { name: 'Change to the dark theme' }).click();
  expect(await readTheme()).toBe('dark');
  await page.reload();
  await page.getByRole('button', { name: 'Change to the light theme' }).waitFor();
  expect(await readTheme()).toBe('dark');
});
