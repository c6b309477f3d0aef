import type { LogEntry } from '../bus/bus.ts';
import type { LiveBar } from '../market/bar.ts';
import { OFFSETS_PER_MS, type LogPosition } from '../market/log.ts';
import type { LoggedTrade, Trade } from '../market/trade.ts';
import { createLogCounter, type LogCounter } from './log-counter.ts';

/** Print ids remembered in one generation, over all symbols; two generations are kept: some 60 MB at most. */
const IDS_PER_GENERATION = 262_144;

/** A print or a bar that waits for its number. */
export type UnnumberedEntry = {
  readonly event: Trade | LiveBar;
  readonly counter: LogCounter;
  readonly gapBefore: boolean;
};

export type SequencerOptions = {
  /** Unix ms, as the exchange has it. */
  readonly clock: () => number;
  /** Unix ms, by which the log is numbered: that of the bus. Default: the same. */
  readonly logClock?: () => number;
  /** Print ids remembered in one generation. Default 262,144. */
  readonly idsPerGeneration?: number;
};

/**
 * Numbers the log: per symbol a contiguous `sequence`, over everything a strictly rising `offset`. Numbers are given when
 * an entry is written, not when it arrives, so that what had to be given up before leaves no hole but a `gapBefore`.
 */
export class Sequencer {
  readonly #clock: () => number;
  readonly #logClock: () => number;
  readonly #idsPerGeneration: number;
  #epoch = '';
  #lastOffset = 0;
  #generation = 0;
  #idsInGeneration = 0;

  constructor({ clock, logClock = clock, idsPerGeneration = IDS_PER_GENERATION }: SequencerOptions) {
    this.#clock = clock;
    this.#logClock = logClock;
    this.#idsPerGeneration = idsPerGeneration;
  }

  /** Names the log that is written; `''` until it is known. */
  get epoch(): string {
    return this.#epoch;
  }

  /** Begins to number for this incarnation of the log. Sequences run on: a reader of the one before missed nothing. */
  setEpoch(epoch: string): void {
    this.#epoch = epoch;
  }

  /** Continues the logs of a symbol from their newest entries on the bus, which may be of an epoch that is lost. */
  openLog(lastEntries: readonly (LogEntry | null)[]): LogCounter {
    const known = lastEntries.filter((entry) => entry?.epoch === this.#epoch) as LogEntry[];
    for (const { offset } of known) if (offset > this.#lastOffset) this.#lastOffset = offset;
    return createLogCounter(known, this.#generation, this.#clock());
  }

  /**
   * Whether a print of this id came before, within the window: the last 262,144 to 524,288 prints of all symbols. (A quiet
   * day is remembered whole, the busiest second of a year for the few seconds that a duplicate needs.)
   */
  isDuplicate(counter: LogCounter, id: string): boolean {
    if (counter.generation !== this.#generation) {
      counter.olderIds = counter.generation === this.#generation - 1 ? counter.ids : null;
      counter.ids = new Set();
      counter.generation = this.#generation;
    }
    const { ids, olderIds } = counter;
    if (olderIds !== null && olderIds.has(id)) return true;
    // One look-up instead of two: a set that did not grow knew it.
    const { size } = ids;
    if (ids.add(id).size === size) return true;
    this.#idsInGeneration += 1;
    if (this.#idsInGeneration >= this.#idsPerGeneration) {
      this.#generation += 1;
      this.#idsInGeneration = 0;
    }
    return false;
  }

  /** Gives an entry its place. The order of the calls is the order of the log. */
  number({ event, counter, gapBefore }: UnnumberedEntry): LogEntry {
    const floor = this.#logClock() * OFFSETS_PER_MS;
    this.#lastOffset = floor > this.#lastOffset ? floor : this.#lastOffset + 1;
    const offset = this.#lastOffset;
    const epoch = this.#epoch;
    if (event.kind === 'bar') {
      const log = counter.bars[event.interval];
      log.sequence += 1;
      return {
        kind: 'bar',
        symbol: event.symbol,
        interval: event.interval,
        open: event.open,
        high: event.high,
        low: event.low,
        close: event.close,
        volume: event.volume,
        vwap: event.vwap,
        start: event.start,
        end: event.end,
        dayOpen: event.dayOpen,
        dayVolume: event.dayVolume,
        dayVwap: event.dayVwap,
        receivedAt: event.receivedAt,
        epoch,
        offset,
        sequence: log.sequence,
        gapBefore,
      };
    }
    counter.sequence += 1;
    return {
      kind: 'trade',
      id: event.id,
      symbol: event.symbol,
      price: event.price,
      size: event.size,
      exchange: event.exchange,
      conditions: event.conditions,
      tape: event.tape,
      offExchange: event.offExchange,
      timestamp: event.timestamp,
      receivedAt: event.receivedAt,
      epoch,
      offset,
      sequence: counter.sequence,
      gapBefore,
    } satisfies LoggedTrade;
  }

  /** The same entry in the present epoch: one that was numbered before the log was lost. */
  restamp(entry: LogEntry): LogEntry {
    const position: LogPosition = { epoch: this.#epoch, offset: entry.offset };
    return entry.epoch === this.#epoch ? entry : { ...entry, ...position };
  }
}
