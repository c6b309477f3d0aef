import { type ExecutionResult, graphql, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLedger, type TestLedger } from '../../test/ledger.ts';
import { until } from '../../test/until.ts';
import type { Scope, Viewer } from '../access/viewer.ts';
import { DeliveryFigures } from '../delivery/figures.ts';
import type { Payload } from '../delivery/payload.ts';
import { Plans } from '../delivery/plan.ts';
import { ResumePoint } from '../delivery/resume.ts';
import { createSubscribe } from '../delivery/subscribe.ts';
import { Turn } from '../delivery/turn.ts';
import { ViewerStreams } from '../delivery/viewer-streams.ts';
import { toGraphQLError } from '../delivery/format-error.ts';
import type { SchemaContext } from './context.ts';
import { schema } from './schema.ts';

let ledger: TestLedger;
let state = 'OPERATIONAL';
const viewerStreams = new ViewerStreams();

beforeAll(async () => {
  ledger = await startLedger();
  ledger.market.set('AAPL', { price: 100, bid: 99.99, ask: 100.01, previousClose: 98 });
});
afterAll(async () => {
  await viewerStreams.close();
  await ledger.close();
});

function makeContext(id: string | null, options: { scopes?: readonly Scope[]; resumeFrom?: string } = {}) {
  const { scopes = ['market:read', 'portfolio:read', 'trade'], resumeFrom } = options;
  const viewer: Viewer | null = id === null ? null : { id, name: id, scopes, expiresAt: null, credential: 'test' };
  return {
    viewer,
    ledger: ledger.ledger,
    viewerStreams,
    status: { readServiceStatus: () => ({ state, reason: null }) },
    resume: new ResumePoint({ extensions: resumeFrom === undefined ? undefined : { resumeFrom } }),
    running: { subscription: null },
  } as unknown as SchemaContext;
}

/** The answer, its errors as clients are told. */
async function ask(contextValue: SchemaContext, source: string, variableValues: Record<string, unknown> = {}) {
  const { data, errors } = await graphql({ schema, source, contextValue, variableValues });
  // oxlint-disable-next-line typescript/no-explicit-any -- each test knows what it asked for
  return { data: data as any, errors: errors?.map((error) => toGraphQLError(error).extensions) };
}

const PLACE = `mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) {
  id clientOrderId symbol side type quantity limitPrice filledQuantity averagePrice status reason
} }`;

let names = 0;
async function place(context: SchemaContext, input: Record<string, unknown>) {
  const full = { clientOrderId: `name-${++names}`, symbol: 'AAPL', side: 'BUY', quantity: '1', ...input };
  const { data, errors } = await ask(context, PLACE, { input: full });
  return { order: data?.placeOrder, errors };
}

const plans = new Plans({
  sharedContext: {},
  viewerOf: (context) => (context as SchemaContext).viewer?.id ?? null,
  observer: { onExecution: () => undefined, onUnexpectedError: () => undefined },
});
const figures = new DeliveryFigures({ now: Date.now });
const subscribe = createSubscribe({ plans, turn: new Turn(() => undefined), observer: figures });

/** The results of a subscription so far, as clients are sent them. */
async function listen(contextValue: SchemaContext, source: string) {
  const outcome = await subscribe({ schema, document: parse(source), contextValue });
  const { subscription } = contextValue.running;
  if (subscription === null) throw toGraphQLError((outcome as ExecutionResult).errors![0]);
  // oxlint-disable-next-line typescript/no-explicit-any -- each test knows what it asked for
  const results: any[] = [];
  subscription.deliverTo({
    ready: true,
    attach: () => undefined,
    detach: () => undefined,
    write: (payload: Payload) => void results.push(JSON.parse(payload.json)),
  });
  const ended = subscription.next();
  ended.catch(() => undefined);
  return { results, stop: () => subscription.return() };
}

describe('orders', () => {
  it('are placed, listed and cancelled, amounts as decimal texts', async () => {
    const context = makeContext('ann');
    const { order } = await place(context, { clientOrderId: 'first', symbol: ' aapl ', quantity: '2.50' });
    expect(order).toMatchObject({
      ...{ clientOrderId: 'first', symbol: 'AAPL', side: 'BUY', type: 'MARKET', quantity: '2.5', limitPrice: null },
      ...{ filledQuantity: '2.5', averagePrice: '100.01', status: 'FILLED', reason: null },
    });
    const waiting = (await place(context, { type: 'LIMIT', limitPrice: '90' })).order;
    expect(waiting).toMatchObject({ status: 'PENDING', limitPrice: '90.00', filledQuantity: '0', averagePrice: null });
    const rejected = (await place(context, { quantity: 5000 })).order;
    expect(rejected).toMatchObject({ status: 'REJECTED', reason: 'INSUFFICIENT_FUNDS', quantity: '5000' });
    const CANCEL = 'mutation ($id: ID!) { cancelOrder(id: $id) { id status } }';
    expect((await ask(context, CANCEL, { id: waiting.id })).data.cancelOrder).toEqual({
      id: waiting.id,
      status: 'CANCELLED',
    });
    // What is filled stays filled.
    expect((await ask(context, CANCEL, { id: order.id })).data.cancelOrder.status).toBe('FILLED');
    for (const id of [order.id, 'no such order']) {
      expect((await ask(makeContext('ben'), CANCEL, { id })).errors).toEqual([
        { code: 'BAD_USER_INPUT', argument: 'id' },
      ]);
    }

    const LIST = `query ($first: Int, $after: String) { orders(first: $first, after: $after) {
      edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    } }`;
    const page = (await ask(context, LIST, { first: 2 })).data.orders;
    expect(page.edges.map((edge: { node: { id: string } }) => edge.node.id)).toEqual([rejected.id, waiting.id]);
    expect(page.pageInfo).toEqual({
      ...{ hasNextPage: true, hasPreviousPage: false },
      ...{ startCursor: page.edges[0].cursor, endCursor: page.edges[1].cursor },
    });
    const next = (await ask(context, LIST, { first: 2, after: page.pageInfo.endCursor })).data.orders;
    expect(next).toMatchObject({ edges: [{ node: { id: order.id } }], pageInfo: { hasNextPage: false } });
    expect(next.pageInfo.hasPreviousPage).toBe(true);
    // Another viewer's cursor leads to nothing of his.
    const stolen = (await ask(makeContext('ben'), LIST, { after: page.pageInfo.endCursor })).data.orders;
    expect(stolen.edges).toEqual([]);
  });

  it('trade once under one name', async () => {
    const context = makeContext('once');
    const [one, other] = await Promise.all([
      place(context, { clientOrderId: 'same' }),
      place(context, { clientOrderId: 'same' }),
    ]);
    expect(one.order.id).toBe(other.order.id);
  });

  it.each([
    [{ quantity: '0' }, 'input.quantity'],
    [{ quantity: '-1' }, 'input.quantity'],
    [{ quantity: '0.0000001' }, 'input.quantity'],
    [{ quantity: '1000000001' }, 'input.quantity'],
    [{ quantity: '1e3' }, 'input'],
    [{ quantity: 1.5 }, 'input'],
    [{ quantity: 'NaN' }, 'input'],
    [{ quantity: '9'.repeat(100_000) }, 'input'],
    [{ limitPrice: '1' }, 'input.limitPrice'],
    [{ type: 'LIMIT' }, 'input.limitPrice'],
    [{ type: 'LIMIT', limitPrice: '0' }, 'input.limitPrice'],
    [{ type: 'LIMIT', limitPrice: '1.00001' }, 'input.limitPrice'],
    [{ clientOrderId: '' }, 'input.clientOrderId'],
    [{ clientOrderId: 'x'.repeat(65) }, 'input.clientOrderId'],
    [{ clientOrderId: 'a\0b' }, 'input.clientOrderId'],
    [{ clientOrderId: 'a\ud800' }, 'input.clientOrderId'],
  ])('that make no sense are refused: %o', async (input, argument) => {
    const { order, errors } = await place(makeContext('careless'), input);
    expect(order).toBeUndefined();
    expect(errors).toMatchObject([{ code: 'BAD_USER_INPUT' }]);
    // The name of an argument whose scalar refuses its value is found by the server, from the document.
    if (argument !== 'input') expect(errors![0]!['argument']).toBe(argument);
  });

  it('are not taken while the service is paused', async () => {
    state = 'PAUSED';
    expect((await place(makeContext('ann'), {})).errors).toMatchObject([{ code: 'SERVICE_PAUSED' }]);
    state = 'OPERATIONAL';
  });
});

describe("a viewer's own", () => {
  const QUERIES = ['{ portfolio { cash } }', '{ orders { edges { cursor } } }'];
  const MUTATIONS = [
    'mutation { placeOrder(input: { clientOrderId: "x", symbol: "AAPL", side: BUY, quantity: "1" }) { id } }',
    'mutation { cancelOrder(id: "x") { id } }',
  ];
  const SUBSCRIPTIONS = ['subscription { portfolio { cash } }', 'subscription { tradeNotifications { __typename } }'];

  it.each([...QUERIES, ...MUTATIONS])(
    'is nothing for who has not signed in, or lacks the scope: %s',
    async (source) => {
      expect((await ask(makeContext(null), source)).errors).toMatchObject([{ code: 'UNAUTHENTICATED' }]);
      const scopes: Scope[] = MUTATIONS.includes(source) ? ['market:read', 'portfolio:read'] : ['market:read', 'trade'];
      expect((await ask(makeContext('ann', { scopes }), source)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    },
  );

  it.each(SUBSCRIPTIONS)('nor by subscription: %s', async (source) => {
    await expect(listen(makeContext(null), source)).rejects.toMatchObject({ extensions: { code: 'UNAUTHENTICATED' } });
    const scopes: Scope[] = ['market:read', 'trade'];
    await expect(listen(makeContext('ann', { scopes }), source)).rejects.toMatchObject({
      extensions: { code: 'FORBIDDEN' },
    });
  });
});

describe('a portfolio', () => {
  const FIELDS = `{ id totalValue cash equity dayChange dayChangePercent timestamp positions {
    symbol quantity averagePrice marketPrice marketValue unrealizedPnl unrealizedPnlPercent dayChange
  } }`;

  it('is told live, whole, and to its viewer alone', async () => {
    const [cara, dan] = [makeContext('cara'), makeContext('dan')];
    const [ofCara, ofDan] = [
      await listen(cara, `subscription { portfolio ${FIELDS} }`),
      await listen(dan, `subscription { portfolio ${FIELDS} }`),
    ];
    await until(() => expect([ofCara.results.length, ofDan.results.length]).toEqual([1, 1]));
    expect(ofCara.results[0].data.portfolio).toMatchObject({ id: 'cara', cash: '100000.00', positions: [] });
    await place(cara, { quantity: '3' });
    await until(() => expect(ofCara.results.length).toBe(2));
    expect(ofCara.results[1].data.portfolio).toMatchObject({
      ...{ cash: '99699.97', equity: '300.00', totalValue: '99999.97', dayChange: '6.00' },
      positions: [
        {
          ...{ symbol: 'AAPL', quantity: '3', averagePrice: '100.01', marketPrice: '100.00', marketValue: '300.00' },
          ...{ unrealizedPnl: '-0.03', unrealizedPnlPercent: -0.009999, dayChange: '6.00' },
        },
      ],
    });
    expect(ofDan.results).toHaveLength(1);
    await ofCara.stop();
    await ofDan.stop();
    const { timestamp: _, ...asked } = (await ask(cara, `{ portfolio ${FIELDS} }`)).data.portfolio;
    const { timestamp: __, ...told } = ofCara.results[1].data.portfolio;
    expect(told).toEqual(asked);
  });
});

describe('trade notifications', () => {
  const SOURCE = `subscription { tradeNotifications { __typename
    ... on TradeExecuted { id orderId symbol side quantity price status timestamp cursor }
    ... on TradeFailed { orderId error code signal { symbol side quantity } timestamp cursor }
  } }`;

  it('come with their cursors, and go on from one', async () => {
    const context = makeContext('eve');
    const live = await listen(context, SOURCE);
    const { order } = await place(context, { quantity: '2' });
    const failed = (await place(context, { side: 'SELL', quantity: '3' })).order;
    await until(() => expect(live.results).toHaveLength(2));
    expect(live.results[0].data.tradeNotifications).toMatchObject({
      ...{ __typename: 'TradeExecuted', orderId: order.id, symbol: 'AAPL', side: 'BUY', quantity: '2' },
      ...{ price: '100.01', status: 'FILLED' },
    });
    expect(live.results[1].data.tradeNotifications).toMatchObject({
      ...{ __typename: 'TradeFailed', orderId: failed.id, code: 'INSUFFICIENT_POSITION' },
      signal: { symbol: 'AAPL', side: 'SELL', quantity: '3' },
    });
    for (const { data, extensions } of live.results) expect(extensions.cursor).toBe(data.tradeNotifications.cursor);
    await live.stop();
    await place(context, {});
    const resumeFrom = live.results[0].extensions.cursor as string;
    const resumed = await listen(makeContext('eve', { resumeFrom }), SOURCE);
    await until(() => expect(resumed.results).toHaveLength(2));
    expect(resumed.results[0]).toEqual(live.results[1]);
    await resumed.stop();
    const byArgument = await listen(
      makeContext('eve'),
      'subscription { tradeNotifications(after: "CURSOR") { __typename } }'.replace('CURSOR', resumeFrom),
    );
    await until(() => expect(byArgument.results).toHaveLength(2));
    await byArgument.stop();
  });

  it("refuse another viewer's cursor", async () => {
    const stranger = makeContext('mallory');
    const mine = await listen(stranger, SOURCE);
    await place(stranger, {});
    await until(() => expect(mine.results).toHaveLength(1));
    await mine.stop();
    const stolen = makeContext('eve', { resumeFrom: mine.results[0].extensions.cursor });
    await expect(listen(stolen, SOURCE)).rejects.toMatchObject({
      extensions: { code: 'HISTORY_EXPIRED', oldestCursor: expect.any(String) },
    });
  });
});
