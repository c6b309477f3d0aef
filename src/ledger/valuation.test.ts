import { describe, expect, it, vi } from 'vitest';
import { TestMarket } from '../../test/ledger.ts';
import { letRun, ManualTimers } from '../../test/manual-time.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import type { Account } from './accounts.ts';
import { decimal } from './decimal.ts';
import type { Portfolio } from './portfolio.ts';
import type { NewsListener } from './user-news.ts';
import { Valuation } from './valuation.ts';

/** A valuation over accounts that the test changes, in time that the test moves. */
function makeValuation() {
  const market = new TestMarket();
  const timers = new ManualTimers();
  const accounts = new Map<string, Account>();
  const listeners = new Map<string, NewsListener>();
  const readAccount = vi.fn(async (userId: string) => accounts.get(userId)!);
  const valuation = new Valuation({
    readAccount,
    readQuotes: market.read,
    follow: market.follow,
    news: {
      listen: async (user, listener) => {
        listeners.set(user, listener);
        return () => void listeners.delete(user);
      },
    },
    timers,
    now: () => 1_800_000_000_000 + timers.now(),
    logger: recordingLogger().logger,
  });
  return {
    ...{ market, timers, valuation, readAccount, listeners },
    own(userId: string, cash: string, holdings: Record<string, string>): void {
      const list = Object.entries(holdings).map(([symbol, quantity]) => ({
        ...{ symbol, quantity: decimal(quantity), cost: decimal(quantity).times(100) },
      }));
      accounts.set(userId, { userId, cash: decimal(cash), holdings: list });
    },
    async advance(ms: number): Promise<void> {
      for (const end = timers.now() + ms; timers.now() < end;) {
        timers.advance(Math.min(10, end - timers.now()));
        await letRun();
      }
    },
    async watch(userId: string): Promise<{ told: Portfolio[]; times: number[]; stop: () => void }> {
      const told: Portfolio[] = [];
      const times: number[] = [];
      const stop = await valuation.watch(userId, (portfolio) => {
        told.push(portfolio);
        times.push(timers.now());
      });
      return { told, times, stop };
    },
  };
}

describe('a portfolio that is watched', () => {
  it('comes at once, then as prices move, at most one a second', async () => {
    const { market, valuation, own, watch, advance } = makeValuation();
    market.set('AAPL', { price: 100, previousClose: 98 });
    own('ann', '50', { AAPL: '2' });
    const { told, times } = await watch('ann');
    expect(told).toMatchObject([{ cash: '50.00', equity: '200.00', totalValue: '250.00', dayChange: '4.00' }]);
    for (let step = 1; step <= 100; step++) {
      market.set('AAPL', { price: 100 + step });
      await advance(50);
    }
    expect(times.length).toBeGreaterThanOrEqual(5);
    for (const [index, time] of times.slice(1).entries()) {
      expect(time - times[index]!).toBeGreaterThanOrEqual(1000);
      expect(time - times[index]!).toBeLessThanOrEqual(1100);
    }
    // The last move always arrives.
    await advance(1100);
    expect(told.at(-1)).toMatchObject({ equity: '400.00', totalValue: '450.00' });
    const count = told.length;
    await advance(5000);
    expect(told).toHaveLength(count);
    valuation.close();
  });

  it('works out again only the positions whose price has moved', async () => {
    const { market, valuation, own, watch, advance } = makeValuation();
    for (const symbol of ['AAPL', 'MSFT', 'NVDA']) market.set(symbol, { price: 100 });
    own('ann', '0', { AAPL: '1', MSFT: '1', NVDA: '1' });
    const { told } = await watch('ann');
    await advance(2000);
    const before = valuation.readStats().revaluations;
    market.set('MSFT', { price: 101 });
    // Another side of the quote moves nothing.
    market.set('NVDA', { bid: 1 });
    await advance(1100);
    expect(valuation.readStats().revaluations - before).toBe(1);
    expect(told.at(-1)).toMatchObject({ equity: '301.00' });
    valuation.close();
  });

  it('is told of an execution at once, and of a burst of them in few', async () => {
    const { market, valuation, own, watch, advance, listeners } = makeValuation();
    market.set('AAPL', { price: 100 });
    own('ann', '200', {});
    const { told, times } = await watch('ann');
    await advance(500);
    own('ann', '100', { AAPL: '1' });
    listeners.get('ann')!(1);
    await letRun();
    expect(told.at(-1)).toMatchObject({ cash: '100.00', equity: '100.00', positions: [{ symbol: 'AAPL' }] });
    expect(times.at(-1)).toBe(500);
    own('ann', '0', { AAPL: '2' });
    for (let count = 0; count < 50; count++) {
      listeners.get('ann')!(2 + count);
      await advance(10);
    }
    expect(told.at(-1)).toMatchObject({ cash: '0.00', equity: '200.00' });
    expect(told.length).toBeLessThanOrEqual(6);
    valuation.close();
  });

  it('is told of an execution at once, also just after a price was told', async () => {
    const { market, valuation, own, watch, advance, listeners } = makeValuation();
    market.set('AAPL', { price: 100 });
    own('ann', '200', { AAPL: '1' });
    const { told, times } = await watch('ann');
    market.set('AAPL', { price: 101 });
    while (told.length < 2) await advance(10);
    const pricedAt = times.at(-1)!;
    own('ann', '99', { AAPL: '2' });
    await advance(20);
    listeners.get('ann')!(1);
    await letRun();
    expect(told.at(-1)).toMatchObject({
      ...{ cash: '99.00', equity: '202.00' },
      positions: [{ quantity: '2', averagePrice: '100.00', marketPrice: '101.00', marketValue: '202.00' }],
    });
    expect(times.at(-1)).toBe(pricedAt + 20);
    valuation.close();
  });

  it('is read once for an execution that is told twice, and again where some may have been missed', async () => {
    const { valuation, own, watch, advance, readAccount, listeners } = makeValuation();
    own('ann', '200', {});
    const { told } = await watch('ann');
    for (const number of [1, 1, 1]) {
      listeners.get('ann')!(number);
      await advance(300);
    }
    expect(told).toHaveLength(2);
    expect(readAccount).toHaveBeenCalledTimes(2);
    for (const number of [2, null]) {
      listeners.get('ann')!(number);
      await advance(300);
    }
    expect(told).toHaveLength(4);
    valuation.close();
  });

  it('is read again after an execution that came while it was read', async () => {
    const { valuation, own, watch, readAccount, listeners, advance } = makeValuation();
    own('ann', '100', {});
    readAccount.mockImplementationOnce(async () => {
      // It is committed just after it was read.
      listeners.get('ann')!(1);
      return { userId: 'ann', cash: decimal('100'), holdings: [] };
    });
    own('ann', '7', {});
    const { told } = await watch('ann');
    await advance(300);
    expect(told.at(-1)).toMatchObject({ cash: '7.00' });
    valuation.close();
  });

  it('is told later where it cannot be read again at once', async () => {
    const { valuation, own, watch, readAccount, listeners, advance } = makeValuation();
    own('ann', '100', {});
    const { told } = await watch('ann');
    own('ann', '7', {});
    readAccount.mockRejectedValueOnce(new Error('away'));
    await advance(300);
    listeners.get('ann')!(1);
    await letRun();
    expect(told).toHaveLength(1);
    await advance(1100);
    expect(told.at(-1)).toMatchObject({ cash: '7.00' });
    valuation.close();
  });
});

describe('many viewers of one symbol', () => {
  it('cost one that follows it, and of each price one is made decimal', async () => {
    const { market, valuation, own, watch, advance } = makeValuation();
    market.set('AAPL', { price: 100 });
    const watching = [];
    for (let user = 0; user < 500; user++) {
      own(`user-${user}`, '0', { AAPL: String(user + 1) });
      watching.push(await watch(`user-${user}`));
    }
    expect(market.countFollowers('AAPL')).toBe(1);
    market.set('AAPL', { price: 101 });
    await advance(1200);
    for (const [user, { told }] of watching.entries()) {
      expect(told.at(-1)).toMatchObject({ equity: `${101 * (user + 1)}.00` });
    }
    for (const { stop } of watching.slice(1)) stop();
    expect(market.countFollowers('AAPL')).toBe(1);
    watching[0]!.stop();
    expect(market.countFollowers('AAPL')).toBe(0);
    expect(valuation.readStats()).toMatchObject({ portfolios: 0, symbols: 0 });
  });

  it('share what is theirs together: two that watch one account make it be read once', async () => {
    const { valuation, own, watch, readAccount } = makeValuation();
    own('ann', '1', {});
    const [one, other] = await Promise.all([watch('ann'), watch('ann')]);
    expect(one.told).toEqual(other.told);
    expect(readAccount).toHaveBeenCalledOnce();
    one.stop();
    one.stop();
    expect(valuation.readStats().portfolios).toBe(1);
    other.stop();
    expect(valuation.readStats().portfolios).toBe(0);
  });
});

describe('a symbol without a price', () => {
  it('counts as what it has cost, until one is known', async () => {
    const { market, valuation, own, watch, advance } = makeValuation();
    own('ann', '5', { AAPL: '3' });
    const { told } = await watch('ann');
    expect(told[0]).toMatchObject({
      totalValue: '305.00',
      positions: [{ marketPrice: null, marketValue: '300.00', unrealizedPnl: '0.00', dayChange: '0.00' }],
    });
    market.set('AAPL', { price: 90.5, previousClose: null });
    await advance(1100);
    expect(told.at(-1)).toMatchObject({
      totalValue: '276.50',
      positions: [{ marketPrice: '90.50', unrealizedPnl: '-28.50', dayChange: '0.00' }],
    });
    valuation.close();
  });
});
