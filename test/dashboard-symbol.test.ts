import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser } from './browser.ts';
import { type Dashboard, openDashboard } from './dashboard.ts';
import { readTape } from './dashboard-tape.ts';
import { startTestTapeql, type TestTapeql } from './tapeql.ts';
import { makeWireBar, makeWireQuote, makeWireTrade, type WireElement } from './wire-samples.ts';

const WIDE = { width: 1700, height: 900, route: '/symbol/AAPL' };

let browser: Browser;
/** An exchange with a past, on which nothing happens but what a test pushes. */
let tapeql: TestTapeql;
let dashboard: Dashboard;
let page: Page;

beforeAll(async () => {
  [browser, tapeql] = await Promise.all([openBrowser(), startTestTapeql()]);
  dashboard = await openDashboard(browser, tapeql.url, WIDE);
  page = dashboard.page;
});
afterEach(() => expect(dashboard.errors).toEqual([]));
afterAll(async () => {
  await browser?.close();
  await tapeql?.[Symbol.asyncDispose]();
});

const readLegend = () => page.getByTestId('chart-legend').textContent();
const countCandles = async () => Number(await page.getByTestId('chart').getAttribute('data-candles'));
const chooseInterval = (name: string) => page.getByRole('radio', { name }).check({ force: true });
const readSubscriptions = async () => (await tapeql.readStats())['subscriptions'].byField;
async function untilOpen(fields: object): Promise<void> {
  await expect.poll(readSubscriptions).toMatchObject(fields);
}

/** Each test has a symbol of its own, on which nothing happened before. */
async function show(symbol: string): Promise<void> {
  // What the pointer was left on shows the figures that it points to.
  await page.mouse.move(0, 0);
  await page.evaluate((hash) => (location.hash = hash), `#/symbol/${symbol}`);
  await page.getByRole('region', { name: `Time and sales of ${symbol}` }).waitFor();
  await page.getByTestId('last-price').waitFor();
  await tapeql.untilWatched([symbol]);
  await untilOpen({ trades: 1 });
}

/** Again and again, each time corrected a little, for what is the same as before is not told again. */
async function pushUntilShown(bar: WireElement, figures: string): Promise<void> {
  let volume = Number(bar['v']);
  const push = () => {
    tapeql.simulator.push([{ ...bar, v: volume++ }]);
    return readLegend();
  };
  await expect.poll(push).toContain(figures);
}

describe('the header', () => {
  it('shows the last price, the best bid and offer with what lies between, and the day', async () => {
    await show('AAPL');
    tapeql.simulator.push([
      makeWireTrade('AAPL', { p: 1234.5 }),
      makeWireQuote('AAPL', { bp: 1234.4, bs: 300, ap: 1234.65, as: 100 }),
    ]);
    const header = page.locator('.symbol-header');
    await expect.poll(() => page.getByTestId('last-price').textContent()).toBe('1,234.50');
    await header.getByText('Apple Inc.').waitFor();
    await expect.poll(() => header.locator('.nbbo').innerText()).toContain('Spread 0.25 · 2 bp');
    expect(await header.locator('.nbbo').innerText()).toMatch(/1,234\.40\s*× 300[^]*1,234\.65\s*× 100/);
    await header.getByRole('img', { name: /^Day range from .* to 1,234\.50, last 1,234\.50$/ }).waitFor();
  });

  it('says so where nothing is known of a symbol', async () => {
    await page.evaluate(() => (location.hash = '#/symbol/NOSUCH'));
    await expect.poll(() => page.locator('.symbol').innerText()).toContain('Nothing is known of it');
    await page.getByText('No prints yet.').waitFor();
    await page.getByText('No candles yet.').waitFor();
  });

  it('has no quote and no tape of an index, and says so', async () => {
    await page.evaluate(() => (location.hash = '#/symbol/I:SPX'));
    await expect.poll(() => page.locator('.symbol').innerText()).toContain('An index is not traded');
    await page.getByText('No bids, no offers').waitFor();
  });
});

describe('the chart', () => {
  it('draws the past, and tells the figures of the candle that is pointed to', async () => {
    await show('MSFT');
    await expect.poll(countCandles).toBeGreaterThan(300);
    const newest = await readLegend();
    expect(newest).toMatch(/O[\d.]+H[\d.]+L[\d.]+C[\d.]+V/);
    const canvas = page.getByTestId('chart').locator('canvas').first();
    const countColours = () =>
      canvas.evaluate((element: HTMLCanvasElement) => {
        const { data } = element.getContext('2d')!.getImageData(0, 0, element.width, element.height);
        return new Set(new Uint32Array(data.buffer)).size;
      });
    // The ground, the grid, and candles of two colours.
    await expect.poll(countColours).toBeGreaterThan(3);
    await page.getByTestId('chart').hover({ position: { x: 200, y: 200 } });
    await expect.poll(readLegend).not.toBe(newest);
    await page.getByRole('heading', { name: 'MSFT' }).first().hover();
    await expect.poll(readLegend).toBe(newest);
    expect(await page.locator('figcaption').textContent()).toMatch(/candles of one minute of MSFT, from .* Highest/);
  });

  it('is walked by the keyboard, candle by candle, and reads what is older when the first one comes near', async () => {
    await show('NVDA');
    await expect.poll(countCandles).toBeGreaterThan(300);
    const count = await countCandles();
    const explorer = page.getByRole('slider', { name: 'Candles' });
    await explorer.focus();
    const values = [];
    for (const key of ['ArrowLeft', 'ArrowLeft', 'ArrowRight', 'PageUp']) {
      await page.keyboard.press(key);
      values.push(await explorer.getAttribute('aria-valuetext'));
    }
    expect(values[2]).toBe(values[0]);
    expect(new Set(values).size).toBe(3);
    for (const value of values) expect(value).toMatch(/open .* high .* low .* close .* volume/);
    await page.keyboard.press('Home');
    await expect.poll(countCandles).toBeGreaterThan(count + 300);
    await page.getByRole('button', { name: 'Newest' }).click();
    await expect.poll(() => page.getByRole('button', { name: 'Newest' }).count()).toBe(0);
  });

  it('goes on live: quotes form the minute, and the bar of the log has the last word', async () => {
    await show('TSLA');
    await expect.poll(countCandles).toBeGreaterThan(300);
    tapeql.simulator.push([makeWireTrade('TSLA', { p: 777 })]);
    await expect.poll(readLegend).toContain('C777.00');
    const start = Math.floor(Date.now() / 60_000) * 60_000 + 60_000;
    const bar = makeWireBar('TSLA', 'AM', { o: 701, h: 709, l: 700, c: 708, v: 4200, s: start, e: start + 60_000 });
    await pushUntilShown(bar, 'O701.00H709.00L700.00C708.00V4.2K');
  });

  it('changes the length of a candle, and remembers which', async () => {
    await show('AMZN');
    await chooseInterval('One day');
    const readSummary = () => page.locator('figcaption').textContent();
    await expect.poll(readSummary).toMatch(/^\d+ candles of one day of AMZN/);
    // Days are not streamed: quotes form the newest.
    await untilOpen({ bars: 0 });
    await page.reload();
    await expect.poll(readSummary).toMatch(/^\d+ candles of one day of AMZN/);
    await chooseInterval('One second');
    await expect.poll(readSummary).toContain('one second');
    const bar = makeWireBar('AMZN', 'A', { o: 5, h: 9, l: 4, c: 8, v: 1000 });
    await pushUntilShown(bar, 'O5.00H9.00L4.00C8.00V1.0K');
  });
});

describe('a source that does not answer', () => {
  it('is told in words where something is missing, and asked again at a click', async () => {
    await chooseInterval('One minute');
    await page.route('**/graphql', async (route) => {
      const isPast = /RecentPrints|PastBars/.test(route.request().postData() ?? '');
      if (!isPast) return route.continue();
      const error = { message: 'away', extensions: { code: 'UPSTREAM_UNAVAILABLE', retryAfterMs: 1000 } };
      return route.fulfill({ json: { data: null, errors: [error] } });
    });
    await page.evaluate(() => (location.hash = '#/symbol/CSCO'));
    const alerts = page.getByRole('alert').filter({ hasText: 'The market data source does not answer just now.' });
    await expect.poll(() => alerts.count()).toBe(2);

    // What comes live is shown, and does not hide that the past is missing.
    const bar = makeWireBar('CSCO', 'AM', { o: 51, h: 59, l: 50, c: 58, v: 1000 });
    await pushUntilShown(bar, 'O51.00H59.00L50.00C58.00V1.0K');
    await page.getByRole('status').filter({ hasText: 'The market data source does not answer just now.' }).waitFor();
    await page.unroute('**/graphql');
    await page.locator('.symbol-chart').getByRole('button', { name: 'Try again' }).click();
    await page.locator('.tape').getByRole('button', { name: 'Try again' }).click();
    await expect.poll(countCandles).toBeGreaterThan(300);
    await expect.poll(() => page.getByText('does not answer just now').count()).toBe(0);
  });
});

describe('time and sales', () => {
  const push = (symbol: string, count: number, fields: Record<string, unknown> = {}) =>
    tapeql.simulator.push(Array.from({ length: count }, () => makeWireTrade(symbol, fields)));
  const readNewest = () => page.locator('.tape-row').first().textContent();
  const untilHeld = () => page.locator('.tape[data-held=true]').waitFor();

  it('shows every print once, in order, with what marks it', async () => {
    await show('INTC');
    push('INTC', 150);
    push('INTC', 1, { p: 150.125, s: 12_000, ds: '12000.0', x: 4, trfi: 202, trft: Date.now() });
    push('INTC', 1, { p: 151, s: 3, ds: '3.0', c: [37] });
    await expect.poll(readNewest).toContain('151.00');
    const tape = await readTape(page);
    const sequences = tape.map((row) => ('hole' in row ? row.hole : row.sequence));
    expect(sequences.slice(0, 152)).toEqual(Array.from({ length: 152 }, (_, index) => 152 - index));

    const rows = page.locator('.tape-row');
    expect(await rows.nth(0).getAttribute('class')).toContain('tape-odd');
    expect(await rows.nth(1).textContent()).toMatch(/150\.12512,000FINRAoff exchange$/);
    expect(await rows.nth(1).getAttribute('title')).toMatch(/dark pool .* \$1,801,500 /);
    expect(await rows.nth(1).getAttribute('class')).toContain('tape-block');
  });

  it('stands still while it is read, counts what comes meanwhile, and goes on', async () => {
    await show('AMD');
    push('AMD', 60, { p: 200 });
    await expect.poll(readNewest).toContain('200.00');
    await page.getByTestId('tape').hover();
    await untilHeld();
    push('AMD', 3, { p: 201 });
    await page.getByRole('button', { name: '3 new' }).waitFor();
    expect(await readNewest()).toContain('200.00');
    await page.getByRole('heading', { name: 'Time and sales' }).hover();
    await expect.poll(readNewest).toContain('201.00');

    await page.getByTestId('tape').evaluate((element) => element.scrollTo({ top: 400 }));
    await untilHeld();
    push('AMD', 2, { p: 202 });
    await page.getByRole('button', { name: '2 new' }).click();
    await expect.poll(readNewest).toContain('202.00');

    await page.getByRole('button', { name: 'Pause' }).click();
    await untilHeld();
    push('AMD', 1, { p: 203 });
    await page.getByRole('button', { name: '1 new' }).waitFor();
    expect(await readNewest()).toContain('202.00');
    await page.getByRole('button', { name: 'Resume' }).click();
    await expect.poll(readNewest).toContain('203.00');
  });

  it('another symbol has its own tape, and the streams of the one before end', async () => {
    await show('NFLX');
    push('NFLX', 1, { p: 99 });
    await expect.poll(readNewest).toContain('99.00');
    await show('DIS');
    push('DIS', 1, { p: 555 });
    push('NFLX', 1, { p: 98 });
    await expect.poll(readNewest).toContain('555.00');
    await untilOpen({ trades: 1, bars: 1 });
    push('DIS', 1, { p: 556 });
    await expect.poll(readNewest).toContain('556.00');
    expect(await page.locator('.tape-row', { hasText: '98.00' }).count()).toBe(0);
  });
});
