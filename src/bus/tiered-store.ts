import type { Logger } from '../market/logger.ts';
import type { Store, StoreEntry } from './store.ts';

/** What a read brought, and whether it came from the fallback. */
export type TieredRead = { readonly texts: (string | null)[]; readonly fellBack: boolean };

/** Removals that could not be made at the primary are remembered up to this number; beyond it all of the cache goes. */
const MAX_OWED_REMOVALS = 1_000;

type Removal = { readonly keys: readonly string[] } | { readonly prefix: string };

/**
 * A shared store with a store of this process behind it, for the time when the shared one is out of reach. What this process
 * reads and writes is kept in both, so that the fallback is warm. On return the shared store alone answers again; what was
 * removed meanwhile is removed there first, and what was written meanwhile is not carried over: others may know better.
 */
export class TieredStore {
  readonly #primary: Store;
  readonly #fallback: Store | null;
  readonly #rootPrefix: string;
  readonly #logger: Logger;
  #owed: Removal[] = [];
  #away = false;

  /** `rootPrefix`: what all keys of the cache begin with. Without a fallback the primary has to be one that never rejects. */
  constructor(primary: Store, fallback: Store | null, rootPrefix: string, logger: Logger) {
    this.#primary = primary;
    this.#fallback = fallback;
    this.#rootPrefix = rootPrefix;
    this.#logger = logger;
  }

  /** `hints` are read along, but neither kept in the fallback nor looked for in it: they hold good only where they are shared. */
  async read(keys: readonly string[], hints: readonly string[], keepMs: (key: string) => number): Promise<TieredRead> {
    if (this.#fallback === null) return { texts: await this.#primary.read([...keys, ...hints]), fellBack: false };
    try {
      await this.#payOwed();
      const texts = await this.#primary.read([...keys, ...hints]);
      this.#tellReturn();
      const copies: StoreEntry[] = [];
      for (const [index, key] of keys.entries()) {
        const text = texts[index] ?? null;
        if (text !== null) copies.push({ key, value: text, ttlMs: keepMs(key) });
      }
      await this.#fallback.write(copies);
      return { texts, fellBack: false };
    } catch (error) {
      this.#tellAway(error);
      const texts = await this.#fallback.read(keys);
      return { texts: [...texts, ...hints.map(() => null)], fellBack: true };
    }
  }

  async write(entries: readonly StoreEntry[]): Promise<void> {
    await this.#fallback?.write(entries.map(({ key, value, ttlMs }) => ({ key, value, ttlMs })));
    await this.#atPrimary(() => this.#primary.write(entries));
  }

  async remove(keys: readonly string[]): Promise<void> {
    await this.#fallback?.remove(keys);
    if (!(await this.#atPrimary(() => this.#primary.remove(keys)))) this.#owe({ keys });
  }

  async removeByPrefix(prefix: string): Promise<number> {
    let removed = (await this.#fallback?.removeByPrefix(prefix)) ?? 0;
    const done = await this.#atPrimary(async () => {
      removed = await this.#primary.removeByPrefix(prefix);
    });
    if (!done) this.#owe({ prefix });
    return removed;
  }

  async #atPrimary(act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      if (this.#fallback === null) throw error;
      this.#tellAway(error);
      return false;
    }
  }

  #owe(removal: Removal): void {
    if (this.#owed.length >= MAX_OWED_REMOVALS) this.#owed = [{ prefix: this.#rootPrefix }];
    else this.#owed.push(removal);
  }

  async #payOwed(): Promise<void> {
    while (this.#owed.length > 0) {
      const [removal] = this.#owed;
      if ('keys' in removal!) await this.#primary.remove(removal.keys);
      else await this.#primary.removeByPrefix(removal!.prefix);
      if (this.#owed[0] === removal) this.#owed.shift();
    }
  }

  #tellAway(error: unknown): void {
    if (this.#away) return;
    this.#away = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.warn({ reason }, 'the cache falls back to the memory of this process');
  }

  #tellReturn(): void {
    if (!this.#away) return;
    this.#away = false;
    this.#logger.info({}, 'the cache is shared again');
  }
}
