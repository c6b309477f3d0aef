import { fenceKey, historyKey, listLogs, loggedSymbolsKey, statusFenceKey } from './keys.ts';
import { LAST_ENTRY_MS } from './lifetimes.ts';
import { claimFences, claimLogs } from './log-scripts.ts';
import { chunkBySlot, run } from './redis-client.ts';
import type { RedisClient } from './redis-client.ts';
import { evaluate, executeScripts } from './redis-scripts.ts';

const FENCES_PER_CALL = 100;
const SYMBOLS_PER_CALL = 5_000;
const RENEW_MS = LAST_ENTRY_MS / 7;
/** The clocks of the servers of a Cluster may be so far apart. */
const CLOCK_MARGIN_MS = 60_000;

/**
 * The fence of each symbol, by which its logs know their writer. It lies beside them, in the same slot: where it is gone, so are
 * they. It also says which of them there are, so that one that is gone alone is missed. Which symbols have one is written down
 * beside the epoch, so that the loss of a server is found also by a writer that was not there before.
 */
export class WriterFences {
  readonly #redis: RedisClient;
  readonly #clock: () => number;
  /** When each symbol was last claimed here. Bounded by the symbols that were ever wanted. */
  readonly #claimed = new Map<string, number>();

  constructor(redis: RedisClient, clock: () => number) {
    this.#redis = redis;
    this.#clock = clock;
  }

  /** Makes a writer known to the logs of these symbols. Returns whether one of them has been lost since a writer was known there. */
  async claim(symbols: ReadonlySet<string>, token: number): Promise<boolean> {
    const now = this.#clock();
    const { unknown, isCut } = await this.#claim([...symbols], token);
    let isLost = isCut || unknown.some((symbol) => this.#claimed.has(symbol));
    if (unknown.length > 0 && !isLost) isLost = await this.#wereKnown(unknown, now);
    await this.#register([...symbols], now);
    for (const symbol of symbols) this.#claimed.set(symbol, now);
    return isLost;
  }

  /** The same for all symbols of which a writer, this or another, is known to have been there; and for the state of ingest. */
  async claimAll(token: number): Promise<boolean> {
    const now = this.#clock();
    const symbols = [...new Set([...(await this.listSymbols()), ...this.#claimed.keys()])];
    const { unknown, isCut } = await this.#claim(symbols, token);
    await executeScripts(this.#redis, [evaluate(claimFences, [statusFenceKey], [token])]);
    await this.#register(symbols, now);
    for (const symbol of this.#claimed.keys()) this.#claimed.set(symbol, now);
    return isCut || unknown.length > 0;
  }

  /** The symbols of which a writer, this or another, is known to have been there. */
  listSymbols(): Promise<string[]> {
    const range = [`(${this.#expiredAt(this.#clock())}`, '+inf'] as const;
    return run<string[]>(this.#redis, 'zrangebyscore', loggedSymbolsKey, ...range);
  }

  /** Before they expire: a log that stands still for long is not lost. */
  async renew(token: number): Promise<boolean> {
    const due = this.#clock() - RENEW_MS;
    const old = [...this.#claimed].flatMap(([symbol, at]) => (at < due ? [symbol] : []));
    return old.length > 0 && (await this.claim(new Set(old), token));
  }

  forget(): void {
    this.#claimed.clear();
  }

  /** `unknown`: symbols that knew no writer. `isCut`: of a symbol that knew one, a log is gone. */
  async #claim(symbols: readonly string[], token: number): Promise<{ unknown: string[]; isCut: boolean }> {
    const parts = chunkBySlot(this.#redis, symbols, fenceKey, FENCES_PER_CALL);
    const replies = await executeScripts<[unknown: number[], cut: number[]]>(
      this.#redis,
      parts.map((part) => {
        const logs = part.flatMap((symbol) => listLogs(symbol).map(historyKey));
        return evaluate(claimLogs, [...part.map(fenceKey), ...logs], [token]);
      }),
    );
    return {
      unknown: replies.flatMap(([indexes], part) => indexes.map((index) => parts[part]![index - 1]!)),
      isCut: replies.some(([, cut]) => cut.length > 0),
    };
  }

  /** Whether one of these was given a fence that cannot have expired yet. */
  async #wereKnown(symbols: readonly string[], now: number): Promise<boolean> {
    const times = await run<(string | null)[]>(this.#redis, 'zmscore', loggedSymbolsKey, ...symbols);
    return times.some((time) => Number(time ?? 0) > this.#expiredAt(now));
  }

  async #register(symbols: readonly string[], now: number): Promise<void> {
    for (let start = 0; start < symbols.length; start += SYMBOLS_PER_CALL) {
      const members = symbols.slice(start, start + SYMBOLS_PER_CALL).flatMap((symbol) => [now, symbol]);
      await run(this.#redis, 'zadd', loggedSymbolsKey, ...members);
    }
    await run(this.#redis, 'zremrangebyscore', loggedSymbolsKey, '-inf', this.#expiredAt(now));
  }

  #expiredAt(now: number): number {
    return now - LAST_ENTRY_MS + CLOCK_MARGIN_MS;
  }
}
