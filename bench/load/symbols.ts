/** Who watches what: of so many symbols each client watches some. */
export type Watching = {
  readonly symbols: number;
  /** How many of them each client watches: one is its own, in turn; several are picked at random, the same in each run. */
  readonly watchlist: number;
};

export function symbolName(index: number): string {
  return `SYM${index}`;
}

export function pickSymbols(client: number, { symbols, watchlist }: Watching): string[] {
  if (watchlist === 1) return [symbolName(client % symbols)];
  let state = (client * 2_654_435_761 + 12_345) >>> 0;
  const picked = new Set<number>();
  while (picked.size < Math.min(watchlist, symbols)) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    picked.add(Math.floor((state / 2 ** 32) * symbols));
  }
  return [...picked].map(symbolName);
}

/** How many clients an event reaches on average. */
export function audienceOf(clients: number, { symbols, watchlist }: Watching): number {
  return (clients * watchlist) / symbols;
}
