import type { Redis } from 'ioredis';
import { demandChannel } from './bus.ts';
import { codecs } from './codec.ts';
import { activeSymbolsKey, demandRegistryKey, demandTotalKey, processDemandKey } from './keys.ts';
import { DEMAND_TOTAL_MS } from './lifetimes.ts';
import { execute } from './redis-pipeline.ts';

/** A process that has not renewed for so long is struck off the registry. Much more than clocks differ between hosts. */
const FORGET_AFTER_MS = 120_000;

export type RedisDemandOptions = {
  readonly redis: Redis;
  readonly leaseMs: number;
  readonly clock: () => number;
};

/**
 * Who wants what: per process a hash (symbol to count) under a lease, and a registry of the processes. In steady state a
 * process costs two commands per renewal and a reader one command per process, whatever the number of symbols.
 */
export class RedisDemand {
  readonly #options: RedisDemandOptions;
  /** Processes of ours whose last statement may not have arrived: stated in full at the next renewal. */
  readonly #unsure = new Set<string>();
  readonly #known = new Set<string>();
  /** What this bus last published as totals, to be kept alive; empty where another process does it. */
  readonly #totals = new Map<string, number>();

  constructor(options: RedisDemandOptions) {
    this.#options = options;
  }

  async set(process: string, changed: ReadonlyMap<string, number>): Promise<void> {
    if (changed.size === 0) return;
    await this.#state(process, changed, false);
  }

  /** `counts` is all that the process wants. It is stated in full where the lease had ended or a statement was lost. */
  async renew(process: string, counts: ReadonlyMap<string, number>): Promise<void> {
    if (this.#unsure.has(process)) return this.#state(process, counts, true);
    const [renewed] = await execute<number>(
      this.#options.redis
        .pipeline()
        .pexpire(processDemandKey(process), this.#options.leaseMs)
        .zadd(demandRegistryKey, this.#options.clock() + this.#options.leaseMs, process)
        .pexpire(demandRegistryKey, FORGET_AFTER_MS),
    );
    if (renewed === 0 && counts.size > 0) await this.#state(process, counts, true);
  }

  async read(): Promise<Map<string, number>> {
    const { redis, clock } = this.#options;
    const registry = await redis.zrange(demandRegistryKey, 0, '-1', 'WITHSCORES');
    const totals = new Map<string, number>();
    if (registry.length === 0) return totals;
    const processes = registry.filter((_, index) => index % 2 === 0);
    const pipeline = redis.pipeline();
    for (const process of processes) pipeline.hgetall(processDemandKey(process));
    const forgotten: string[] = [];
    for (const [index, wants] of (await execute<Record<string, string>>(pipeline)).entries()) {
      const entries = Object.entries(wants);
      for (const [symbol, text] of entries) {
        const count = Number(text);
        if (Number.isSafeInteger(count) && count > 0) totals.set(symbol, (totals.get(symbol) ?? 0) + count);
      }
      const leaseEnd = Number(registry[index * 2 + 1]);
      if (entries.length === 0 && leaseEnd < clock() - FORGET_AFTER_MS) forgotten.push(processes[index]!);
    }
    if (forgotten.length > 0) await redis.zrem(demandRegistryKey, ...forgotten);
    return totals;
  }

  async publishTotals(changed: ReadonlyMap<string, number>): Promise<void> {
    if (changed.size === 0) return;
    for (const [symbol, count] of changed) {
      if (count > 0) this.#totals.set(symbol, count);
      else this.#totals.delete(symbol);
    }
    const transaction = this.#options.redis.multi();
    const wanted: string[] = [];
    const unwanted: string[] = [];
    for (const [symbol, count] of changed) (count > 0 ? wanted : unwanted).push(symbol);
    for (const symbol of wanted) transaction.set(demandTotalKey(symbol), changed.get(symbol)!, 'PX', DEMAND_TOTAL_MS);
    if (wanted.length > 0) transaction.sadd(activeSymbolsKey, ...wanted);
    if (unwanted.length > 0) transaction.del(...unwanted.map(demandTotalKey)).srem(activeSymbolsKey, ...unwanted);
    await execute(transaction.pexpire(activeSymbolsKey, DEMAND_TOTAL_MS));
  }

  /** Writes the totals again before they expire, and the set of symbols anew: what a predecessor left in it is gone. */
  async renewTotals(): Promise<void> {
    if (this.#totals.size === 0) return;
    const transaction = this.#options.redis.multi().del(activeSymbolsKey);
    for (const [symbol, count] of this.#totals) transaction.set(demandTotalKey(symbol), count, 'PX', DEMAND_TOTAL_MS);
    transaction.sadd(activeSymbolsKey, ...this.#totals.keys());
    await execute(transaction.pexpire(activeSymbolsKey, DEMAND_TOTAL_MS));
  }

  /** The connection was lost: a server may have come back without what was stated last. */
  distrust(): void {
    for (const process of this.#known) this.#unsure.add(process);
  }

  async #state(process: string, counts: ReadonlyMap<string, number>, inFull: boolean): Promise<void> {
    const key = processDemandKey(process);
    const transaction = this.#options.redis.multi();
    if (inFull) transaction.del(key);
    const wanted = [...counts].filter(([, count]) => count > 0);
    const unwanted = [...counts].filter(([, count]) => count <= 0).map(([symbol]) => symbol);
    if (wanted.length > 0) transaction.hset(key, new Map(wanted));
    if (unwanted.length > 0) transaction.hdel(key, ...unwanted);
    transaction
      .pexpire(key, this.#options.leaseMs)
      .zadd(demandRegistryKey, this.#options.clock() + this.#options.leaseMs, process)
      .pexpire(demandRegistryKey, FORGET_AFTER_MS)
      .publish(demandChannel.name, codecs.demand.encode({ process, counts: Object.fromEntries(counts) }));
    this.#known.add(process);
    this.#unsure.add(process);
    await execute(transaction);
    this.#unsure.delete(process);
  }
}
