import type { Exchange as ExchangeRow } from '../market/exchanges.ts';
import type { LoggedTrade } from '../market/trade.ts';
import { builder, checkCount, checkSymbols } from './builder.ts';
import { assertMarketData } from './viewer-data.ts';

const Exchange = builder.objectRef<ExchangeRow>('Exchange').implement({
  description: 'A market center.',
  fields: (t) => ({
    id: t.exposeInt('id', { description: "The upstream's number of it." }),
    mic: t.exposeString('mic', { nullable: true, description: 'ISO 10383 market identifier code, where it has one.' }),
    name: t.exposeString('name', { description: 'Its name.' }),
  }),
});

const TradeCondition = builder.objectRef<number>('TradeCondition').implement({
  description:
    'A sale condition: it says what kind of trade it was, and with that whether it may set the last price, the high, the low and the volume.',
  fields: (t) => ({
    id: t.int({ description: "The upstream's number of it.", resolve: (id) => id }),
    name: t.string({
      description: 'Its name.',
      resolve: (id, _args, { reference }) => reference.conditions.nameOf(id),
    }),
  }),
});

export const Trade = builder.objectRef<LoggedTrade>('Trade').implement({
  description: 'One print of the tape.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Unique per symbol: exchange, trade reporting facility and their trade id.' }),
    symbol: t.field({ type: 'Symbol', description: 'What was traded.', resolve: (trade) => trade.symbol }),
    price: t.exposeFloat('price', { description: 'Price per share.' }),
    size: t.exposeFloat('size', { description: 'Shares, fractions included.' }),
    notional: t.float({
      description: '`price × size`, in the currency of the symbol.',
      resolve: (trade) => trade.price * trade.size,
    }),
    exchange: t.field({
      type: Exchange,
      description: 'Where it was reported.',
      resolve: (trade, _args, { reference }) => reference.exchangeOf(trade.exchange),
    }),
    conditions: t.field({
      type: [TradeCondition],
      description: 'Sale conditions; empty for a regular sale.',
      resolve: (trade) => [...trade.conditions],
    }),
    tape: t.exposeString('tape', {
      nullable: true,
      description: 'A: NYSE-listed, B: listed on Arca, American or a regional exchange, C: Nasdaq-listed.',
    }),
    offExchange: t.exposeBoolean('offExchange', {
      description:
        'Reported through a FINRA trade reporting facility: a dark pool or a wholesaler, the tape does not say which.',
    }),
    timestamp: t.field({
      type: 'DateTime',
      description: 'When the consolidated tape (SIP) had it.',
      resolve: (trade) => trade.timestamp,
    }),
    receivedAt: t.field({
      type: 'DateTime',
      description: 'When this service read it.',
      resolve: (trade) => trade.receivedAt,
    }),
    sequence: t.exposeInt('sequence', {
      description:
        'Per symbol and contiguous, from 1 where the log of the symbol begins: a hole means that this reader missed a print. 0 and below: read from the history before that.',
    }),
    gapBefore: t.exposeBoolean('gapBefore', {
      description: 'True: the upstream was interrupted just before, prints may be missing.',
    }),
    cursor: t.field({
      type: 'Cursor',
      description: 'Its place in the event log, to resume after it.',
      resolve: (trade) => trade,
    }),
  }),
});

builder.queryFields((t) => ({
  recentTrades: t.field({
    type: [Trade],
    description: 'The last prints of a symbol, oldest first.',
    args: {
      symbol: t.arg({ type: 'Symbol', required: true, description: 'Whose prints.' }),
      last: t.arg.int({ defaultValue: 50, description: 'How many at the most, 1 to 1000.' }),
    },
    resolve: (_root, { symbol, last }, context) => {
      assertMarketData(context);
      return context.reads.readRecentTrades(symbol, checkCount('last', last ?? 50, 1000));
    },
  }),
}));

builder.subscriptionFields((t) => ({
  trades: t.field({
    type: Trade,
    description: 'Every print of the symbols, in order.',
    args: {
      symbols: t.arg({
        type: ['Symbol'],
        required: true,
        description: 'Whose prints; 1 to 500, else TOO_MANY_SYMBOLS.',
      }),
      after: t.arg({
        type: 'Cursor',
        description:
          'Resume: first all prints after this cursor, then the live ones. HISTORY_EXPIRED where the log no longer reaches back to it, or has not reached it yet. ' +
          'With no change of the document the same is asked by `extensions.resumeFrom` of the request, or by `Last-Event-ID` on SSE.',
      }),
    },
    subscribe: (_root, { symbols, after }, context) => {
      assertMarketData(context);
      return context.hub.openTrades(checkSymbols(symbols, context), context.resume.choose(after));
    },
    resolve: (trade) => trade,
  }),
}));
