import { ClientError } from '../errors.ts';
import type { Bar as BarRow, LoggedBar } from '../market/bar.ts';
import { builder, checkCount, checkSymbols } from './builder.ts';
import { assertMarketData } from './viewer-data.ts';

export const BarInterval = builder.enumType('BarInterval', {
  description: 'How long a bar is.',
  values: {
    SECOND: { description: 'One second.' },
    MINUTE: { description: 'One minute.' },
    HOUR: { description: 'One hour; queries only.' },
    DAY: { description: 'One trading day; queries only.' },
  } as const,
});

/** Bars of the log have more than those that were queried. */
type BarShape = BarRow & Partial<Pick<LoggedBar, 'epoch' | 'offset' | 'gapBefore'>>;

export const Bar = builder.objectRef<BarShape>('Bar').implement({
  description:
    'Open, high, low, close and volume of one window of time. A window without a trade that may set a price has no bar.',
  fields: (t) => ({
    symbol: t.field({ type: 'Symbol', description: 'Whose bar.', resolve: (bar) => bar.symbol }),
    interval: t.field({ type: BarInterval, description: 'How long it is.', resolve: (bar) => bar.interval }),
    open: t.exposeFloat('open', { description: 'First price.' }),
    high: t.exposeFloat('high', { description: 'Highest price.' }),
    low: t.exposeFloat('low', { description: 'Lowest price.' }),
    close: t.exposeFloat('close', { description: 'Last price.' }),
    volume: t.exposeFloat('volume', { description: 'Shares traded, fractions included; 0 for an index.' }),
    vwap: t.exposeFloat('vwap', { nullable: true, description: 'Volume-weighted average price.' }),
    start: t.field({ type: 'DateTime', description: 'Begin of the window, inclusive.', resolve: (bar) => bar.start }),
    end: t.field({ type: 'DateTime', description: 'End of the window, exclusive.', resolve: (bar) => bar.end }),
    gapBefore: t.boolean({
      description:
        'True: bars of this symbol and interval may be missing just before. Those that an interruption of the upstream cost are ' +
        'fetched from its history where it holds them, and come in their place. False for a bar that was queried.',
      resolve: ({ gapBefore }) => gapBefore === true,
    }),
    cursor: t.field({
      type: 'Cursor',
      nullable: true,
      description: 'Its place in the event log; null for a bar that was queried.',
      resolve: ({ epoch, offset }) => (epoch === undefined || offset === undefined ? null : { epoch, offset }),
    }),
  }),
});

builder.queryFields((t) => ({
  bars: t.field({
    type: [Bar],
    description: 'Historical bars, oldest first.',
    args: {
      symbol: t.arg({ type: 'Symbol', required: true, description: 'Whose bars.' }),
      interval: t.arg({ type: BarInterval, required: true, description: 'How long a bar is.' }),
      from: t.arg({ type: 'DateTime', required: true, description: 'Bars that start at or after this.' }),
      to: t.arg({ type: 'DateTime', description: 'Bars that start before this. Default: now.' }),
      first: t.arg.int({ defaultValue: 500, description: 'How many at the most, 1 to 5000.' }),
    },
    resolve: (_root, { symbol, interval, from, to, first }, context) => {
      assertMarketData(context);
      if (to != null && to <= from)
        throw new ClientError('BAD_USER_INPUT', 'Argument "to": must be after "from"', { argument: 'to' });
      const limit = checkCount('first', first ?? 500, 5000);
      return context.reads.readBars({ symbol, interval, from, to: to ?? null, limit });
    },
  }),
}));

builder.subscriptionFields((t) => ({
  bars: t.field({
    type: Bar,
    description:
      'Each bar when it ends, in order. The upstream may send a window again, corrected: the later bar of one `start` replaces the earlier.',
    args: {
      symbols: t.arg({ type: ['Symbol'], required: true, description: 'Whose bars; 1 to 500, else TOO_MANY_SYMBOLS.' }),
      interval: t.arg({ type: BarInterval, required: true, defaultValue: 'SECOND', description: 'SECOND or MINUTE.' }),
      after: t.arg({
        type: 'Cursor',
        description:
          'Resume: first all bars after this cursor, then the live ones. HISTORY_EXPIRED where the log no longer reaches back to it, or has not reached it yet. ' +
          'With no change of the document the same is asked by `extensions.resumeFrom` of the request, or by `Last-Event-ID` on SSE.',
      }),
    },
    subscribe: (_root, { symbols, interval, after }, context) => {
      assertMarketData(context);
      if (interval !== 'SECOND' && interval !== 'MINUTE') {
        throw new ClientError('BAD_USER_INPUT', 'Argument "interval": live bars are of SECOND or MINUTE', {
          argument: 'interval',
        });
      }
      return context.hub.openBars(checkSymbols(symbols, context), interval, context.resume.choose(after));
    },
    resolve: (bar) => bar,
  }),
}));
