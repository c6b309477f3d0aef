/** What a symbol names, as far as a reader chooses by it. `OTHER`: warrants, units, notes and whatever else is listed. */
export type InstrumentKind = 'STOCK' | 'ETF' | 'INDEX' | 'OTHER';

/** One line of a directory of what can be asked for. */
export type Instrument = {
  readonly symbol: string;
  /** `null`: the upstream does not tell it. */
  readonly name: string | null;
  readonly kind: InstrumentKind;
};

/**
 * What somebody who typed `search` means first: the symbol itself, then symbols that begin so, then names that do, then the rest; among
 * equals the shorter symbol, then by the alphabet. Each symbol once.
 */
export function rankInstruments(found: readonly Instrument[], search: string): Instrument[] {
  const wanted = search.toUpperCase();
  const rankOf = ({ symbol, name }: Instrument): number => {
    if (symbol === wanted || symbol === `I:${wanted}`) return 0;
    if (symbol.startsWith(wanted)) return 1;
    return name?.toUpperCase().startsWith(wanted) === true ? 2 : 3;
  };
  return [...new Map(found.map((instrument) => [instrument.symbol, instrument])).values()].sort(
    (one, other) =>
      rankOf(one) - rankOf(other) ||
      one.symbol.length - other.symbol.length ||
      (one.symbol < other.symbol ? -1 : Number(one.symbol !== other.symbol)),
  );
}
