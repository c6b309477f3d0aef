/** One read asks for at most about so many keys; the bound of one client's question is half of it. */
const MAX_KEYS = 1000;

type Batch<V> = { readonly keys: Set<string>; readonly found: Promise<ReadonlyMap<string, V>> };

/** Gathers what is asked for in one turn of the event loop into one read. */
export class ReadBatch<V> {
  readonly #read: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>;
  #open: Batch<V> | null = null;

  constructor(read: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>) {
    this.#read = read;
  }

  async read(keys: readonly string[]): Promise<ReadonlyMap<string, V>> {
    const batch = (this.#open ??= this.#begin());
    for (const key of keys) batch.keys.add(key);
    if (batch.keys.size >= MAX_KEYS) this.#open = null;
    const isAlone = (): boolean => batch.keys.size === new Set(keys).size;
    return batch.found.catch((error: unknown) => {
      // Another's key may be the one that cannot be read.
      if (isAlone()) throw error;
      return this.#read(keys);
    });
  }

  #begin(): Batch<V> {
    const keys = new Set<string>();
    const found = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      if (this.#open?.keys === keys) this.#open = null;
      return this.#read([...keys]);
    });
    return { keys, found };
  }
}
