import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Clock, systemClock } from '../client/src/graphql/clock.ts';
import { QuoteUpdates } from '../client/src/graphql/operations.ts';
import { createTapeClient, type TapeClient } from '../client/src/graphql/tape-client.ts';
import { followNotices } from '../client/src/app/orders/follow-notices.ts';
import type { NoticePlace } from '../client/src/app/orders/notice-log.ts';
import { PlaceOrder } from '../client/src/app/orders/operations.ts';
import { PortfolioChanges } from '../client/src/app/portfolio/operations.ts';
import { type BreakableLink, openBreakableLink } from '../client/testing/breakable-link.ts';
import { startTestTapeql, type TestTapeql } from './tapeql.ts';
import { JWT_SECRET, mintToken } from './tokens.ts';
import { until } from './until.ts';
import { makeWireQuote, makeWireTrade } from './wire-samples.ts';

const QUICK = { initialDelayMs: 5, maxDelayMs: 50 };
/** The seconds between two looks at the orders go by twenty times as fast. */
const FAST_CLOCK: Clock = {
  now: systemClock.now,
  schedule: (run, delayMs) => systemClock.schedule(run, delayMs / 20),
};

let tapeql: TestTapeql;
let market: TapeClient;
beforeAll(async () => {
  tapeql = await startTestTapeql({ env: { JWT_SECRET } });
  // Somebody follows the symbol, so that there are prices.
  market = createTapeClient({ url: tapeql.endpoint });
  let ask: number | null = null;
  market
    .subscription(QuoteUpdates, { symbols: ['AAPL'] })
    .subscribe(({ data }) => (ask = data?.quoteUpdates.ask ?? null));
  await tapeql.untilWatched(['AAPL']);
  tapeql.simulator.push([makeWireTrade('AAPL', { p: 100 }), makeWireQuote('AAPL', { bp: 99.9, ap: 100.1 })]);
  await until(() => expect(ask).toBe(100.1));
});
afterAll(async () => {
  await market?.dispose();
  await tapeql?.[Symbol.asyncDispose]();
});

let link: BreakableLink;
let token: string;
/** Who places the orders: another program of the same viewer, whom nothing interrupts. */
let trader: TapeClient;
const pages: (() => Promise<void>)[] = [];
let viewers = 0;
beforeEach(async () => {
  link = await openBreakableLink(tapeql.endpoint);
  token = await mintToken({ sub: `viewer ${++viewers}` });
  trader = createTapeClient({ url: tapeql.endpoint, token });
});
afterEach(async () => {
  for (const close of pages.splice(0)) await close();
  await trader.dispose();
  await link.close();
});

/** Whether the log of notifications is followed by a page: what happens while it is not is for the orders to tell. */
async function untilFollowed(isFollowed: boolean): Promise<void> {
  const readFollowers = async (): Promise<unknown> =>
    (await tapeql.readStats())['subscriptions'].byField.tradeNotifications ?? 0;
  await expect.poll(readFollowers).toBe(isFollowed ? 1 : 0);
}

/** Orders are told apart by how many shares they are of. */
async function place(...quantities: number[]): Promise<void> {
  for (const quantity of quantities) {
    const input = { clientOrderId: `of ${quantity}`, symbol: 'AAPL', side: 'BUY', quantity: String(quantity) } as const;
    const { data } = await trader.mutation(PlaceOrder, { input: { ...input, type: 'MARKET' } });
    expect(data?.placeOrder.status).toBe('FILLED');
  }
}

/** What a browser remembers, and each page that it opens. */
function openBrowser() {
  let kept: NoticePlace | null = null;
  return {
    memory: { read: () => kept, keep: (place: NoticePlace) => void (kept = place) },
    async openPage() {
      const client = createTapeClient({
        ...{ url: link.url, token, backoff: QUICK },
        ...{ fallAfter: 1, streamProbeMs: 200, pollIntervalMs: 50 },
      });
      // As a page has it: something that can be asked by queries, by which the client finds out that they come through.
      const shown = client.subscription(PortfolioChanges, {}).subscribe(() => undefined);
      const told: number[] = [];
      const stop = followNotices({
        client,
        memory: this.memory,
        clock: FAST_CLOCK,
        tell: (notices) => told.push(...notices.map(({ quantity }) => Number(quantity))),
      });
      const close = async (): Promise<void> => {
        stop();
        shown.unsubscribe();
        await client.dispose();
      };
      pages.push(close);
      await expect.poll(() => client.status.getSnapshot().state).toBe('live');
      // From its first sight of the viewer on.
      await expect.poll(() => kept).not.toBe(null);
      await untilFollowed(true);
      return { told, client, close };
    },
  };
}

it('a browser that was told nothing yet misses nothing over an interruption', async () => {
  const { told } = await openBrowser().openPage();
  link.bar('all');
  await untilFollowed(false);
  await place(1, 2);
  link.bar('nothing');
  await expect.poll(() => told).toEqual([1, 2]);
  await untilFollowed(true);
  await place(3);
  await expect.poll(() => told).toEqual([1, 2, 3]);
});

it('what happens while no page is open is told by the next one, and nothing twice', async () => {
  const browser = openBrowser();
  const first = await browser.openPage();
  // Even a page that was closed before it was told anything.
  await first.close();
  await untilFollowed(false);
  await place(1);
  const second = await browser.openPage();
  await expect.poll(() => second.told).toEqual([1]);
  await place(2);
  await expect.poll(() => second.told).toEqual([1, 2]);
  await second.close();
  await untilFollowed(false);
  await place(3, 4);
  const third = await browser.openPage();
  await expect.poll(() => third.told).toEqual([3, 4]);
});

it('where only queries come through it is told by the orders, and not again when the log is back', async () => {
  const { told, client } = await openBrowser().openPage();
  await place(1);
  await expect.poll(() => told).toEqual([1]);
  link.bar('sockets and streams');
  await expect.poll(() => client.status.getSnapshot().state).toBe('polling');
  await untilFollowed(false);
  await place(2, 3);
  await expect.poll(() => told).toEqual([1, 2, 3]);
  // Again and again, for as long as that lasts.
  await place(4);
  await expect.poll(() => told).toEqual([1, 2, 3, 4]);
  link.bar('nothing');
  await expect.poll(() => client.status.getSnapshot().state).toBe('live');
  await untilFollowed(true);
  await place(5);
  await expect.poll(() => told).toEqual([1, 2, 3, 4, 5]);
});

it('a log that was lost is made up for from the orders, with the first that it tells', async () => {
  const browser = openBrowser();
  const page = await browser.openPage();
  await place(1);
  await expect.poll(() => page.told).toEqual([1]);
  await page.close();
  await untilFollowed(false);
  // A cursor of another log, as after a database that was made anew.
  const foreign = Buffer.from('n-another:7').toString('base64url');
  browser.memory.keep({ ...browser.memory.read()!, cursor: foreign });
  await place(2);
  const next = await browser.openPage();
  // Nothing says from when on the log is read, but that it tells of something.
  let newest = 2;
  await expect
    .poll(async () => {
      await place(++newest);
      return next.told.length;
    })
    .toBeGreaterThan(0);
  const all = Array.from({ length: newest - 1 }, (_, index) => index + 2);
  await expect.poll(() => next.told.toSorted((a, b) => a - b)).toEqual(all);
});
