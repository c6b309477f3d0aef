/** What a trade may do to the figures of its symbol. */
export type Eligibility = {
  /** It sets the last price (the vendor's "open/close" rule). */
  readonly last: boolean;
  /** It can make a new high or low of the day. */
  readonly highLow: boolean;
  /** Its size is added to the day's volume. */
  readonly volume: boolean;
};

/** One sale condition, as the SIPs define it and the upstream numbers it. Quote conditions are another numbering. */
export type Condition = {
  readonly id: number;
  readonly name: string;
  /** The letter on CTA's tape (A and B) and on UTP's (C). Shared letters exist: never key on them. */
  readonly cta: string | null;
  readonly utp: string | null;
  /** What it lets a trade do to market-wide figures; `null`: it has no say (it only describes). */
  readonly consolidated: Eligibility | null;
  /** The same for the figures of the market centre that reports it. */
  readonly marketCenter: Eligibility | null;
  /** No longer sent; met in recordings. */
  readonly legacy: boolean;
};

/** id, name, CTA letter, UTP letter, then high/low + last + volume as Y or N: consolidated, market centre; legacy. */
type Row = readonly [
  id: number,
  name: string,
  cta: string | null,
  utp: string | null,
  consolidated: string | null,
  marketCenter: string | null,
  legacy?: true,
];

// The vendor's own dump of 2026-08-10 (stocks, trades). 0 is how some older sources spell "no condition".
const ROWS: readonly Row[] = [
  [0, 'Regular Sale', null, null, 'YYY', 'YYY'],
  [1, 'Acquisition', null, 'A', 'YYY', 'YYY'],
  [2, 'Average Price Trade', 'B', 'W', 'NNY', 'NNY'],
  [3, 'Automatic Execution', 'E', null, 'YYY', 'YYY'],
  [4, 'Bunched Trade', null, 'B', 'YYY', 'YYY'],
  [5, 'Bunched Sold Trade', null, 'G', 'YNY', 'YNY'],
  [6, 'CAP Election', 'I', null, 'YYY', 'YYY', true],
  [7, 'Cash Sale', 'C', 'C', 'NNY', 'NNY'],
  [8, 'Closing Prints', null, '6', 'YYY', 'YYY'],
  [9, 'Cross Trade', 'X', 'X', 'YYY', 'YYY'],
  [10, 'Derivatively Priced', '4', '4', 'YNY', 'YNY'],
  [11, 'Distribution', null, 'D', 'YYY', 'YYY'],
  [12, 'Form T/Extended Hours', 'T', 'T', 'NNY', 'NNY'],
  [13, 'Extended Hours (Sold Out Of Sequence)', 'U', 'U', 'NNY', 'NNY'],
  [14, 'Intermarket Sweep', 'F', 'F', 'YYY', 'YYY'],
  [15, 'Market Center Official Close', 'M', 'M', 'NNN', 'YYN'],
  [16, 'Market Center Official Open', 'Q', 'Q', 'NNN', 'YNN'],
  [17, 'Market Center Opening Trade', 'O', null, 'YYY', 'YYY'],
  [18, 'Market Center Reopening Trade', '5', null, 'YYY', 'YYY'],
  [19, 'Market Center Closing Trade', '6', null, 'YYY', 'YYY'],
  [20, 'Next Day', 'N', 'N', 'NNY', 'NNY'],
  [21, 'Price Variation Trade', 'H', 'H', 'NNY', 'NNY'],
  [22, 'Prior Reference Price', 'P', 'P', 'YNY', 'YNY'],
  [23, 'Rule 155 Trade (AMEX)', 'K', 'K', 'YYY', 'YYY'],
  [24, 'Rule 127 (NYSE Only)', 'K', null, 'YYY', 'YYY'],
  [25, 'Opening Prints', null, 'O', 'YYY', 'YYY'],
  [27, 'Stopped Stock (Regular Trade)', null, '1', 'YYY', 'YYY', true],
  [28, 'Re-Opening Prints', null, '5', 'YYY', 'YYY'],
  [29, 'Seller', 'R', 'R', 'NNY', 'NNY'],
  [30, 'Sold Last', 'L', 'L', 'YYY', 'YYY'],
  [31, 'Sold Last and Stopped Stock', null, '2', 'YYY', 'YYY', true],
  [32, 'Sold (Out Of Sequence)', 'Z', 'Z', 'YNY', 'YNY'],
  [33, 'Sold (Out of Sequence) and Stopped Stock', null, '3', 'YNY', 'YNY', true],
  [34, 'Split Trade', null, 'S', 'YYY', 'YYY'],
  [35, 'Stock Option', null, 'V', 'YYY', 'YYY', true],
  [36, 'Yellow Flag Regular Trade', null, 'Y', 'YYY', 'YYY'],
  [37, 'Odd Lot Trade', 'I', 'I', 'NNY', 'NNY'],
  [38, 'Corrected Consolidated Close (per listing market)', '9', '9', 'YYN', 'NNN'],
  [41, 'Trade Thru Exempt', '1', 'X', 'YYY', 'YYY'],
  [52, 'Contingent Trade', 'V', 'V', 'NNY', 'NNY'],
  [53, 'Qualified Contingent Trade', '7', '7', 'NNY', 'NNY'],
  [55, 'Opening Reopening Trade Detail', 'G', null, 'YYY', 'YYY', true],
  [57, 'Short Sale Restriction Activated', 'A', null, null, null],
  [58, 'Short Sale Restriction Continued', 'C', null, null, null],
  [59, 'Short Sale Restriction Deactivated', 'D', null, null, null],
  [60, 'Short Sale Restriction In Effect', 'E', null, null, null],
  [62, 'Financial Status - Bankrupt', '1', null, null, null],
  [63, 'Financial Status - Deficient', '2', null, null, null],
  [64, 'Financial Status - Delinquent', '3', null, null, null],
  [65, 'Financial Status - Bankrupt and Deficient', '4', null, null, null],
  [66, 'Financial Status - Bankrupt and Delinquent', '5', null, null, null],
  [67, 'Financial Status - Deficient and Delinquent', '6', null, null, null],
  [68, 'Financial Status - Deficient, Delinquent, and Bankrupt', '7', null, null, null],
  [69, 'Financial Status - Liquidation', 'A', null, null, null],
  [70, 'Financial Status - Creations Suspended', '8', null, null, null],
  [71, 'Financial Status - Redemptions Suspended', '9', null, null, null],
];

const LAST = 1;
const HIGH_LOW = 2;
const VOLUME = 4;
const EVERYTHING = LAST | HIGH_LOW | VOLUME;

/** The eight possible answers, made once: judging a trade allocates nothing. */
const ANSWERS: readonly Eligibility[] = Array.from({ length: EVERYTHING + 1 }, (_, mask) =>
  Object.freeze({ last: (mask & LAST) !== 0, highLow: (mask & HIGH_LOW) !== 0, volume: (mask & VOLUME) !== 0 }),
);

// The modes of judging, to be added up.
const EXTENDED = 1;
const FIRST = 2;

const EXTENDED_HOURS_ID = 12;

/**
 * Out of sequence, derivatively priced, prior reference price: by the SIP plans these set the last price
 * only while the day has none yet. 5 is UTP's alone, the others are of both plans.
 */
const FIRST_ONLY_IDS: readonly number[] = [5, 10, 22, 32];

/** Ids index an array: one of an untrusted source may not size it at will. */
const HIGHEST_ID = 4095;

/**
 * The sale conditions by id, and what they let a trade do. Immutable: {@link ConditionTable.merge} makes another one.
 * The consolidated rules are applied, those of a market-wide last, high, low and volume.
 */
export class ConditionTable {
  readonly #byId: ReadonlyMap<number, Condition>;
  readonly #unknownAddsVolume: boolean;
  /** What each id leaves of `EVERYTHING`, by mode. */
  readonly #masks: readonly Uint8Array[];

  /**
   * @param conditions later ones replace earlier ones of the same id; ids are integers of 0 to 4095, others are left out
   * @param options `unknownAddsVolume` (default true): whether a trade with an id that is not in the table counts to
   * volume; it never sets last, high or low
   */
  constructor(conditions: Iterable<Condition>, options: { readonly unknownAddsVolume?: boolean } = {}) {
    const byId = new Map<number, Condition>();
    for (const condition of conditions) {
      if (Number.isInteger(condition.id) && condition.id >= 0 && condition.id <= HIGHEST_ID) {
        byId.set(condition.id, condition);
      }
    }
    this.#byId = byId;
    this.#unknownAddsVolume = options.unknownAddsVolume ?? true;
    const unknown = this.#unknownAddsVolume ? VOLUME : 0;
    const length = Math.max(-1, ...byId.keys()) + 1;
    this.#masks = Array.from({ length: 4 }, (_, mode) => {
      const masks = new Uint8Array(length).fill(unknown);
      for (const { id, consolidated } of byId.values()) masks[id] = toMask(consolidated);
      if (mode & EXTENDED && byId.has(EXTENDED_HOURS_ID)) masks[EXTENDED_HOURS_ID]! |= LAST;
      if (mode & FIRST) for (const id of FIRST_ONLY_IDS) if (byId.has(id)) masks[id]! |= LAST;
      return masks;
    });
  }

  /**
   * What a trade with these conditions may do: the least that any of them allows. No condition allows everything.
   *
   * @param extendedHours the trade is outside the regular session, and `last` is asked for the extended-hours last
   * price: condition 12, which every such trade carries, then does not keep it from being the last one. High and low
   * stay those of the regular session.
   * @param dayHasLast default true. `false`: no trade of the day has set the last price yet, so that one which may do
   * so only as the first (out of sequence, derivatively priced, prior reference price) does.
   */
  judge(conditions: readonly number[], extendedHours = false, dayHasLast = true): Eligibility {
    const masks = this.#masks[(extendedHours ? EXTENDED : 0) + (dayHasLast ? 0 : FIRST)]!;
    let mask = EVERYTHING;
    for (let index = 0; index < conditions.length; index += 1) {
      mask &= masks[conditions[index]!] ?? (this.#unknownAddsVolume ? VOLUME : 0);
    }
    return ANSWERS[mask]!;
  }

  find(id: number): Condition | undefined {
    return this.#byId.get(id);
  }

  /** Its name; an id that is not in the table is called by its number. */
  nameOf(id: number): string {
    return this.#byId.get(id)?.name ?? `Condition ${id}`;
  }

  /** A table in which these conditions replace those of the same id, and new ids are added. */
  merge(conditions: Iterable<Condition>): ConditionTable {
    return new ConditionTable([...this.#byId.values(), ...conditions], { unknownAddsVolume: this.#unknownAddsVolume });
  }

  /** All conditions of the table. */
  [Symbol.iterator](): IterableIterator<Condition> {
    return this.#byId.values();
  }
}

function toMask(rules: Eligibility | null): number {
  if (rules === null) return EVERYTHING;
  return (rules.last ? LAST : 0) | (rules.highLow ? HIGH_LOW : 0) | (rules.volume ? VOLUME : 0);
}

function toRules(flags: string | null): Eligibility | null {
  return flags === null ? null : { highLow: flags[0] === 'Y', last: flags[1] === 'Y', volume: flags[2] === 'Y' };
}

/** The table as the vendor published it. */
export const TRADE_CONDITIONS = new ConditionTable(
  ROWS.map(([id, name, cta, utp, consolidated, marketCenter, legacy = false]) => ({
    id,
    name,
    cta,
    utp,
    consolidated: toRules(consolidated),
    marketCenter: toRules(marketCenter),
    legacy,
  })),
);

/** {@link ConditionTable.judge} by the vendor's table. */
export function tradeEligibility(conditions: readonly number[], extendedHours = false, dayHasLast = true): Eligibility {
  return TRADE_CONDITIONS.judge(conditions, extendedHours, dayHasLast);
}
