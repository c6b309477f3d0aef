import Big from 'big.js';

export type Holding = { readonly symbol: string; readonly marketValue: string };

export type Slice = {
  /** The symbol, or what it stands for. */
  readonly label: string;
  readonly kind: 'position' | 'rest' | 'cash';
  readonly value: string;
  /** Of the whole, in percent, 0 to 100. */
  readonly percent: number;
};

/** As many as there are colours that colour-blind eyes tell apart, beside those of the rest and of cash. */
const MAX_POSITIONS = 5;
/** Thinner than this, in percent, nobody sees it in the picture. */
const MIN_PERCENT = 1.5;

/** What the whole is made of: the largest positions, the small rest together, and the cash. Empty where there is nothing. */
export function allocate(positions: readonly Holding[], cash: string): Slice[] {
  const total = positions.reduce((sum, { marketValue }) => sum.plus(marketValue), new Big(cash));
  if (total.lte(0)) return [];
  const percentOf = (value: Big): number => Number(value.div(total).times(100).toFixed(4));
  const ranked = positions
    .map(({ symbol, marketValue }) => ({ symbol, value: new Big(marketValue) }))
    .filter(({ value }) => value.gt(0))
    .toSorted((a, b) => b.value.cmp(a.value) || (a.symbol < b.symbol ? -1 : 1));
  const shown = ranked.filter(({ value }, index) => index < MAX_POSITIONS && percentOf(value) >= MIN_PERCENT);
  const rest = ranked.slice(shown.length);
  const slices: Slice[] = shown.map(({ symbol, value }) => ({
    ...{ label: symbol, kind: 'position', value: value.toFixed() },
    percent: percentOf(value),
  }));
  if (rest.length > 0) {
    const value = rest.reduce((sum, position) => sum.plus(position.value), new Big(0));
    // One position is no group: it has a name.
    const label = rest.length === 1 ? rest[0]!.symbol : `${rest.length} others`;
    slices.push({ label, kind: 'rest', value: value.toFixed(), percent: percentOf(value) });
  }
  if (new Big(cash).gt(0)) {
    slices.push({ label: 'Cash', kind: 'cash', value: cash, percent: percentOf(new Big(cash)) });
  }
  return slices;
}

/** The picture in words. */
export function describeAllocation(slices: readonly Slice[]): string {
  return slices.map(({ label, percent }) => `${label} ${percent.toFixed(1)} %`).join(', ');
}
