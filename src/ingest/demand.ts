import { demandChannel, type Bus, type BusWriter, type DemandChange } from '../bus/bus.ts';
import type { Logger } from '../market/logger.ts';
import type { Timers } from '../market/timers.ts';

const MAX_SYMBOLS = 15_000;
/**
 * The correction: it mends a change that was lost on the way, and ends the part of a dead process, whose lease of 25 s and this
 * together stay under 30 s.
 */
const FULL_READ_MS = 4_000;
/** After a change. Only leaving and the totals wait for it, never a symbol that is newly wanted. */
const READ_AFTER_CHANGE_MS = 100;
/** A reading may take this share of the time at most, however fast the changes come. */
const READ_DUTY = 20;
/** After the bus was away, processes state anew what they want, in up to 10 s: until then nobody leaves. */
const DISTRUST_MS = 15_000;

export type DemandOptions = {
  readonly bus: Pick<Bus, 'subscribe' | 'readDemand'>;
  readonly writer: Pick<BusWriter, 'publishDemandTotals'>;
  readonly timers: Timers;
  readonly logger: Logger;
  /** How long a symbol that nobody wants any more stays subscribed, in ms. */
  readonly lingerMs: number;
  /** Wanted whatever others want. */
  readonly pinned: readonly string[];
  /** Symbols beyond it are not served until others leave; logged and counted. Default 15,000. */
  readonly maxSymbols?: number;
  /** Called at once for symbols that are newly wanted. */
  readonly onWanted: (symbols: readonly string[]) => void;
  /** Called when the linger of a symbol has ended. */
  readonly onUnwanted: (symbols: readonly string[]) => void;
};

/**
 * What all processes together want. Messages tell of changes at once, but only the leases on the bus know the sum: a
 * message can add a symbol, and a reading of the leases alone takes one away.
 */
export class Demand {
  readonly #options: DemandOptions;
  readonly #maxSymbols: number;
  readonly #pinned: ReadonlySet<string>;
  /** Bounded by `maxSymbols`. */
  readonly #wanted = new Set<string>();
  /** When the linger of a wanted symbol that nobody wants any more ends, by the timers. */
  readonly #leaving = new Map<string, number>();
  /** By the newest reading. */
  #totals: ReadonlyMap<string, number> = new Map();
  /** Totals that the bus is still to be told. Bounded by what the leases hold. */
  #untold = new Map<string, number>();
  #hasRead = false;
  #trustedFrom = -Infinity;
  /** Symbols that a message added since the reading in flight began: it may not know them. */
  #addedSinceRead = new Set<string>();
  #isReading = false;
  #changedWhileReading = false;
  #readAt = 0;
  #nextReadAt = -Infinity;
  #cancelRead: (() => void) | null = null;
  #cancelSweep: (() => void) | null = null;
  #unsubscribe: (() => Promise<void>) | null = null;
  #isRefusing = false;
  #isFailing = false;
  #closed = false;
  #refused = 0;
  #readFailures = 0;
  #messages = 0;

  constructor(options: DemandOptions) {
    this.#options = options;
    this.#maxSymbols = options.maxSymbols ?? MAX_SYMBOLS;
    this.#pinned = new Set(options.pinned);
  }

  /** Resolves after the first reading or its failure, and then goes on reading. */
  async start(): Promise<void> {
    this.#want([...this.#pinned]);
    await this.#read();
  }

  /** The bus is there, or there again: then perhaps without the leases that it held. */
  resume(): void {
    if (this.#hasRead) this.#trustedFrom = this.#options.timers.now() + DISTRUST_MS;
    this.#readLater(0);
  }

  readStats(): Readonly<Record<string, number>> {
    return {
      symbolsWanted: this.#wanted.size - this.#leaving.size,
      symbolsLingering: this.#leaving.size,
      symbolsRefused: this.#refused,
      demandMessages: this.#messages,
      demandReadFailures: this.#readFailures,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRead?.();
    this.#cancelSweep?.();
    await this.#unsubscribe?.();
  }

  /** First the messages, then the leases: the other order has a gap. */
  async #listen(): Promise<void> {
    if (this.#unsubscribe !== null) return;
    try {
      const unsubscribe = await this.#options.bus.subscribe(demandChannel, (change) => {
        this.#hear(change);
      });
      this.#unsubscribe = unsubscribe;
      if (this.#closed) await unsubscribe();
    } catch (error) {
      this.#fail(error);
    }
  }

  #hear(change: DemandChange): void {
    if (this.#closed) return;
    this.#messages += 1;
    const added: string[] = [];
    for (const symbol in change.counts) {
      if (change.counts[symbol]! <= 0) continue;
      added.push(symbol);
      if (this.#isReading) this.#addedSinceRead.add(symbol);
    }
    this.#want(added);
    if (this.#isReading) this.#changedWhileReading = true;
    else this.#readLater(READ_AFTER_CHANGE_MS);
  }

  #want(symbols: readonly string[]): void {
    const added: string[] = [];
    for (const symbol of symbols) {
      this.#leaving.delete(symbol);
      if (this.#wanted.has(symbol)) continue;
      if (this.#wanted.size >= this.#maxSymbols) {
        this.#refuse(symbol);
        continue;
      }
      this.#wanted.add(symbol);
      added.push(symbol);
    }
    if (added.length > 0) this.#options.onWanted(added);
  }

  #refuse(symbol: string): void {
    this.#refused += 1;
    if (this.#isRefusing) return;
    this.#isRefusing = true;
    const fields = { symbol, maxSymbols: this.#maxSymbols };
    this.#options.logger.error(fields, 'More symbols are wanted than ingest may serve; the last ones are not.');
  }

  #readLater(delayMs: number): void {
    if (this.#closed) return;
    const { timers } = this.#options;
    const at = Math.max(timers.now() + delayMs, this.#nextReadAt);
    if (this.#cancelRead !== null) {
      if (at >= this.#readAt) return;
      this.#cancelRead();
    }
    this.#readAt = at;
    this.#cancelRead = timers.after(Math.max(0, Math.ceil(at - timers.now())), () => {
      this.#cancelRead = null;
      void this.#read();
    });
  }

  async #read(): Promise<void> {
    if (this.#isReading || this.#closed) return;
    this.#isReading = true;
    this.#changedWhileReading = false;
    this.#addedSinceRead = new Set();
    const { bus, timers } = this.#options;
    const startedAt = timers.now();
    try {
      await this.#listen();
      const totals = await bus.readDemand();
      if (!this.#closed) {
        this.#isFailing = false;
        this.#take(totals);
        await this.#tellTotals();
      }
    } catch (error) {
      this.#fail(error);
    }
    this.#isReading = false;
    this.#nextReadAt = timers.now() + (timers.now() - startedAt) * READ_DUTY;
    this.#readLater(this.#changedWhileReading ? READ_AFTER_CHANGE_MS : FULL_READ_MS);
  }

  #take(totals: ReadonlyMap<string, number>): void {
    for (const [symbol, count] of totals) if (this.#totals.get(symbol) !== count) this.#untold.set(symbol, count);
    for (const symbol of this.#totals.keys()) if (!totals.has(symbol)) this.#untold.set(symbol, 0);
    this.#totals = totals;
    this.#hasRead = true;
    const now = this.#options.timers.now();
    for (const symbol of now < this.#trustedFrom ? [] : this.#wanted) {
      if (totals.has(symbol) || this.#pinned.has(symbol) || this.#addedSinceRead.has(symbol)) continue;
      if (!this.#leaving.has(symbol)) this.#leaving.set(symbol, now + this.#options.lingerMs);
    }
    if (this.#wanted.size < this.#maxSymbols) this.#isRefusing = false;
    this.#want([...totals.keys()]);
    this.#sweepLater();
  }

  /** Lingers are equal, so that the first of the map ends first. */
  #sweepLater(): void {
    if (this.#cancelSweep !== null || this.#closed) return;
    const first = this.#leaving.values().next();
    if (first.done === true) return;
    const { timers } = this.#options;
    this.#cancelSweep = timers.after(Math.max(0, Math.ceil(first.value - timers.now())), () => {
      this.#cancelSweep = null;
      this.#sweep();
      this.#sweepLater();
    });
  }

  #sweep(): void {
    const now = this.#options.timers.now();
    const left: string[] = [];
    for (const [symbol, endsAt] of this.#leaving) {
      if (endsAt > now) break;
      this.#leaving.delete(symbol);
      this.#wanted.delete(symbol);
      left.push(symbol);
    }
    if (left.length > 0) this.#options.onUnwanted(left);
  }

  async #tellTotals(): Promise<void> {
    if (this.#untold.size === 0) return;
    const changed = this.#untold;
    this.#untold = new Map();
    try {
      await this.#options.writer.publishDemandTotals(changed);
    } catch (error) {
      for (const [symbol, count] of changed) if (!this.#untold.has(symbol)) this.#untold.set(symbol, count);
      throw error;
    }
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#readFailures += 1;
    if (this.#isFailing) return;
    this.#isFailing = true;
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.logger.warn(
      { error: reason },
      'The demand could not be read from the bus; the last known one stands.',
    );
  }
}
