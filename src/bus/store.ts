/**
 * A key-value store with a deadline per key: what the cache stands on. Two implementations: redis-store.ts and memory-store.ts.
 * Values are JSON texts. Any method may reject where the store is out of reach.
 */
export interface Store {
  /** One round trip, whatever the number of keys; `null` where nothing is kept. */
  read(keys: readonly string[]): Promise<(string | null)[]>;
  /** One round trip. `ttlMs` counts from now. */
  write(entries: readonly { readonly key: string; readonly value: string; readonly ttlMs: number }[]): Promise<void>;
  remove(keys: readonly string[]): Promise<void>;
  /** Removes all keys that begin with `prefix`; found by SCAN, never KEYS. Returns how many. */
  removeByPrefix(prefix: string): Promise<number>;
}
