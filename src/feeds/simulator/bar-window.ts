import type { Eligibility } from '../../market/conditions.ts';

/** Sizes are counted in millionths of a share, in which every size of the wire is whole and sums are exact. */
export const MICROS_PER_SHARE = 1_000_000;

/** Open, high, low, close and volume of one window under construction. */
export class BarWindow {
  /** Unix ms. */
  start = 0;
  /** 0: no trade has set a price yet, so there is no bar. */
  open = 0;
  high = -Infinity;
  low = Infinity;
  close = 0;
  micros = 0;
  /** Sum of price × shares. */
  notional = 0;
  count = 0;

  reset(start: number): void {
    this.start = start;
    this.open = 0;
    this.high = -Infinity;
    this.low = Infinity;
    this.close = 0;
    this.micros = 0;
    this.notional = 0;
    this.count = 0;
  }

  add(price: number, micros: number, eligibility: Eligibility): void {
    if (eligibility.last) {
      if (this.open === 0) this.open = price;
      this.close = price;
    }
    if (eligibility.highLow) {
      if (price > this.high) this.high = price;
      if (price < this.low) this.low = price;
    }
    if (eligibility.volume) {
      this.micros += micros;
      this.notional += (price * micros) / MICROS_PER_SHARE;
      this.count += 1;
    }
  }

  /** A value without volume, as of an index. */
  addValue(value: number): void {
    if (this.open === 0) this.open = value;
    this.close = value;
    if (value > this.high) this.high = value;
    if (value < this.low) this.low = value;
  }

  get exists(): boolean {
    return this.open > 0;
  }

  /** Four decimals; the close where nothing counted to volume. */
  get vwap(): number {
    if (this.micros === 0) return this.close;
    return Math.round((this.notional / this.micros) * MICROS_PER_SHARE * 1e4) / 1e4;
  }

  /** Average shares of a trade, to a whole number. */
  get averageSize(): number {
    return this.count === 0 ? 0 : Math.round(this.micros / MICROS_PER_SHARE / this.count);
  }
}

/** A finished bar, or one of the generated past. */
export type PastBar = {
  /** Unix ms. */
  readonly start: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly micros: number;
  readonly notional: number;
  readonly count: number;
};

export function freezeBar(window: BarWindow): PastBar {
  const { start, open, high, low, close, micros, notional, count } = window;
  return { start, open, high, low, close, micros, notional, count };
}

export function vwapOf(bar: PastBar): number {
  return bar.micros === 0 ? bar.close : Math.round((bar.notional / bar.micros) * MICROS_PER_SHARE * 1e4) / 1e4;
}

/** `40.0`, `0.105`: shares as a decimal string of at least one and at most six decimals. */
export function formatShares(micros: number): string {
  const whole = Math.floor(micros / MICROS_PER_SHARE);
  const fraction = micros - whole * MICROS_PER_SHARE;
  if (fraction === 0) return `${whole}.0`;
  return `${whole}.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`;
}
