import { tradeEligibility } from '../../market/conditions.ts';
import type { Eligibility } from '../../market/conditions.ts';

/** Form T: every trade outside the regular session has it, and the vendor's bars of those hours are built from them all the same. */
const EXTENDED_HOURS_ID = 12;
/** The closing cross belongs to the day's bar, but to none of its minutes. */
const CLOSING_CROSS_IDS: readonly number[] = [8, 19];

const NOTHING: Eligibility = Object.freeze({ last: false, highLow: false, volume: false });

/** A combination of sale conditions, judged and encoded once. */
export type ConditionSet = {
  readonly index: number;
  readonly ids: readonly number[];
  /** `,"c":[14,41]`, or nothing for a regular sale: the wire leaves the field out then. */
  readonly json: string;
  /** What a trade may do to the day's figures. */
  readonly day: Eligibility;
  /** What it may do to a second's and a minute's bar. */
  readonly bar: Eligibility;
};

/** Bound of the table: trades pushed by hand may bring any combination. Those beyond it count as regular. */
const MAX_SETS = 65_536;

export class ConditionSets {
  readonly #sets: ConditionSet[] = [];
  readonly #byKey = new Map<string, ConditionSet>();

  constructor() {
    this.intern([]);
  }

  intern(ids: readonly number[]): ConditionSet {
    const key = ids.join(',');
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    if (this.#sets.length >= MAX_SETS) return this.#sets[0]!;
    const set: ConditionSet = {
      index: this.#sets.length,
      ids: [...ids],
      json: ids.length === 0 ? '' : `,"c":[${key}]`,
      day: tradeEligibility(ids),
      bar: ids.some((id) => CLOSING_CROSS_IDS.includes(id))
        ? NOTHING
        : tradeEligibility(ids.filter((id) => id !== EXTENDED_HOURS_ID)),
    };
    this.#sets.push(set);
    this.#byKey.set(key, set);
    return set;
  }

  at(index: number): ConditionSet {
    return this.#sets[index] ?? this.#sets[0]!;
  }
}
