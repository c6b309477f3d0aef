import type { Portfolio as PortfolioRow, Position as PositionRow } from '../ledger/portfolio.ts';
import { builder } from './builder.ts';
import { viewerWith } from './viewer-data.ts';

const Position = builder.objectRef<PositionRow>('Position').implement({
  description: 'What the viewer holds of one symbol.',
  fields: (t) => ({
    symbol: t.field({ type: 'Symbol', description: 'What is held.', resolve: (position) => position.symbol }),
    quantity: t.field({ type: 'Decimal', description: 'Shares.', resolve: (position) => position.quantity }),
    averagePrice: t.field({
      type: 'Decimal',
      description: 'What a share has cost on average, to eight decimals. Selling leaves it as it is.',
      resolve: (position) => position.averagePrice,
    }),
    marketPrice: t.field({
      type: 'Decimal',
      nullable: true,
      description: 'The last price; null where none is known.',
      resolve: (position) => position.marketPrice,
    }),
    marketValue: t.field({
      type: 'Decimal',
      description: '`quantity × marketPrice`; what it has cost, where no price is known.',
      resolve: (position) => position.marketValue,
    }),
    unrealizedPnl: t.field({
      type: 'Decimal',
      description: '`marketValue` less what it has cost.',
      resolve: (position) => position.unrealizedPnl,
    }),
    unrealizedPnlPercent: t.exposeFloat('unrealizedPnlPercent', {
      description: '`unrealizedPnl` in percent of what it has cost.',
    }),
    dayChange: t.field({
      type: 'Decimal',
      description: 'What it has gained since the previous close; 0 where that is not known.',
      resolve: (position) => position.dayChange,
    }),
  }),
});

const Portfolio = builder.objectRef<PortfolioRow>('Portfolio').implement({
  description: 'What the viewer owns, at current prices. Amounts are in US dollars.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'The viewer whose it is.' }),
    totalValue: t.field({
      type: 'Decimal',
      description: '`cash + equity`, exactly.',
      resolve: (portfolio) => portfolio.totalValue,
    }),
    cash: t.field({
      type: 'Decimal',
      description: 'Cash; that of open orders is part of it until they are filled.',
      resolve: (portfolio) => portfolio.cash,
    }),
    equity: t.field({
      type: 'Decimal',
      description: "The positions' `marketValue` together.",
      resolve: (portfolio) => portfolio.equity,
    }),
    dayChange: t.field({
      type: 'Decimal',
      description: "The positions' `dayChange` together.",
      resolve: (portfolio) => portfolio.dayChange,
    }),
    dayChangePercent: t.exposeFloat('dayChangePercent', {
      description: '`dayChange` in percent of `totalValue` without it.',
    }),
    positions: t.field({
      type: [Position],
      description: 'By symbol; what is sold wholly is gone.',
      resolve: (portfolio) => [...portfolio.positions],
    }),
    timestamp: t.field({
      type: 'DateTime',
      description: 'When this was so.',
      resolve: (portfolio) => portfolio.timestamp,
    }),
  }),
});

builder.queryField('portfolio', (t) =>
  t.field({
    type: Portfolio,
    description: "The viewer's portfolio. Asks for the scope `portfolio:read`.",
    resolve: (_root, _args, context) => context.ledger.readPortfolio(viewerWith('portfolio:read', context).id),
  }),
);

builder.subscriptionField('portfolio', (t) =>
  t.field({
    type: Portfolio,
    description:
      "The viewer's portfolio: the current one first, then as prices move, at most one a second, and at once after an execution. " +
      'Asks for the scope `portfolio:read`.',
    extensions: { viewer: true },
    subscribe: (_root, _args, context) => {
      const { id } = viewerWith('portfolio:read', context);
      return context.viewerStreams.openState<PortfolioRow>((listener) => context.ledger.watchPortfolio(id, listener));
    },
    resolve: (portfolio) => portfolio,
  }),
);
