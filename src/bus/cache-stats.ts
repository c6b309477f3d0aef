export type CacheStats = CacheCounts & {
  /** Hits of hits and misses, 0 to 1; 1 where nothing was asked. */
  readonly hitRate: number;
};

export type CacheCounts = {
  /** Ids answered without a load, "there is none" included. */
  hits: number;
  misses: number;
  staleServed: number;
  /** Ids loaded: many misses of one id at a time make one. */
  loads: number;
  loadFailures: number;
  /** Ids read from this process's memory because the store was out of reach. */
  fallbackReads: number;
  /** Entries in the store that could not be read; they count as misses. */
  undecodable: number;
};

/** What happened to each kind of data in the cache. */
export class CacheCounter {
  readonly #counts = new Map<string, CacheCounts>();

  constructor(kinds: readonly string[]) {
    for (const kind of kinds) this.#counts.set(kind, makeCounts());
  }

  /** The counts of one of the kinds, to be added to. */
  of(kind: string): CacheCounts {
    const counts = this.#counts.get(kind);
    if (counts === undefined) throw new Error(`the cache knows no kind "${kind}"`);
    return counts;
  }

  /** By kind, and the sum under `total`. */
  readStats(): Record<string, CacheStats> {
    const total = makeCounts();
    const stats: Record<string, CacheStats> = {};
    for (const [kind, counts] of this.#counts) {
      stats[kind] = withHitRate(counts);
      for (const name of Object.keys(total) as (keyof CacheCounts)[]) total[name] += counts[name];
    }
    return { ...stats, total: withHitRate(total) };
  }
}

function makeCounts(): CacheCounts {
  return { hits: 0, misses: 0, staleServed: 0, loads: 0, loadFailures: 0, fallbackReads: 0, undecodable: 0 };
}

function withHitRate(counts: CacheCounts): CacheStats {
  const asked = counts.hits + counts.misses;
  return { ...counts, hitRate: asked === 0 ? 1 : counts.hits / asked };
}
