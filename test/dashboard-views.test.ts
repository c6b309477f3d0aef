import axe from 'axe-core';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from './browser.ts';
import { type Dashboard, openDashboard } from './dashboard.ts';
import { startTestTapeql, type TestTapeql } from './tapeql.ts';

let browser: Browser;
let tapeql: TestTapeql;

beforeAll(async () => {
  [browser, tapeql] = await Promise.all([
    openBrowser(),
    startTestTapeql({ simulator: { tape: true, eventsPerSecond: 200 } }),
  ]);
});

afterAll(async () => {
  await browser?.close();
  await tapeql?.[Symbol.asyncDispose]();
});

async function untilSettled({ page }: Dashboard): Promise<void> {
  await expect.poll(() => page.locator('.connection').textContent()).toBe('Connection: Live');
  await expect.poll(() => page.locator('.skeleton').count()).toBe(0);
}

/** What axe finds, in words that say where. */
async function listViolations({ page }: Dashboard): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run());
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')} ${failureSummary}`),
  );
}

const ROUTES = ['/', '/symbol/AAPL', '/portfolio'];

describe.each(['dark', 'light'] as const)('in the %s theme', (colorScheme) => {
  it.each([
    [1440, 900],
    [390, 844],
  ])('axe finds nothing in any view at %i pixels', async (width, height) => {
    await using dashboard = await openDashboard(browser, tapeql.url, {
      ...{ width, height, colorScheme },
      // What moves is between two colours for a moment, which axe would take for the text's own.
      reducedMotion: 'reduce',
    });
    await untilSettled(dashboard);
    for (const route of ROUTES) {
      await dashboard.page.evaluate((hash) => (location.hash = hash), `#${route}`);
      await untilSettled(dashboard);
      expect({ route, violations: await listViolations(dashboard) }).toEqual({ route, violations: [] });
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
