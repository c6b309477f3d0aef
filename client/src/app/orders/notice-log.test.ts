import { describe, expect, it } from 'vitest';
import type { Notice } from './notice.ts';
import { NoticeLog, type NoticePlace, parseNoticePlace } from './notice-log.ts';
import type { KnownOrder } from './order-list.ts';

const BEGIN = '2026-11-20T10:00:00.000Z';
const at = (second: number): string => new Date(Date.parse(BEGIN) + second * 1000).toISOString();

function makeNotice(orderId: string, second: number, cursor: string | null = `c${second}`): Notice {
  const order = { symbol: 'AAPL', side: 'BUY', quantity: '1', price: '100', code: null } as const;
  return { ...order, id: `of ${orderId}`, orderId, kind: 'executed', timestamp: at(second), cursor };
}

function makeOrder(id: string, second: number, status: KnownOrder['status'] = 'FILLED'): KnownOrder {
  return {
    ...{ __typename: 'Order', id, clientOrderId: id, symbol: 'AAPL', side: 'BUY', type: 'MARKET', quantity: '1' },
    ...{ limitPrice: null, filledQuantity: '1', averagePrice: '100', status, reason: null },
    ...{ createdAt: at(second), updatedAt: at(second) },
  } as KnownOrder;
}

/** A browser that remembers: each log made of it goes on where the last one stopped. */
function makeBrowser() {
  let kept: NoticePlace = NoticeLog.begin(BEGIN);
  return { open: () => new NoticeLog(kept, (place) => (kept = place)), readKept: () => kept };
}

describe('the log of notices', () => {
  it('goes on after a reload from the last one that was told, not from one that was only read', () => {
    const browser = makeBrowser();
    const log = browser.open();
    const [first, second] = [makeNotice('a', 1), makeNotice('b', 2)];
    expect(log.isNews(first) && log.isNews(second)).toBe(true);
    log.markTold(first);
    expect(browser.open().place).toMatchObject({ cursor: 'c1', since: at(1) });
  });

  it('finds in the orders what became of them while there was no place to go on from', () => {
    const browser = makeBrowser();
    const orders = [makeOrder('b', 3, 'REJECTED'), makeOrder('waits', 2, 'PENDING'), makeOrder('a', 1)];
    const missed = browser.open().findMissed([...orders, makeOrder('old', -1)], BEGIN);
    expect(missed.map(({ orderId, kind }) => [orderId, kind])).toEqual([
      ['a', 'executed'],
      ['b', 'failed'],
    ]);
  });

  it('tells nothing twice, by whichever way it comes second', () => {
    const browser = makeBrowser();
    const log = browser.open();
    for (const notice of log.findMissed([makeOrder('a', 1)], BEGIN)) log.markTold(notice);
    expect(log.findMissed([makeOrder('a', 1)], BEGIN)).toEqual([]);
    const again = browser.open();
    expect(again.findMissed([makeOrder('a', 1)], BEGIN)).toEqual([]);
    expect(again.isNews(makeNotice('a', 1))).toBe(false);
    // It is done with, and the log goes on after it.
    expect(browser.readKept().cursor).toBe('c1');
    expect(again.isNews(makeNotice('b', 2))).toBe(true);
    again.markTold(makeNotice('b', 2));
    expect(again.findMissed([makeOrder('b', 2), makeOrder('a', 1)], BEGIN)).toEqual([]);
  });

  it('finds what was over before something later was told', () => {
    const log = makeBrowser().open();
    const { since } = log.place;
    log.markTold(makeNotice('later', 5));
    expect(log.findMissed([makeOrder('later', 5), makeOrder('missed', 3)], since)).toMatchObject([
      { orderId: 'missed' },
    ]);
  });

  it('tells each part of an order that is filled in parts', () => {
    const log = makeBrowser().open();
    log.markTold(makeNotice('a', 1));
    expect(log.isNews(makeNotice('a', 2))).toBe(true);
  });

  it('remembers so many and no more', () => {
    const browser = makeBrowser();
    const log = browser.open();
    for (let second = 0; second < 500; second++) log.markTold(makeNotice(`o${second}`, second, null));
    expect(browser.readKept().told.length).toBeLessThanOrEqual(100);
    expect(browser.readKept().caughtUp.at(-1)).toBe('o499');
  });
});

it('a place that was kept is read back, and nonsense is not', () => {
  const place: NoticePlace = { cursor: 'c', since: BEGIN, told: ['a'], caughtUp: [] };
  expect(parseNoticePlace(JSON.parse(JSON.stringify(place)))).toEqual(place);
  for (const value of [
    null,
    'c',
    {},
    { ...place, cursor: 7 },
    { ...place, told: [1] },
    { cursor: null, since: BEGIN },
  ]) {
    expect(parseNoticePlace(value)).toBe(null);
  }
});
