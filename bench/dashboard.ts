/**
 * The page as a browser measures it: `node bench/dashboard.ts [seconds under load, default 20]`. Needs Chromium and the built page
 * (`npm run build`). The system runs as a user starts it, behind a simulated exchange on which only this bench trades.
 *
 * - cold: a new browser context each time; from the start of navigation to the first live price on the screen;
 * - bytes: what of JavaScript came over the wire, with every view of the workspace loaded;
 * - load: 500 symbols watched, 1,000 trades a second over them, each of which is one update of a quote. The share of the main thread
 *   is that of its tasks, by the clock and by its CPU time;
 * - scroll: 5,000 rows, of which 500 trade on: the time from frame to frame.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Browser, type CDPSession, chromium, type Page } from 'playwright-core';
import { LISTINGS } from '../src/feeds/simulator/listings.ts';
import { startSimulator } from '../src/feeds/simulator/simulator.ts';
import { startSystem } from '../scripts/system.ts';
import { readLaunchOptions } from '../test/chromium.ts';
import { type Dashboard, openDashboard } from '../test/dashboard.ts';
import { makeWireTrade } from '../test/wire-samples.ts';

const seconds = Number(process.argv[2] ?? 20);
const COLD_LOADS = 7;
const SYMBOLS = 500;
const UPDATES_PER_SECOND = 1000;
const SLICE_MS = 20;
const ROWS = 5000;
const GOALS = { firstPriceMs: 1500, scriptKiB: 250, mainThread: 0.5, frameMs: 1000 / 60 };

/** Resolves in the page with the time since its navigation began. */
const WHEN_PRICED = `new Promise((resolve) => {
  const look = () => {
    for (const cell of document.querySelectorAll('.watch-price'))
      if (/[0-9]/.test(cell.textContent)) return resolve(performance.now());
    requestAnimationFrame(look);
  };
  look();
})`;

/** From the first row to the last in 10 seconds; the times between its frames. */
const SCROLL_THROUGH = `new Promise((resolve) => {
  const grid = document.querySelector('.watch-grid');
  const end = grid.scrollHeight - grid.clientHeight;
  const frames = [];
  const start = performance.now();
  let last = start;
  const step = (now) => {
    frames.push(now - last);
    last = now;
    grid.scrollTop = end * Math.min(1, (now - start) / 10000);
    if (now - start < 10000) requestAnimationFrame(step);
    else resolve(frames.slice(2));
  };
  requestAnimationFrame(step);
})`;

const listed = LISTINGS.slice(0, SYMBOLS).map(({ symbol, price }) => ({ symbol, price }));
const watchlist = (symbols: readonly string[]) => ({ watchlist: { version: 1, value: { symbols, sort: null } } });

const simulator = await startSimulator({ tape: false });
await using system = await startSystem({
  POLYGON_API_KEY: 'bench',
  POLYGON_WS_URL: simulator.wsUrl,
  POLYGON_REST_URL: simulator.restUrl,
  QUOTE_INTERVAL_MS: '0',
});
const stopTrading = trade();
const browser = await chromium.launch(readLaunchOptions());
try {
  console.table([await measureColdLoad(browser), await measureLoad(browser), await measureScroll(browser)].flat());
} finally {
  stopTrading();
  await browser.close();
  await simulator.close();
}

type Row = { readonly measured: string; readonly figure: string; readonly goal: string; readonly met: string };

function row(measured: string, value: number, goal: number | null, unit: string): Row {
  const figure = `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ${unit}`;
  return {
    measured,
    figure,
    goal: goal === null ? '' : `${goal.toFixed(0)} ${unit}`,
    met: goal === null ? '' : value <= goal ? 'yes' : 'NO',
  };
}

/** In small slices, as an exchange's frames come; every symbol in its turn, at a price that differs from its last. */
function trade(): () => void {
  let next = 0;
  const timer = setInterval(() => {
    const trades = Array.from({ length: (UPDATES_PER_SECOND * SLICE_MS) / 1000 }, () => {
      const { symbol, price } = listed[next % SYMBOLS]!;
      const step = ((Math.floor(next++ / SYMBOLS) * 7) % 11) - 5;
      return makeWireTrade(symbol, { p: Number((price * (1 + step / 5000)).toFixed(2)) });
    });
    simulator.push(trades);
  }, SLICE_MS);
  return () => clearInterval(timer);
}

async function measureColdLoad(browser: Browser): Promise<Row[]> {
  const firstPrices: number[] = [];
  let scriptBytes = 0;
  for (let load = 0; load < COLD_LOADS; load++) {
    await using dashboard = await openDashboard(browser, system.url, {
      ...{ width: 1440, height: 900 },
      reducedMotion: 'no-preference',
    });
    const { page } = dashboard;
    firstPrices.push(await page.evaluate<number>(WHEN_PRICED));
    await untilShown(page);
    scriptBytes = await page.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .filter((entry) => entry.name.endsWith('.js'))
        .reduce((sum, entry) => sum + (entry as PerformanceResourceTiming).encodedBodySize, 0),
    );
  }
  firstPrices.sort((a, b) => a - b);
  return [
    row('cold load to the first live price, median', firstPrices[COLD_LOADS >> 1]!, GOALS.firstPriceMs, 'ms'),
    row('cold load to the first live price, slowest', firstPrices.at(-1)!, null, 'ms'),
    row('JavaScript over the wire', scriptBytes / 1024, GOALS.scriptKiB, 'KiB'),
  ];
}

async function untilShown(page: Page): Promise<void> {
  await page.waitForFunction(() => document.querySelector('.pane-skeleton') === null);
}

async function measureLoad(browser: Browser): Promise<Row[]> {
  await using dashboard = await openWatchlist(
    browser,
    listed.map(({ symbol }) => symbol),
  );
  const { page, context } = dashboard;
  const session = await context.newCDPSession(page);
  const wall = await measureTasks(session, 'timeTicks', page);
  const cpu = await measureTasks(session, 'threadTicks', page);
  return [
    row('updates a second that reached the page', wall.updatesPerSecond, null, '/s'),
    row('main thread in tasks', wall.share * 100, GOALS.mainThread * 100, '%'),
    row('main thread by its CPU time', cpu.share * 100, GOALS.mainThread * 100, '%'),
  ];
}

async function measureTasks(
  session: CDPSession,
  timeDomain: 'timeTicks' | 'threadTicks',
  page: Page,
): Promise<{ share: number; updatesPerSecond: number }> {
  await session.send('Performance.enable', { timeDomain });
  const read = async (): Promise<number> => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration')!.value;
  };
  // What the views fetch at first is no part of what they cost all day.
  await sleep(5000);
  const delivered = await countDelivered();
  const before = await read();
  const start = performance.now();
  await sleep(seconds * 1000);
  const after = await read();
  const lasted = (performance.now() - start) / 1000;
  const updates = (await countDelivered()) - delivered;
  await session.send('Performance.disable');
  if (await page.locator('.connection-bad').count()) throw new Error('The page lost its server');
  return { share: (after - before) / lasted, updatesPerSecond: updates / lasted };
}

async function countDelivered(): Promise<number> {
  const stats = (await (await fetch(`${system.url}/stats`)).json()) as { connections: { messagesOut: number } };
  return stats.connections.messagesOut;
}

async function measureScroll(browser: Browser): Promise<Row[]> {
  const made = Array.from({ length: ROWS - SYMBOLS }, (_, index) => `ZZ${index}`);
  await using dashboard = await openWatchlist(browser, [...listed.map(({ symbol }) => symbol), ...made]);
  const frames = await dashboard.page.evaluate<number[]>(SCROLL_THROUGH);
  frames.sort((a, b) => a - b);
  const at = (share: number): number => frames[Math.floor(frames.length * share)]!;
  const late = frames.filter((frame) => frame > 1.5 * GOALS.frameMs).length;
  return [
    row(`${ROWS} rows scrolled: frame, median`, at(0.5), null, 'ms'),
    row(`${ROWS} rows scrolled: frame, 99 %`, at(0.99), null, 'ms'),
    row(`${ROWS} rows scrolled: frames that came late`, (100 * late) / frames.length, null, '%'),
  ];
}

async function openWatchlist(browser: Browser, symbols: readonly string[]): Promise<Dashboard> {
  const dashboard = await openDashboard(browser, system.url, {
    ...{ width: 1440, height: 900 },
    reducedMotion: 'no-preference',
    remembered: watchlist(symbols),
  });
  await dashboard.page.evaluate<number>(WHEN_PRICED);
  await untilShown(dashboard.page);
  return dashboard;
}
