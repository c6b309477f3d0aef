import { randomUUID } from 'node:crypto';
import { demandChannel } from './bus.ts';
import { codecs } from './codec.ts';
import { activeSymbolsKey, demandRegistryKey, demandTotalKey, processDemandKey } from './keys.ts';
import { DEMAND_TOTAL_MS } from './lifetimes.ts';
import { run } from './redis-client.ts';
import type { RedisClient, RedisCommand } from './redis-client.ts';
import { evaluate, executeScripts, registerProcess, replaceSet, stateDemand } from './redis-scripts.ts';

/** A process that has not renewed for so long is struck off the registry. */
const FORGET_AFTER_MS = 120_000;
/** Stands among the symbols of a process's hash and is another at each statement; no symbol begins like this. */
const VERSION = '#version';

export type RedisDemandOptions = {
  readonly redis: RedisClient;
  readonly leaseMs: number;
  readonly clock: () => number;
};

/**
 * Who wants what: per process a hash (symbol to count) under a lease, and a registry of the processes. In steady state a
 * process makes two calls per renewal and a reader one per process, whatever the number of symbols.
 */
export class RedisDemand {
  readonly #options: RedisDemandOptions;
  /** Processes of ours whose last statement may not have arrived: stated in full at the next renewal. */
  readonly #unsure = new Set<string>();
  readonly #known = new Set<string>();
  /** What each process was last read to want, and all of them together. */
  readonly #read = new Map<string, { readonly version: string; readonly counts: ReadonlyMap<string, number> }>();
  readonly #sum = new Map<string, number>();
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
    const { redis, leaseMs } = this.#options;
    const [renewed] = await executeScripts<number>(redis, [
      ['pexpire', processDemandKey(process), leaseMs],
      this.#register(process),
    ]);
    if (renewed === 0 && counts.size > 0) await this.#state(process, counts, true);
  }

  /** Reads again only what has been stated since the last time. */
  async read(): Promise<Map<string, number>> {
    const { redis, clock } = this.#options;
    const registry = await run<string[]>(redis, 'zrange', demandRegistryKey, 0, -1, 'WITHSCORES');
    const processes = registry.filter((_, index) => index % 2 === 0);
    const versions = await redis.execute<string | null>(
      processes.map((process) => ['hget', processDemandKey(process), VERSION]),
    );
    const living = new Map(processes.map((process, index) => [process, versions[index] ?? null]));
    const stated = processes.filter((process) => {
      const version = living.get(process) ?? null;
      return version !== null && version !== this.#read.get(process)?.version;
    });
    const wants = await redis.execute<Record<string, string>>(
      stated.map((process) => ['hgetall', processDemandKey(process)]),
    );
    for (const [index, process] of stated.entries()) this.#take(process, wants[index]!);
    for (const process of [...this.#read.keys()]) if ((living.get(process) ?? null) === null) this.#take(process, {});

    const forgotten = processes.filter((process, index) => {
      return living.get(process) === null && Number(registry[index * 2 + 1]) < clock() - FORGET_AFTER_MS;
    });
    if (forgotten.length > 0) await run(redis, 'zrem', demandRegistryKey, ...forgotten);
    return new Map(this.#sum);
  }

  /** Replaces what a process is known to want. */
  #take(process: string, { [VERSION]: version, ...wants }: Record<string, string>): void {
    for (const [symbol, count] of this.#read.get(process)?.counts ?? []) this.#addToSum(symbol, -count);
    this.#read.delete(process);
    if (version === undefined) return;
    const counts = new Map<string, number>();
    for (const [symbol, text] of Object.entries(wants)) {
      const count = Number(text);
      if (!Number.isSafeInteger(count) || count <= 0) continue;
      counts.set(symbol, count);
      this.#addToSum(symbol, count);
    }
    this.#read.set(process, { version, counts });
  }

  #addToSum(symbol: string, count: number): void {
    const sum = (this.#sum.get(symbol) ?? 0) + count;
    if (sum > 0) this.#sum.set(symbol, sum);
    else this.#sum.delete(symbol);
  }

  async publishTotals(changed: ReadonlyMap<string, number>): Promise<void> {
    if (changed.size === 0) return;
    const isFirst = this.#totals.size === 0;
    for (const [symbol, count] of changed) {
      if (count > 0) this.#totals.set(symbol, count);
      else this.#totals.delete(symbol);
    }
    // The first statement of a writer: what its predecessor left in the set is gone.
    if (isFirst) await this.#replaceActive();
    const wanted: string[] = [];
    const unwanted: string[] = [];
    for (const [symbol, count] of changed) (count > 0 ? wanted : unwanted).push(symbol);
    const commands = wanted.map((symbol) => writeTotal(symbol, changed.get(symbol)!));
    if (wanted.length > 0) commands.push(['sadd', activeSymbolsKey, ...wanted]);
    for (const symbol of unwanted) commands.push(['del', demandTotalKey(symbol)]);
    if (unwanted.length > 0) commands.push(['srem', activeSymbolsKey, ...unwanted]);
    await this.#options.redis.execute([...commands, ['pexpire', activeSymbolsKey, DEMAND_TOTAL_MS]]);
  }

  /** Writes the totals again before they expire, and the set of symbols anew: what a predecessor left in it is gone. */
  async renewTotals(): Promise<void> {
    if (this.#totals.size === 0) return;
    const totals = [...this.#totals].map(([symbol, count]) => writeTotal(symbol, count));
    await Promise.all([this.#options.redis.execute(totals), this.#replaceActive()]);
  }

  async #replaceActive(): Promise<void> {
    const { redis } = this.#options;
    await executeScripts(redis, [evaluate(replaceSet, [activeSymbolsKey], [DEMAND_TOTAL_MS, ...this.#totals.keys()])]);
  }

  /** Another process publishes the totals from now on. */
  forgetTotals(): void {
    this.#totals.clear();
  }

  /** The connection was lost: a server may have come back without what was stated last. */
  distrust(): void {
    for (const process of this.#known) this.#unsure.add(process);
  }

  async #state(process: string, counts: ReadonlyMap<string, number>, inFull: boolean): Promise<void> {
    const { redis, leaseMs } = this.#options;
    const fields = [...counts].flatMap(([symbol, count]) => [symbol, Math.max(0, count)]);
    const args = [inFull ? 'whole' : 'change', leaseMs, ...fields, VERSION, randomUUID()];
    this.#known.add(process);
    this.#unsure.add(process);
    await executeScripts(redis, [evaluate(stateDemand, [processDemandKey(process)], args), this.#register(process)]);
    const message = codecs.demand.encode({ process, counts: Object.fromEntries(counts) });
    await run(redis, 'publish', demandChannel.name, message);
    this.#unsure.delete(process);
  }

  #register(process: string): RedisCommand {
    const { clock, leaseMs } = this.#options;
    return evaluate(registerProcess, [demandRegistryKey], [process, clock() + leaseMs, FORGET_AFTER_MS]);
  }
}

function writeTotal(symbol: string, count: number): RedisCommand {
  return ['set', demandTotalKey(symbol), count, 'PX', DEMAND_TOTAL_MS];
}
