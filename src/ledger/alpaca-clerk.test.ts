import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ALPACA_KEY } from '../../test/alpaca.ts';
import { AlpacaBench, readHoldings, untilOrder } from '../../test/alpaca-ledger.ts';
import { startPostgres, type TestPostgres } from '../../test/postgres.ts';
import { until } from '../../test/until.ts';

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

describe('an order whose answer', () => {
  it.each([
    ['was lost, is found', { kind: 'lose' }, 1],
    ['was lost, and the failure of whose look-up passed, is found', { kind: 'lose' }, 1],
    ['never came because it had not arrived, is sent again', { kind: 'cut' }, 2],
    ['was a failure of Alpaca, is sent again', { kind: 'answer', status: 503 }, 2],
  ] as const)('%s, and is there once', async (title, trouble, sent) => {
    const { alpaca } = bench;
    alpaca.trouble(/^POST/, trouble);
    if (title.includes('look-up')) alpaca.trouble(/by_client/, { kind: 'answer', status: 500 }, 3);
    const tapeql = await bench.open();
    await alpaca.untilListening();
    const user = bench.newUser();
    const order = await tapeql.place(user, { limitPrice: '100' });
    expect(order).toMatchObject({ status: 'PENDING', brokerOrderId: bench.find(order).id });
    expect(alpaca.count('POST /v2/orders')).toBe(sent);
    // Between two sendings it is looked up.
    expect(alpaca.requests.slice(0, 2).map((request) => request.split(' ')[0])).toEqual(['POST', 'GET']);
    alpaca.fill(alpaca.last, '1', '100');
    await untilOrder(tapeql, user, { status: 'FILLED' });
  });

  it('is refused because it is there already, is the one that is there', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open();
    const user = bench.newUser();
    alpaca.trouble(/^POST/, { kind: 'lose' });
    // It is not to be seen at once.
    alpaca.trouble(/by_client/, { kind: 'answer', status: 404, body: { code: 40410000, message: 'order not found' } });
    const order = await tapeql.place(user, { limitPrice: '100' });
    expect(alpaca.count('POST /v2/orders')).toBe(2);
    expect(order).toMatchObject({ status: 'PENDING', brokerOrderId: bench.find(order).id });
  });

  it('stays out is looked for later: what is there goes on, a limit order is sent, one at market is given up', async () => {
    const { alpaca } = bench;
    // Else it would tell of the one that is there.
    alpaca.isStreamOpen = false;
    const tapeql = await bench.open({ graceMs: 0, compareMs: 40, sendMs: 300 });
    const [there, waiting, stale] = [bench.newUser(), bench.newUser(), bench.newUser()];
    alpaca.trouble(/./, { kind: 'lose' }, 1);
    alpaca.trouble(/./, { kind: 'cut' }, 1_000_000);
    expect(await tapeql.place(there, { limitPrice: '100' })).toMatchObject({ status: 'PENDING', brokerOrderId: null });
    expect(await tapeql.place(waiting, { limitPrice: '100' })).toMatchObject({ status: 'PENDING' });
    expect(await tapeql.place(stale, {})).toMatchObject({ status: 'PENDING' });
    expect(alpaca.orders).toHaveLength(1);
    alpaca.endTrouble();
    await untilOrder(tapeql, there, { status: 'PENDING', brokerOrderId: alpaca.last.id });
    await untilOrder(tapeql, stale, { status: 'REJECTED', reason: 'BROKER_UNAVAILABLE' });
    await until(() => expect(alpaca.orders).toHaveLength(2));
    await untilOrder(tapeql, waiting, { status: 'PENDING', brokerOrderId: alpaca.last.id });
    expect(await tapeql.ledger.readNotifications(stale, 0, 10)).toMatchObject([{ code: 'BROKER_UNAVAILABLE' }]);
  });

  it('stays out can be cancelled: it is, as soon as Alpaca can be asked', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open({ graceMs: 0, compareMs: 40, sendMs: 300 });
    const [there, away] = [bench.newUser(), bench.newUser()];
    const sent = await tapeql.place(there, { limitPrice: '100' });
    alpaca.trouble(/./, { kind: 'cut' }, 1_000_000);
    const unsent = await tapeql.place(away, { limitPrice: '100' });
    expect(await tapeql.ledger.cancelOrder(there, sent.id)).toMatchObject({ status: 'PENDING' });
    expect(await tapeql.ledger.cancelOrder(away, unsent.id)).toMatchObject({ status: 'PENDING' });
    alpaca.endTrouble();
    await untilOrder(tapeql, there, { status: 'CANCELLED' });
    await untilOrder(tapeql, away, { status: 'CANCELLED' });
    expect(alpaca.orders).toMatchObject([{ status: 'canceled' }]);
    for (const user of [there, away]) expect(await tapeql.ledger.readNotifications(user, 0, 10)).toEqual([]);
  });

  it('came after it was given up is cancelled at Alpaca, and what was traded of it is booked', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open({ compareMs: 20 });
    await alpaca.untilListening();
    const user = bench.newUser();
    alpaca.trouble(/^POST/, {
      kind: 'answer',
      status: 403,
      body: { code: 40310000, message: 'insufficient buying power' },
    });
    const given = await tapeql.place(user, { quantity: '10', limitPrice: '100' });
    expect(given.status).toBe('REJECTED');
    // An order of the ledger's that is open, so that it compares at all.
    await tapeql.place(user, { limitPrice: '1' });
    const late = alpaca.add({ ...alpaca.last, client_order_id: `tapeql-${given.id}`, qty: '10', limit_price: '100' });
    await until(() => expect(late.status).toBe('canceled'));
    alpaca.fill(late, '10', '100');
    await until(async () => expect((await readHoldings(tapeql, user)).shares).toBe('10'));
    const [, booked] = await tapeql.ledger.listOrders(user, null, 2);
    expect(booked).toMatchObject({ id: given.id, status: 'FILLED', reason: null });
  });
});

describe('where Alpaca takes no more requests', () => {
  const limited = (resetInMs: number) => ({
    kind: 'answer' as const,
    status: 429,
    body: { message: 'too many requests.' },
    headers: { 'x-ratelimit-reset': String(Math.ceil((Date.now() + resetInMs) / 1000)) },
  });

  it('an order waits as long as Alpaca says', async () => {
    const { alpaca } = bench;
    alpaca.trouble(/^POST/, limited(0), 1);
    const tapeql = await bench.open();
    const order = await tapeql.place(bench.newUser(), {});
    expect(order).toMatchObject({ status: 'PENDING', brokerOrderId: bench.find(order).id });
    expect(alpaca.count('POST /v2/orders')).toBe(2);
  });

  it('for long, an order at market is given up, and a limit order is sent later', async () => {
    const { alpaca } = bench;
    alpaca.trouble(/^POST/, limited(60_000), 1_000_000);
    const tapeql = await bench.open({ graceMs: 0, compareMs: 40, sendMs: 300 });
    const [now, later] = [bench.newUser(), bench.newUser()];
    expect(await tapeql.place(now, {})).toMatchObject({ status: 'REJECTED', reason: 'BROKER_UNAVAILABLE' });
    expect(await tapeql.place(later, { limitPrice: '100' })).toMatchObject({ status: 'PENDING' });
    expect(alpaca.orders).toHaveLength(0);
    alpaca.endTrouble();
    await until(() => expect(alpaca.orders).toHaveLength(1));
    await untilOrder(tapeql, later, { brokerOrderId: alpaca.last.id });
  });
});

describe('a key that Alpaca refuses', () => {
  it('is told to the operator, and never shown; orders are rejected', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open({}, { secretKey: `${ALPACA_KEY.secretKey}, wrong` });
    await until(() =>
      expect(tapeql.records.map(({ message }) => message)).toContainEqual(expect.stringMatching(/key/)),
    );
    expect(alpaca.listening).toBe(0);
    const order = await tapeql.place(bench.newUser(), {});
    expect(order).toMatchObject({ status: 'REJECTED', reason: 'BROKER_UNAVAILABLE' });
    expect(tapeql.records.filter(({ level }) => level === 'error')).not.toEqual([]);
  });

  it('and takes again later, works again', async () => {
    const { alpaca } = bench;
    const tapeql = await bench.open({ refusedDelayMs: 10, compareMs: 40 });
    await alpaca.untilListening();
    const user = bench.newUser();
    await tapeql.place(user, { limitPrice: '100' });
    alpaca.isKeyRevoked = true;
    alpaca.cut();
    await until(() => expect(tapeql.records.some(({ message }) => message.includes('refuses the key'))).toBe(true));
    alpaca.fill(alpaca.last, '1', '100');
    alpaca.isKeyRevoked = false;
    await untilOrder(tapeql, user, { status: 'FILLED' });
    await alpaca.untilListening();
  });
});
