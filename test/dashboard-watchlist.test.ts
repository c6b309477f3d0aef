import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from './browser.ts';
import { ANONYMOUS, openDashboard } from './dashboard.ts';
import { startTestTapeql, type TestTapeql } from './tapeql.ts';
import { makeWireTrade } from './wire-samples.ts';

let browser: Browser;
/** An exchange with quotes, on which nothing happens but what a test pushes. */
let still: TestTapeql;

beforeAll(async () => {
  [browser, still] = await Promise.all([openBrowser(), startTestTapeql({ env: ANONYMOUS })]);
});

afterAll(async () => {
  await browser?.close();
  await still?.[Symbol.asyncDispose]();
});

let page: Page;
afterEach(() => page?.context().close());

const remember = (symbols: readonly string[], sort: object | null = null) => ({
  watchlist: { version: 1, value: { symbols, sort } },
});
const row = (symbol: string) => page.locator(`[id="watch-${symbol}"]`);
const readSymbols = () => page.locator('.watch-row').evaluateAll((rows) => rows.map((each) => each.id.slice(6)));
const readPrice = async (symbol: string) => (await row(symbol).locator('.watch-price').textContent()) ?? '';
const readChange = async (symbol: string) =>
  Number((await row(symbol).locator('.change-percent').textContent())!.replace('−', '-').replace('%', ''));
const rows = () => page.getByRole('grid', { name: 'Watchlist' });

async function open(options: Parameters<typeof openDashboard>[2] = {}, url = still.url): Promise<void> {
  const dashboard = await openDashboard(browser, url, options);
  page = dashboard.page;
}

async function untilQuoted(symbols: readonly string[]): Promise<void> {
  for (const symbol of symbols) await expect.poll(() => readPrice(symbol)).toMatch(/\d/);
}

describe('the watchlist', () => {
  it('shows prices that move, each row by itself', async () => {
    await using live = await startTestTapeql({ env: ANONYMOUS, simulator: { tape: true, eventsPerSecond: 1000 } });
    const remembered = remember(['SPY', 'AAPL', 'NVDA']);
    await open({ remembered, reducedMotion: 'no-preference' }, live.url);
    await untilQuoted(['SPY', 'AAPL', 'NVDA']);
    for (const symbol of ['SPY', 'AAPL', 'NVDA']) {
      const first = await readPrice(symbol);
      await expect.poll(() => readPrice(symbol)).not.toBe(first);
    }
    expect(await page.locator('.spark path:not(.spark-unknown)').count()).toBeGreaterThan(0);
  });

  it('takes what is pushed to the page: the price, and which way it went', async () => {
    await open({ remembered: remember(['AAPL', 'MSFT']) });
    await untilQuoted(['AAPL', 'MSFT']);
    await still.untilWatched(['AAPL', 'MSFT']);
    const other = await readPrice('MSFT');
    still.simulator.push([makeWireTrade('AAPL', { p: 1234.5 })]);
    await expect.poll(() => readPrice('AAPL')).toBe('1,234.50');
    expect(await row('AAPL').locator('.change').getAttribute('class')).toContain('up');
    expect(await readPrice('MSFT')).toBe(other);
  });

  it('finds a symbol by its company, adds it, removes it, has it back, and remembers', async () => {
    await open({ remembered: remember(['SPY', 'AAPL']) });
    await untilQuoted(['SPY']);
    await page.keyboard.press('/');
    await page.keyboard.type('advanced micro');
    await page.getByRole('option', { name: /^AMD/ }).waitFor();
    await page.keyboard.press('Enter');
    await expect.poll(readSymbols).toEqual(['AMD', 'SPY', 'AAPL']);
    expect(new URL(page.url()).hash).toBe('#/symbol/AMD');
    await untilQuoted(['AMD']);

    await rows().focus();
    await page.keyboard.press('Delete');
    await expect.poll(readSymbols).toEqual(['SPY', 'AAPL']);
    await page.getByRole('button', { name: 'Undo' }).click();
    await expect.poll(readSymbols).toEqual(['AMD', 'SPY', 'AAPL']);

    await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByRole('button', { name: 'Remove SPY' }).click();
    await expect.poll(readSymbols).toEqual(['AMD', 'AAPL']);
    await page.reload();
    await expect.poll(readSymbols).toEqual(['AMD', 'AAPL']);
  });

  it('is sorted by a column at a click, and back', async () => {
    const symbols = ['SPY', 'AAPL', 'NVDA', 'TSLA', 'MSFT'];
    await open({ remembered: remember(symbols) });
    await untilQuoted(symbols);
    const header = page.getByRole('columnheader', { name: 'Change' });
    await header.getByRole('button').click();
    expect(await header.getAttribute('aria-sort')).toBe('descending');
    const byChange = async () => Promise.all((await readSymbols()).map(readChange));
    await expect.poll(byChange).toEqual((await byChange()).toSorted((a, b) => b - a));
    await header.getByRole('button').click();
    expect(await header.getAttribute('aria-sort')).toBe('ascending');
    await expect.poll(byChange).toEqual((await byChange()).toSorted((a, b) => a - b));
    await header.getByRole('button').click();
    expect(await readSymbols()).toEqual(symbols);
  });

  it('is walked by the keyboard: arrows move, Enter shows', async () => {
    await open({ remembered: remember(['SPY', 'AAPL', 'NVDA']) });
    await untilQuoted(['NVDA']);
    await rows().focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    expect(await rows().getAttribute('aria-activedescendant')).toBe('watch-NVDA');
    await page.keyboard.press('Enter');
    await expect.poll(() => row('NVDA').getAttribute('aria-selected')).toBe('true');
    expect(new URL(page.url()).hash).toBe('#/symbol/NVDA');
  });

  it('holds 5,000 symbols in a few rows of the page and few subscriptions, and scrolls to the last', async () => {
    const made = Array.from({ length: 4900 }, (_, index) => `ZZ${index}`);
    await open({ remembered: remember(['SPY', ...made, 'AAPL']) });
    await untilQuoted(['SPY']);
    await expect.poll(async () => (await still.readStats())['subscriptions'].byField.quoteUpdates).toBe(10);
    expect(await page.getByRole('grid').getAttribute('aria-rowcount')).toBe('4903');
    await rows().focus();
    await page.keyboard.press('End');
    await untilQuoted(['AAPL']);
    expect(await row('AAPL').getAttribute('aria-rowindex')).toBe('4903');
    expect((await readSymbols()).length).toBeLessThan(60);
  });

  it('begins anew where what it remembers is broken', async () => {
    await open({
      remembered: { watchlist: { version: 1, value: { symbols: 7 } }, symbol: { version: 9, value: 'X' } },
    });
    await untilQuoted(['SPY']);
    expect((await readSymbols()).length).toBeGreaterThan(10);
  });

  it('says that it is empty, and how to fill it', async () => {
    await open({ remembered: remember([]) });
    expect(await page.getByText('Nothing is watched yet.').textContent()).toContain('watched');
  });
});
