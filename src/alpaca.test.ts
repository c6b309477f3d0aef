import { expect, it } from 'vitest';
import { ALPACA_KEY, FakeAlpaca } from '../test/alpaca.ts';
import { startPostgres } from '../test/postgres.ts';
import { RawWebSocket } from '../test/raw-web-socket.ts';
import { startTestTapeql } from '../test/tapeql.ts';
import { JWT_SECRET, mintToken } from '../test/tokens.ts';
import { makeWireQuote, makeWireTrade } from '../test/wire-samples.ts';

it('BROKER=alpaca: an order of a viewer is traded at Alpaca, part by part, and told live', async () => {
  await using postgres = await startPostgres();
  await using alpaca = await FakeAlpaca.start();
  await using tapeql = await startTestTapeql({
    env: {
      ...{ JWT_SECRET, DATABASE_URL: await postgres.createDatabase(), BROKER: 'alpaca', ALPACA_URL: alpaca.url },
      ...{ ALPACA_KEY_ID: ALPACA_KEY.keyId, ALPACA_SECRET_KEY: ALPACA_KEY.secretKey },
    },
  });
  await using viewer = new RawWebSocket(tapeql.webSocketUrl);
  await viewer.opened;
  const authorization = `Bearer ${await mintToken({ sub: 'ann' })}`;
  viewer.send({ type: 'connection_init', payload: { authorization } });
  await viewer.next();
  viewer.subscribe('q', 'subscription { quoteUpdates(symbols: ["AAPL"]) { ask } }');
  await tapeql.untilWatched(['AAPL']);
  tapeql.simulator.push([makeWireTrade('AAPL', { p: 100 }), makeWireQuote('AAPL', { bp: 99.9, ap: 100.1 })]);
  await viewer.find(({ payload }) => payload?.data?.quoteUpdates.ask === 100.1);
  viewer.subscribe('p', 'subscription { portfolio { cash positions { quantity } } }');
  viewer.subscribe(
    'n',
    'subscription { tradeNotifications { ... on TradeExecuted { orderId quantity price status } } }',
  );
  await tapeql.untilOpen(3);
  await alpaca.untilListening();

  const ask = async (query: string) => {
    const response = await fetch(tapeql.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization },
      body: JSON.stringify({ query }),
    });
    // oxlint-disable-next-line typescript/no-explicit-any -- the test knows what it asked for
    return ((await response.json()) as { data: any }).data;
  };
  const input = '{ clientOrderId: "one", symbol: "AAPL", side: BUY, quantity: "10" }';
  const { placeOrder: order } = await ask(`mutation { placeOrder(input: ${input}) { id status } }`);
  expect(order.status).toBe('PENDING');
  expect(alpaca.last).toMatchObject({ symbol: 'AAPL', qty: '10', limit_price: '105.11', side: 'buy' });
  alpaca.fill(alpaca.last, '4', '100.1');
  alpaca.fill(alpaca.last, '6', '100.2');
  const told = [];
  for (const quantity of ['4', '6']) {
    const { payload } = await viewer.find(
      ({ id, payload }) => id === 'n' && payload.data.tradeNotifications.quantity === quantity,
    );
    told.push(payload.data.tradeNotifications);
  }
  expect(told).toEqual([
    { orderId: order.id, quantity: '4', price: '100.10', status: 'PARTIALLY_FILLED' },
    { orderId: order.id, quantity: '6', price: '100.20', status: 'FILLED' },
  ]);
  const { payload } = await viewer.find(({ id, payload }) => id === 'p' && payload.data.portfolio.cash === '98998.40');
  expect(payload.data.portfolio.positions).toEqual([{ quantity: '10' }]);
  const { orders } = await ask('{ orders { edges { node { status filledQuantity averagePrice } } } }');
  expect(orders.edges[0].node).toEqual({ status: 'FILLED', filledQuantity: '10', averagePrice: '100.16' });
  for (const secret of Object.values(ALPACA_KEY)) expect(JSON.stringify(tapeql.records)).not.toContain(secret);
});
