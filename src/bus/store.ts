/**
 * A key-value store with a deadline per key: what the cache stands on. Two implementations: redis-store.ts and memory-store.ts.
 * Values are JSON texts. Any method may reject where the store is out of reach.
 */
export interface Store {
  /** One round trip, whatever the number of keys; `null` where nothing is kept. */
  read(keys: readonly string[]): Promise<(string | null)[]>;
  /** One round trip. */
  write(entries: readonly StoreEntry[]): Promise<void>;
  remove(keys: readonly string[]): Promise<void>;
  /** Removes all keys that begin with `prefix`; found by SCAN, never KEYS. Returns how many. */
  removeByPrefix(prefix: string): Promise<number>;
}

export type StoreEntry = {
  readonly key: string;
  readonly value: string;
  /** Counts from now. */
  readonly ttlMs: number;
  /**
   * What the writer read under this key before (`null`: nothing). The entry is written only where that still stands: of two
   * writers, the one that knew less loses. Absent: written in any case.
   */
  readonly expected?: string | null;
};
