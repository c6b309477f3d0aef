import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AlpacaBench, readHoldings, untilOrder } from '../../test/alpaca-ledger.ts';
import { startPostgres, type TestPostgres } from '../../test/postgres.ts';
import { until } from '../../test/until.ts';
import { decimal } from './decimal.ts';

let postgres: TestPostgres;
let bench: AlpacaBench;
beforeAll(async () => {
  postgres = await startPostgres();
});
beforeEach(async () => {
  bench = await AlpacaBench.start(postgres);
});
afterEach(() => bench.close());
afterAll(() => postgres.stop());

describe('an order at Alpaca', () => {
  it.each([
    ['binary', true],
    ['text', false],
  ])('is sent under its name, and its fill is booked as the stream tells it, in %s frames', async (_kind, isBinary) => {
    const { alpaca } = bench;
    alpaca.isBinary = isBinary;
    const tapeql = await bench.open();
    await alpaca.untilListening();
    const user = bench.newUser();
    const order = await tapeql.place(user, { quantity: '10', limitPrice: '100' });
    expect(order).toMatchObject({ status: 'PENDING', broker: 'alpaca', brokerOrderId: alpaca.last.id });
    expect(bench.find(order)).toMatchObject({
      ...{ symbol: 'AAPL', side: 'buy', qty: '10', type: 'limit', limit_price: '100', time_in_force: 'gtc' },
    });
    alpaca.fill(alpaca.last, '10', '99.5');
    await untilOrder(tapeql, user, { status: 'FILLED', averagePrice: decimal('99.5'), filledQuantity: decimal('10') });
    expect(await readHoldings(tapeql, user)).toEqual({ cash: '99005', shares: '10' });
    expect(await tapeql.ledger.readNotifications(user, 0, 10)).toMatchObject([
      { kind: 'TradeExecuted', orderId: order.id, quantity: '10', price: '99.5', status: 'FILLED', offset: 1 },
    ]);
    expect(alpaca.count('POST /v2/orders')).toBe(1);
  });

  it('to buy at market costs no more than is kept back for it; one to sell has no bound', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open();
    await alpaca.untilListening();
    const user = bench.newUser();
    await tapeql.place(user, { quantity: '900.5' });
    expect(alpaca.last).toMatchObject({ type: 'limit', limit_price: '105.02', qty: '900.5', time_in_force: 'day' });
    // 900.5 × 105.02 = 94,570.51 are kept back, though nothing is spent yet.
    expect(await tapeql.place(user, { quantity: '52' })).toMatchObject({ reason: 'INSUFFICIENT_FUNDS' });
    expect(alpaca.orders).toHaveLength(1);
    alpaca.fill(alpaca.last, '900.5', '100.02');
    await until(async () => expect((await readHoldings(tapeql, user)).shares).toBe('900.5'));
    await tapeql.place(user, { quantity: '52' });
    await tapeql.place(user, { side: 'SELL', quantity: '900' });
    expect(alpaca.last).toMatchObject({ type: 'market', side: 'sell', limit_price: null, time_in_force: 'day' });
    expect(await tapeql.place(user, { side: 'SELL', quantity: '1' })).toMatchObject({
      reason: 'INSUFFICIENT_POSITION',
    });
    alpaca.fill(alpaca.last, '900', '98');
    await until(async () => expect(await readHoldings(tapeql, user)).toEqual({ cash: '98131.99', shares: '0.5' }));
  });

  it('is answered as filled where the market is faster than the answer', async () => {
    const { alpaca } = bench;
    alpaca.fillAtOnce = '100.01';
    const tapeql = await bench.open();
    await alpaca.untilListening();
    const user = bench.newUser();
    const { id } = await tapeql.place(user, { quantity: '1' });
    const filled = await untilOrder(tapeql, user, { status: 'FILLED', averagePrice: decimal('100.01') });
    expect(filled.id).toBe(id);
  });

  it('is filled in parts, each booked and told, and keeps back what the rest needs', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open();
    await alpaca.untilListening();
    const user = bench.newUser();
    const { id } = await tapeql.place(user, { quantity: '900', limitPrice: '100' });
    const order = alpaca.last;
    alpaca.fill(order, '300', '99.99');
    alpaca.fill(order, '200', '99.9');
    await untilOrder(tapeql, user, { status: 'PARTIALLY_FILLED', filledQuantity: decimal('500') });
    // 49,977 are spent, 400 × 100 are kept back: 10,023 are free.
    expect(await tapeql.place(user, { quantity: '101', limitPrice: '100' })).toMatchObject({ status: 'REJECTED' });
    expect(await tapeql.place(user, { quantity: '100', limitPrice: '100' })).toMatchObject({ status: 'PENDING' });
    alpaca.fill(order, '400', '100');
    await until(async () =>
      expect((await tapeql.ledger.listOrders(user, null, 3))[2]).toMatchObject({
        ...{ id, status: 'FILLED', averagePrice: decimal('99.97444444') },
      }),
    );
    expect(await readHoldings(tapeql, user)).toEqual({ cash: '10023', shares: '900' });
    const told = await tapeql.ledger.readNotifications(user, 0, 10);
    expect(told.filter(({ orderId }) => orderId === id)).toMatchObject([
      { quantity: '300', price: '99.99', status: 'PARTIALLY_FILLED' },
      { quantity: '200', price: '99.9', status: 'PARTIALLY_FILLED' },
      { quantity: '400', price: '100', status: 'FILLED' },
    ]);
  });

  it('of a fraction keeps back a cent more: its parts are rounded one by one', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open();
    await alpaca.untilListening();
    const user = bench.newUser();
    const all = { quantity: '333.333333', limitPrice: '300' };
    expect(await tapeql.place(user, all)).toMatchObject({ status: 'REJECTED', reason: 'INSUFFICIENT_FUNDS' });
    const { id } = await tapeql.place(user, { ...all, quantity: '333.3333' });
    for (let part = 1; part <= 30; part++) alpaca.fill(alpaca.last, '11.1111', '299.9985');
    alpaca.fill(alpaca.last, '0.0003', '300');
    expect((await untilOrder(tapeql, user, { status: 'FILLED' })).id).toBe(id);
    // 30 × 3,333.3133 (for 3,333.31333335), and 0.09.
    expect((await readHoldings(tapeql, user)).cash).toBe('0.511');
  });

  const refuse = (status: number, code: number, message: string) => ({
    kind: 'answer' as const,
    status,
    body: { code, message },
  });

  it.each([
    ['INSUFFICIENT_FUNDS', refuse(403, 40310000, 'insufficient buying power')],
    [
      'INSUFFICIENT_POSITION',
      refuse(403, 40310000, 'insufficient qty available for order (requested: 1, available: 0)'),
    ],
    ['REJECTED_BY_BROKER', refuse(403, 40310000, 'potential wash trade detected. use complex orders')],
    ['REJECTED_BY_BROKER', refuse(422, 40010001, 'asset "AAPL" not found')],
    ['MARKET_CLOSED', refuse(422, 42210000, 'market is closed')],
  ])('that is refused is rejected with %s, told, and keeps nothing back: %o', async (reason, trouble) => {
    const { alpaca } = bench;
    alpaca.trouble(/^POST/, trouble);
    const tapeql = await bench.open();
    const user = bench.newUser();
    const order = await tapeql.place(user, { quantity: '999', limitPrice: '100' });
    expect(order).toMatchObject({ status: 'REJECTED', reason });
    const [told, ...others] = await tapeql.ledger.readNotifications(user, 0, 10);
    expect(told).toMatchObject({ kind: 'TradeFailed', orderId: order.id, code: reason, quantity: '999' });
    // What others own at the same account of ours is nobody's business.
    expect(JSON.stringify(told)).not.toContain('available: 0');
    expect(others).toEqual([]);
    expect(alpaca.count('POST /v2/orders')).toBe(1);
    expect(await tapeql.place(user, { quantity: '999', limitPrice: '100' })).toMatchObject({ status: 'PENDING' });
  });

  it('is refused by the account, and by its price', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open();
    const user = bench.newUser();
    alpaca.buyingPower = decimal('50');
    expect(await tapeql.place(user, {})).toMatchObject({ reason: 'INSUFFICIENT_FUNDS' });
    expect(await tapeql.place(user, { limitPrice: '10.001' })).toMatchObject({ reason: 'REJECTED_BY_BROKER' });
    expect(await tapeql.place(user, { limitPrice: '0.5001' })).toMatchObject({ status: 'PENDING' });
    expect(await tapeql.place(user, { symbol: 'NOBODYKNOWS' })).toMatchObject({ reason: 'NO_QUOTE' });
    tapeql.market.isOpen = false;
    expect(await tapeql.place(user, {})).toMatchObject({ reason: 'MARKET_CLOSED' });
    tapeql.market.isOpen = true;
    tapeql.market.set('AAPL', { stale: true });
    expect(await tapeql.place(user, {})).toMatchObject({ reason: 'NO_QUOTE' });
    expect(alpaca.count('POST /v2/orders')).toBe(3);
  });

  it('that is rejected after it was taken is rejected, and told', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open();
    await alpaca.untilListening();
    const user = bench.newUser();
    await tapeql.place(user, {});
    alpaca.end(alpaca.last, 'rejected');
    await untilOrder(tapeql, user, { status: 'REJECTED', reason: 'REJECTED_BY_BROKER' });
    expect(await tapeql.ledger.readNotifications(user, 0, 10)).toMatchObject([{ code: 'REJECTED_BY_BROKER' }]);
  });

  it('that ends there by itself is cancelled, and told with what was not traded', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open();
    await alpaca.untilListening();
    const user = bench.newUser();
    await tapeql.place(user, { quantity: '10' });
    alpaca.fill(alpaca.last, '4', '100');
    alpaca.end(alpaca.last, 'expired');
    await untilOrder(tapeql, user, { status: 'CANCELLED', reason: null, filledQuantity: decimal('4') });
    expect(await tapeql.ledger.readNotifications(user, 0, 10)).toMatchObject([
      { kind: 'TradeExecuted', quantity: '4' },
      { kind: 'TradeFailed', code: 'ENDED_BY_BROKER', quantity: '6' },
    ]);
  });

  it.each([
    ['nothing of it is filled', '0', { status: 'CANCELLED', filledQuantity: decimal('0') }],
    ['a part of it is filled meanwhile', '4', { status: 'CANCELLED', filledQuantity: decimal('4') }],
    ['it is filled meanwhile', '10', { status: 'FILLED', filledQuantity: decimal('10') }],
  ])('is cancelled as Alpaca decides: %s', async (_when, meanwhile, expected) => {
    const { alpaca } = bench;
    for (const isTold of [true, false]) {
      alpaca.onCancel = (order) => {
        // Once: whoever looks after open orders may ask for the cancel as well.
        if (meanwhile !== '0' && Number(order.filled_qty) === 0) alpaca.fill(order, meanwhile, '99', isTold);
      };
      const tapeql = await bench.open();
      const user = bench.newUser();
      const { id } = await tapeql.place(user, { quantity: '10', limitPrice: '100' });
      expect(await tapeql.ledger.cancelOrder(user, id)).toMatchObject({ id, ...expected });
      expect((await readHoldings(tapeql, user)).shares).toBe(meanwhile);
      // Who has asked for it is told of what was traded alone.
      const told = await tapeql.ledger.readNotifications(user, 0, 10);
      expect(told.map(({ kind }) => kind)).toEqual(meanwhile === '0' ? [] : ['TradeExecuted']);
      // It keeps nothing back any more.
      expect(await tapeql.place(user, { quantity: '980', limitPrice: '100' })).toMatchObject({ status: 'PENDING' });
    }
  });

  it('is cancelled from any process, and listened to by one', async () => {
    const { alpaca } = bench;
    const [one, other] = [await bench.open(), await bench.open()];
    await alpaca.untilListening();
    const user = bench.newUser();
    const { id } = await one.place(user, { limitPrice: '100' });
    expect(await other.ledger.cancelOrder(user, id)).toMatchObject({ status: 'CANCELLED' });
    await other.place(user, { limitPrice: '100' });
    alpaca.fill(alpaca.last, '1', '100');
    await untilOrder(other, user, { status: 'FILLED' });
    expect(alpaca.listening).toBe(1);
    expect(await bench.open().then(({ ledger }) => ledger.cancelOrder('a stranger', id))).toBeNull();
  });

  it('is sent once, however often it is placed', async () => {
    const { alpaca } = bench;
    const [one, other] = [await bench.open(), await bench.open()];
    const user = bench.newUser();
    const orders = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? one : other).place(user, { clientOrderId: 'the same', limitPrice: '1' }),
      ),
    );
    expect(new Set(orders.map(({ id }) => id)).size).toBe(1);
    expect(alpaca.count('POST /v2/orders')).toBe(1);
  });

  it('is worked by the broker that it was given to, and by no other', async () => {
    const { alpaca } = bench;
    const paper = await bench.openPaper();
    const user = bench.newUser();
    const own = await paper.place(user, { limitPrice: '90' });
    await paper.close();
    const tapeql = await bench.open({ graceMs: 0 });
    await alpaca.untilListening();
    const order = await tapeql.place(user, { limitPrice: '90' });
    alpaca.fill(alpaca.last, '1', '90');
    await untilOrder(tapeql, user, { id: order.id, status: 'FILLED' });
    expect(alpaca.orders).toHaveLength(1);
    expect(await tapeql.ledger.cancelOrder(user, own.id)).toMatchObject({ status: 'CANCELLED' });
    const waiting = await tapeql.place(user, { limitPrice: '95' });
    await tapeql.close();
    const again = await bench.openPaper();
    again.market.set('AAPL', { ask: 80, price: 80 });
    const filled = await again.place(user, { limitPrice: '95' });
    expect(filled.status).toBe('FILLED');
    await expect(again.ledger.cancelOrder(user, waiting.id)).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
    expect((await again.ledger.listOrders(user, null, 2))[1]).toMatchObject({ id: waiting.id, status: 'PENDING' });
  });
});
