/** Who watches what: of so many symbols each client watches some. */
export type Watching = {
  readonly symbols: number;
  /** How many of them each client watches: one is its own, in turn; several are picked at random, the same in each run. */
  readonly watchlist: number;
  /** The number of the first one; default 0. */
  readonly first?: number;
  /** Where they are not those of the bench: all that there are. */
  readonly names?: readonly string[];
};

export function symbolName(index: number): string {
  return `SYM${index}`;
}

export function pickSymbols(client: number, { symbols, watchlist, first = 0, names }: Watching): string[] {
  const nameOf = (index: number): string => names?.[first + index] ?? symbolName(first + index);
  if (watchlist === 1) return [nameOf(client % symbols)];
  let state = (client * 2_654_435_761 + 12_345) >>> 0;
  const picked = new Set<number>();
  while (picked.size < Math.min(watchlist, symbols)) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    picked.add(Math.floor((state / 2 ** 32) * symbols));
  }
  return [...picked].map(nameOf);
}

/** How many clients an event reaches on average. */
export function audienceOf(clients: number, { symbols, watchlist }: Watching): number {
  return (clients * watchlist) / symbols;
}
