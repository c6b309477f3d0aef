import type { Bus, BusState, BusWriter } from '../bus/bus.ts';
import type { Logger } from '../market/logger.ts';
import type { LogWriter } from './log-writer.ts';
import type { Sequencer } from './sequencer.ts';
import type { Timers } from '../market/timers.ts';
import { TimerGroup } from './timers.ts';

/** How often it is looked whether the log on the bus is still the same. */
const CHECK_MS = 5_000;
const RETRY_MS = 500;
const LOSS_SETTLES_MS = 100;

export type EpochWatchOptions = {
  readonly bus: Pick<Bus, 'readState'>;
  readonly writer: Pick<BusWriter, 'openEpoch'>;
  readonly sequencer: Sequencer;
  readonly log: LogWriter;
  readonly timers: Timers;
  readonly logger: Logger;
};

/**
 * Knows which log is being written. A bus that was away may come back without its log: nothing is written before that is
 * known. One that loses it without going away is noticed by the next write of a print, at the latest within five seconds.
 */
export class EpochWatch {
  readonly #options: EpochWatchOptions;
  readonly #timers: TimerGroup;

  constructor(options: EpochWatchOptions) {
    this.#options = options;
    this.#timers = new TimerGroup(options.timers);
  }

  /** Resolves after the first look, which may fail. */
  async start(): Promise<void> {
    if (!this.#options.bus.readState().connected) this.#options.log.hold();
    await this.#check();
  }

  /** Resolves when the epoch is known, rejects where it cannot be read. */
  async require(): Promise<void> {
    if (this.#options.sequencer.epoch === '') await this.#read();
  }

  followBus(state: BusState): void {
    if (state.connected) void this.#resumeLog();
    else this.#options.log.hold();
  }

  /** A write has found that the log was lost. Not at once: what removes it may not be done, nor be so everywhere. */
  followLoss(): void {
    this.#options.log.hold();
    this.#timers.after(LOSS_SETTLES_MS, () => void this.#resumeLog());
  }

  close(): void {
    this.#timers.close();
  }

  async #resumeLog(): Promise<void> {
    try {
      await this.#read();
      this.#options.log.resume();
    } catch {
      if (this.#options.bus.readState().connected) this.#timers.after(RETRY_MS, () => void this.#resumeLog());
    }
  }

  async #check(): Promise<void> {
    try {
      await this.#read();
    } catch {
      // Without the bus there is nothing to number for; the next look is in five seconds, or when it is back.
    }
    this.#timers.after(CHECK_MS, () => void this.#check());
  }

  async #read(): Promise<void> {
    const { writer, sequencer, logger } = this.#options;
    const epoch = await writer.openEpoch();
    if (epoch === sequencer.epoch) return;
    if (sequencer.epoch !== '') logger.warn({ epoch }, 'The log on the bus was lost; a new one begins.');
    sequencer.setEpoch(epoch);
  }
}
