import { DAY_MS } from '../../market/calendar-time.ts';
import { freezeBar } from './bar-window.ts';
import type { PastBar } from './bar-window.ts';
import { DaySum, HISTORY_DAYS, History, hashText } from './history.ts';
import { Index, Instrument } from './instrument.ts';
import type { Character } from './instrument.ts';
import { INDICES, LISTINGS } from './listings.ts';
import type { Listing } from './listings.ts';
import type { Schedule, TradingDay } from './schedule.ts';
import { SHAPE, roundLotOf } from './tape-shape.ts';

/** Activity falls with the rank: weight = 1 / (rank + offset)^exponent. */
const ZIPF = { offset: 3, exponent: 0.9 };

/** All that is listed, with the past and the present of each. */
export class MarketState {
  readonly instruments: readonly Instrument[];
  readonly indices: readonly Index[];
  readonly schedule: Schedule;
  readonly history: History;
  /** Share of the tape's activity, by instrument. */
  readonly weights: readonly number[];
  /** From here on bars are of the tape, before it of the generated history. A whole minute in Unix ms. */
  readonly beganAt: number;
  readonly #instruments: ReadonlyMap<string, Instrument>;
  readonly #indices: ReadonlyMap<string, Index>;

  /** @param options `symbols`: how many stocks and funds, at most all of the listings; `beganAt` in Unix ms */
  constructor(options: {
    seed: number;
    symbols: number;
    eventsPerSecond: number;
    schedule: Schedule;
    beganAt: number;
  }) {
    const listings = LISTINGS.slice(0, options.symbols);
    this.schedule = options.schedule;
    this.history = new History(options.seed, options.schedule);
    this.beganAt = Math.floor(options.beganAt / 60_000) * 60_000;
    const raw = listings.map((_, rank) => 1 / (rank + ZIPF.offset) ** ZIPF.exponent);
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    this.weights = raw.map((weight) => weight / total);
    this.instruments = listings.map((listing, index) => {
      const tradesPerSecond = options.eventsPerSecond * SHAPE.tradeShare * this.weights[index]!;
      return makeInstrument(listing, index, tradesPerSecond, options.seed);
    });
    this.indices = INDICES.map((listing, index) => {
      const held = this.instruments.filter((instrument) =>
        listing.holds(instrument.listing, instrument.character.index),
      );
      const members = held.length > 0 ? held : this.instruments;
      return new Index(
        listing,
        {
          index,
          symbol: listing.symbol,
          basePrice: listing.level,
          ticksPerUnit: 100,
          dailyVolatility: 0.009 * Math.max(1, Math.abs(listing.beta)),
          tradesPerSecond: 0,
          sharesPerTrade: 0,
        },
        // Large prices count for no more than others: each member counts by its rank.
        members.map((instrument) => ({
          instrument,
          weight: 1 / instrument.listing.price / (instrument.character.index + 10),
        })),
      );
    });
    this.#instruments = new Map(this.instruments.map((instrument) => [instrument.symbol, instrument]));
    this.#indices = new Map(this.indices.map((index) => [index.symbol, index]));
    for (const item of [...this.instruments, ...this.indices]) this.#takeUp(item);
    for (const index of this.indices) {
      index.divisor = index.meanOfMembers();
      index.base = index.value;
    }
  }

  findInstrument(symbol: string): Instrument | undefined {
    return this.#instruments.get(symbol);
  }

  find(symbol: string): Instrument | Index | undefined {
    return this.#instruments.get(symbol) ?? this.#indices.get(symbol);
  }

  /** Minute bars that begin in `[from, to]`, of the past and of the tape, made as they are read. */
  *minutesBetween(item: Instrument | Index, from: number, to: number, order: 'asc' | 'desc'): Generator<PastBar> {
    const within = (bar: PastBar): boolean => bar.start >= from && bar.start <= to;
    const ofTape = [...item.minutes, ...(item.minute.exists ? [freezeBar(item.minute)] : [])].filter(within);
    if (order === 'desc') yield* ofTape.toReversed();
    const days: TradingDay[] = [];
    const oldest = Math.max(from, this.#oldestTime());
    for (let time = Math.min(to, this.beganAt - 1); time >= oldest; time = days.at(-1)!.resetsAt - 1) {
      days.push(this.schedule.dayAt(time));
    }
    if (order === 'asc') days.reverse();
    for (const day of days) {
      const ofDay = this.history.minutesOf(item.character, day, this.beganAt).filter(within);
      yield* order === 'asc' ? ofDay : ofDay.reverse();
    }
    if (order === 'asc') yield* ofTape;
  }

  /** Day bars of the dates in `[from, to]`, oldest first; the current day's as it stands. `start` is midnight in New York. */
  daysBetween(item: Instrument | Index, from: number, to: number, now: number): PastBar[] {
    const bars: PastBar[] = [];
    const today = this.schedule.dayAt(now);
    if (item.day.exists && today.midnight >= from && today.midnight <= to) {
      bars.push({ ...freezeBar(item.day), start: today.midnight });
    }
    const oldest = Math.max(from, this.#oldestTime());
    let day = this.schedule.dayBefore(today);
    while (day.midnight >= oldest) {
      const { midnight } = day;
      if (midnight <= to) {
        const bar =
          item.days.find((finished) => finished.start === midnight) ?? this.history.dayBarOf(item.character, day);
        if (bar !== null) bars.push(bar);
      }
      day = this.schedule.dayBefore(day);
    }
    return bars.reverse();
  }

  #oldestTime(): number {
    return this.beganAt - HISTORY_DAYS * DAY_MS;
  }

  /** Puts a symbol where its history has led to. */
  #takeUp(item: Instrument | Index): void {
    const { history, schedule, beganAt } = this;
    const day = schedule.dayAt(beganAt);
    const sum = new DaySum(day);
    let last: PastBar | null = null;
    const price = history.walk(item.character, day, beganAt, (bar) => {
      sum.add(bar);
      last = bar;
    });
    item.readPreviousDay = () => history.dayBarOf(item.character, schedule.dayBefore(day));
    item.lastMinute = last;
    item.day.reset(day.midnight);
    Object.assign(item.day, sum.freeze());
    if (item instanceof Index) {
      item.value = price;
      item.time = beganAt;
      return;
    }
    item.officialOpen = item.day.open;
    item.fair = price;
    item.anchor = price;
    item.movedAt = beganAt;
    item.lastPrice = price;
    item.roundLot = roundLotOf(price);
  }
}

function makeInstrument(listing: Listing, index: number, tradesPerSecond: number, seed: number): Instrument {
  const chance = (hashText(listing.symbol) ^ seed) >>> 0;
  const spread = (chance % 1_000) / 1_000;
  const character: Character = {
    index,
    symbol: listing.symbol,
    basePrice: listing.price,
    ticksPerUnit: listing.price < 1 ? 10_000 : 100,
    dailyVolatility: listing.type === 'ETF' ? 0.006 + 0.006 * spread : 0.01 + 0.02 * spread,
    tradesPerSecond,
    sharesPerTrade: SHAPE.meanLots * roundLotOf(listing.price),
  };
  return new Instrument(listing, character, listing.type === 'ETF' ? 1 : 0.6 + spread);
}
