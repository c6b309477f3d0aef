import { useEffect, useState } from 'react';
import type { BarInterval } from '../../gql/graphql.ts';
import { useQuoteStore, useTape } from '../tape-client.tsx';
import type { TapeClient } from '../../graphql/tape-client.ts';
import { BarFeed, type BarFeedState } from './bar-feed.ts';
import type { Candle } from './bar-series.ts';
import { PaintBatch } from './paint-batch.ts';
import type { PriceChart } from './price-chart.ts';

export type BarView = {
  readonly feed: BarFeed;
  readonly state: BarFeedState;
  readonly count: number;
  readonly last: Candle | null;
};

/** Calls the listener when the page sees the market again: after it was hidden, and after the connection was away. */
function watchReturns(client: TapeClient, listener: () => void): () => void {
  let { state } = client.status.getSnapshot();
  const stopStatus = client.status.subscribe(() => {
    const before = state;
    ({ state } = client.status.getSnapshot());
    if (state === 'live' && before !== 'live') listener();
  });
  const onVisibility = (): void => {
    if (!document.hidden) listener();
  };
  document.addEventListener('visibilitychange', onVisibility);
  return () => {
    stopStatus();
    document.removeEventListener('visibilitychange', onVisibility);
  };
}

/** Feeds the chart with a symbol's candles, as long as the component stands; the view is a new one once per changed frame. */
export function useBarFeed(chart: PriceChart | null, symbol: string | null, interval: BarInterval): BarView | null {
  const client = useTape();
  const quotes = useQuoteStore();
  const [view, setView] = useState<BarView | null>(null);

  useEffect(() => {
    setView(null);
    if (chart === null || symbol === null) return;
    const batch = new PaintBatch(() => {
      chart.draw();
      const { state, series } = feed;
      setView({ feed, state, count: series.candles.length, last: series.last });
    });
    const feed = new BarFeed({ client, symbol, interval, now: Date.now, onChange: batch.request });
    let previousClose: number | null = null;
    const takeQuote = (): void => {
      const quote = quotes.read(symbol);
      if (quote === undefined) return;
      feed.takeQuote(quote);
      if (quote.previousClose === previousClose) return;
      previousClose = quote.previousClose;
      // Among days it is but one of many closes.
      chart.setPreviousClose(interval === 'DAY' ? null : previousClose);
    };
    chart.setPreviousClose(null);
    chart.show(feed.series);
    void feed.open();
    const stopQuotes = quotes.watch(symbol, takeQuote);
    takeQuote();
    const stopReturns = watchReturns(client, () => void feed.mend());
    return () => {
      stopQuotes();
      stopReturns();
      feed.close();
      batch.cancel();
    };
  }, [chart, client, quotes, symbol, interval]);

  return view;
}
