import type { LogEntry } from '../bus/bus.ts';
import type { LiveBar } from '../market/bar.ts';
import { OFFSETS_PER_MS, type LogPosition } from '../market/log.ts';
import type { LoggedTrade, Trade } from '../market/trade.ts';

import type { Gap } from './gap-filler.ts';

/** Print ids remembered in one generation, over all symbols; two generations are kept: some 60 MB at most. */
const IDS_PER_GENERATION = 262_144;

/** Where the log of one symbol stands. */
export type LogCounter = {
  /** Of the newest print; 0 before the first. */
  sequence: number;
  /** The next print follows a loss. */
  gapBefore: boolean;
  /** Of all prints, the newest by the exchange's time; `null` before the first. */
  newest: Trade | null;
  /** When the first print was taken here, by the exchange's time; of a log that is continued, before all time. */
  firstAt: number;
  /** What was missed and is being read: prints wait behind it. */
  gap: Gap | null;
  generation: number;
  ids: Set<string>;
  olderIds: Set<string> | null;
};

/** A print or a bar that waits for its number. */
export type UnnumberedEntry = {
  readonly event: Trade | LiveBar;
  readonly counter: LogCounter;
  readonly gapBefore: boolean;
};

/**
 * Numbers the log: per symbol a contiguous `sequence`, over everything a strictly rising `offset`. Numbers are given when
 * an entry is written, not when it arrives, so that what had to be given up before leaves no hole but a `gapBefore`.
 */
export class Sequencer {
  readonly #clock: () => number;
  readonly #idsPerGeneration: number;
  #epoch = '';
  #lastOffset = 0;
  #generation = 0;
  #idsInGeneration = 0;

  constructor(clock: () => number, idsPerGeneration: number = IDS_PER_GENERATION) {
    this.#clock = clock;
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

  /**
   * Continues the log of a symbol from its newest entries on the bus, which may be of an epoch that is lost. Where there
   * were prints before, some may have passed unseen since: the next one says so.
   */
  openLog(lastEntries: readonly (LogEntry | null)[]): LogCounter {
    let sequence = 0;
    let newest: Trade | null = null;
    for (const entry of lastEntries) {
      if (entry === null || entry.epoch !== this.#epoch) continue;
      if (entry.offset > this.#lastOffset) this.#lastOffset = entry.offset;
      if (entry.kind !== 'trade') continue;
      sequence = entry.sequence;
      newest = entry;
    }
    return {
      sequence,
      gapBefore: sequence > 0,
      newest,
      firstAt: newest === null ? Infinity : -Infinity,
      gap: null,
      generation: this.#generation,
      ids: new Set(),
      olderIds: null,
    };
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
    const floor = this.#clock() * OFFSETS_PER_MS;
    this.#lastOffset = floor > this.#lastOffset ? floor : this.#lastOffset + 1;
    const offset = this.#lastOffset;
    const epoch = this.#epoch;
    if (event.kind === 'bar') {
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
