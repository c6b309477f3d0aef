import fc from 'fast-check';
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

describe('what Alpaca does while nobody listens', () => {
  it('is found when the stream is open again: parts, fills, ends', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open();
    await alpaca.untilListening();
    const users = [bench.newUser(), bench.newUser(), bench.newUser(), bench.newUser()];
    const orders = [];
    for (const user of users) orders.push(bench.find(await tapeql.place(user, { quantity: '10', limitPrice: '100' })));
    const [parts, whole, cancelled, untouched] = orders;
    alpaca.fill(parts!, '1', '99');
    await untilOrder(tapeql, users[0]!, { filledQuantity: decimal('1') });

    alpaca.isStreamOpen = false;
    alpaca.cut();
    await until(() => expect(alpaca.listening).toBe(0));
    alpaca.fill(parts!, '2', '98');
    alpaca.fill(parts!, '3', '97');
    alpaca.fill(whole!, '10', '96');
    alpaca.fill(cancelled!, '4', '95');
    alpaca.end(cancelled!, 'canceled');
    alpaca.isStreamOpen = true;
    await alpaca.untilListening();

    const partly = await untilOrder(tapeql, users[0]!, { filledQuantity: decimal('6'), status: 'PARTIALLY_FILLED' });
    expect(partly.averagePrice!.toFixed()).toBe('97.66666667');
    await untilOrder(tapeql, users[1]!, { filledQuantity: decimal('10'), status: 'FILLED' });
    await untilOrder(tapeql, users[2]!, { filledQuantity: decimal('4'), status: 'CANCELLED' });
    await untilOrder(tapeql, users[3]!, { filledQuantity: decimal('0'), status: 'PENDING' });
    expect((await readHoldings(tapeql, users[0]!)).cash).toBe(String(100_000 - 99 - 2 * 98 - 3 * 97));
    const told = await tapeql.ledger.readNotifications(users[0]!, 0, 10);
    expect(told).toMatchObject([{ quantity: '1' }, { quantity: '2' }, { quantity: '3' }]);
    // Each of the three was listed once: what was missing of an order is booked at one go.
    expect(alpaca.count('GET /v2/account/activities/FILL')).toBe(3);
    // The stream goes on where the comparison has left off.
    alpaca.fill(parts!, '4', '96');
    await untilOrder(tapeql, users[0]!, { status: 'FILLED' });
    alpaca.fill(untouched!, '10', '100');
    await untilOrder(tapeql, users[3]!, { status: 'FILLED' });
  });

  it('is found by and by where the stream cannot be opened, or is silent about it', async () => {
    const { alpaca } = bench;
    alpaca.isStreamOpen = false;
    const tapeql = await bench.open({ compareMs: 20 });
    const user = bench.newUser();
    await tapeql.place(user, { quantity: '10', limitPrice: '100' });
    alpaca.fill(alpaca.last, '10', '99');
    await untilOrder(tapeql, user, { status: 'FILLED' });
    alpaca.isStreamOpen = true;
    await alpaca.untilListening();
    const { id } = await tapeql.place(user, { quantity: '10', limitPrice: '100' });
    alpaca.fill(alpaca.last, '10', '99', false);
    expect(await untilOrder(tapeql, user, { status: 'FILLED' })).toMatchObject({ id });
  });

  it('is found where the stream has fallen silent', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open({ pingMs: 20, silenceMs: 100 });
    await alpaca.untilListening();
    const user = bench.newUser();
    const { id } = await tapeql.place(user, { limitPrice: '100' });
    alpaca.freeze();
    alpaca.fill(alpaca.last, '1', '99');
    expect((await untilOrder(tapeql, user, { status: 'FILLED' })).id).toBe(id);
  });

  it('is found where the stream says what nobody understands', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open();
    await alpaca.untilListening();
    const user = bench.newUser();
    await tapeql.place(user, { quantity: '10', limitPrice: '100' });
    alpaca.fill(alpaca.last, '1', '99');
    await untilOrder(tapeql, user, { filledQuantity: decimal('1') });
    alpaca.fill(alpaca.last, '2', '99', false);
    alpaca.say('what?');
    alpaca.say('{"stream":"trade_updates","data":{"event":"fill","order":{"id":7}}}');
    expect((await untilOrder(tapeql, user, { filledQuantity: decimal('3') })).averagePrice!.toFixed()).toBe('99');
  });

  it('is booked before the order ends, also where it is listed later than the end', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open();
    await alpaca.untilListening();
    const user = bench.newUser();
    await tapeql.place(user, { quantity: '10', limitPrice: '100' });
    alpaca.trouble(/activities/, { kind: 'answer', status: 200, body: [] }, 2);
    alpaca.fill(alpaca.last, '4', '99', false);
    alpaca.end(alpaca.last, 'expired');
    await untilOrder(tapeql, user, { status: 'CANCELLED', filledQuantity: decimal('4') });
    expect(await tapeql.ledger.readNotifications(user, 0, 10)).toMatchObject([
      { kind: 'TradeExecuted', quantity: '4', status: 'PARTIALLY_FILLED' },
      { kind: 'TradeFailed', code: 'ENDED_BY_BROKER', quantity: '6' },
    ]);
  });

  it('is booked once, whether it is told twice, out of order, or not at all', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open();
    await alpaca.untilListening();
    const user = bench.newUser();
    await tapeql.place(user, { quantity: '10', limitPrice: '100' });
    const order = alpaca.last;
    const tellFirst = alpaca.fill(order, '1', '90', false);
    const tellSecond = alpaca.fill(order, '2', '91', false);
    alpaca.fill(order, '3', '92', false);
    const tellLast = alpaca.fill(order, '4', '93', false);
    for (const tell of [tellSecond, tellFirst, tellLast, tellLast, tellFirst]) tell();
    await untilOrder(tapeql, user, { status: 'FILLED', averagePrice: decimal('92') });
    tellSecond();
    const { id } = await tapeql.place(user, { limitPrice: '100' });
    alpaca.fill(alpaca.last, '1', '100');
    await untilOrder(tapeql, user, { id, status: 'FILLED' });
    const told = await tapeql.ledger.readNotifications(user, 0, 10);
    expect(told).toMatchObject(['1', '2', '3', '4', '1'].map((quantity) => ({ quantity })));
    expect(await readHoldings(tapeql, user)).toEqual({ cash: String(100_000 - 920 - 100), shares: '11' });
  });

  it('is in the books in the end, whatever is told or cut on the way', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open({ compareMs: 50 });
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('fill' as const),
        quantity: fc.integer({ min: 1, max: 40 }),
        cents: fc.integer({ min: 1, max: 10_000 }),
        isTold: fc.boolean(),
        times: fc.integer({ min: 0, max: 2 }),
      }),
      fc.record({ kind: fc.constantFrom('cut' as const, 'cancel' as const, 'expire' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), async (steps) => {
        const user = bench.newUser();
        const placed = await tapeql.place(user, { quantity: '100', limitPrice: '100' });
        const order = bench.find(placed);
        const isOpen = (): boolean => order.status === 'new' || order.status === 'partially_filled';
        let spent = decimal('0');
        for (const one of steps) {
          if (one.kind === 'cut') alpaca.cut();
          else if (one.kind === 'cancel') await tapeql.ledger.cancelOrder(user, placed.id);
          else if (one.kind === 'expire') {
            if (isOpen()) alpaca.end(order, 'expired');
          } else if (one.kind === 'fill' && isOpen()) {
            const quantity = decimal('100').minus(order.filled_qty);
            const part = quantity.lt(one.quantity) ? quantity : decimal(String(one.quantity));
            const price = decimal(String(one.cents)).div(100);
            const tell = alpaca.fill(order, part.toFixed(), price.toFixed(), one.isTold);
            spent = spent.plus(part.times(price));
            for (let time = 0; time < one.times; time++) tell();
          }
        }
        const status = { new: 'PENDING', partially_filled: 'PARTIALLY_FILLED', filled: 'FILLED' }[
          order.status as string
        ];
        const filledQuantity = decimal(order.filled_qty);
        const kept = await untilOrder(tapeql, user, { filledQuantity, status: status ?? 'CANCELLED' });
        const { cash, shares } = await readHoldings(tapeql, user);
        expect({ cash, shares }).toEqual({
          cash: decimal('100000').minus(spent).toFixed(),
          shares: order.filled_qty,
        });
        expect(kept.averagePrice === null).toBe(filledQuantity.eq(0));
      }),
      { numRuns: 20 },
    );
  });
});

describe('a restart of our process', () => {
  it('goes on with open orders, whatever has become of them meanwhile', async () => {
    const { alpaca } = bench;
    const first = await bench.open();
    const [filled, partly, ended] = [bench.newUser(), bench.newUser(), bench.newUser()];
    for (const user of [filled, partly, ended]) await first.place(user, { quantity: '10', limitPrice: '100' });
    const [one, two, three] = alpaca.orders;
    alpaca.fill(two!, '1', '99');
    await untilOrder(first, partly, { filledQuantity: decimal('1') });
    await first.close();
    alpaca.fill(one!, '10', '98');
    alpaca.fill(two!, '2', '97');
    alpaca.end(three!, 'expired');

    const second = await bench.open();
    await untilOrder(second, filled, { status: 'FILLED', averagePrice: decimal('98') });
    await untilOrder(second, partly, { status: 'PARTIALLY_FILLED', filledQuantity: decimal('3') });
    await untilOrder(second, ended, { status: 'CANCELLED' });
    alpaca.fill(two!, '7', '96');
    await untilOrder(second, partly, { status: 'FILLED' });
    const told = await second.ledger.readNotifications(partly, 0, 10);
    expect(told).toMatchObject([{ quantity: '1' }, { quantity: '2' }, { quantity: '7' }]);
    expect(alpaca.count('POST /v2/orders')).toBe(3);
  });

  it('sends the limit order that was kept and not sent, and gives up the one at market', async () => {
    const { alpaca } = bench;
    const first = await bench.open();
    const [limit, market] = [bench.newUser(), bench.newUser()];
    alpaca.trouble(/./, { kind: 'cut' }, 1_000_000);
    const placing = [first.place(limit, { limitPrice: '100' }), first.place(market, {})];
    await until(() => expect(alpaca.count('POST /v2/orders')).toBeGreaterThanOrEqual(2));
    await first.close();
    await Promise.allSettled(placing);
    alpaca.endTrouble();
    const second = await bench.open({ graceMs: 0 });
    await untilOrder(second, market, { status: 'REJECTED', reason: 'BROKER_UNAVAILABLE' });
    await until(() => expect(alpaca.orders).toHaveLength(1));
    await untilOrder(second, limit, { status: 'PENDING', brokerOrderId: alpaca.last.id });
  });
});
