import { decimal, formatMoney, formatQuantity } from '../ledger/decimal.ts';
import type { Notification } from '../ledger/notification.ts';
import { builder } from './builder.ts';
import { OrderSide, OrderStatus } from './order.ts';
import { viewerWith } from './viewer-data.ts';

type Executed = Extract<Notification, { kind: 'TradeExecuted' }>;
type Failed = Extract<Notification, { kind: 'TradeFailed' }>;

const TradeExecuted = builder.objectRef<Executed>('TradeExecuted').implement({
  description: 'An order of the viewer was filled, or a part of it.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Of the execution.' }),
    orderId: t.exposeID('orderId', { description: 'Of the order.' }),
    symbol: t.field({ type: 'Symbol', description: 'What was traded.', resolve: (executed) => executed.symbol }),
    side: t.field({ type: OrderSide, description: 'Which way.', resolve: (executed) => executed.side }),
    quantity: t.field({
      type: 'Decimal',
      description: 'Shares of this execution.',
      resolve: (executed) => formatQuantity(decimal(executed.quantity)),
    }),
    price: t.field({
      type: 'Decimal',
      description: 'Per share.',
      resolve: (executed) => formatMoney(decimal(executed.price)),
    }),
    status: t.field({
      type: OrderStatus,
      description: 'Of the order, after it.',
      resolve: (executed) => executed.status,
    }),
    timestamp: t.field({ type: 'DateTime', description: 'When.', resolve: (executed) => executed.timestamp }),
    cursor: t.field({
      type: 'Cursor',
      description: "Its place among the viewer's notifications, to resume after it.",
      resolve: (executed) => executed,
    }),
  }),
});

const TradeSignal = builder.objectRef<Failed>('TradeSignal').implement({
  description: 'What was asked for.',
  fields: (t) => ({
    symbol: t.field({ type: 'Symbol', description: 'What was to be traded.', resolve: (failed) => failed.symbol }),
    side: t.field({ type: OrderSide, description: 'Which way.', resolve: (failed) => failed.side }),
    quantity: t.field({
      type: 'Decimal',
      description: 'Shares.',
      resolve: (failed) => formatQuantity(decimal(failed.quantity)),
    }),
  }),
});

const TradeFailed = builder.objectRef<Failed>('TradeFailed').implement({
  description: 'An order of the viewer was rejected, or has ended before all of it was filled.',
  fields: (t) => ({
    orderId: t.exposeID('orderId', { description: 'Of the order.' }),
    error: t.exposeString('error', { description: 'Why, in plain words.' }),
    code: t.exposeString('code', { description: "Why: the order's `reason`, or `ENDED_BY_BROKER`." }),
    signal: t.field({ type: TradeSignal, description: 'What was asked for.', resolve: (failed) => failed }),
    timestamp: t.field({ type: 'DateTime', description: 'When.', resolve: (failed) => failed.timestamp }),
    cursor: t.field({
      type: 'Cursor',
      description: "Its place among the viewer's notifications, to resume after it.",
      resolve: (failed) => failed,
    }),
  }),
});

const TradeNotification = builder.unionType('TradeNotification', {
  description: 'What has become of an order.',
  types: [TradeExecuted, TradeFailed],
  resolveType: (notification) => notification.kind,
});

builder.subscriptionField('tradeNotifications', (t) =>
  t.field({
    type: TradeNotification,
    description:
      "The viewer's executions and failures, every one and in order. They are kept for good. Asks for the scope `portfolio:read`.",
    args: {
      after: t.arg({
        type: 'Cursor',
        description:
          'Resume: first all after this cursor, then the live ones. HISTORY_EXPIRED where it is no cursor of this viewer; its `oldestCursor` begins with the first. ' +
          'With no change of the document the same is asked by `extensions.resumeFrom` of the request, or by `Last-Event-ID` on SSE.',
      }),
    },
    extensions: { viewer: true },
    subscribe: (_root, { after }, context) => {
      const { id } = viewerWith('portfolio:read', context);
      const { ledger, viewerStreams, resume } = context;
      return viewerStreams.openLog<Notification>(
        {
          readEnd: () => ledger.readLogEnd(id),
          read: (offset, limit) => ledger.readNotifications(id, offset, limit),
          listen: (listener) => ledger.listenForNews(id, listener),
        },
        resume.choose(after),
      );
    },
    resolve: (notification) => notification,
  }),
);
