import { shareOfMinute } from './history.ts';
import type { Random } from './random.ts';
import type { Schedule, TradingDay } from './schedule.ts';
import { EXTENDED_HOURS_ACTIVITY } from './tape-shape.ts';

/** How restless the whole market is: a factor of mean 1 that wanders from second to second. */
const RESTLESSNESS = { deviation: 0.3, memorySeconds: 30 };
const MARKET_DAILY_VOLATILITY = 0.009;
const SECONDS_PER_SESSION = 23_400;
/** The market as a whole returns to where it began in a few hours. */
const MARKET_REVERSION_PER_SECOND = 1 / 10_000;

/** What all symbols share: how lively the market is, and where it has gone as a whole. */
export class Pace {
  /** How far the market has gone since the tape began, as a share of its level. */
  market = 0;
  #restlessness = 0;
  readonly #random: Random;
  readonly #schedule: Schedule;

  constructor(random: Random, schedule: Schedule) {
    this.#random = random;
    this.#schedule = schedule;
  }

  /** To be called once a second. */
  turnSecond(): void {
    const { deviation, memorySeconds } = RESTLESSNESS;
    this.#restlessness +=
      -this.#restlessness / memorySeconds + deviation * Math.sqrt(2 / memorySeconds) * this.#random.normal();
    this.market +=
      (MARKET_DAILY_VOLATILITY / Math.sqrt(SECONDS_PER_SESSION)) * this.#random.normal() -
      this.market * MARKET_REVERSION_PER_SECOND;
  }

  /** Activity now against the average of the regular session; 0: closed. */
  rateAt(time: number, day: TradingDay): number {
    const { deviation } = RESTLESSNESS;
    return this.#sessionRate(time, day) * Math.exp(this.#restlessness - (deviation * deviation) / 2);
  }

  #sessionRate(time: number, { opensAt, closesAt }: TradingDay): number {
    if (this.#schedule.continuous) return 1;
    const session = this.#schedule.sessionAt(time);
    if (session === 'CLOSED') return 0;
    if (session !== 'REGULAR') return EXTENDED_HOURS_ACTIVITY;
    return shareOfMinute((time - opensAt) / 60_000, (closesAt - opensAt) / 60_000);
  }
}
