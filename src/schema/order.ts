import { ClientError } from '../errors.ts';
import { decimal, formatMoney, formatQuantity } from '../ledger/decimal.ts';
import type { Order as OrderRow, OrderTicket } from '../ledger/order.ts';
import { builder, checkCount } from './builder.ts';
import type { SchemaContext } from './context.ts';
import { viewerWith } from './viewer-data.ts';

export const OrderSide = builder.enumType('OrderSide', {
  description: 'Which way an order goes.',
  values: {
    BUY: { description: 'Shares for cash.' },
    SELL: { description: 'Cash for shares that are held: nothing is sold short.' },
  } as const,
});

const OrderType = builder.enumType('OrderType', {
  description: 'At which price an order is filled.',
  values: {
    MARKET: { description: 'At once, at the opposite side of the quote: the ask for a buy, the bid for a sell.' },
    LIMIT: { description: 'At `limitPrice` or better; it waits until that can be had, or until it is cancelled.' },
  } as const,
});

export const OrderStatus = builder.enumType('OrderStatus', {
  description: 'What has become of an order.',
  values: {
    PENDING: { description: 'It waits to be filled.' },
    FILLED: { description: 'All of it is filled.' },
    PARTIALLY_FILLED: { description: 'Some of it is filled, the rest waits.' },
    CANCELLED: { description: 'It has ended before it was filled, or before all of it was.' },
    REJECTED: { description: 'It could not be filled: `reason` says why.' },
  } as const,
});

const Order = builder.objectRef<OrderRow>('Order').implement({
  description: 'An order of the viewer.',
  fields: (t) => ({
    id: t.exposeID('id', { description: "This service's name of it." }),
    clientOrderId: t.exposeString('clientOrderId', { description: "The client's name of it." }),
    symbol: t.field({ type: 'Symbol', description: 'What is traded.', resolve: (order) => order.symbol }),
    side: t.field({ type: OrderSide, description: 'Which way.', resolve: (order) => order.side }),
    type: t.field({ type: OrderType, description: 'At which price.', resolve: (order) => order.type }),
    quantity: t.field({
      type: 'Decimal',
      description: 'Shares.',
      resolve: (order) => formatQuantity(order.quantity),
    }),
    limitPrice: t.field({
      type: 'Decimal',
      nullable: true,
      description: 'Of a LIMIT order: the worst price.',
      resolve: (order) => order.limitPrice && formatMoney(order.limitPrice),
    }),
    filledQuantity: t.field({
      type: 'Decimal',
      description: 'Shares that were traded.',
      resolve: (order) => formatQuantity(order.filledQuantity),
    }),
    averagePrice: t.field({
      type: 'Decimal',
      nullable: true,
      description: 'Of the shares that were traded; null where there are none.',
      resolve: (order) => order.averagePrice && formatMoney(order.averagePrice),
    }),
    status: t.field({ type: OrderStatus, description: 'What has become of it.', resolve: (order) => order.status }),
    reason: t.exposeString('reason', {
      nullable: true,
      description:
        'Why it was rejected: `INSUFFICIENT_FUNDS`, `INSUFFICIENT_POSITION`, `MARKET_CLOSED` or `NO_QUOTE`; where a broker outside is connected also `REJECTED_BY_BROKER` or `BROKER_UNAVAILABLE`. Cash and shares that open orders need count as spent.',
    }),
    createdAt: t.field({ type: 'DateTime', description: 'When it was placed.', resolve: (order) => order.createdAt }),
    updatedAt: t.field({ type: 'DateTime', description: 'When it changed last.', resolve: (order) => order.updatedAt }),
  }),
});

type Connection = { readonly orders: readonly OrderRow[]; readonly hasNextPage: boolean; readonly isFirst: boolean };

const OrderEdge = builder.objectRef<OrderRow>('OrderEdge').implement({
  description: 'An order in its place.',
  fields: (t) => ({
    cursor: t.string({ description: 'To go on after it.', resolve: encodePlace }),
    node: t.field({ type: Order, description: 'The order.', resolve: (order) => order }),
  }),
});

const PageInfo = builder.objectRef<Connection>('PageInfo').implement({
  description: 'What lies around a page, as Relay has it.',
  fields: (t) => ({
    hasNextPage: t.exposeBoolean('hasNextPage', { description: 'Whether there are more after it.' }),
    hasPreviousPage: t.boolean({ description: 'Whether there are some before it.', resolve: (page) => !page.isFirst }),
    startCursor: t.string({
      nullable: true,
      description: 'Of its first edge; null where it is empty.',
      resolve: ({ orders: [first] }) => (first === undefined ? null : encodePlace(first)),
    }),
    endCursor: t.string({
      nullable: true,
      description: 'Of its last edge, to go on after it; null where it is empty.',
      resolve: ({ orders }) => (orders.length === 0 ? null : encodePlace(orders.at(-1)!)),
    }),
  }),
});

const OrderConnection = builder.objectRef<Connection>('OrderConnection').implement({
  description: 'A page of orders, newest first.',
  fields: (t) => ({
    edges: t.field({ type: [OrderEdge], description: 'The orders.', resolve: ({ orders }) => [...orders] }),
    pageInfo: t.field({ type: PageInfo, description: 'What lies around it.', resolve: (page) => page }),
  }),
});

const PlaceOrderInput = builder.inputType('PlaceOrderInput', {
  description: 'An order to be placed.',
  fields: (t) => ({
    clientOrderId: t.string({
      required: true,
      description:
        "The client's own name of it, 1 to 64 characters, without NUL and unpaired surrogates: placing the same one again returns the first order and trades once.",
    }),
    symbol: t.field({ type: 'Symbol', required: true, description: 'What is traded.' }),
    side: t.field({ type: OrderSide, required: true, description: 'Which way.' }),
    type: t.field({ type: OrderType, required: true, defaultValue: 'MARKET', description: 'At which price.' }),
    quantity: t.field({
      type: 'Decimal',
      required: true,
      description: 'Shares: above 0, at most 1,000,000,000, with up to six decimals.',
    }),
    limitPrice: t.field({
      type: 'Decimal',
      description: 'The worst price; for a LIMIT order, and for no other. With up to four decimals.',
    }),
  }),
});

builder.queryField('orders', (t) =>
  t.field({
    type: OrderConnection,
    description: "The viewer's orders, newest first. Asks for the scope `portfolio:read`.",
    args: {
      first: t.arg.int({ defaultValue: 50, description: 'How many at the most, 1 to 500.' }),
      after: t.arg.string({ description: 'The cursor of an edge, after which to go on.' }),
    },
    resolve: async (_root, { first, after }, context): Promise<Connection> => {
      const { id } = viewerWith('portfolio:read', context);
      const limit = checkCount('first', first ?? 50, 500);
      const before = after == null ? null : decodePlace(after);
      const orders = await context.ledger.listOrders(id, before, limit + 1);
      return { orders: orders.slice(0, limit), hasNextPage: orders.length > limit, isFirst: before === null };
    },
  }),
);

builder.mutationFields((t) => ({
  placeOrder: t.field({
    type: Order,
    description:
      'Places an order with the broker. One that cannot be filled comes back REJECTED. Asks for the scope `trade`.',
    args: { input: t.arg({ type: PlaceOrderInput, required: true, description: 'The order.' }) },
    resolve: (_root, { input }, context) => {
      const { id } = viewerWith('trade', context);
      const ticket = checkTicket(input);
      checkRunning(context);
      return context.ledger.placeOrder(id, ticket);
    },
  }),
  cancelOrder: t.field({
    type: Order,
    description:
      'Cancels an order that waits; one that does not is returned as it is, for it may have been filled meanwhile. A broker outside decides by itself, and may take its time: until then it is PENDING. Asks for the scope `trade`.',
    args: { id: t.arg.id({ required: true, description: 'Of an order of the viewer.' }) },
    resolve: async (_root, { id }, context) => {
      const order = await context.ledger.cancelOrder(viewerWith('trade', context).id, id);
      // The same whether it is nobody's or somebody else's.
      if (order === null) throw badInput('id', 'there is no such order');
      return order;
    },
  }),
}));

/** What viewers cannot see the price of is not traded. @throws {ClientError} SERVICE_PAUSED */
function checkRunning({ status }: SchemaContext): void {
  const { state, reason } = status.readServiceStatus();
  if (state === 'PAUSED') throw new ClientError('SERVICE_PAUSED', reason ?? 'The service is paused.');
}

type Input = {
  readonly clientOrderId: string;
  readonly symbol: string;
  readonly side: 'BUY' | 'SELL';
  readonly type: 'MARKET' | 'LIMIT';
  readonly quantity: string;
  readonly limitPrice?: string | null | undefined;
};

const QUANTITY = /^\d{1,10}(\.\d{1,6})?$/;
const PRICE = /^\d{1,9}(\.\d{1,4})?$/;
const MAX_QUANTITY = decimal('1000000000');

/** @throws {ClientError} BAD_USER_INPUT with `argument` */
function checkTicket(input: Input): OrderTicket {
  const { clientOrderId, symbol, side, type } = input;
  // Postgres takes no NUL in a text, and would keep all unpaired surrogates as one character: two names could become the same.
  if (!/^[^\0\p{Cs}]{1,64}$/su.test(clientOrderId)) {
    throw badInput('input.clientOrderId', 'must have 1 to 64 characters, without NUL and unpaired surrogates');
  }
  const quantity = QUANTITY.test(input.quantity) ? decimal(input.quantity) : null;
  if (quantity === null || quantity.lte(0) || quantity.gt(MAX_QUANTITY)) {
    throw badInput('input.quantity', 'must be above 0, at most 1000000000, with up to six decimals');
  }
  const limit = input.limitPrice ?? null;
  if (type === 'MARKET') {
    if (limit !== null) throw badInput('input.limitPrice', 'a MARKET order has none');
    return { clientOrderId, symbol, side, type, quantity, limitPrice: null };
  }
  const limitPrice = limit !== null && PRICE.test(limit) ? decimal(limit) : null;
  if (limitPrice === null || limitPrice.lte(0)) {
    throw badInput('input.limitPrice', 'a LIMIT order needs one above 0, with up to four decimals');
  }
  return { clientOrderId, symbol, side, type, quantity, limitPrice };
}

function badInput(argument: string, problem: string): ClientError {
  return new ClientError('BAD_USER_INPUT', `Argument "${argument}": ${problem}`, { argument });
}

/** A place among the viewer's own orders: another viewer's leads to nothing of his. */
function encodePlace({ number }: OrderRow): string {
  return Buffer.from(`order:${number}`).toString('base64url');
}

function decodePlace(cursor: string): number {
  const match = /^order:(\d{1,15})$/.exec(Buffer.from(cursor.slice(0, 64), 'base64url').toString('latin1'));
  if (match === null) throw badInput('after', 'this is no cursor of an order');
  return Number(match[1]);
}
