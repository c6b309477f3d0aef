import { type RefObject, useEffect, useRef, useState } from 'react';
import { useTheme } from '../theme/theme.ts';
import type { Candle } from './bar-series.ts';
import { readChartColours } from './chart-colours.ts';
import type { PriceChart } from './price-chart.ts';

export type ChartView = {
  /** `null` until its code is loaded, and where that failed. */
  readonly chart: PriceChart | null;
  readonly hasFailed: boolean;
  /** The candle that is pointed to. */
  readonly pointed: Candle | null;
  /** Whether the newest candle is out of view. */
  readonly isAway: boolean;
  /** To be called when older candles are wanted. */
  readonly onNearFirst: RefObject<() => void>;
};

/** A chart within the element, in the colours of the theme. Its code comes when it is needed: half of what this view weighs. */
export function usePriceChart(container: RefObject<HTMLElement | null>): ChartView {
  const [chart, setChart] = useState<PriceChart | null>(null);
  const [hasFailed, setFailed] = useState(false);
  const [pointed, setPointed] = useState<Candle | null>(null);
  const [isAway, setAway] = useState(false);
  const onNearFirst = useRef(() => {});
  const theme = useTheme();

  useEffect(() => {
    let isOver = false;
    let made: PriceChart | null = null;
    const make = async (): Promise<void> => {
      const { PriceChart } = await import('./price-chart.ts');
      if (isOver || container.current === null) return;
      made = new PriceChart(container.current, readChartColours(container.current), {
        onHover: setPointed,
        onAway: setAway,
        onNearFirst: () => onNearFirst.current(),
      });
      setChart(made);
    };
    make().catch(() => setFailed(true));
    return () => {
      isOver = true;
      made?.remove();
      setChart(null);
    };
  }, [container]);

  useEffect(() => {
    if (chart !== null && container.current !== null) chart.setColours(readChartColours(container.current));
  }, [chart, container, theme]);

  return { chart, hasFailed, pointed, isAway, onNearFirst };
}
