import type { LogEntry } from '../bus/bus.ts';
import type { Bar, LiveBar, LiveBarInterval, LoggedBar } from '../market/bar.ts';
import type { Trade } from '../market/trade.ts';
import type { BarGap } from './bar-filler.ts';
import type { PrintGap } from './print-filler.ts';

/** So many windows are remembered: more than the seconds in which a bar that is late may still come. */
const REMEMBERED_BARS = 16;
/** A bar that comes later than this after a newer one of its symbol is not taken for one that was fetched meanwhile. */
export const BAR_LATENESS_MS = 10_000;

/** Where the logs of one symbol stand: of its prints, and of its bars. */
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
  gap: PrintGap | null;
  generation: number;
  ids: Set<string>;
  olderIds: Set<string> | null;
  readonly bars: Readonly<Record<LiveBarInterval, BarCounter>>;
};

/** Where the log of one symbol's bars of one length stands. */
export type BarCounter = {
  /** Of the newest bar; 0 before the first. */
  sequence: number;
  /** The next bar follows a loss. */
  gapBefore: boolean;
  /** Of all bars, the one of the newest window; `null` before the first. */
  newest: LiveBar | null;
  /** The windows of the last bars, by their begin, in the order in which they came: at most 16. */
  starts: number[];
  /** Windows that begin before it are of no interest. */
  firstAt: number;
  /** Since then (Unix ms) the bars are taken here: windows that ended before are of no interest either. */
  readonly openedAt: number;
  /** What was missed and is being read: bars wait behind it. */
  gap: BarGap | null;
  /** What was fetched of late and may still come live. */
  fetched: readonly Bar[];
};

/**
 * Continues the logs of a symbol from their newest entries. Where there were some before, others may have passed unseen
 * since: the next ones say so.
 */
export function createLogCounter(lastEntries: readonly LogEntry[], generation: number, now: number): LogCounter {
  let sequence = 0;
  let newest: Trade | null = null;
  const newestBars: Record<LiveBarInterval, LoggedBar | null> = { SECOND: null, MINUTE: null };
  for (const entry of lastEntries) {
    if (entry.kind === 'bar') newestBars[entry.interval] = entry;
    else {
      sequence = entry.sequence;
      newest = entry;
    }
  }
  const wasWritten = lastEntries.length > 0;
  return {
    sequence,
    gapBefore: sequence > 0,
    newest,
    firstAt: newest === null ? Infinity : -Infinity,
    gap: null,
    generation,
    ids: new Set(),
    olderIds: null,
    bars: {
      SECOND: createBarCounter(newestBars.SECOND, wasWritten, now),
      MINUTE: createBarCounter(newestBars.MINUTE, wasWritten, now),
    },
  };
}

function createBarCounter(newest: LoggedBar | null, gapBefore: boolean, openedAt: number): BarCounter {
  return {
    sequence: newest?.sequence ?? 0,
    gapBefore,
    newest,
    starts: newest === null ? [] : [newest.start],
    firstAt: newest === null ? Infinity : -Infinity,
    openedAt,
    gap: null,
    fetched: [],
  };
}

/** What says with its next entry that some are missing: the prints of a symbol, or its bars of one length. */
export function counterOf(event: Trade | LiveBar, counter: LogCounter): LogCounter | BarCounter {
  return event.kind === 'trade' ? counter : counter.bars[event.interval];
}

/** Takes note of an entry that is to be the next of its log. Returns whether it is to say that some are missing. */
export function noteEntry(event: Trade | LiveBar, counter: LogCounter): boolean {
  const log = counterOf(event, counter);
  const { gapBefore } = log;
  log.gapBefore = false;
  if (event.kind === 'trade') {
    if (counter.newest === null || event.timestamp >= counter.newest.timestamp) counter.newest = event;
    // What was missed before was told: it is not to be fetched any more.
    if (gapBefore || event.timestamp < counter.firstAt) counter.firstAt = event.timestamp;
  } else noteBar(event, counter.bars[event.interval], gapBefore);
  return gapBefore;
}

function noteBar(bar: LiveBar, log: BarCounter, gapBefore: boolean): void {
  // What was missed before was told: it is not to be fetched any more.
  if (gapBefore || log.firstAt === Infinity) log.firstAt = bar.start;
  if (log.newest === null || bar.start >= log.newest.start) log.newest = bar;
  log.starts.push(bar.start);
  if (log.starts.length > REMEMBERED_BARS) log.starts.shift();
}

/** Whether a bar says nothing new: the newest once more, or one that was fetched while it was on its way. */
export function isRepeatedBar(bar: LiveBar, log: BarCounter): boolean {
  if (log.newest !== null && isSame(bar, log.newest) && isSameDay(bar, log.newest)) return true;
  const { fetched } = log;
  if (fetched.length === 0) return false;
  if (bar.start - fetched.at(-1)!.start > BAR_LATENESS_MS) {
    log.fetched = [];
    return false;
  }
  return fetched.some((known) => isSame(bar, known));
}

function isSame(bar: Bar, known: Bar): boolean {
  return (
    bar.start === known.start &&
    bar.open === known.open &&
    bar.high === known.high &&
    bar.low === known.low &&
    bar.close === known.close &&
    bar.volume === known.volume
  );
}

function isSameDay(bar: LiveBar, known: LiveBar): boolean {
  return bar.dayOpen === known.dayOpen && bar.dayVolume === known.dayVolume && bar.dayVwap === known.dayVwap;
}
