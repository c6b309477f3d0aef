import { MICROS_PER_SHARE } from './bar-window.ts';
import type { PastBar } from './bar-window.ts';
import type { Character } from './instrument.ts';
import { Random } from './random.ts';
import type { Schedule, TradingDay } from './schedule.ts';
import { EXTENDED_HOURS_ACTIVITY, FIVE_MINUTE_SHARES } from './tape-shape.ts';

const MS_PER_MINUTE = 60_000;

/** How many days of the past there are. */
export const HISTORY_DAYS = 730;

/** Octaves of noise in the path of daily closes: the longest swing takes 2^7 days. */
const OCTAVES = 8;

/** Bound of the kept day bars, over all symbols. When it is reached all are forgotten, and made again when asked for. */
const MAX_KEPT_DAYS = 100_000;

/** The mean share of trades in a minute that may set the last price: the others are odd lots. */
const ELIGIBLE_SHARE = 0.32;

/**
 * The past before the tape began: minute bars that depend on the seed, the symbol and the date alone, so that any of
 * them can be made on demand, and a day's bar is always the sum of its minutes.
 */
export class History {
  readonly #seed: number;
  readonly #schedule: Schedule;
  readonly #days = new Map<string, PastBar | null>();

  constructor(seed: number, schedule: Schedule) {
    this.#seed = seed;
    this.#schedule = schedule;
  }

  /** The last regular price of a day. Closes form one path; far ends of it are not far apart. */
  closeOf(character: Character, day: TradingDay): number {
    let exponent = 0;
    for (let octave = 0; octave < OCTAVES; octave += 1) {
      const position = day.number / 2 ** octave;
      const left = Math.floor(position);
      const weight = position - left;
      const noise =
        this.#noise(character, octave, left) * (1 - weight) + this.#noise(character, octave, left + 1) * weight;
      exponent += (character.dailyVolatility / 2) * 2 ** (octave / 2) * noise;
    }
    return toGrid(character, character.basePrice * Math.exp(exponent));
  }

  /** The day's bar: prices of the regular session, volume of all hours. `null`: nothing was traded. */
  dayBarOf(character: Character, day: TradingDay): PastBar | null {
    const key = `${character.symbol} ${day.date}`;
    const known = this.#days.get(key);
    if (known !== undefined) return known;
    const sum = new DaySum(day);
    this.walk(character, day, Infinity, (bar) => sum.add(bar));
    const bar = sum.open === 0 ? null : sum.freeze();
    if (this.#days.size >= MAX_KEPT_DAYS) this.#days.clear();
    this.#days.set(key, bar);
    return bar;
  }

  /** Minute bars of the day that ended by `until`, oldest first; a minute without an eligible trade has none. */
  minutesOf(character: Character, day: TradingDay, until: number): PastBar[] {
    const bars: PastBar[] = [];
    this.walk(character, day, until, (bar) => bars.push({ ...bar }));
    return bars;
  }

  /**
   * Calls `visit` with the minute bars of the day that ended by `until`, oldest first. It is one object every time, filled
   * anew: hundreds of thousands of them pass at the start. Returns the price that the path has reached by `until`.
   */
  walk(character: Character, day: TradingDay, until: number, visit: (bar: PastBar) => void): number {
    const random = new Random(this.#seed, hashText(character.symbol), day.number);
    const { dailyVolatility, tradesPerSecond, sharesPerTrade, ticksPerUnit } = character;
    const before = this.closeOf(character, this.#schedule.dayBefore(day));
    const close = this.closeOf(character, day);
    const gap = this.#schedule.continuous ? 0 : dailyVolatility * 0.4 * random.normal();
    const open = toGrid(character, before * (1 + gap));
    const late = toGrid(character, close * (1 + dailyVolatility * 0.1 * random.normal()));
    const floor = 1 / ticksPerUnit;
    const bar = { start: 0, open: 0, high: 0, low: 0, close: 0, micros: 0, notional: 0, count: 0 };
    let price = before;
    for (const [from, to, target, activity] of [
      [day.startsAt, day.opensAt, open, EXTENDED_HOURS_ACTIVITY],
      [day.opensAt, day.closesAt, close, 1],
      [day.closesAt, day.endsAt, late, EXTENDED_HOURS_ACTIVITY],
    ] as const) {
      const minutes = Math.round((to - from) / MS_PER_MINUTE);
      const step = dailyVolatility / Math.sqrt(Math.max(1, minutes)) / (activity === 1 ? 1 : 3);
      for (let minute = 0; minute < minutes; minute += 1) {
        const start = from + minute * MS_PER_MINUTE;
        if (start + MS_PER_MINUTE > until) return toGrid(character, price);
        const opening = price;
        const drift = (target - price) / (minutes - minute);
        price = minute === minutes - 1 ? target : Math.max(floor, price + drift + price * step * random.normal());
        const swing = price * step * 0.5;
        const high = Math.max(opening, price) + swing * random.next();
        const low = Math.max(floor, Math.min(opening, price) - swing * random.next());
        if (tradesPerSecond > 0) {
          const intraday = activity === 1 && !this.#schedule.continuous ? shareOfMinute(minute, minutes) : activity;
          const trades = tradesPerSecond * 60 * intraday * (0.5 + random.next());
          // A thinly traded symbol has minutes without an eligible trade.
          if (random.next() < Math.exp(-trades * ELIGIBLE_SHARE)) continue;
          bar.count = Math.max(1, Math.round(trades));
        }
        bar.start = start;
        bar.open = toGrid(character, opening);
        bar.close = toGrid(character, price);
        bar.high = toGrid(character, high);
        bar.low = toGrid(character, low);
        const shares = Math.round(bar.count * sharesPerTrade * (0.5 + random.next()));
        bar.micros = shares * MICROS_PER_SHARE;
        bar.notional = ((bar.open + bar.high + bar.low + bar.close) / 4) * shares;
        visit(bar);
      }
      price = target;
    }
    return price;
  }

  /** Noise of mean 0 and variance 1 at one point of one octave. */
  #noise(character: Character, octave: number, point: number): number {
    return new Random(this.#seed, hashText(character.symbol), octave + 1_000_003, point).normal();
  }
}

/** A day's bars in one: prices of the regular session (`open` is 0 where it has none), volume of all hours. */
export class DaySum {
  readonly #day: TradingDay;
  open = 0;
  #high = -Infinity;
  #low = Infinity;
  #close = 0;
  #micros = 0;
  #notional = 0;
  #count = 0;

  constructor(day: TradingDay) {
    this.#day = day;
  }

  add(bar: PastBar): void {
    this.#micros += bar.micros;
    this.#notional += bar.notional;
    this.#count += bar.count;
    if (bar.start < this.#day.opensAt || bar.start >= this.#day.closesAt) return;
    if (this.open === 0) this.open = bar.open;
    if (bar.high > this.#high) this.#high = bar.high;
    if (bar.low < this.#low) this.#low = bar.low;
    this.#close = bar.close;
  }

  freeze(): PastBar {
    return {
      start: this.#day.midnight,
      open: this.open,
      high: this.#high,
      low: this.#low,
      close: this.#close,
      micros: this.#micros,
      notional: this.#notional,
      count: this.#count,
    };
  }
}

/** Activity of a minute of the regular session against its mean; an early close has the same shape, shortened. */
export function shareOfMinute(minute: number, minutes: number): number {
  const slot = Math.min(FIVE_MINUTE_SHARES.length - 1, Math.floor((minute / minutes) * FIVE_MINUTE_SHARES.length));
  return FIVE_MINUTE_SHARES[slot]! * FIVE_MINUTE_SHARES.length;
}

function toGrid(character: Character, price: number): number {
  return Math.max(1, Math.round(price * character.ticksPerUnit)) / character.ticksPerUnit;
}

/** FNV-1a. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
