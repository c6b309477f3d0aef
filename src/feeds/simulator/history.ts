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
    const sum = sumDay(this.walk(character, day).bars, day);
    const bar = sum.open === 0 ? null : sum;
    if (this.#days.size >= MAX_KEPT_DAYS) this.#days.clear();
    this.#days.set(key, bar);
    return bar;
  }

  /**
   * Minute bars of the day that ended by `until`, oldest first (a minute without an eligible trade has none), and the
   * price that the path has reached by then.
   */
  walk(character: Character, day: TradingDay, until = Infinity): { bars: PastBar[]; price: number } {
    const random = new Random(this.#seed, hashText(character.symbol), day.number);
    const before = this.closeOf(character, this.#schedule.dayBefore(day));
    const close = this.closeOf(character, day);
    const gap = this.#schedule.continuous ? 0 : character.dailyVolatility * 0.4 * random.normal();
    const open = toGrid(character, before * (1 + gap));
    const late = toGrid(character, close * (1 + character.dailyVolatility * 0.1 * random.normal()));
    const bars: PastBar[] = [];
    let price = before;
    for (const [from, to, target, activity] of [
      [day.startsAt, day.opensAt, open, EXTENDED_HOURS_ACTIVITY],
      [day.opensAt, day.closesAt, close, 1],
      [day.closesAt, day.endsAt, late, EXTENDED_HOURS_ACTIVITY],
    ] as const) {
      const minutes = Math.round((to - from) / MS_PER_MINUTE);
      const step = character.dailyVolatility / Math.sqrt(Math.max(1, minutes)) / (activity === 1 ? 1 : 3);
      for (let minute = 0; minute < minutes; minute += 1) {
        const start = from + minute * MS_PER_MINUTE;
        if (start + MS_PER_MINUTE > until) return { bars, price: toGrid(character, price) };
        const opening = price;
        const drift = (target - price) / (minutes - minute);
        price =
          minute === minutes - 1
            ? target
            : Math.max(1 / character.ticksPerUnit, price + drift + price * step * random.normal());
        const swing = price * step * 0.5;
        const high = Math.max(opening, price) + swing * random.next();
        const low = Math.max(1 / character.ticksPerUnit, Math.min(opening, price) - swing * random.next());
        const intraday = activity === 1 && !this.#schedule.continuous ? shareOfMinute(minute, minutes) : activity;
        const trades = character.tradesPerSecond * 60 * intraday * Math.exp(0.4 * random.normal() - 0.08);
        const luck = random.next();
        const bulk = Math.exp(0.5 * random.normal() - 0.125);
        // A thinly traded symbol has minutes without an eligible trade; an index has a value in each.
        if (character.tradesPerSecond > 0 && luck > 1 - Math.exp(-trades * ELIGIBLE_SHARE)) continue;
        bars.push(toBar(character, start, opening, high, low, price, Math.max(1, Math.round(trades)), bulk));
      }
      price = target;
    }
    return { bars, price };
  }

  /** Noise of mean 0 and variance 1 at one point of one octave. */
  #noise(character: Character, octave: number, point: number): number {
    return new Random(this.#seed, hashText(character.symbol), octave + 1_000_003, point).normal();
  }
}

/** `bars` in one: prices of the regular session (`open` is 0 where it has none), volume of all hours. */
export function sumDay(bars: readonly PastBar[], day: TradingDay): PastBar {
  let [open, high, low, close, micros, notional, count] = [0, -Infinity, Infinity, 0, 0, 0, 0];
  for (const bar of bars) {
    micros += bar.micros;
    notional += bar.notional;
    count += bar.count;
    if (bar.start < day.opensAt || bar.start >= day.closesAt) continue;
    if (open === 0) open = bar.open;
    high = Math.max(high, bar.high);
    low = Math.min(low, bar.low);
    close = bar.close;
  }
  return { start: day.midnight, open, high, low, close, micros, notional, count };
}

function toBar(
  character: Character,
  start: number,
  open: number,
  high: number,
  low: number,
  close: number,
  trades: number,
  bulk: number,
): PastBar {
  const bar = {
    start,
    open: toGrid(character, open),
    high: toGrid(character, high),
    low: toGrid(character, low),
    close: toGrid(character, close),
  };
  if (character.tradesPerSecond === 0) return { ...bar, micros: 0, notional: 0, count: 0 };
  const shares = Math.max(1, Math.round(trades * character.sharesPerTrade * bulk));
  const typical = (bar.open + bar.high + bar.low + bar.close) / 4;
  return { ...bar, micros: shares * MICROS_PER_SHARE, notional: typical * shares, count: trades };
}

/** Activity of a minute of the regular session against its mean; an early close has the same shape, shortened. */
export function shareOfMinute(minute: number, minutes: number): number {
  const slot = Math.min(FIVE_MINUTE_SHARES.length - 1, Math.floor((minute / minutes) * FIVE_MINUTE_SHARES.length));
  return FIVE_MINUTE_SHARES[slot]! * FIVE_MINUTE_SHARES.length;
}

export function toGrid(character: Character, price: number): number {
  return Math.max(1, Math.round(price * character.ticksPerUnit)) / character.ticksPerUnit;
}

/** FNV-1a. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
