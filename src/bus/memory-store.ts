import { LRUCache } from 'lru-cache';
import type { Store } from './store.ts';

export type MemoryStoreOptions = {
  /** Bound by number; the least recently used go first. Default 50,000. */
  readonly maxEntries?: number;
  /** Bound by the size of keys and values in UTF-16, 2 bytes a character. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Unix ms. Default `Date.now`. */
  readonly clock?: () => number;
};

/** A store in this process's memory. Its methods never reject. */
export function createMemoryStore(options: MemoryStoreOptions = {}): Store {
  const entries = new LRUCache<string, string>({
    max: options.maxEntries ?? 50_000,
    maxSize: options.maxBytes ?? 64 * 1024 * 1024,
    sizeCalculation: (value, key) => (key.length + value.length) * 2,
    // A deadline per entry, looked at when it is read: no timers, and what is never read again leaves by its age of use.
    ttl: Number.MAX_SAFE_INTEGER,
    ttlResolution: 0,
    perf: { now: options.clock ?? Date.now },
  });
  return {
    async read(keys) {
      return keys.map((key) => entries.get(key) ?? null);
    },
    async write(writes) {
      for (const { key, value, ttlMs, expected } of writes) {
        if (expected !== undefined && (entries.peek(key) ?? null) !== expected) continue;
        entries.set(key, value, { ttl: ttlMs });
      }
    },
    async remove(keys) {
      for (const key of keys) entries.delete(key);
    },
    async removeByPrefix(prefix) {
      let removed = 0;
      for (const key of entries.keys().toArray()) if (key.startsWith(prefix) && entries.delete(key)) removed++;
      return removed;
    },
  };
}
