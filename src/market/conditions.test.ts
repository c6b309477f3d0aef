import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { type Condition, ConditionTable, TRADE_CONDITIONS, tradeEligibility } from './conditions.ts';

// id | name | CTA | UTP | consolidated: high/low, open/close, volume | market centre: the same | legacy
const FACTS = `
1 | Acquisition | – | A | Y Y Y | Y Y Y |
2 | Average Price Trade | B | W | N N Y | N N Y |
3 | Automatic Execution | E | – | Y Y Y | Y Y Y |
4 | Bunched Trade | – | B | Y Y Y | Y Y Y |
5 | Bunched Sold Trade | – | G | Y N Y | Y N Y |
6 | CAP Election | I | – | Y Y Y | Y Y Y | legacy
7 | Cash Sale | C | C | N N Y | N N Y |
8 | Closing Prints | – | 6 | Y Y Y | Y Y Y |
9 | Cross Trade | X | X | Y Y Y | Y Y Y |
10 | Derivatively Priced | 4 | 4 | Y N Y | Y N Y |
11 | Distribution | – | D | Y Y Y | Y Y Y |
12 | Form T/Extended Hours | T | T | N N Y | N N Y |
13 | Extended Hours (Sold Out Of Sequence) | U | U | N N Y | N N Y |
14 | Intermarket Sweep | F | F | Y Y Y | Y Y Y |
15 | Market Center Official Close | M | M | N N N | Y Y N |
16 | Market Center Official Open | Q | Q | N N N | Y N N |
17 | Market Center Opening Trade | O | – | Y Y Y | Y Y Y |
18 | Market Center Reopening Trade | 5 | – | Y Y Y | Y Y Y |
19 | Market Center Closing Trade | 6 | – | Y Y Y | Y Y Y |
20 | Next Day | N | N | N N Y | N N Y |
21 | Price Variation Trade | H | H | N N Y | N N Y |
22 | Prior Reference Price | P | P | Y N Y | Y N Y |
23 | Rule 155 Trade (AMEX) | K | K | Y Y Y | Y Y Y |
24 | Rule 127 (NYSE Only) | K | – | Y Y Y | Y Y Y |
25 | Opening Prints | – | O | Y Y Y | Y Y Y |
27 | Stopped Stock (Regular Trade) | – | 1 | Y Y Y | Y Y Y | legacy
28 | Re-Opening Prints | – | 5 | Y Y Y | Y Y Y |
29 | Seller | R | R | N N Y | N N Y |
30 | Sold Last | L | L | Y Y Y | Y Y Y |
31 | Sold Last and Stopped Stock | – | 2 | Y Y Y | Y Y Y | legacy
32 | Sold (Out Of Sequence) | Z | Z | Y N Y | Y N Y |
33 | Sold (Out of Sequence) and Stopped Stock | – | 3 | Y N Y | Y N Y | legacy
34 | Split Trade | – | S | Y Y Y | Y Y Y |
35 | Stock Option | – | V | Y Y Y | Y Y Y | legacy
36 | Yellow Flag Regular Trade | – | Y | Y Y Y | Y Y Y |
37 | Odd Lot Trade | I | I | N N Y | N N Y |
38 | Corrected Consolidated Close (per listing market) | 9 | 9 | Y Y N | N N N |
41 | Trade Thru Exempt | 1 | X | Y Y Y | Y Y Y |
52 | Contingent Trade | V | V | N N Y | N N Y |
53 | Qualified Contingent Trade | 7 | 7 | N N Y | N N Y |
55 | Opening Reopening Trade Detail | G | – | Y Y Y | Y Y Y | legacy
57 | Short Sale Restriction Activated | A | – | – – – | – – – |
58 | Short Sale Restriction Continued | C | – | – – – | – – – |
59 | Short Sale Restriction Deactivated | D | – | – – – | – – – |
60 | Short Sale Restriction In Effect | E | – | – – – | – – – |
62 | Financial Status - Bankrupt | 1 | – | – – – | – – – |
63 | Financial Status - Deficient | 2 | – | – – – | – – – |
64 | Financial Status - Delinquent | 3 | – | – – – | – – – |
65 | Financial Status - Bankrupt and Deficient | 4 | – | – – – | – – – |
66 | Financial Status - Bankrupt and Delinquent | 5 | – | – – – | – – – |
67 | Financial Status - Deficient and Delinquent | 6 | – | – – – | – – – |
68 | Financial Status - Deficient, Delinquent, and Bankrupt | 7 | – | – – – | – – – |
69 | Financial Status - Liquidation | A | – | – – – | – – – |
70 | Financial Status - Creations Suspended | 8 | – | – – – | – – – |
71 | Financial Status - Redemptions Suspended | 9 | – | – – – | – – – |
`
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()));

const rulesOf = (flags: string) => {
  const [highLow, last, volume] = flags.split(' ');
  return highLow === '–' ? null : { highLow: highLow === 'Y', last: last === 'Y', volume: volume === 'Y' };
};

const letterOf = (cell: string) => (cell === '–' ? null : cell);

const EVERYTHING = { last: true, highLow: true, volume: true };

const ids = [...TRADE_CONDITIONS].map(({ id }) => id);
const idsWithout = (figure: 'last' | 'highLow' | 'volume') => ids.filter((id) => !tradeEligibility([id])[figure]);

describe('the table of sale conditions', () => {
  test.each(FACTS)('%s is "%s"', (id, name, cta, utp, consolidated, marketCenter, legacy) => {
    expect(TRADE_CONDITIONS.find(Number(id))).toEqual({
      id: Number(id),
      name,
      cta: letterOf(cta!),
      utp: letterOf(utp!),
      consolidated: rulesOf(consolidated!),
      marketCenter: rulesOf(marketCenter!),
      legacy: legacy === 'legacy',
    });
    expect(TRADE_CONDITIONS.nameOf(Number(id))).toBe(name);
    expect(tradeEligibility([Number(id)])).toEqual(rulesOf(consolidated!) ?? EVERYTHING);
  });

  it('has no condition beside these, except 0 for none', () => {
    expect(ids).toEqual([0, ...FACTS.map(([id]) => Number(id))]);
  });

  it('agrees with the vendor-neutral lists of what may not update what', () => {
    expect(idsWithout('last')).toEqual([2, 5, 7, 10, 12, 13, 15, 16, 20, 21, 22, 29, 32, 33, 37, 52, 53]);
    expect(idsWithout('highLow')).toEqual([2, 7, 12, 13, 15, 16, 20, 21, 29, 37, 52, 53]);
    expect(idsWithout('volume')).toEqual([15, 16, 38]);
  });

  it('calls an unknown id by its number', () => {
    expect(TRADE_CONDITIONS.nameOf(999)).toBe('Condition 999');
  });
});

describe('what a trade may do', () => {
  it('is everything for a regular sale, however it is written', () => {
    expect(tradeEligibility([])).toEqual(EVERYTHING);
    expect(tradeEligibility([0])).toEqual(EVERYTHING);
  });

  it('is the least that any of its conditions allows', () => {
    expect(tradeEligibility([14, 37, 41])).toEqual({ last: false, highLow: false, volume: true });
    expect(tradeEligibility([15, 10])).toEqual({ last: false, highLow: false, volume: false });
    expect(tradeEligibility([8, 9, 41])).toEqual(EVERYTHING);
    const id = fc.constantFrom(...ids, 777);
    fc.assert(
      fc.property(fc.array(id), fc.boolean(), fc.boolean(), (conditions, extendedHours, dayHasLast) => {
        const each = conditions.map((condition) => tradeEligibility([condition], extendedHours, dayHasLast));
        expect(tradeEligibility(conditions, extendedHours, dayHasLast)).toEqual({
          last: each.every(({ last }) => last),
          highLow: each.every(({ highLow }) => highLow),
          volume: each.every(({ volume }) => volume),
        });
      }),
    );
  });

  it('is not narrowed by a condition that only describes', () => {
    expect(tradeEligibility([60, 62])).toEqual(EVERYTHING);
  });

  it.each([999, 26, -1, 1.5, 1e12, NaN])('is volume alone where an id is unknown (%d)', (id) => {
    expect(tradeEligibility([id])).toEqual({ last: false, highLow: false, volume: true });
    const strict = new ConditionTable(TRADE_CONDITIONS, { unknownAddsVolume: false });
    expect(strict.judge([id])).toEqual({ last: false, highLow: false, volume: false });
    expect(strict.merge([]).judge([14, id])).toEqual({ last: false, highLow: false, volume: false });
  });

  it('sets the extended-hours last outside the regular session, and there only', () => {
    expect(tradeEligibility([12, 41], true)).toEqual({ last: true, highLow: false, volume: true });
    expect(tradeEligibility([12, 41], false).last).toBe(false);
    expect(tradeEligibility([12, 37], true).last).toBe(false);
    expect(tradeEligibility([13], true).last).toBe(false);
  });

  it.each([5, 10, 22, 32])('lets %i set the last price as the first of the day only', (id) => {
    expect(tradeEligibility([id], false, false).last).toBe(true);
    expect(tradeEligibility([id], false, true).last).toBe(false);
    expect(tradeEligibility([id, 37], false, false).last).toBe(false);
  });

  it('allocates nothing: the same answer is the same object', () => {
    expect(tradeEligibility([37])).toBe(tradeEligibility([2, 7]));
    expect(Object.isFrozen(tradeEligibility([]))).toBe(true);
  });
});

describe('a merged table', () => {
  const fresh: Condition = {
    id: 90,
    name: 'Overnight',
    cta: null,
    utp: null,
    consolidated: { last: true, highLow: false, volume: true },
    marketCenter: null,
    legacy: false,
  };

  it('replaces and adds, and leaves the one it came from as it was', () => {
    const priorReference = {
      ...TRADE_CONDITIONS.find(22)!,
      consolidated: { last: false, highLow: true, volume: false },
    };
    const merged = TRADE_CONDITIONS.merge([fresh, priorReference]);
    expect(merged.judge([90])).toEqual(fresh.consolidated);
    expect(merged.judge([22]).volume).toBe(false);
    expect(merged.judge([37])).toEqual(tradeEligibility([37]));
    expect(merged.nameOf(90)).toBe('Overnight');
    expect(TRADE_CONDITIONS.find(90)).toBeUndefined();
    expect(tradeEligibility([22]).volume).toBe(true);
  });

  it('leaves out ids that no tape has', () => {
    const merged = TRADE_CONDITIONS.merge([-1, 1.5, 4096, 1e9].map((id) => ({ ...fresh, id })));
    expect([...merged]).toEqual([...TRADE_CONDITIONS]);
  });

  it('may be empty', () => {
    expect(new ConditionTable([]).judge([])).toEqual(EVERYTHING);
    expect(new ConditionTable([]).judge([14])).toEqual({ last: false, highLow: false, volume: true });
  });
});
