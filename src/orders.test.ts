import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventSourceReader } from '../test/event-source-reader.ts';
import { type Message, RawWebSocket } from '../test/raw-web-socket.ts';
import { type GraphQLBody, startTestTapeql, type TestTapeql } from '../test/tapeql.ts';
import { JWT_SECRET, mintToken } from '../test/tokens.ts';
import { makeWireQuote, makeWireTrade } from '../test/wire-samples.ts';

const PLACE = `mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { id status reason averagePrice } }`;
const NOTIFICATIONS = `subscription { tradeNotifications {
  __typename ... on TradeExecuted { orderId price quantity cursor } ... on TradeFailed { orderId code }
} }`;

let tapeql: TestTapeql;
let market: RawWebSocket;
beforeAll(async () => {
  tapeql = await startTestTapeql({ env: { JWT_SECRET } });
  // Somebody follows the symbol, so that there are prices.
  market = await RawWebSocket.connect(tapeql.webSocketUrl);
  market.subscribe('q', 'subscription { quoteUpdates(symbols: ["AAPL"]) { bid ask } }');
  await tapeql.untilWatched(['AAPL']);
  tapeql.simulator.push([makeWireTrade('AAPL', { p: 100 }), makeWireQuote('AAPL', { bp: 99.9, ap: 100.1 })]);
  await market.find(({ payload }) => payload?.data?.quoteUpdates.ask === 100.1);
});
afterAll(async () => {
  await market[Symbol.asyncDispose]();
  await tapeql[Symbol.asyncDispose]();
});

/** A user with a connection of his own. */
async function signIn(sub: string) {
  const authorization = `Bearer ${await mintToken({ sub })}`;
  const socket = new RawWebSocket(tapeql.webSocketUrl);
  await socket.opened;
  socket.send({ type: 'connection_init', payload: { authorization } });
  await socket.next();
  let orders = 0;
  return {
    socket,
    authorization,
    async ask(query: string, variables: object = {}): Promise<GraphQLBody> {
      const headers = { 'content-type': 'application/json', authorization };
      const response = await fetch(tapeql.endpoint, {
        method: 'POST',
        headers,
        body: JSON.stringify({ query, variables }),
      });
      return (await response.json()) as GraphQLBody;
    },
    async place(input: object = {}) {
      const full = { clientOrderId: `order ${++orders}`, symbol: 'AAPL', side: 'BUY', quantity: '2', ...input };
      return (await this.ask(PLACE, { input: full })).data.placeOrder;
    },
    [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose](),
  };
}

describe('an order', () => {
  it('moves the portfolio and is told, live, to its user alone', async () => {
    await using ann = await signIn('ann');
    await using ben = await signIn('ben');
    for (const { socket } of [ann, ben]) {
      socket.subscribe('p', 'subscription { portfolio { cash totalValue positions { symbol quantity } } }');
      expect((await socket.find(({ id }) => id === 'p')).payload.data.portfolio.cash).toBe('100000.00');
      socket.subscribe('n', NOTIFICATIONS);
    }
    await tapeql.untilOpen(5);
    const order = await ann.place();
    expect(order).toMatchObject({ status: 'FILLED', averagePrice: '100.10' });
    // In either order.
    const isTold = ({ id }: Message): boolean => id === 'n';
    const isMoved = ({ id, payload }: Message): boolean => id === 'p' && payload.data.portfolio.cash === '99799.80';
    const isNews = (message: Message): boolean => isTold(message) || isMoved(message);
    const news = [await ann.socket.find(isNews), await ann.socket.find(isNews)];
    const told = news.find(isTold)!;
    expect(told.payload.data.tradeNotifications).toMatchObject({
      ...{ __typename: 'TradeExecuted', orderId: order.id, price: '100.10', quantity: '2' },
      cursor: told.payload.extensions.cursor,
    });
    expect(news.find(isMoved)!.payload.data.portfolio.positions).toEqual([{ symbol: 'AAPL', quantity: '2' }]);
    // What is Ann's has not come to Ben, who is told of his own.
    await ben.place({ quantity: '1' });
    const first = await ben.socket.find(({ id }) => id === 'n');
    expect(first.payload.data.tradeNotifications.quantity).toBe('1');
  });

  it('that cannot be filled is rejected and told, and is no error', async () => {
    await using cleo = await signIn('cleo');
    cleo.socket.subscribe('n', NOTIFICATIONS);
    await tapeql.untilOpen(2);
    const order = await cleo.place({ quantity: '1000000' });
    expect(order).toMatchObject({ status: 'REJECTED', reason: 'INSUFFICIENT_FUNDS', averagePrice: null });
    const { payload } = await cleo.socket.find(({ id }) => id === 'n');
    expect(payload.data.tradeNotifications).toEqual({
      ...{ __typename: 'TradeFailed', orderId: order.id, code: 'INSUFFICIENT_FUNDS' },
    });
  });

  it("is nobody else's: neither to see, nor to cancel, nor by its cursor", async () => {
    await using dora = await signIn('dora');
    await using eve = await signIn('eve');
    const order = await dora.place({ limitPrice: '1', type: 'LIMIT' });
    expect(order.status).toBe('PENDING');
    const filled = await dora.place();
    expect((await eve.ask('{ orders { edges { node { id } } } }')).data.orders.edges).toEqual([]);
    const stolen = await eve.ask(`mutation { cancelOrder(id: "${order.id}") { id } }`);
    const unknown = await eve.ask('mutation { cancelOrder(id: "3f2b8e0e-1c11-4b7a-9d6b-2f4f3d9d8c11") { id } }');
    expect(stolen.errors![0]!.extensions).toEqual(unknown.errors![0]!.extensions);
    const kept = await dora.ask('{ orders { edges { node { id status } } } }');
    expect(kept.data.orders.edges.map(({ node }: { node: object }) => node)).toEqual([
      { id: filled.id, status: 'FILLED' },
      { id: order.id, status: 'PENDING' },
    ]);
    // Dora's cursor, in Eve's hands.
    await using stream = await EventSourceReader.open(
      tapeql.endpoint,
      { query: NOTIFICATIONS },
      { authorization: dora.authorization },
    );
    await dora.place();
    const cursor = (await stream.next()).id;
    eve.socket.subscribe('n', `subscription { tradeNotifications(after: "${cursor}") { __typename } }`);
    const { payload } = await eve.socket.find(({ id }) => id === 'n');
    expect(payload.errors[0].extensions.code).toBe('HISTORY_EXPIRED');
  });

  it('is told again from a cursor on, by `Last-Event-ID` as well', async () => {
    await using finn = await signIn('finn');
    const headers = { authorization: finn.authorization };
    const stream = await EventSourceReader.open(tapeql.endpoint, { query: NOTIFICATIONS }, headers);
    const orders = [await finn.place()];
    const first = await stream.next();
    await stream[Symbol.asyncDispose]();
    for (let time = 0; time < 3; time++) orders.push(await finn.place({ quantity: '1' }));
    await using again = await EventSourceReader.open(
      tapeql.endpoint,
      { query: NOTIFICATIONS },
      { ...headers, 'last-event-id': first.id },
    );
    const told = [first, await again.next(), await again.next(), await again.next()];
    expect(told.map(({ data }) => data.data.tradeNotifications.orderId)).toEqual(orders.map(({ id }) => id));
  });
});
