import type { BarInterval } from '../../gql/graphql.ts';

/** One candle. Times are Unix ms: `start` inclusive, `end` exclusive. */
export type Candle = {
  readonly start: number;
  readonly end: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
};

/**
 * What a candle rests on, least first: on the quotes of a window that is not over, on the history (which may have been read
 * within the window), or on the log, which gives a window when it is over. A lesser word does not replace a greater one.
 */
export type Standing = 'forming' | 'past' | 'final';

const RANK: Record<Standing, number> = { forming: 0, past: 1, final: 2 };

/** What a quote says of the candle that it falls into. */
export type Tick = {
  /** Unix ms. */
  readonly time: number;
  readonly price: number;
  /** Of the whole day so far. */
  readonly dayVolume: number;
  readonly dayOpen: number | null;
  readonly dayHigh: number | null;
  readonly dayLow: number | null;
};

/** What is to be drawn since it was asked last. */
export type SeriesChange =
  | { readonly kind: 'none' }
  | { readonly kind: 'all' }
  /** The last candles changed or were added; in order. */
  | { readonly kind: 'tail'; readonly candles: readonly Candle[] };

export const INTERVAL_MS: Record<Exclude<BarInterval, 'DAY'>, number> = {
  SECOND: 1000,
  MINUTE: 60_000,
  HOUR: 3_600_000,
};

type Held = Candle & { readonly standing: Standing };

/** The candles of one symbol and interval, by their start, as a chart needs them: from the history, from the log, from quotes. */
export class BarSeries {
  readonly interval: BarInterval;
  #candles: Held[] = [];
  /** The oldest candle that changed since it was asked last; `all`: they are to be drawn anew. */
  #changedFrom: number | 'all' | null = null;
  #dayVolume: number | null = null;

  constructor(interval: BarInterval) {
    this.interval = interval;
  }

  get candles(): readonly Candle[] {
    return this.#candles;
  }

  get first(): Candle | null {
    return this.#candles[0] ?? null;
  }

  get last(): Candle | null {
    return this.#candles.at(-1) ?? null;
  }

  /** The place of the candle that starts then, or of the first one after. */
  placeOf(start: number): number {
    return this.#find(start);
  }

  put(candle: Candle, standing: Exclude<Standing, 'forming'>): void {
    const place = this.#find(candle.start);
    const held = this.#candles[place];
    if (held?.start === candle.start) {
      if (RANK[held.standing] > RANK[standing]) return;
      this.#candles[place] = { ...candle, standing };
      this.#touch(candle.start);
    } else if (place === this.#candles.length) {
      this.#candles.push({ ...candle, standing });
      this.#touch(candle.start);
    } else {
      this.#candles.splice(place, 0, { ...candle, standing });
      this.#changedFrom = 'all';
    }
  }

  putAll(candles: Iterable<Candle>, standing: Exclude<Standing, 'forming'>): void {
    for (const candle of candles) this.put(candle, standing);
  }

  /**
   * Lets a quote form the candle of its window, until the log or the history tells of it. Returns `false` where it falls into
   * no window that is known: after the last day, whose successor only the history knows.
   *
   * A second is over before its quote is drawn, and one without a trade has no candle: seconds are not formed.
   */
  form(tick: Tick): boolean {
    const before = this.#dayVolume;
    this.#dayVolume = tick.dayVolume;
    const traded = before === null ? 0 : Math.max(0, tick.dayVolume - before);
    if (this.interval === 'SECOND') return true;
    const last = this.#candles.at(-1);
    if (last === undefined || tick.time < last.start) return true;
    if (tick.time < last.end) {
      if (last.standing === 'final') return true;
      const formed = this.interval === 'DAY' ? takeDay(last, tick) : takeTick(last, tick.price, traded);
      if (isSame(last, formed)) return true;
      this.#candles[this.#candles.length - 1] = { ...formed, standing: last.standing };
      this.#touch(formed.start);
      return true;
    }
    if (this.interval === 'DAY') return false;
    // A window without a trade has no candle. An index has no volume by which to see one, nor has the first quote that is seen.
    const isTraded = before === null || tick.dayVolume === 0 ? tick.price !== last.close : traded > 0;
    if (!isTraded) return true;
    const length = INTERVAL_MS[this.interval];
    const start = Math.floor(tick.time / length) * length;
    const { price } = tick;
    const opened = { start, end: start + length, open: price, high: price, low: price, close: price, volume: traded };
    this.#candles.push({ ...opened, standing: 'forming' });
    this.#touch(start);
    return true;
  }

  /** What is to be drawn since the last call. */
  takeChange(): SeriesChange {
    const from = this.#changedFrom;
    this.#changedFrom = null;
    if (from === null) return { kind: 'none' };
    if (from === 'all') return { kind: 'all' };
    return { kind: 'tail', candles: this.#candles.slice(this.#find(from)) };
  }

  #touch(start: number): void {
    if (this.#changedFrom === 'all') return;
    this.#changedFrom = Math.min(this.#changedFrom ?? start, start);
  }

  /** The place of the first candle that starts then or later. */
  #find(start: number): number {
    let low = 0;
    let high = this.#candles.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#candles[middle]!.start < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function takeTick(candle: Candle, price: number, traded: number): Candle {
  return {
    ...candle,
    high: Math.max(candle.high, price),
    low: Math.min(candle.low, price),
    close: price,
    volume: candle.volume + traded,
  };
}

/** The day's figures are in the quote itself. */
function takeDay(candle: Candle, { price, dayVolume, dayOpen, dayHigh, dayLow }: Tick): Candle {
  return {
    ...candle,
    open: dayOpen ?? candle.open,
    high: dayHigh ?? Math.max(candle.high, price),
    low: dayLow ?? Math.min(candle.low, price),
    close: price,
    volume: dayVolume,
  };
}

function isSame(one: Candle, other: Candle): boolean {
  return (
    one.open === other.open &&
    one.high === other.high &&
    one.low === other.low &&
    one.close === other.close &&
    one.volume === other.volume
  );
}
