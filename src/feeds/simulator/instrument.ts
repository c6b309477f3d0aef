import { BarWindow } from './bar-window.ts';
import type { PastBar } from './bar-window.ts';
import type { IndexListing, Listing } from './listings.ts';
import type { Print } from './print-log.ts';

/** How a symbol's prices and volumes come about. */
export type Character = {
  /** Its number in the tape, from 0, the most active first. */
  readonly index: number;
  readonly symbol: string;
  /** USD or points, around which prices are made. */
  readonly basePrice: number;
  /** Prices are multiples of 1 / ticksPerUnit. */
  readonly ticksPerUnit: number;
  /** Standard deviation of a day's return. */
  readonly dailyVolatility: number;
  /** Expected trades a second in session; 0 for an index. */
  readonly tradesPerSecond: number;
  readonly sharesPerTrade: number;
};

/** A stock or fund and the current state of its market. */
export class Instrument {
  readonly listing: Listing;
  readonly character: Character;
  /** 1, 2, 3 on the wire for tapes A, B, C. */
  readonly tapeNumber: number;
  readonly marketBeta: number;

  // The unseen price that quotes and trades follow.
  fair = 0;
  /** Where it tends to return. */
  anchor = 0;
  movedAt = 0;
  seenMarket = 0;

  // The best bid and offer, in ticks; sizes in shares.
  bidTicks = 0;
  askTicks = 0;
  bidSize = 0;
  askSize = 0;
  bidExchange = 0;
  askExchange = 0;
  quoteTime = 0;
  quoteParticipantTime = 0;
  quoteSequence = 0;
  roundLot = 100;

  lastPrint: Print | null = null;
  /** The last trade that may set the last price, of any day. */
  lastPrice = 0;
  nextTradeId = 0;
  halted = false;

  readonly second = new BarWindow();
  readonly minute = new BarWindow();
  readonly day = new BarWindow();
  /** 0: not yet open today. */
  officialOpen = 0;
  /** Made when somebody asks: the days before of all that is listed would take a fifth of a second at the start. */
  readPreviousDay: () => PastBar | null = () => null;
  /** The last minute that had a bar. */
  lastMinute: PastBar | null = null;
  /** Finished minutes since the tape began, and days. */
  readonly minutes: PastBar[] = [];
  readonly days: PastBar[] = [];

  constructor(listing: Listing, character: Character, marketBeta: number) {
    this.listing = listing;
    this.character = character;
    this.marketBeta = marketBeta;
    this.tapeNumber = listing.tape === 'A' ? 1 : listing.tape === 'B' ? 2 : 3;
  }

  get symbol(): string {
    return this.listing.symbol;
  }

  get bid(): number {
    return this.bidTicks / this.character.ticksPerUnit;
  }

  get ask(): number {
    return this.askTicks / this.character.ticksPerUnit;
  }
}

/** An index and its current state. */
export class Index {
  readonly listing: IndexListing;
  readonly character: Character;
  readonly members: readonly { readonly instrument: Instrument; readonly weight: number }[];
  /** Weighted mean of the members at the time when `base` was its value. */
  divisor = 1;
  base = 0;
  value = 0;
  time = 0;

  readonly second = new BarWindow();
  readonly minute = new BarWindow();
  readonly day = new BarWindow();
  /** As an instrument's. */
  readPreviousDay: () => PastBar | null = () => null;
  lastMinute: PastBar | null = null;
  /** Its values leave no prints of which the bars of past seconds could be made. */
  readonly seconds: PastBar[] = [];
  readonly minutes: PastBar[] = [];
  readonly days: PastBar[] = [];

  constructor(listing: IndexListing, character: Character, members: Index['members']) {
    this.listing = listing;
    this.character = character;
    this.members = members;
  }

  get symbol(): string {
    return this.listing.symbol;
  }

  meanOfMembers(): number {
    let sum = 0;
    for (const { instrument, weight } of this.members) sum += instrument.fair * weight;
    return sum;
  }

  /** Its value by the members' prices now, on the grid of hundredths. */
  compute(): number {
    const change = this.meanOfMembers() / this.divisor - 1;
    return Math.max(1, Math.round(this.base * (1 + this.listing.beta * change) * 100)) / 100;
  }
}
