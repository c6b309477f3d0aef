import { LRUCache } from 'lru-cache';
import type { Logger } from '../market/logger.ts';
import { SourceUnavailableError } from '../market/source.ts';
import type { CacheKind } from './cache-kinds.ts';
import { CacheCounter } from './cache-stats.ts';
import type { CacheStats } from './cache-stats.ts';
import type { Store, StoreEntry } from './store.ts';
import { TieredStore } from './tiered-store.ts';

type Kinds = Record<string, CacheKind<unknown>>;
type ValueOf<K> = K extends CacheKind<infer V> ? V : never;

/** `stale`: older than its kind allows, given because its source is out of reach. */
export type CacheAnswer<V> = { readonly value: V; readonly stale: boolean };

export type CacheReadOptions = {
  /**
   * Whether entries that some process keeps up to date count as fresh. To be `false` while nothing does (the feed is
   * away): then age alone decides. Default `true`.
   */
  readonly trustLive?: boolean;
  /** Told of each id without an answer, in the place of rejecting: the others are answered. */
  readonly onFailure?: (id: string, error: unknown) => void;
};

export interface Cache<K extends Kinds> {
  /**
   * The entries of the ids, in one round trip to the store; those that are missing or no longer fresh by one call of `load`.
   * An id without an answer is absent: there is none. While an id is being loaded, every other reader waits for that load.
   * Rejects with what `load` threw where an id has no answer for it; where that was a `SourceUnavailableError` and something
   * is kept, that is given as stale. After a failure an id is not loaded again for 1 s, or as long as the source asked for.
   */
  read<N extends keyof K & string>(
    kind: N,
    ids: readonly string[],
    load: (ids: string[]) => Promise<ReadonlyMap<string, ValueOf<K[N]>>>,
    options?: CacheReadOptions,
  ): Promise<Map<string, CacheAnswer<ValueOf<K[N]>>>>;

  /** Forgets entries, here and in the store; a load under way is not kept. */
  invalidate(kind: keyof K & string, ids: readonly string[]): Promise<void>;
  /** The same for all keys that begin with `prefix`, such as `cache:quote:`. Returns how many the store held. */
  invalidateByPrefix(prefix: string): Promise<number>;

  /** By kind, and of all kinds together under `total`. */
  readStats(): Readonly<Record<string, CacheStats>>;
}

export type CacheOptions<K extends Kinds> = {
  readonly store: Store;
  /** Takes the store's place while that is out of reach; none where the store is in this process anyway. */
  readonly fallback?: Store;
  readonly kinds: K;
  /** Unix ms. Default `Date.now`. */
  readonly clock?: () => number;
  /** Ms of a clock that never jumps, by which is waited. Default: `clock`. */
  readonly elapsed?: () => number;
  readonly logger: Logger;
};

const ROOT_PREFIX = 'cache:';
const COOL_DOWN_MS = 1_000;
const MAX_COOL_DOWN_MS = 60_000;
/** Bound of what is remembered of absent and of failing entries; the least recently used are forgotten. */
const MAX_REMEMBERED = 20_000;

export function createCache<K extends Kinds>(options: CacheOptions<K>): Cache<K> {
  return new ReadThroughCache(options);
}

/** What a load brought for one key. */
type Outcome = { readonly value: unknown } | 'absent' | { readonly error: unknown };
/** One key's load under way. `forgotten`: invalidated meanwhile, so that its result is not kept. */
type Load = { readonly outcome: Promise<Outcome>; forgotten: boolean };
/** By id. */
type Batch = Map<string, { readonly key: string; readonly started: Load }>;
type Found = { readonly value: unknown; readonly writtenAt: number };

class ReadThroughCache<K extends Kinds> implements Cache<K> {
  readonly #kinds: K;
  readonly #clock: () => number;
  readonly #elapsed: () => number;
  readonly #store: TieredStore;
  readonly #logger: Logger;
  readonly #counter: CacheCounter;
  readonly #loads = new Map<string, Load>();
  readonly #absentUntil = new LRUCache<string, number>({ max: MAX_REMEMBERED });
  readonly #coolDowns = new LRUCache<string, { until: number; error: unknown }>({ max: MAX_REMEMBERED });

  constructor(options: CacheOptions<K>) {
    this.#kinds = options.kinds;
    this.#clock = options.clock ?? Date.now;
    this.#elapsed = options.elapsed ?? this.#clock;
    this.#logger = options.logger;
    this.#store = new TieredStore(options.store, options.fallback ?? null, ROOT_PREFIX, options.logger);
    this.#counter = new CacheCounter(Object.keys(options.kinds));
  }

  async read<N extends keyof K & string>(
    kind: N,
    ids: readonly string[],
    load: (ids: string[]) => Promise<ReadonlyMap<string, ValueOf<K[N]>>>,
    { trustLive = true, onFailure }: CacheReadOptions = {},
  ): Promise<Map<string, CacheAnswer<ValueOf<K[N]>>>> {
    const answers = new Map<string, CacheAnswer<ValueOf<K[N]>>>();
    const wanted = [...new Set(ids)];
    if (wanted.length === 0) return answers;
    const counts = this.#counter.of(kind);
    const { kept, texts } = await this.#readKept(kind, wanted, trustLive);
    const now = this.#elapsed();

    const missing: string[] = [];
    for (const id of wanted) {
      const entry = kept.get(id);
      if (entry?.fresh === true) answers.set(id, { value: entry.found.value as ValueOf<K[N]>, stale: false });
      else if ((this.#absentUntil.get(this.#kinds[kind]!.key(id)) ?? 0) <= now) missing.push(id);
    }
    counts.hits += wanted.length - missing.length;
    counts.misses += missing.length;
    if (missing.length === 0) return answers;

    const outcomes = this.#load(kind, missing, texts, load);
    for (const [index, id] of missing.entries()) {
      const outcome = await outcomes[index]!;
      if (outcome === 'absent') continue;
      if ('value' in outcome) {
        answers.set(id, { value: outcome.value as ValueOf<K[N]>, stale: false });
        continue;
      }
      const old = kept.get(id);
      if (old === undefined || !(outcome.error instanceof SourceUnavailableError)) {
        if (onFailure === undefined) throw outcome.error;
        onFailure(id, outcome.error);
        continue;
      }
      counts.staleServed++;
      answers.set(id, { value: old.found.value as ValueOf<K[N]>, stale: true });
    }
    return answers;
  }

  async invalidate(kind: keyof K & string, ids: readonly string[]): Promise<void> {
    const keys = ids.map((id) => this.#kinds[kind]!.key(id));
    for (const key of keys) this.#forget(key);
    await this.#store.remove(keys);
  }

  async invalidateByPrefix(prefix: string): Promise<number> {
    for (const keys of [this.#loads.keys(), this.#absentUntil.keys(), this.#coolDowns.keys()]) {
      for (const key of keys.toArray()) if (key.startsWith(prefix)) this.#forget(key);
    }
    return this.#store.removeByPrefix(prefix);
  }

  readStats(): Readonly<Record<string, CacheStats>> {
    return this.#counter.readStats();
  }

  async #readKept(
    kind: string,
    ids: readonly string[],
    trustLive: boolean,
  ): Promise<{ kept: Map<string, { found: Found; fresh: boolean }>; texts: Map<string, string | null> }> {
    const definition = this.#kinds[kind]!;
    const counts = this.#counter.of(kind);
    const keys = ids.map((id) => definition.key(id));
    const liveKeys = trustLive && definition.liveKey !== undefined ? ids.map((id) => definition.liveKey!(id)) : [];
    const reply = await this.#store.read(keys, liveKeys, () => definition.keepMs);
    if (reply.fellBack) counts.fallbackReads += ids.length;

    const now = this.#clock();
    const kept = new Map<string, { found: Found; fresh: boolean }>();
    const texts = new Map<string, string | null>();
    for (const [index, id] of ids.entries()) {
      const text = reply.texts[index] ?? null;
      // What the fallback holds says nothing of what the store holds: a load then writes in any case.
      if (!reply.fellBack) texts.set(id, text);
      if (text === null) continue;
      const found = definition.decode(text);
      if (found === null) {
        counts.undecodable++;
        continue;
      }
      const live = Number(reply.texts[ids.length + index] ?? 0) > 0;
      // A clock ahead of ours must not make an entry fresh for longer.
      const freshMs = live ? (definition.liveMs ?? definition.freshMs) : definition.freshMs;
      const fresh = Math.abs(now - found.writtenAt) < freshMs;
      kept.set(id, { found, fresh });
    }
    return { kept, texts };
  }

  /** One promise per id, in order; none of them rejects. */
  #load(
    kind: string,
    ids: readonly string[],
    texts: ReadonlyMap<string, string | null>,
    load: (ids: string[]) => Promise<ReadonlyMap<string, unknown>>,
  ): Promise<Outcome>[] {
    const definition = this.#kinds[kind]!;
    const now = this.#elapsed();
    const batch: Batch = new Map();
    const { promise: loaded, resolve } = Promise.withResolvers<ReadonlyMap<string, Outcome>>();
    const outcomes = ids.map((id) => {
      const key = definition.key(id);
      const underWay = this.#loads.get(key);
      if (underWay !== undefined) return underWay.outcome;
      const coolDown = this.#coolDowns.get(key);
      if (coolDown !== undefined && coolDown.until > now) return Promise.resolve({ error: coolDown.error });
      const started: Load = { outcome: loaded.then((all) => all.get(id)!), forgotten: false };
      this.#loads.set(key, started);
      batch.set(id, { key, started });
      return started.outcome;
    });
    if (batch.size > 0) void this.#runLoad(kind, batch, texts, load, resolve);
    return outcomes;
  }

  /** Never rejects. The loads stand until their results are written, so that nobody reads the store in between in vain. */
  async #runLoad(
    kind: string,
    batch: Batch,
    texts: ReadonlyMap<string, string | null>,
    load: (ids: string[]) => Promise<ReadonlyMap<string, unknown>>,
    tell: (outcomes: ReadonlyMap<string, Outcome>) => void,
  ): Promise<void> {
    const outcomes = await this.#askSource(kind, batch, load);
    tell(outcomes);
    try {
      await this.#keep(kind, batch, texts, outcomes);
    } catch (error) {
      this.#logger.debug({ kind, reason: messageOf(error) }, 'the store did not take what was loaded');
    }
    for (const { key, started } of batch.values()) if (this.#loads.get(key) === started) this.#loads.delete(key);
  }

  async #askSource(
    kind: string,
    batch: Batch,
    load: (ids: string[]) => Promise<ReadonlyMap<string, unknown>>,
  ): Promise<Map<string, Outcome>> {
    const counts = this.#counter.of(kind);
    counts.loads += batch.size;
    const outcomes = new Map<string, Outcome>();
    try {
      const values = await load([...batch.keys()]);
      for (const [id, { key }] of batch) {
        this.#coolDowns.delete(key);
        outcomes.set(id, values.has(id) ? { value: values.get(id) } : 'absent');
      }
    } catch (error) {
      counts.loadFailures += batch.size;
      const until = this.#elapsed() + coolDownOf(error);
      for (const [id, { key, started }] of batch) {
        if (!started.forgotten) this.#coolDowns.set(key, { until, error });
        outcomes.set(id, { error });
      }
    }
    return outcomes;
  }

  async #keep(
    kind: string,
    batch: Batch,
    texts: ReadonlyMap<string, string | null>,
    outcomes: ReadonlyMap<string, Outcome>,
  ): Promise<void> {
    const definition = this.#kinds[kind]!;
    const now = this.#clock();
    const writes: StoreEntry[] = [];
    const removals: string[] = [];
    for (const [id, { key, started }] of batch) {
      const outcome = outcomes.get(id)!;
      if (started.forgotten) continue;
      const text = texts.get(id);
      if (outcome === 'absent') {
        this.#absentUntil.set(key, this.#elapsed() + definition.absentMs);
        if (text !== null) removals.push(key);
      } else if ('value' in outcome) {
        this.#absentUntil.delete(key);
        const entry = { key, value: definition.encode(outcome.value, now), ttlMs: definition.keepMs };
        // Where another has written meanwhile (ingest, a live quote), theirs stands.
        writes.push(text === undefined ? entry : { ...entry, expected: text });
      }
    }
    if (writes.length > 0) await this.#store.write(writes);
    if (removals.length > 0) await this.#store.remove(removals);
  }

  #forget(key: string): void {
    const load = this.#loads.get(key);
    if (load !== undefined) load.forgotten = true;
    this.#loads.delete(key);
    this.#absentUntil.delete(key);
    this.#coolDowns.delete(key);
  }
}

function coolDownOf(error: unknown): number {
  const asked = error instanceof SourceUnavailableError ? error.retryAfterMs : null;
  return Math.min(Math.max(asked ?? 0, COOL_DOWN_MS), MAX_COOL_DOWN_MS);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
