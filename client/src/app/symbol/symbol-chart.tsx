import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import type { BarInterval } from '../../gql/graphql.ts';
import { recall, remember } from '../remembered.ts';
import { ChartLegend, describeCandle, describeSeries } from './chart-legend.tsx';
import { IntervalSwitch, parseInterval } from './interval-switch.tsx';
import { type BarView, useBarFeed } from './use-bar-feed.ts';
import { usePriceChart } from './use-price-chart.ts';
import type { PriceChart } from './price-chart.ts';
import './symbol-chart.css';

const CHOSEN_INTERVAL = { name: 'chart-interval', version: 1 } as const;

/** Candles and volume: the past as far back as somebody scrolls, going on live. `symbol`: `null` while none is settled on. */
export function SymbolChart({ symbol }: { readonly symbol: string | null }) {
  const [interval, setInterval] = useState<BarInterval>(() => recall(CHOSEN_INTERVAL, parseInterval) ?? 'MINUTE');
  const container = useRef<HTMLDivElement>(null);
  const { chart, hasFailed, pointed, isAway, onNearFirst } = usePriceChart(container);
  const view = useBarFeed(chart, symbol, interval);

  useEffect(() => {
    onNearFirst.current = () => void view?.feed.loadOlder();
  }, [onNearFirst, view?.feed]);

  const count = view?.count ?? 0;
  const summary = useMemo(
    () => (symbol === null ? '' : describeSeries(symbol, view?.feed.series.candles ?? [], interval)),
    // A sentence for each candle that begins, not for each trade.
    // oxlint-disable-next-line react/exhaustive-deps -- the series is one object for as long as it is shown: its length tells of the candle
    [symbol, interval, view?.feed, count],
  );

  return (
    <figure className="symbol-chart" aria-label="Price chart">
      <div className="symbol-chart-bar">
        <IntervalSwitch
          chosen={interval}
          onChoose={(next) => {
            remember(CHOSEN_INTERVAL, next);
            setInterval(next);
          }}
        />
        <ChartLegend candle={pointed ?? view?.last ?? null} interval={interval} />
      </div>
      <div className="symbol-chart-plot">
        <div className="symbol-chart-canvas" ref={container} data-testid="chart" data-candles={count} />
        {chart === null || view === null || count === 0 ? null : (
          <Explorer chart={chart} view={view} interval={interval} />
        )}
        {isAway && count > 0 ? (
          <button type="button" className="symbol-chart-newest" onClick={() => chart?.scrollToNewest()}>
            Newest ⇥
          </button>
        ) : null}
        {view?.state.isLoadingOlder === true ? <p className="symbol-chart-older">Loading older candles…</p> : null}
        {view !== null && count > 0 ? <Shortfall view={view} /> : null}
        <Absence view={view} hasFailed={hasFailed} />
      </div>
      <figcaption className="visually-hidden">{summary}</figcaption>
    </figure>
  );
}

/** What is said where candles are there, but not all. */
function Shortfall({ view }: { readonly view: BarView }) {
  const { pastFailure, liveFailure } = view.state;
  const failure = pastFailure ?? liveFailure;
  if (failure === null) return null;
  return (
    <div className="symbol-chart-note" role="status">
      {failure}
      {pastFailure === null ? null : (
        <button type="button" className="symbol-button" onClick={() => void view.feed.open()}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What stands in place of candles. */
function Absence({ view, hasFailed }: { readonly view: BarView | null; readonly hasFailed: boolean }) {
  if (hasFailed)
    return <p className="symbol-chart-absence">The chart could not be loaded. Reload the page to try again.</p>;
  if (view !== null && view.count > 0) return null;
  if (view === null || view.state.isLoading) {
    return (
      <div className="symbol-chart-absence symbol-chart-skeleton" role="status" aria-label="Loading candles">
        <div className="skeleton" />
      </div>
    );
  }
  const { pastFailure, liveFailure } = view.state;
  if (pastFailure === null && liveFailure === null) {
    return <p className="symbol-chart-absence">No candles yet. The first trade begins one.</p>;
  }
  return (
    <div className="symbol-chart-absence" role="alert">
      <p>{pastFailure ?? liveFailure}</p>
      <button type="button" className="symbol-button" onClick={() => void view.feed.open()}>
        Try again
      </button>
    </div>
  );
}

/** The chart for the keyboard: arrows walk from candle to candle, plus and minus zoom. The candle is told in words. */
function Explorer({
  chart,
  view,
  interval,
}: {
  readonly chart: PriceChart;
  readonly view: BarView;
  readonly interval: BarInterval;
}) {
  const [start, setStart] = useState<number | null>(null);
  const { series } = view.feed;
  const index = start === null ? series.candles.length - 1 : series.placeOf(start);
  const candle = series.candles[index];

  function walk(to: number): void {
    const next = Math.min(series.candles.length - 1, Math.max(0, to));
    setStart(series.candles[next]?.start ?? null);
    chart.point(next);
  }

  function onKeyDown(event: KeyboardEvent): void {
    const step = STEPS[event.key];
    if (step !== undefined) walk(index + step);
    else if (event.key === 'Home') walk(0);
    else if (event.key === 'End') walk(Number.POSITIVE_INFINITY);
    else if (event.key === '+' || event.key === '=') chart.zoom(1.25);
    else if (event.key === '-') chart.zoom(0.8);
    else if (event.key === 'Escape') leave();
    else return;
    event.preventDefault();
  }

  function leave(): void {
    setStart(null);
    chart.point(null);
  }

  return (
    <div
      className="symbol-chart-explorer"
      role="slider"
      tabIndex={0}
      aria-label="Candles"
      aria-valuemin={1}
      aria-valuemax={series.candles.length}
      aria-valuenow={index + 1}
      aria-valuetext={
        start === null || candle === undefined
          ? 'Arrow keys walk from candle to candle, plus and minus zoom'
          : describeCandle(candle, interval)
      }
      onKeyDown={onKeyDown}
      onBlur={leave}
    />
  );
}

const STEPS: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 };
