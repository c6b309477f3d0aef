import type { DeliveredQuote } from '../delivery/quote-hub.ts';
import { ClientError } from '../errors.ts';
import { builder, checkSymbols } from './builder.ts';
import { assertMarketData } from './viewer-data.ts';

export const Quote = builder.objectRef<DeliveredQuote>('Quote').implement({
  description:
    'The level-1 state of one symbol: last price, best bid and offer, and the day so far. Each one is whole, so a newer one replaces an older one. ' +
    'Prices are in the currency of the symbol per share, or in points for an index.',
  fields: (t) => ({
    symbol: t.field({ type: 'Symbol', description: 'The symbol.', resolve: (quote) => quote.symbol }),
    price: t.exposeFloat('price', {
      description:
        'The price of the last trade that may set the last price: odd lots, average-price, out-of-sequence and similar prints do not. For an index its value.',
    }),
    change: t.exposeFloat('change', { nullable: true, description: '`price - previousClose`.' }),
    changePercent: t.exposeFloat('changePercent', {
      nullable: true,
      description: '`change / previousClose × 100`, in percent.',
    }),
    bid: t.exposeFloat('bid', { nullable: true, description: 'The national best bid; null where there is none.' }),
    bidSize: t.exposeInt('bidSize', { nullable: true, description: 'Shares at the best bid.' }),
    ask: t.exposeFloat('ask', { nullable: true, description: 'The national best offer; null where there is none.' }),
    askSize: t.exposeInt('askSize', { nullable: true, description: 'Shares at the best offer.' }),
    open: t.exposeFloat('open', { nullable: true, description: "Today's opening price." }),
    high: t.exposeFloat('high', { nullable: true, description: "Today's highest price." }),
    low: t.exposeFloat('low', { nullable: true, description: "Today's lowest price." }),
    previousClose: t.exposeFloat('previousClose', { nullable: true, description: "The last session's closing price." }),
    vwap: t.exposeFloat('vwap', { nullable: true, description: "Today's volume-weighted average price." }),
    volume: t.exposeFloat('volume', { description: 'Shares traded today, fractions included; 0 for an index.' }),
    timestamp: t.field({
      type: 'DateTime',
      description: "The exchange's time of the newest part.",
      resolve: (quote) => quote.timestamp,
    }),
    receivedAt: t.field({
      type: 'DateTime',
      description: 'When this service read the newest part.',
      resolve: (quote) => quote.receivedAt,
    }),
    stale: t.exposeBoolean('stale', {
      description: 'True: served from the cache while its source is unreachable or silent.',
    }),
  }),
});

builder.queryFields((t) => ({
  quote: t.field({
    type: Quote,
    nullable: true,
    description: 'The current quote of one symbol; null where nothing is known of it.',
    args: { symbol: t.arg({ type: 'Symbol', required: true, description: 'Whose quote.' }) },
    resolve: async (_root, { symbol }, context) => {
      assertMarketData(context);
      return (await context.reads.readQuotes([symbol]))[0] ?? null;
    },
  }),
  quotes: t.field({
    type: [Quote],
    nullable: { list: false, items: true },
    description:
      'The current quotes of several symbols, in the order and length asked for; null where nothing is known of one.',
    args: {
      symbols: t.arg({
        type: ['Symbol'],
        required: true,
        description: 'Whose quotes; at most as many as MAX_SYMBOLS_PER_SUBSCRIPTION (500), else TOO_MANY_SYMBOLS.',
      }),
    },
    resolve: async (_root, { symbols }, context) => {
      assertMarketData(context);
      if (symbols.length === 0) return [];
      const distinct = checkSymbols(symbols, context);
      const quotes = await context.reads.readQuotes(distinct);
      const bySymbol = new Map(distinct.map((symbol, index) => [symbol, quotes[index] ?? null]));
      return symbols.map((symbol) => bySymbol.get(symbol) ?? null);
    },
  }),
  indices: t.field({
    type: [Quote],
    description:
      'The current values of the indices that this service is set to show, as quotes; one of which nothing is known is left out.',
    resolve: (_root, _args, context) => {
      assertMarketData(context);
      return context.reads.readIndices();
    },
  }),
}));

builder.subscriptionFields((t) => ({
  quoteUpdates: t.field({
    type: Quote,
    description:
      'The current quote of each symbol first, then each change. A reader that is behind skips to the newest of each symbol.',
    args: {
      symbols: t.arg({
        type: ['Symbol'],
        required: true,
        description: 'Whose quotes; 1 to 500, else TOO_MANY_SYMBOLS.',
      }),
      maxRateHz: t.arg.float({
        description:
          'At most so many updates per second and symbol, above 0 up to 1000; between two of them the newest is kept, and the last one always arrives. Default: as published (QUOTE_INTERVAL_MS).',
      }),
    },
    subscribe: (_root, { symbols, maxRateHz }, context) => {
      assertMarketData(context);
      if (maxRateHz != null && !(maxRateHz > 0 && maxRateHz <= 1000)) {
        throw new ClientError('BAD_USER_INPUT', 'Argument "maxRateHz": must be above 0 and at most 1000', {
          argument: 'maxRateHz',
        });
      }
      return context.hub.openQuotes(checkSymbols(symbols, context), { maxRateHz });
    },
    resolve: (quote) => quote,
  }),
}));
