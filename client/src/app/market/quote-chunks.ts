type Chunk = { readonly symbols: ReadonlySet<string> };

/**
 * How symbols are shared out over subscriptions of at most `max` each, disturbing what runs as little as may be: a chunk all of
 * whose symbols are wanted no more is ended, and new symbols make anew the chunk that has most room, without what it holds in vain.
 */
export function planChunks<T extends Chunk>(
  running: readonly T[],
  wanted: ReadonlySet<string>,
  max: number,
): { kept: T[]; opened: ReadonlySet<string>[] } {
  const held = new Set<string>();
  const useful = new Map<T, string[]>();
  for (const chunk of running) {
    const symbols = [...chunk.symbols].filter((symbol) => wanted.has(symbol) && !held.has(symbol));
    if (symbols.length === 0 || chunk.symbols.size > max) continue;
    for (const symbol of symbols) held.add(symbol);
    useful.set(chunk, symbols);
  }
  const fresh = [...wanted].filter((symbol) => !held.has(symbol));
  if (fresh.length === 0) return { kept: [...useful.keys()], opened: [] };

  // Only what is full goes untouched: a few symbols more never cost a subscription more, of which a connection has few.
  const roomy = [...useful].toSorted(([, a], [, b]) => a.length - b.length);
  const filled = new Set<T>();
  while (roomy.length > 0) {
    const [chunk, symbols] = roomy[0]!;
    if (symbols.length + fresh.length > max && filled.size > 0) break;
    if (symbols.length === max) break;
    roomy.shift();
    filled.add(chunk);
    fresh.unshift(...symbols);
  }
  const opened: ReadonlySet<string>[] = [];
  for (let start = 0; start < fresh.length; start += max) opened.push(new Set(fresh.slice(start, start + max)));
  return { kept: [...useful.keys()].filter((chunk) => !filled.has(chunk)), opened };
}
