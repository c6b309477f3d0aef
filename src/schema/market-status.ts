import type { MarketStatus as MarketStatusRow } from '../market/market-status.ts';
import { builder } from './builder.ts';

const Session = builder.enumType('Session', {
  description: 'The part of the trading day, in New York time.',
  values: {
    PRE_MARKET: { description: '04:00 to 09:30.' },
    REGULAR: { description: '09:30 to 16:00, or to 13:00 on a day of early close.' },
    AFTER_HOURS: { description: '16:00 to 20:00, or 13:00 to 17:00 on a day of early close.' },
    OVERNIGHT: {
      description: 'Between the after-hours session and the next pre-market, where the exchanges offer it.',
    },
    CLOSED: { description: 'No trading.' },
  } as const,
});

const MarketStatus = builder.objectRef<MarketStatusRow>('MarketStatus').implement({
  description:
    'Whether the exchange that the feed is connected to trades now. The simulated one is in session at any hour unless told otherwise.',
  fields: (t) => ({
    isOpen: t.exposeBoolean('isOpen', { description: 'Whether the regular session is on.' }),
    session: t.field({ type: Session, description: 'The current session.', resolve: (status) => status.session }),
    nextOpen: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the next regular session opens; null where the market never closes or it is not known.',
      resolve: (status) => status.nextOpen,
    }),
    nextClose: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the current regular session ends, or else the next one; null as above.',
      resolve: (status) => status.nextClose,
    }),
    holiday: t.exposeString('holiday', { nullable: true, description: 'The holiday that closes or shortens today.' }),
    timestamp: t.field({ type: 'DateTime', description: 'When this was so.', resolve: (status) => status.timestamp }),
  }),
});

builder.queryField('marketStatus', (t) =>
  t.field({
    type: MarketStatus,
    description: 'The status of the market now.',
    resolve: (_root, _args, { status }) => status.readMarketStatus(),
  }),
);

builder.subscriptionField('marketStatus', (t) =>
  t.field({
    type: MarketStatus,
    description: 'The status of the market: the current one first, then each change.',
    subscribe: (_root, _args, { status }) => status.openMarketStatus(),
    resolve: (status) => status,
  }),
);
