import {
  type CandlestickData,
  CandlestickSeries,
  ColorType,
  createChart,
  CrosshairMode,
  type DeepPartial,
  type HistogramData,
  HistogramSeries,
  type IChartApi,
  type IPriceLine,
  type ISeriesApi,
  LineStyle,
  type MouseEventParams,
  type TimeChartOptions,
  TickMarkType,
  type UTCTimestamp,
} from 'lightweight-charts';
import { formatPrice } from '../format/price.ts';
import { formatVolume } from '../format/quantity.ts';
import type { BarSeries, Candle } from './bar-series.ts';
import type { ChartColours } from './chart-colours.ts';
import { ChartTime } from './chart-time.ts';

/** Older candles are asked for when so few are left beyond the left edge. */
const NEAR_FIRST = 40;
const BAR_SPACING = 7;
/** Empty room at the right, in candles. */
const RIGHT_OFFSET = 3;

export type PriceChartEvents = {
  /** The candle under the pointer, or `null`. */
  readonly onHover: (candle: Candle | null) => void;
  /** The reader has come near the oldest candle. */
  readonly onNearFirst: () => void;
  /** The reader has gone away from the newest candle, or has come back. */
  readonly onAway: (isAway: boolean) => void;
};

/** Candles above, volume below, on a canvas. It is given a series and draws what changed in it when it is told to. */
export class PriceChart {
  readonly #chart: IChartApi;
  readonly #candles: ISeriesApi<'Candlestick'>;
  readonly #volumes: ISeriesApi<'Histogram'>;
  readonly #events: PriceChartEvents;
  #colours: ChartColours;
  #series: BarSeries | null = null;
  #time: ChartTime | null = null;
  #drawn = 0;
  #closeLine: IPriceLine | null = null;
  #isAway = false;

  constructor(container: HTMLElement, colours: ChartColours, events: PriceChartEvents) {
    this.#events = events;
    this.#colours = colours;
    this.#chart = createChart(container, {
      autoSize: true,
      handleScroll: { vertTouchDrag: false },
      kineticScroll: { touch: !matchMedia('(prefers-reduced-motion: reduce)').matches, mouse: false },
      localization: { timeFormatter: (time: UTCTimestamp) => this.#time?.format(time) ?? '' },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.14, bottom: 0.06 }, minimumWidth: 64 },
      timeScale: {
        borderVisible: false,
        timeVisible: true,
        barSpacing: BAR_SPACING,
        rightOffset: RIGHT_OFFSET,
        minBarSpacing: 1,
        tickMarkFormatter: (time: UTCTimestamp, type: TickMarkType) =>
          this.#time?.formatMark(time, MARK_SPANS[type]) ?? '',
      },
      ...this.#dress(),
    });
    this.#candles = this.#chart.addSeries(CandlestickSeries, this.#dressCandles());
    this.#volumes = this.#chart.addSeries(
      HistogramSeries,
      {
        priceFormat: { type: 'custom', formatter: formatVolume, minMove: 1 },
        lastValueVisible: false,
        priceLineVisible: false,
      },
      1,
    );
    this.#volumes.priceScale().applyOptions({ scaleMargins: { top: 0.1, bottom: 0 }, tickMarkDensity: 6 });
    const [prices, volumes] = this.#chart.panes();
    prices?.setStretchFactor(4);
    volumes?.setStretchFactor(1);
    this.#chart.subscribeCrosshairMove(this.#follow);
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange(this.#watchRange);
  }

  /** Draws this series from now on. */
  show(series: BarSeries): void {
    this.#series = series;
    this.#time = null;
    this.#drawn = 0;
    this.#candles.setData([]);
    this.#volumes.setData([]);
    this.#events.onHover(null);
    this.#chart.timeScale().applyOptions({ secondsVisible: series.interval === 'SECOND' });
    series.takeChange();
    this.#drawAll();
  }

  /** Draws what changed since the last time. */
  draw(): void {
    const change = this.#series?.takeChange();
    if (change === undefined || change.kind === 'none') return;
    if (change.kind === 'all' || this.#time === null) return this.#drawAll();
    const { candles } = this.#series!;
    const newest = this.#drawn - 1;
    for (const candle of change.candles) {
      const isOld = newest >= 0 && candle.start < candles[newest]!.start;
      this.#candles.update(this.#toCandlestick(candle), isOld);
      this.#volumes.update(this.#toVolume(candle), isOld);
    }
    this.#drawn = candles.length;
    this.#markLast();
  }

  setColours(colours: ChartColours): void {
    this.#colours = colours;
    this.#chart.applyOptions(this.#dress());
    this.#candles.applyOptions(this.#dressCandles());
    const { textFaint, grid, text } = colours;
    this.#closeLine?.applyOptions({ color: textFaint, axisLabelColor: grid, axisLabelTextColor: text });
    this.#drawAll();
  }

  /** The level from which the day's change is counted. */
  setPreviousClose(price: number | null): void {
    if (this.#closeLine !== null) this.#candles.removePriceLine(this.#closeLine);
    this.#closeLine =
      price === null
        ? null
        : this.#candles.createPriceLine({
            price,
            color: this.#colours.textFaint,
            lineWidth: 1,
            lineStyle: LineStyle.Dotted,
            axisLabelVisible: true,
            axisLabelColor: this.#colours.grid,
            axisLabelTextColor: this.#colours.text,
            title: '',
          });
  }

  /** Points to a candle as if the pointer were there, and brings it into view; `null`: to none. */
  point(index: number | null): void {
    const candle = index === null ? undefined : this.#series?.candles[index];
    if (candle === undefined || index === null || this.#time === null) {
      this.#chart.clearCrosshairPosition();
      this.#events.onHover(null);
      return;
    }
    const scale = this.#chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    if (range !== null && (index < range.from + 1 || index > range.to - 1)) {
      const width = range.to - range.from;
      const from = index < range.from + 1 ? index - 1 : index + 1 - width;
      scale.setVisibleLogicalRange({ from, to: from + width });
    }
    this.#chart.setCrosshairPosition(candle.close, this.#time.toChart(candle.start), this.#candles);
    this.#events.onHover(candle);
  }

  zoom(factor: number): void {
    const scale = this.#chart.timeScale();
    scale.applyOptions({ barSpacing: Math.min(40, Math.max(1, scale.options().barSpacing * factor)) });
  }

  scrollToNewest(): void {
    this.#chart.timeScale().scrollToPosition(RIGHT_OFFSET, false);
  }

  remove(): void {
    this.#chart.remove();
  }

  readonly #follow = ({ logical, point }: MouseEventParams): void => {
    // Pointed to by keys it has no source: that one is told of where it is done.
    if (point === undefined || logical === undefined) return this.#events.onHover(null);
    this.#events.onHover(this.#series?.candles[logical] ?? null);
  };

  readonly #watchRange = (): void => {
    const range = this.#chart.timeScale().getVisibleLogicalRange();
    if (range === null || this.#drawn === 0) return;
    if (range.from < NEAR_FIRST) this.#events.onNearFirst();
    const isAway = range.to < this.#drawn - 1;
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    this.#events.onAway(isAway);
  };

  #drawAll(): void {
    const candles = this.#series?.candles ?? [];
    const isFirst = this.#drawn === 0;
    this.#drawn = candles.length;
    const last = candles.at(-1);
    if (this.#series === null || last === undefined) return;
    this.#time ??= new ChartTime(this.#series.interval, last.start);
    const minMove = Math.abs(last.close) < 1 ? 0.0001 : 0.01;
    this.#candles.applyOptions({ priceFormat: { type: 'custom', formatter: formatPrice, minMove } });
    this.#candles.setData(candles.map((candle) => this.#toCandlestick(candle)));
    this.#volumes.setData(candles.map((candle) => this.#toVolume(candle)));
    this.#markLast();
    if (!isFirst) return;
    // An index has no volume.
    const hasVolume = candles.some(({ volume }) => volume > 0);
    this.#volumes.applyOptions({ visible: hasVolume });
    this.#chart.panes()[1]?.setStretchFactor(hasVolume ? 1 : 0.001);
    const scale = this.#chart.timeScale();
    scale.applyOptions({ barSpacing: BAR_SPACING });
    this.scrollToNewest();
    this.#candles.priceScale().applyOptions({ autoScale: true });
  }

  /** The mark of the last price on the axis: a hollow candle would lend it no colour. */
  #markLast(): void {
    const last = this.#series?.last ?? null;
    if (last === null) return;
    const { up, down } = this.#colours;
    const color = last.close >= last.open ? up : down;
    if (this.#candles.options().priceLineColor !== color) this.#candles.applyOptions({ priceLineColor: color });
  }

  #toCandlestick({ start, open, high, low, close }: Candle): CandlestickData<UTCTimestamp> {
    return { time: this.#time!.toChart(start), open, high, low, close };
  }

  #toVolume({ start, open, close, volume }: Candle): HistogramData<UTCTimestamp> {
    const { upVolume, downVolume } = this.#colours;
    return { time: this.#time!.toChart(start), value: volume, color: close >= open ? upVolume : downVolume };
  }

  #dress(): DeepPartial<TimeChartOptions> {
    const { ground, text, textFaint, grid, line, label, font } = this.#colours;
    const crosshairLine = { color: textFaint, style: LineStyle.Dashed, labelBackgroundColor: label, width: 1 } as const;
    return {
      layout: {
        background: { type: ColorType.Solid, color: ground },
        textColor: text,
        fontFamily: font,
        fontSize: 11,
        // Its licence asks for the mark and its link.
        attributionLogo: true,
        panes: { separatorColor: line, separatorHoverColor: grid, enableResize: false },
      },
      grid: { vertLines: { color: grid }, horzLines: { color: grid } },
      crosshair: { mode: CrosshairMode.Normal, vertLine: crosshairLine, horzLine: crosshairLine },
    };
  }

  /** Hollow where the price rose and filled where it fell: the colour is not all that tells them apart. */
  #dressCandles() {
    const { ground, up, down } = this.#colours;
    return {
      upColor: ground,
      borderUpColor: up,
      wickUpColor: up,
      downColor: down,
      borderDownColor: down,
      wickDownColor: down,
    };
  }
}

const MARK_SPANS = {
  [TickMarkType.Year]: 'year',
  [TickMarkType.Month]: 'month',
  [TickMarkType.DayOfMonth]: 'day',
  [TickMarkType.Time]: 'time',
  [TickMarkType.TimeWithSeconds]: 'time',
} as const;
