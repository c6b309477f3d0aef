import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeDataDir, startLedger, type TestLedger, type TestLedgerOptions } from '../../test/ledger.ts';
import { startPostgres, type TestPostgres } from '../../test/postgres.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { until } from '../../test/until.ts';
import { audit } from './audit.ts';
import { decimal } from './decimal.ts';
import { EmbeddedPostgres } from './embedded-postgres.ts';

describe.each(['the embedded database', 'a PostgreSQL server'])('a ledger over %s', (kind) => {
  let postgres: TestPostgres | null = null;
  let embedded: EmbeddedPostgres | null = null;
  let options: TestLedgerOptions;
  let opened: TestLedger[] = [];
  let users = 0;
  const newUser = (): string => `user-${++users}`;

  beforeAll(async () => {
    if (kind === 'a PostgreSQL server') postgres = await startPostgres();
    const dataDir = await makeDataDir();
    if (postgres === null) embedded = new EmbeddedPostgres({ dataDir, logger: recordingLogger().logger });
    options = {
      ...{ url: (await postgres?.createDatabase()) ?? null, dataDir },
      ...(embedded !== null && { embedded }),
    };
  });
  afterEach(async () => {
    const [first] = opened;
    if (first !== undefined) expect((await audit(first.database)).differences).toEqual([]);
    for (const ledger of opened.toReversed()) await ledger.close();
    opened = [];
  });
  afterAll(async () => {
    await postgres?.stop();
    await embedded?.close();
  });

  async function open(more: TestLedgerOptions = {}): Promise<TestLedger> {
    const ledger = await startLedger({ ...options, ...more });
    ledger.market.set('AAPL', { price: 100, bid: 99.99, ask: 100.01, previousClose: 98 });
    opened.push(ledger);
    return ledger;
  }

  it('opens an account at its first sight, with the opening cash, once', async () => {
    const { ledger } = await open({
      openingPositionsOf: () => [{ symbol: 'AAPL', quantity: '10', price: '90.00' }],
    });
    const user = newUser();
    const portfolios = await Promise.all(Array.from({ length: 8 }, () => ledger.readPortfolio(user)));
    for (const portfolio of portfolios) {
      expect(portfolio).toMatchObject({ id: user, cash: '100000.00', equity: '1000.00', totalValue: '101000.00' });
      expect(portfolio).toMatchObject({ dayChange: '20.00', dayChangePercent: 0.019806 });
      expect(portfolio.positions).toEqual([
        {
          ...{ symbol: 'AAPL', quantity: '10', averagePrice: '90.00', marketPrice: '100.00', marketValue: '1000.00' },
          ...{ unrealizedPnl: '100.00', unrealizedPnlPercent: 11.111111, dayChange: '20.00' },
        },
      ]);
    }
  });

  it('fills a buy at the ask and a sell at the bid, exactly', async () => {
    const { ledger, market, place } = await open();
    const user = newUser();
    market.set('AAPL', { bid: 187.13, ask: 187.17 });
    expect(await place(user, { quantity: '3' })).toMatchObject({ status: 'FILLED', averagePrice: decimal('187.17') });
    expect((await ledger.readAccount(user)).cash.toFixed()).toBe('99438.49');
    const sold = await place(user, { side: 'SELL', quantity: '2' });
    expect(sold).toMatchObject({ status: 'FILLED', averagePrice: decimal('187.13'), filledQuantity: decimal('2') });
    const account = await ledger.readAccount(user);
    expect(account.cash.toFixed()).toBe('99812.75');
    expect(account.holdings.map(({ quantity, cost }) => [quantity.toFixed(), cost.toFixed()])).toEqual([
      ['1', '187.17'],
    ]);
    await place(user, { side: 'SELL', quantity: '1' });
    expect((await ledger.readAccount(user)).holdings).toEqual([]);
  });

  it.each([
    ['0.1', '0.1', '0.2'],
    ['0.1', '3', '2.1'],
    ['1.005', '1000', '3'],
    ['0.07', '100', '9.000001'],
    ['4.35', '100', '0.333333'],
    ['1.1', '1.1', '1.1'],
    ['999999.99', '0.05', '0.000003'],
  ])('moves amounts that break floats exactly: %s for %s, then for %s', async (price, first, second) => {
    const { ledger, market, place } = await open();
    const user = newUser();
    market.set('AAPL', { ask: Number(price), bid: Number(price) });
    await place(user, { quantity: first });
    await place(user, { quantity: second });
    const spent = [first, second].map((quantity) => decimal(quantity).times(price).round(4, 2));
    const { cash, holdings } = await ledger.readAccount(user);
    expect(cash.toFixed()).toBe(decimal('100000').minus(spent[0]!).minus(spent[1]!).toFixed());
    expect(holdings[0]!.quantity.toFixed()).toBe(decimal(first).plus(second).toFixed());
    expect(holdings[0]!.cost.toFixed()).toBe(spent[0]!.plus(spent[1]!).toFixed());
  });

  it.each([
    ['0.00015', '1', '0.0002'],
    ['0.00025', '1', '0.0002'],
    ['0.5', '0.000301', '0.0002'],
    ['12345.6789', '0.5', '6172.8394'],
    ['12345.6787', '0.5', '6172.8394'],
  ])('rounds half-even to four decimals: %s for %s is %s', async (price, quantity, amount) => {
    const { ledger, market, place } = await open();
    const user = newUser();
    market.set('AAPL', { ask: Number(price) });
    await place(user, { quantity });
    expect((await ledger.readAccount(user)).cash.toFixed()).toBe(decimal('100000').minus(amount).toFixed());
  });

  it('gives no shares for nothing', async () => {
    const { ledger, market, place } = await open();
    const user = newUser();
    market.set('AAPL', { ask: 0.05 });
    await expect(place(user, { quantity: '0.000001' })).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    expect((await ledger.readAccount(user)).holdings).toEqual([]);
  });

  it('never overdraws: of 50 orders at once those are filled that the cash suffices for', async () => {
    const { ledger, place, market } = await open();
    const user = newUser();
    market.set('AAPL', { ask: 9_000 });
    const orders = await Promise.all(Array.from({ length: 50 }, () => place(user, { quantity: '1' })));
    const filled = orders.filter(({ status }) => status === 'FILLED');
    expect(filled).toHaveLength(11);
    for (const order of orders) {
      if (order.status !== 'FILLED') expect(order).toMatchObject({ status: 'REJECTED', reason: 'INSUFFICIENT_FUNDS' });
    }
    expect((await ledger.readAccount(user)).cash.toFixed()).toBe('1000');
    const notifications = await ledger.readNotifications(user, 0, 100);
    expect(notifications.map(({ offset }) => offset)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    expect(notifications.filter(({ kind }) => kind === 'TradeExecuted')).toHaveLength(11);
  });

  it('trades once for 20 orders of the same name at once, over two processes', async () => {
    const [one, other] = [await open(), await open()];
    const user = newUser();
    const orders = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? one : other).place(user, { clientOrderId: 'the same' }),
      ),
    );
    expect(new Set(orders.map(({ id }) => id)).size).toBe(1);
    expect((await one.ledger.readAccount(user)).holdings[0]!.quantity.toFixed()).toBe('1');
    expect(await one.ledger.readNotifications(user, 0, 100)).toHaveLength(1);
    // A name is the user's own.
    expect((await one.place(newUser(), { clientOrderId: 'the same' })).id).not.toBe(orders[0]!.id);
  });

  it.each([
    ['INSUFFICIENT_POSITION', { side: 'SELL' }, {}],
    ['INSUFFICIENT_FUNDS', { quantity: '1001' }, {}],
    ['NO_QUOTE', {}, { ask: null }],
    ['NO_QUOTE', {}, { stale: true }],
    ['NO_QUOTE', { symbol: 'NOBODYKNOWS' }, {}],
    ['NO_QUOTE', { symbol: 'NOBODYKNOWS', limitPrice: '1' }, {}],
  ])('rejects with %s: %o where the quote is %o', async (reason, ticket, quote) => {
    const { ledger, market, place } = await open();
    const user = newUser();
    market.set('AAPL', quote);
    const order = await place(user, ticket as Record<string, string>);
    expect(order).toMatchObject({ status: 'REJECTED', reason, averagePrice: null });
    expect(await ledger.readNotifications(user, 0, 10)).toMatchObject([
      { kind: 'TradeFailed', orderId: order.id, code: reason, offset: 1, side: order.side, symbol: order.symbol },
    ]);
    expect((await ledger.readAccount(user)).cash.toFixed()).toBe('100000');
  });

  it('rejects a market order while the market is closed; a limit order waits for it to open', async () => {
    const { market, ledger, place } = await open();
    const user = newUser();
    market.isOpen = false;
    expect(await place(user, {})).toMatchObject({ status: 'REJECTED', reason: 'MARKET_CLOSED' });
    const waiting = await place(user, { limitPrice: '200' });
    expect(waiting.status).toBe('PENDING');
    market.isOpen = true;
    market.set('AAPL', { ask: 100.02 });
    await until(async () => expect((await ledger.listOrders(user, null, 1))[0]!.status).toBe('FILLED'));
  });

  it('fills a limit order at once where the quote meets it, at the price of the quote', async () => {
    const { place } = await open();
    const order = await place(newUser(), { limitPrice: '150' });
    expect(order).toMatchObject({ status: 'FILLED', averagePrice: decimal('100.01'), limitPrice: decimal('150') });
  });

  it.each([
    ['the ask comes to it', { ask: 95 }],
    ['a print goes through it', { price: 94.99 }],
  ])('fills a limit order later at its limit, when %s', async (_when, quote) => {
    const { market, ledger, place } = await open();
    const user = newUser();
    const order = await place(user, { limitPrice: '95' });
    expect(order.status).toBe('PENDING');
    market.set('AAPL', { ask: 95.01, price: 95 });
    market.set('AAPL', quote);
    await until(async () =>
      expect((await ledger.listOrders(user, null, 1))[0]).toMatchObject({
        status: 'FILLED',
        averagePrice: decimal('95'),
      }),
    );
    expect(await ledger.readNotifications(user, 0, 10)).toMatchObject([{ kind: 'TradeExecuted', price: '95' }]);
  });

  it('keeps back what open orders need, and gives it free when they are cancelled', async () => {
    const { ledger, place } = await open();
    const user = newUser();
    const open1 = await place(user, { quantity: '900', limitPrice: '90' });
    expect(open1.status).toBe('PENDING');
    expect(await place(user, { quantity: '200' })).toMatchObject({ reason: 'INSUFFICIENT_FUNDS' });
    expect(await ledger.cancelOrder(user, open1.id)).toMatchObject({ id: open1.id, status: 'CANCELLED' });
    expect(await place(user, { quantity: '200' })).toMatchObject({ status: 'FILLED' });
    const selling = await place(user, { side: 'SELL', quantity: '150', limitPrice: '110' });
    expect(await place(user, { side: 'SELL', quantity: '51' })).toMatchObject({ reason: 'INSUFFICIENT_POSITION' });
    expect(await place(user, { side: 'SELL', quantity: '50' })).toMatchObject({ status: 'FILLED' });
    expect(await ledger.cancelOrder(user, selling.id)).toMatchObject({ status: 'CANCELLED' });
  });

  it('lets of a cancel and a fill that race one win, and both agree on which', async () => {
    const { market, ledger, place } = await open();
    const user = newUser();
    for (let round = 0; round < 10; round++) {
      market.set('AAPL', { ask: 100, price: 100 });
      const order = await place(user, { limitPrice: '95' });
      market.set('AAPL', { ask: 95 });
      const cancelled = (await ledger.cancelOrder(user, order.id))!;
      expect(['CANCELLED', 'FILLED']).toContain(cancelled.status);
      await until(async () => expect((await ledger.listOrders(user, null, 1))[0]!.status).toBe(cancelled.status));
    }
    const filled = (await ledger.listOrders(user, null, 50)).filter(({ status }) => status === 'FILLED').length;
    const { cash } = await ledger.readAccount(user);
    expect(cash.toFixed()).toBe(String(100_000 - 95 * filled));
    expect(await ledger.readNotifications(user, 0, 100)).toHaveLength(filled);
  });

  it('goes on with open orders after a restart', async () => {
    const first = await open();
    const user = newUser();
    await first.place(user, { limitPrice: '95' });
    await first.close();
    opened = [];
    const { market, ledger, database } = await open();
    database.start();
    market.set('AAPL', { ask: 94, price: 94 });
    await until(async () => expect((await ledger.listOrders(user, null, 1))[0]!.status).toBe('FILLED'));
  });

  it("knows another user's order as little as one that there is not", async () => {
    const { ledger, place } = await open();
    const order = await place(newUser(), { limitPrice: '95' });
    const stranger = newUser();
    expect(await ledger.cancelOrder(stranger, order.id)).toBeNull();
    await ledger.readAccount(stranger);
    expect(await ledger.cancelOrder(stranger, order.id)).toBeNull();
    expect(await ledger.cancelOrder(stranger, "' OR 1=1 --")).toBeNull();
    expect((await ledger.listOrders(order.userId, null, 1))[0]!.status).toBe('PENDING');
  });

  it('keeps the books after any sequence of orders, moves of the market and cancels', async () => {
    const { database, ledger, market, place } = await open();
    const price = fc.integer({ min: 1, max: 3_000_000 }).map((units) => units / 10_000);
    const quantity = fc
      .integer({ min: 1, max: 2_000_000_000 })
      .map((units) => String(decimal(String(units)).div(1_000_000)));
    const step = fc.oneof(
      fc.record({ kind: fc.constant('move' as const), price, spread: fc.constantFrom(0, 0.0001, 0.01, 0.37) }),
      fc.record({
        kind: fc.constant('order' as const),
        side: fc.constantFrom('BUY', 'SELL'),
        quantity,
        limitPrice: fc.option(price.map(String)),
      }),
      fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(20) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const user = newUser();
        const ids: string[] = [];
        for (const one of steps) {
          if (one.kind === 'move')
            market.set('AAPL', { price: one.price, bid: one.price, ask: one.price + one.spread });
          else if (one.kind === 'cancel') await ledger.cancelOrder(user, ids[one.which] ?? 'none');
          else {
            const { side, limitPrice } = one;
            const ticket = { side, quantity: one.quantity, ...(limitPrice !== null && { limitPrice }) };
            const order = await place(user, ticket).catch((error: { code?: string }) => {
              expect(error.code).toBe('BAD_USER_INPUT');
              return null;
            });
            if (order !== null) ids.push(order.id);
          }
        }
        const { totalValue, cash, positions } = await ledger.readPortfolio(user);
        const sum = positions.reduce((total, { marketValue }) => total.plus(marketValue), decimal(cash));
        expect(decimal(totalValue).toFixed()).toBe(sum.toFixed());
        expect(decimal(cash).gte(0)).toBe(true);
        expect((await audit(database)).differences).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });
});
