import type { LiveBar } from '../market/bar.ts';
import { changeSince, type BestBidOffer, type IndexValue, type Quote } from '../market/quote.ts';
import type { ReferenceBook } from '../market/reference-book.ts';
import type { Trade } from '../market/trade.ts';
import { DayVolume } from './day-volume.ts';

/** An event that is dated so far after its arrival is misdated. Taken for true, it would outdate all that follow it. */
const MAX_AHEAD_MS = 24 * 60 * 60 * 1_000;

/** What the fold must know of time: a look-up that is cheap enough for every event. */
export interface MarketTime {
  /** Whether the regular session is on at this time (Unix ms). */
  isRegular(timestamp: number): boolean;
  /** The trade date to which this time belongs, as a number that grows (20261120). */
  dayOf(timestamp: number): number;
}

/**
 * The state of one symbol, folded from its events in any order: the newest by the exchange's time wins. Mutable inside;
 * {@link QuoteFold.toQuote} makes the immutable quote, only when one is to be published. NaN stands for "not known", which
 * keeps every field a plain double.
 *
 * Each `fold…` returns whether anything that a reader can see has changed.
 */
export class QuoteFold {
  readonly symbol: string;
  readonly #time: MarketTime;
  readonly #reference: ReferenceBook;
  readonly #volume = new DayVolume();
  #price = NaN;
  #priceTime = NaN;
  /** The last price by the rules of the regular session: at the day's end the official close. */
  #officialPrice = NaN;
  #officialTime = NaN;
  #bid = NaN;
  #bidSize = NaN;
  #ask = NaN;
  #askSize = NaN;
  #bboTime = NaN;
  #open = NaN;
  #openTime = NaN;
  #high = NaN;
  #low = NaN;
  #previousClose = NaN;
  #timestamp = NaN;
  #receivedAt = NaN;
  /** The trade date of the day's figures; 0 before the first event. */
  #day = 0;
  #dayHasLast = false;
  /** Whether the day's figures are whole: a snapshot was read, or the day was watched from its begin. */
  #dayIsWhole = false;
  /** Prints (values of an index) come: the closes of bars then have nothing to add. */
  #hasTicks = false;

  constructor(symbol: string, time: MarketTime, reference: ReferenceBook) {
    this.symbol = symbol;
    this.#time = time;
    this.#reference = reference;
  }

  foldTrade(trade: Trade): boolean {
    const { timestamp, price } = trade;
    if (timestamp > trade.receivedAt + MAX_AHEAD_MS || !this.#enterDay(this.#time.dayOf(timestamp))) return false;
    this.#hasTicks = true;
    const isRegular = this.#time.isRegular(timestamp);
    const { conditions } = this.#reference;
    const may = conditions.judge(trade.conditions, !isRegular, this.#dayHasLast);
    let changed = false;
    if (may.volume && trade.size > 0) {
      this.#volume.add(timestamp, trade.size, price);
      changed = true;
    }
    if (may.highLow) changed = this.#widen(price) || changed;
    if (may.last) {
      // One that may be the last only as the day's first gives way to any other, also to an earlier one that comes late.
      const isLast = this.#dayHasLast || conditions.judge(trade.conditions, !isRegular).last;
      this.#dayHasLast = true;
      if (!(timestamp < this.#priceTime)) {
        this.#price = price;
        if (isLast) this.#priceTime = timestamp;
        changed = true;
      }
      if (isLast && isRegular) changed = this.#setOpen(price, timestamp) || changed;
      if (isLast && (isRegular || conditions.judge(trade.conditions).last)) this.#setOfficial(price, timestamp);
    }
    if (changed) this.#touch(timestamp, trade.receivedAt);
    return changed;
  }

  foldBestBidOffer(bbo: BestBidOffer): boolean {
    if (bbo.timestamp < this.#bboTime || bbo.timestamp > bbo.receivedAt + MAX_AHEAD_MS) return false;
    this.#bid = toNumber(bbo.bid);
    this.#bidSize = toNumber(bbo.bidSize);
    this.#ask = toNumber(bbo.ask);
    this.#askSize = toNumber(bbo.askSize);
    this.#bboTime = bbo.timestamp;
    this.#touch(bbo.timestamp, bbo.receivedAt);
    return true;
  }

  foldIndexValue(event: IndexValue): boolean {
    const { timestamp, value } = event;
    if (timestamp > event.receivedAt + MAX_AHEAD_MS || !this.#enterDay(this.#time.dayOf(timestamp))) return false;
    this.#hasTicks = true;
    let changed = this.#widen(value);
    if (!(timestamp < this.#priceTime)) {
      this.#price = value;
      this.#priceTime = timestamp;
      changed = true;
    }
    this.#dayHasLast = true;
    if (this.#time.isRegular(timestamp)) {
      changed = this.#setOpen(value, timestamp) || changed;
      this.#setOfficial(value, timestamp);
    }
    if (changed) this.#touch(timestamp, event.receivedAt);
    return changed;
  }

  /** Takes the day's figures from a bar; its close too, where no prints come (a plan that has bars alone). */
  foldBar(bar: LiveBar): boolean {
    if (bar.start > bar.receivedAt + MAX_AHEAD_MS || !this.#enterDay(this.#time.dayOf(bar.start))) return false;
    let changed = false;
    if (bar.dayOpen !== null && bar.dayOpen !== this.#open) {
      this.#open = bar.dayOpen;
      changed = true;
    }
    // The official opening price stands whatever print was first.
    if (bar.dayOpen !== null) this.#openTime = -Infinity;
    if (bar.dayVolume !== null) {
      const { volume, vwap } = this.#volume;
      if (this.#volume.rebase(bar.end, bar.dayVolume, bar.dayVwap, 'bar')) {
        changed = this.#volume.volume !== volume || !Object.is(this.#volume.vwap, vwap) || changed;
      }
    }
    if (!this.#hasTicks) {
      changed = this.#widen(bar.high) || changed;
      changed = this.#widen(bar.low) || changed;
      if (!(bar.end - 1 < this.#priceTime)) {
        this.#price = bar.close;
        this.#priceTime = bar.end - 1;
        this.#dayHasLast = true;
        if (this.#time.isRegular(bar.start)) this.#setOfficial(bar.close, bar.end - 1);
        changed = true;
      }
    }
    if (changed) this.#touch(bar.end - 1, bar.receivedAt);
    return changed;
  }

  /** From now on times are kept to the millisecond, because a snapshot was asked for and will be set among the events. */
  expectSeed(): void {
    this.#volume.setGranularity(1);
  }

  /**
   * Sets a snapshot of the upstream under the events: what they brought since its time stays.
   *
   * @param seed `null`: the upstream knows nothing of the symbol, so that what was seen is all there is
   */
  applySeed(seed: Quote | null): boolean {
    this.#volume.setGranularity(1000);
    if (seed === null) {
      this.#dayIsWhole = true;
      this.#volume.assumeWhole();
      return true;
    }
    const { timestamp } = seed;
    const day = this.#time.dayOf(timestamp);
    if (day >= this.#day) {
      this.#enterDay(day);
      if (seed.previousClose !== null) this.#previousClose = seed.previousClose;
      if (seed.open !== null) {
        this.#open = seed.open;
        this.#openTime = -Infinity;
      }
      if (seed.high !== null) this.#widen(seed.high);
      if (seed.low !== null) this.#widen(seed.low);
      this.#volume.rebase(timestamp + 1, seed.volume, seed.vwap, 'snapshot');
      this.#dayIsWhole = true;
    } else if (seed.volume === 0) {
      // The upstream has cleared the day, and the symbol was not traded yet.
      if (seed.previousClose !== null) this.#previousClose = seed.previousClose;
      this.#dayIsWhole = true;
    }
    if (!(timestamp <= this.#priceTime)) {
      this.#price = seed.price;
      this.#priceTime = timestamp;
      if (day === this.#day) this.#dayHasLast = true;
      if (this.#time.isRegular(timestamp)) this.#setOfficial(seed.price, timestamp);
    }
    if ((seed.bid !== null || seed.ask !== null) && !(timestamp <= this.#bboTime)) {
      this.#bid = toNumber(seed.bid);
      this.#bidSize = toNumber(seed.bidSize);
      this.#ask = toNumber(seed.ask);
      this.#askSize = toNumber(seed.askSize);
      this.#bboTime = timestamp;
    }
    this.#touch(timestamp, seed.receivedAt);
    return true;
  }

  /** Begins the trade date `day`, if it is a newer one: the day's figures are empty, the official close is the previous one. */
  rollTo(day: number): boolean {
    if (this.#day === 0 || day <= this.#day) return false;
    this.#enterDay(day);
    return true;
  }

  /** The whole quote as it is now, or `null` while no price is known. */
  toQuote(): Quote | null {
    if (Number.isNaN(this.#price)) return null;
    const previousClose = toNull(this.#previousClose);
    const { change, changePercent } = changeSince(this.#price, previousClose);
    return {
      symbol: this.symbol,
      price: this.#price,
      change,
      changePercent,
      bid: toNull(this.#bid),
      bidSize: toNull(this.#bidSize),
      ask: toNull(this.#ask),
      askSize: toNull(this.#askSize),
      open: this.#dayIsWhole || this.#openTime === -Infinity ? toNull(this.#open) : null,
      high: this.#dayIsWhole ? toNull(this.#high) : null,
      low: this.#dayIsWhole ? toNull(this.#low) : null,
      previousClose,
      vwap: toNull(this.#volume.vwap),
      volume: this.#volume.volume,
      timestamp: this.#timestamp,
      receivedAt: this.#receivedAt,
    };
  }

  /** Whether an event of this day belongs to the day's figures; a newer day begins with its first event. */
  #enterDay(day: number): boolean {
    if (day <= this.#day) return day === this.#day;
    if (this.#day !== 0) {
      this.#previousClose = this.#officialPrice;
      this.#open = NaN;
      this.#openTime = NaN;
      this.#high = NaN;
      this.#low = NaN;
      this.#dayHasLast = false;
      this.#dayIsWhole = true;
      this.#volume.reset();
    }
    this.#day = day;
    return true;
  }

  #widen(price: number): boolean {
    const isHigher = !(price <= this.#high);
    const isLower = !(price >= this.#low);
    if (isHigher) this.#high = price;
    if (isLower) this.#low = price;
    return isHigher || isLower;
  }

  /** The earliest eligible print of the regular session, until the upstream tells the official one. */
  #setOpen(price: number, timestamp: number): boolean {
    if (timestamp >= this.#openTime) return false;
    this.#open = price;
    this.#openTime = timestamp;
    return true;
  }

  #setOfficial(price: number, timestamp: number): void {
    if (timestamp < this.#officialTime) return;
    this.#officialPrice = price;
    this.#officialTime = timestamp;
  }

  #touch(timestamp: number, receivedAt: number): void {
    if (timestamp < this.#timestamp) return;
    this.#timestamp = timestamp;
    this.#receivedAt = receivedAt;
  }
}

function toNumber(value: number | null): number {
  return value === null ? NaN : value;
}

function toNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
