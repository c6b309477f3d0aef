import type { BusWriter, LogKey } from '../bus/bus.ts';
import type { Logger } from '../market/logger.ts';
import type { EpochWatch } from './epoch-watch.ts';
import type { LogWriter } from './log-writer.ts';
import type { LogCounter } from './log-counter.ts';
import type { Sequencer } from './sequencer.ts';
import type { Timers } from '../market/timers.ts';
import { TimerGroup } from './timers.ts';

/** Symbols that become wanted within it share the look-up on the bus. */
const BATCH_DELAY_MS = 2;
const MAX_BATCH = 1_000;
const RETRY_MS = 500;
const LOGS_PER_SYMBOL = 3;

export type AdmissionOptions = {
  readonly bus: Pick<BusWriter, 'readLastEntries'>;
  readonly epoch: EpochWatch;
  readonly log: LogWriter;
  readonly sequencer: Sequencer;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Called with symbols whose place in the log is known, in the same turn of the event loop in which it was learnt. */
  readonly onAdmitted: (counters: ReadonlyMap<string, LogCounter>) => void;
};

/** Where wanted symbols wait until their place in the log is known: only then may their first event come. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #timers: TimerGroup;
  /** Bounded by the number of symbols wanted. */
  readonly #waiting = new Set<string>();
  #isRunning = false;
  #isFailing = false;
  #closed = false;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#timers = new TimerGroup(options.timers);
  }

  get size(): number {
    return this.#waiting.size;
  }

  enter(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#waiting.add(symbol);
    this.#runLater(BATCH_DELAY_MS);
  }

  leave(symbol: string): void {
    this.#waiting.delete(symbol);
  }

  close(): void {
    this.#closed = true;
    this.#timers.close();
  }

  #runLater(delayMs: number): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#timers.after(delayMs, () => void this.#run());
  }

  async #run(): Promise<void> {
    const { bus, epoch, log, logger } = this.#options;
    const batch = [...this.#waiting].slice(0, MAX_BATCH);
    let delayMs = 0;
    try {
      // A symbol that left and returns may have entries that still wait: its numbers go on from those.
      await log.settle();
      await epoch.require();
      const lastEntries = await bus.readLastEntries(batch.flatMap(listLogs));
      if (!this.#closed) this.#admit(batch, lastEntries);
      this.#isFailing = false;
    } catch (error) {
      delayMs = RETRY_MS;
      const reason = error instanceof Error ? error.message : String(error);
      const fields = { error: reason, symbols: batch.length };
      if (!this.#isFailing) logger.warn(fields, 'Symbols wait: their place in the log could not be read.');
      this.#isFailing = true;
    }
    this.#isRunning = false;
    if (this.#waiting.size > 0) this.#runLater(delayMs);
  }

  #admit(batch: readonly string[], lastEntries: Awaited<ReturnType<BusWriter['readLastEntries']>>): void {
    const counters = new Map<string, LogCounter>();
    for (const [index, symbol] of batch.entries()) {
      const from = index * LOGS_PER_SYMBOL;
      const counter = this.#options.sequencer.openLog(lastEntries.slice(from, from + LOGS_PER_SYMBOL));
      // It may have left meanwhile; its last entries still say how far the numbering of the whole log has come.
      if (this.#waiting.delete(symbol)) counters.set(symbol, counter);
    }
    if (counters.size > 0) this.#options.onAdmitted(counters);
  }
}

function listLogs(symbol: string): LogKey[] {
  return [
    { kind: 'trade', symbol },
    { kind: 'bar', symbol, interval: 'SECOND' },
    { kind: 'bar', symbol, interval: 'MINUTE' },
  ];
}
