import { OFF_EXCHANGE_ID } from '../../market/exchanges.ts';
import { MICROS_PER_SHARE } from './bar-window.ts';
import type { ConditionSet, ConditionSets } from './condition-set.ts';
import type { Instrument } from './instrument.ts';
import { PRIMARY_EXCHANGE } from './listings.ts';
import type { Print } from './print-log.ts';
import { WeightedChoice } from './random.ts';
import type { Random } from './random.ts';
import { EXCHANGE_SHARES, RARE_CONDITIONS, ROUND_LOTS, SHAPE, TRF_SHARES, roundLotOf } from './tape-shape.ts';

/** A price forgets half of its way from the anchor in about an hour. */
const REVERSION_PER_SECOND = 1 / 5_000;
const SECONDS_PER_SESSION = 23_400;

const NYSE_ID = 10;
const RARE_SHARE = RARE_CONDITIONS.reduce((sum, [, share]) => sum + share, 0);

// What the conditions of an ordinary print are made of, as bits of an index.
const EXTENDED = 1;
const SWEEP = 2;
const ODD_LOT = 4;
const TRADE_THRU = 8;

/** Draws quotes and prints of one symbol at a time from its current state. */
export class OrderFlow {
  readonly #random: Random;
  readonly #sets: ConditionSets;
  readonly #ordinarySets: readonly ConditionSet[];
  readonly #exchanges: readonly WeightedChoice[];
  readonly #facilities = new WeightedChoice(TRF_SHARES.map(([, share]) => share));
  readonly #lots = new WeightedChoice(ROUND_LOTS.map(([, share]) => share));
  readonly #rare = new WeightedChoice(RARE_CONDITIONS.map(([, share]) => share));
  /** Of trades and of quotes, by tape. */
  readonly #sequences = { trade: [0, 0, 0, 0], quote: [0, 0, 0, 0] };

  constructor(random: Random, sets: ConditionSets) {
    this.#random = random;
    this.#sets = sets;
    this.#ordinarySets = Array.from({ length: 16 }, (_, bits) =>
      sets.intern([
        ...(bits & EXTENDED ? [12] : []),
        ...(bits & SWEEP ? [14] : []),
        ...(bits & ODD_LOT ? [37] : []),
        ...(bits & TRADE_THRU ? [41] : []),
      ]),
    );
    // The counted stock is listed at NYSE. Elsewhere NYSE's own share goes, for the most part, to the listing exchange.
    this.#exchanges = (['A', 'B', 'C'] as const).map((tape) => {
      const primary = PRIMARY_EXCHANGE[tape].id;
      return new WeightedChoice(
        EXCHANGE_SHARES.map(([exchange, share]) => {
          if (tape === 'A') return share;
          if (exchange === NYSE_ID) return share * 0.15;
          return exchange === primary ? share + 0.1456 * 0.85 : share;
        }),
      );
    });
  }

  /** @param start where the day's numbering is, so that a tape that starts anew does not repeat numbers */
  resetSequences(start: number): void {
    this.#sequences.trade.fill(start);
    this.#sequences.quote.fill(start);
  }

  nextSequence(kind: 'trade' | 'quote', instrument: Instrument): number {
    const sequences = this.#sequences[kind];
    const hole = this.#random.next() < 0.3 ? this.#random.below(4) : 0;
    return (sequences[instrument.tapeNumber]! += 1 + hole);
  }

  /** Lets time pass for the unseen price: the market's move, its own, and the pull towards the anchor. */
  moveFair(instrument: Instrument, time: number, market: number): void {
    const seconds = Math.min(60, Math.max(0, (time - instrument.movedAt) / 1000));
    instrument.movedAt = time;
    const own = instrument.character.dailyVolatility * Math.sqrt(seconds / SECONDS_PER_SESSION) * this.#random.normal();
    const shared = instrument.marketBeta * (market - instrument.seenMarket);
    instrument.seenMarket = market;
    const pull = (instrument.anchor / instrument.fair - 1) * REVERSION_PER_SECOND * seconds;
    instrument.fair = Math.max(2 / instrument.character.ticksPerUnit, instrument.fair * (1 + own + shared + pull));
  }

  /** A new best bid and offer: around the fair price where that has left them, else other sizes. */
  requote(instrument: Instrument, time: number): void {
    const random = this.#random;
    const fair = instrument.fair * instrument.character.ticksPerUnit;
    const side = random.next();
    if (fair <= instrument.bidTicks || fair >= instrument.askTicks || side < 0.1) {
      const typical = typicalSpread(instrument);
      const spread = typical + (random.next() < 0.3 ? random.geometric(1 + typical / 2) : 0);
      instrument.bidTicks = Math.max(1, Math.floor(fair - spread / 2 + (random.next() - 0.5) * 0.6));
      instrument.askTicks = instrument.bidTicks + spread;
      instrument.bidSize = instrument.roundLot * random.geometric(2.5);
      instrument.askSize = instrument.roundLot * random.geometric(2.5);
      instrument.bidExchange = this.#drawExchange(instrument);
      instrument.askExchange = this.#drawExchange(instrument);
    } else if (side < 0.55) {
      instrument.bidSize = instrument.roundLot * random.geometric(3);
      instrument.bidExchange = this.#drawExchange(instrument);
    } else {
      instrument.askSize = instrument.roundLot * random.geometric(3);
      instrument.askExchange = this.#drawExchange(instrument);
    }
    instrument.quoteTime = Math.floor(time);
    instrument.quoteParticipantTime = instrument.quoteTime - (random.next() < 0.6 ? 0 : 1);
    instrument.quoteSequence = this.nextSequence('quote', instrument);
  }

  /** Where the fair price is new (the start, a reopening): what follows from it. */
  place(instrument: Instrument, time: number): void {
    instrument.roundLot = roundLotOf(instrument.fair);
    instrument.bidTicks = 0;
    instrument.askTicks = 0;
    this.requote(instrument, time);
  }

  /** One print; those of one sweep have one `time` and one `buyer`. */
  drawPrint(instrument: Instrument, time: number, buyer: boolean, extendedHours: boolean): Print {
    const random = this.#random;
    const offExchange = random.next() < SHAPE.offExchangeShare;
    const odd = random.next() < SHAPE.oddLotShare && (offExchange || instrument.roundLot > 1);
    const micros = odd ? this.#drawOddLot(instrument, offExchange) : this.#drawRoundLots(instrument);
    const sipTime = Math.floor(time);
    let set: ConditionSet;
    let away = false;
    if (offExchange && random.next() < RARE_SHARE / SHAPE.offExchangeShare) {
      const ids = RARE_CONDITIONS[this.#rare.draw(random)]![0];
      set = this.#sets.intern([...(extendedHours ? [12] : []), ...ids, ...(odd ? [37] : [])]);
      away = !set.day.highLow;
    } else {
      const sweep = !offExchange && random.next() < SHAPE.sweepShareOnExchange;
      const through = random.next() < (sweep ? SHAPE.tradeThruShareOfSweeps : SHAPE.tradeThruShareOfOthers);
      const bits =
        (extendedHours ? EXTENDED : 0) | (sweep ? SWEEP : 0) | (odd ? ODD_LOT : 0) | (through ? TRADE_THRU : 0);
      set = this.#ordinarySets[bits]!;
    }
    let participantTime = sipTime;
    let trf = 0;
    let trfTime = 0;
    if (offExchange) {
      const late = random.next() < SHAPE.lateReportShare;
      participantTime -= 1 + Math.floor(late ? random.next() * SHAPE.lateReportMs : random.exponential(6));
      trfTime = Math.max(participantTime, sipTime - (random.next() < 0.7 ? 0 : 1));
      trf = TRF_SHARES[this.#facilities.draw(random)]![0];
    } else if (random.next() < 0.5) {
      participantTime -= 1;
    }
    return {
      time: sipTime,
      nanos: 0,
      participantTime,
      trfTime,
      trf,
      price: away ? this.#drawPriceAway(instrument) : this.#drawPrice(instrument, buyer, offExchange),
      micros,
      exchange: offExchange ? OFF_EXCHANGE_ID : this.#drawExchange(instrument),
      conditionSet: set.index,
      sequence: this.nextSequence('trade', instrument),
      id: instrument.nextTradeId++,
    };
  }

  /** The print of an opening or closing auction, at the listing exchange. */
  drawCross(instrument: Instrument, time: number, conditions: readonly number[]): Print {
    const buyer = this.#random.next() < 0.5;
    const lots = 20 + this.#random.below(400);
    return {
      time: Math.floor(time),
      nanos: 0,
      participantTime: Math.floor(time),
      trfTime: 0,
      trf: 0,
      price: buyer ? instrument.ask : instrument.bid,
      micros: lots * instrument.roundLot * MICROS_PER_SHARE,
      exchange: PRIMARY_EXCHANGE[instrument.listing.tape].id,
      conditionSet: this.#sets.intern(conditions).index,
      sequence: this.nextSequence('trade', instrument),
      id: instrument.nextTradeId++,
    };
  }

  #drawExchange(instrument: Instrument): number {
    return EXCHANGE_SHARES[this.#exchanges[instrument.tapeNumber - 1]!.draw(this.#random)]![0];
  }

  #drawRoundLots(instrument: Instrument): number {
    const lots = ROUND_LOTS[this.#lots.draw(this.#random)]![0];
    const mixed = this.#random.next() < SHAPE.mixedLotShare ? this.#random.below(instrument.roundLot) : 0;
    return (lots * instrument.roundLot + mixed) * MICROS_PER_SHARE;
  }

  #drawOddLot(instrument: Instrument, offExchange: boolean): number {
    const random = this.#random;
    const { popular, other, popularRanks } = SHAPE.subShareOffExchange;
    const subShare = instrument.character.index < popularRanks ? popular : other;
    if (instrument.roundLot === 1 || (offExchange && random.next() < subShare / SHAPE.oddLotShare)) {
      return random.next() < 0.5 ? (1 + random.below(999)) * 1_000 : 1 + random.below(999_999);
    }
    const uniform = random.next();
    const shares = 1 + Math.floor((instrument.roundLot - 1) * uniform * uniform);
    const fraction = offExchange && random.next() < SHAPE.fractionalOddLotShare ? random.below(1_000) * 1_000 : 0;
    return shares * MICROS_PER_SHARE - fraction;
  }

  /** An average price, a price of before, part of a larger bargain: not of the present market. */
  #drawPriceAway(instrument: Instrument): number {
    return toFourDecimals(instrument.fair * (1 + 0.001 * this.#random.normal()));
  }

  #drawPrice(instrument: Instrument, buyer: boolean, offExchange: boolean): number {
    const random = this.#random;
    const touch = buyer ? instrument.ask : instrument.bid;
    const draw = random.next();
    if (!offExchange) {
      return draw < SHAPE.midpointShareOnExchange ? toFourDecimals((instrument.bid + instrument.ask) / 2) : touch;
    }
    if (draw < SHAPE.midpointShareOffExchange) return toFourDecimals((instrument.bid + instrument.ask) / 2);
    if (draw < SHAPE.midpointShareOffExchange + SHAPE.subPennyShareOffExchange && touch >= 1) {
      const improvement = (1 + random.below(49)) / 1e4;
      return toFourDecimals(buyer ? touch - improvement : touch + improvement);
    }
    return touch;
  }
}

function typicalSpread(instrument: Instrument): number {
  const { index, ticksPerUnit } = instrument.character;
  const basisPoints = 0.5 + Math.min(6, index / 80);
  return Math.max(1, Math.round((instrument.fair * basisPoints * ticksPerUnit) / 1e4));
}

function toFourDecimals(price: number): number {
  return Math.round(price * 1e4) / 1e4;
}
