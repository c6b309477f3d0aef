import { freezeBar } from './bar-window.ts';
import type { BarWindow } from './bar-window.ts';
import { ConditionSets } from './condition-set.ts';
import type { ConditionSet } from './condition-set.ts';
import { EventQueue } from './event-queue.ts';
import type { Index, Instrument } from './instrument.ts';
import type { MarketState } from './market-state.ts';
import { OrderFlow } from './order-flow.ts';
import { Pace } from './pace.ts';
import { PrintLog } from './print-log.ts';
import type { Print } from './print-log.ts';
import { Random, WeightedChoice } from './random.ts';
import type { TradingDay } from './schedule.ts';
import { CLUSTERS, SHAPE, roundLotOf } from './tape-shape.ts';

/** Is told of every event in the order of the tape, while it happens: what it is given changes afterwards. */
export interface TapeListener {
  onPrint(instrument: Instrument, print: Print, conditions: ConditionSet): void;
  /** The instrument's best bid and offer have changed. */
  onQuote(instrument: Instrument): void;
  onBar(item: Instrument | Index, interval: 'A' | 'AM', bar: BarWindow): void;
  onBand(instrument: Instrument, time: number, indicator: number): void;
  onIndexValue(index: Index): void;
}

// What is scheduled: an item is instrument × 8 + kind.
const KINDS = 8;
const CLUSTER = 0;
const OPENING_CROSS = 1;
const OFFICIAL_OPEN = 2;
const CLOSING_CROSS = 3;
const OFFICIAL_CLOSE = 4;

// The vendor's nanoseconds are doubles, 256 apart: no two prints may round to the same, none to another millisecond.
const MIN_NANOS = 1_000;
const MAX_NANOS = 999_000;
const NANOS_BETWEEN_PRINTS = 600;

const QUEUE_CAPACITY = 131_072;
/** Finished minutes of a symbol that are kept: two days. The oldest half goes when they are full. */
const MAX_MINUTES = 2_880;
/** Finished seconds of an index that are kept: an hour. */
const MAX_INDEX_SECONDS = 3_600;
const MAX_DAYS = 730;

/** Of instruments, each half minute: those whose limit-up limit-down bands are sent. */
const BAND_SHARE = 0.1;

/**
 * The generated tape. It is a function of the seed, the time at which it began and the options: into what steps
 * {@link advance} cuts the time does not matter. Rates are of trades and quotes; bars, bands and index values come on top.
 */
export class Tape {
  readonly market: MarketState;
  readonly conditionSets = new ConditionSets();
  readonly prints: PrintLog;
  /** Unix ms up to which everything has happened. */
  time: number;
  readonly #generates: boolean;
  readonly #random: Random;
  readonly #flow: OrderFlow;
  readonly #pace: Pace;
  readonly #symbols: WeightedChoice;
  readonly #queue = new EventQueue(QUEUE_CAPACITY);
  readonly #clustersPerMs: number;
  #listener: TapeListener;
  #day: TradingDay;
  #nextSecond: number;
  #nextArrival = Infinity;
  #extendedHours = false;
  /** Instruments with a print in the current second, in the order of the first one. */
  readonly #active = new Set<Instrument>();

  constructor(options: {
    market: MarketState;
    seed: number;
    eventsPerSecond: number;
    /** `false`: nothing happens but what is pushed. */
    generates: boolean;
    /** Unix ms. */
    startAt: number;
    printCapacity: number;
    listener: TapeListener;
  }) {
    const { market } = options;
    this.market = market;
    this.time = Math.floor(options.startAt);
    this.prints = new PrintLog(market.instruments.length, options.printCapacity);
    this.#generates = options.generates;
    this.#listener = options.listener;
    this.#random = new Random(options.seed, this.time);
    this.#flow = new OrderFlow(this.#random, this.conditionSets);
    this.#pace = new Pace(this.#random, market.schedule);
    this.#symbols = new WeightedChoice(market.weights);
    this.#clustersPerMs = ((options.eventsPerSecond / CLUSTERS.meanEvents) * (1 - SHAPE.branching)) / 1000;
    this.#day = market.schedule.dayAt(this.time);
    this.#nextSecond = Math.floor(this.time / 1000) * 1000 + 1000;
    this.#begin();
  }

  set listener(listener: TapeListener) {
    this.#listener = listener;
  }

  get extendedHours(): boolean {
    return this.#extendedHours;
  }

  /** Lets everything happen that does before `to` (Unix ms). */
  advance(to: number): void {
    const end = Math.floor(to);
    for (;;) {
      const next = Math.min(this.#nextSecond, this.#nextArrival, this.#queue.nextTime);
      if (next >= end) break;
      this.time = next;
      if (next === this.#nextSecond) {
        this.#turnSecond(next);
        continue;
      }
      if (next === this.#nextArrival) {
        this.#cluster(this.market.instruments[this.#symbols.draw(this.#random)]!, next);
        this.#planArrival(next);
        continue;
      }
      this.#perform(this.#queue.pop(), next);
    }
    if (end > this.time) this.time = end;
  }

  /** Leaps over a time in which nobody looked (the machine slept): windows close, nothing is made up for it. */
  skipTo(time: number): void {
    this.advance(Math.min(this.#nextSecond + 1, time));
    this.#queue.clear();
    this.#nextSecond = Math.floor(time / 1000) * 1000;
    this.time = Math.max(this.time, this.#nextSecond);
    this.#turnSecond(this.#nextSecond);
  }

  /** Puts a print of other make on record, as if it had been on the tape. */
  record(instrument: Instrument, print: Print): void {
    this.#register(instrument, print, this.conditionSets.at(print.conditionSet));
  }

  #begin(): void {
    const msOfDay = this.time - this.#day.midnight;
    this.#flow.resetSequences(msOfDay * 128);
    for (const instrument of this.market.instruments) {
      instrument.nextTradeId = msOfDay * 10 + 1;
      this.#flow.place(instrument, this.time);
      // Each symbol begins with one regular print, so that there is a last trade to ask for.
      const print = this.#flow.drawCross(instrument, Math.min(this.time, this.#day.endsAt - 1), []);
      print.micros = instrument.roundLot * 1_000_000;
      if (this.market.schedule.sessionAt(print.time) === 'REGULAR') this.#register(instrument, print);
      else this.#remember(instrument, print);
    }
    this.#enterSession();
  }

  #turnSecond(time: number): void {
    this.#nextSecond = time + 1000;
    for (const instrument of this.#active) {
      if (instrument.second.exists) this.#listener.onBar(instrument, 'A', instrument.second);
      instrument.second.reset(time);
    }
    this.#active.clear();
    for (const index of this.market.indices) {
      if (index.second.exists) {
        this.#listener.onBar(index, 'A', index.second);
        index.seconds.push(freezeBar(index.second));
        if (index.seconds.length > MAX_INDEX_SECONDS) index.seconds.splice(0, MAX_INDEX_SECONDS / 2);
      }
      index.second.reset(time);
    }
    if (time % 60_000 === 0) this.#turnMinute(time);
    const day = this.market.schedule.dayAt(time);
    if (day.date !== this.#day.date) this.#turnDay(day);
    this.#enterSession();
    if (!this.#generates) return;
    this.#pace.turnSecond();
    this.#planArrival(time);
    // Indices are made of regular trades, and the bands hold for them.
    if (!this.#extendedHours) {
      this.#valueIndices(time);
      if (time % 30_000 === 0) this.#sendBands(time);
    }
  }

  #turnMinute(time: number): void {
    for (const item of [...this.market.instruments, ...this.market.indices]) {
      if (item.minute.exists) {
        this.#listener.onBar(item, 'AM', item.minute);
        item.lastMinute = freezeBar(item.minute);
        item.minutes.push(item.lastMinute);
        if (item.minutes.length > MAX_MINUTES) item.minutes.splice(0, MAX_MINUTES / 2);
      }
      item.minute.reset(time);
    }
  }

  #turnDay(day: TradingDay): void {
    for (const item of [...this.market.instruments, ...this.market.indices]) {
      if (item.day.exists) {
        const finished = { ...freezeBar(item.day), start: this.#day.midnight };
        item.readPreviousDay = () => finished;
        item.days.push(finished);
        if (item.days.length > MAX_DAYS) item.days.shift();
      }
      item.day.reset(day.midnight);
      if ('officialOpen' in item) {
        item.officialOpen = 0;
        item.anchor = item.fair;
        item.roundLot = roundLotOf(item.fair);
      }
    }
    this.#day = day;
    this.#flow.resetSequences(0);
  }

  /** Looks at the clock of the schedule; schedules the crosses when the regular session begins and when it ends. */
  #enterSession(): void {
    const time = this.#nextSecond - 1000;
    const session = this.market.schedule.sessionAt(time);
    this.#extendedHours = session !== 'REGULAR';
    if (!this.#generates || this.market.schedule.continuous) return;
    if (time === this.#day.opensAt || time === this.#day.closesAt) {
      const kind = time === this.#day.opensAt ? OPENING_CROSS : CLOSING_CROSS;
      for (const instrument of this.market.instruments) {
        this.#queue.push(time + this.#random.exponential(400), instrument.character.index * KINDS + kind);
      }
    }
  }

  #planArrival(time: number): void {
    const rate = this.#generates ? this.#clustersPerMs * this.#pace.rateAt(time, this.#day) : 0;
    this.#nextArrival = rate > 0 ? time + this.#random.exponential(1 / rate) : Infinity;
  }

  #perform(item: number, time: number): void {
    const instrument = this.market.instruments[Math.floor(item / KINDS)]!;
    const kind = item % KINDS;
    if (kind === CLUSTER) return this.#cluster(instrument, time);
    if (instrument.halted) return;
    if (kind === OPENING_CROSS || kind === CLOSING_CROSS) {
      const opening = kind === OPENING_CROSS;
      this.#flow.moveFair(instrument, time, this.#pace.market);
      this.#quote(instrument, time);
      const cross = this.#flow.drawCross(instrument, time, opening ? [17, 9, 41] : [8, 9, 41]);
      this.#print(instrument, cross);
      if (opening) instrument.officialOpen = cross.price;
      // The listing exchange repeats the cross as its official price about a millisecond later.
      this.#queue.push(time + 1, instrument.character.index * KINDS + (opening ? OFFICIAL_OPEN : OFFICIAL_CLOSE));
      return;
    }
    const cross = instrument.lastPrint!;
    const repeat = this.#flow.drawCross(instrument, time, kind === OFFICIAL_OPEN ? [16] : [15]);
    this.#print(instrument, { ...repeat, price: cross.price, micros: cross.micros });
  }

  /** What one reason to act brings about: quotes and prints of one symbol in the same millisecond. */
  #cluster(instrument: Instrument, time: number): void {
    const random = this.#random;
    if (random.next() < SHAPE.branching) {
      this.#queue.push(time + random.exponential(SHAPE.branchDelayMs), instrument.character.index * KINDS + CLUSTER);
    }
    if (instrument.halted) return;
    this.#flow.moveFair(instrument, time, this.#pace.market);
    this.#quote(instrument, time);
    if (random.next() >= CLUSTERS.tradeShare) {
      for (let more = random.geometric(SHAPE.quotesPerQuoteCluster) - 1; more > 0; more -= 1)
        this.#quote(instrument, time);
      return;
    }
    const mean = random.next() < SHAPE.largeSweepShare ? SHAPE.printsPerLargeSweep : CLUSTERS.printsPerSmall;
    const buyer = random.next() < 0.5;
    for (let count = random.geometric(mean); count > 0; count -= 1) {
      this.#print(instrument, this.#flow.drawPrint(instrument, time, buyer, this.#extendedHours));
    }
    for (let more = random.geometric(SHAPE.quotesPerTradeCluster) - 1; more > 0; more -= 1)
      this.#quote(instrument, time);
  }

  #quote(instrument: Instrument, time: number): void {
    this.#flow.requote(instrument, time);
    this.#listener.onQuote(instrument);
  }

  #print(instrument: Instrument, print: Print): void {
    const conditions = this.conditionSets.at(print.conditionSet);
    this.#register(instrument, print, conditions);
    this.#listener.onPrint(instrument, print, conditions);
  }

  #remember(instrument: Instrument, print: Print): void {
    const before = instrument.lastPrint;
    print.nanos =
      before !== null && before.time === print.time
        ? Math.min(MAX_NANOS, before.nanos + NANOS_BETWEEN_PRINTS)
        : MIN_NANOS + ((print.sequence * 7_919) % 400_000);
    instrument.lastPrint = print;
    this.prints.append(instrument.character.index, print);
  }

  #register(instrument: Instrument, print: Print, conditions = this.conditionSets.at(print.conditionSet)): void {
    this.#remember(instrument, print);
    const { second, minute, day } = instrument;
    if (!this.#active.has(instrument)) {
      this.#active.add(instrument);
      second.start = Math.floor(print.time / 1000) * 1000;
    }
    if (minute.start === 0) minute.start = Math.floor(print.time / 60_000) * 60_000;
    second.add(print.price, print.micros, conditions.bar);
    minute.add(print.price, print.micros, conditions.bar);
    day.add(print.price, print.micros, conditions.day);
    if (conditions.day.last) {
      instrument.lastPrice = print.price;
      if (instrument.officialOpen === 0) instrument.officialOpen = print.price;
    }
  }

  #valueIndices(time: number): void {
    for (const index of this.market.indices) {
      const value = index.compute();
      index.value = value;
      index.time = time;
      if (index.minute.start === 0) index.minute.start = Math.floor(time / 60_000) * 60_000;
      if (index.second.start === 0) index.second.start = time;
      index.second.addValue(value);
      index.minute.addValue(value);
      index.day.addValue(value);
      this.#listener.onIndexValue(index);
    }
  }

  #sendBands(time: number): void {
    for (const instrument of this.market.instruments) {
      if (!instrument.halted && this.#random.next() < BAND_SHARE) this.#listener.onBand(instrument, time, 16);
    }
  }
}
