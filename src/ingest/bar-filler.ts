import type { Bus } from '../bus/bus.ts';
import { LIVE_BAR_MS, type Bar, type LiveBar, type LiveBarInterval } from '../market/bar.ts';
import type { Logger } from '../market/logger.ts';
import { SourceUnavailableError, type MarketDataSource } from '../market/source.ts';
import type { Timers } from '../market/timers.ts';
import { FillRounds } from './fill-rounds.ts';
import { BAR_LATENESS_MS, isRepeatedBar, type LogCounter } from './log-counter.ts';
import type { LogWriter } from './log-writer.ts';

/** More than the seconds of the longest gap that is filled. */
const MAX_BARS = 1_000;
/** Beside the requests for prints, which go before. */
const CONCURRENCY = 2;
/** Live bars that wait behind gaps, over all symbols: some 16 MiB. */
const MAX_WAITING = 50_000;
/** An answer that does not hold what is live again is asked for anew. */
const MAX_TRIES = 3;
/** Newest bars of a predecessor that are looked at, since the last one may have been a late one. */
const INHERITED_BARS = 20;

/** What was missed of one symbol's bars of one length. */
export type BarGap = {
  readonly symbol: string;
  readonly interval: LiveBarInterval;
  readonly counter: LogCounter;
  /** Bars of windows that ended by then are in the log, or of no interest (Unix ms, the exchange's time). */
  readonly since: number;
  /** The symbol is subscribed by then (Unix ms), if not before: its bars come live. */
  readonly subscribedAt: number;
  /** It passed since another process wrote the log: what that one had of it, the log alone knows. */
  isInherited: boolean;
  /** What came since, in the order of arrival. Bounded over all gaps. */
  readonly waiting: LiveBar[];
  /** How many of them came before the last loss: an answer has to reach beyond. */
  beforeLoss: number;
};

export type BarFillerOptions = {
  readonly bus: Pick<Bus, 'readHistory'>;
  readonly source: Pick<MarketDataSource, 'readBars'>;
  readonly log: LogWriter;
  /** Unix ms. */
  readonly clock: () => number;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly historyLagMs: number;
  /** By how much the feed is behind the exchange, in ms. */
  readonly feedDelayMs: number;
};

/**
 * Reads the bars of the windows that ended while the connection was lost, and writes them before the ones that came since,
 * which wait meanwhile. The upstream makes its bars of the whole tape, whoever listens: the window that is open when the
 * connection returns comes live, and whole. A window without a trade has no bar, so that a hole proves nothing: the answer
 * has to hold the newest bar before the gap and the first one after it, where there is one. What could not be filled, the
 * next bar says by its `gapBefore`; where no window ended meanwhile, nothing was missed.
 */
export class BarFiller {
  readonly #options: BarFillerOptions;
  readonly #rounds: FillRounds<BarGap>;
  /** Since then (Unix ms) the connection stands; `null`: it does not. */
  #wholeSince: number | null = null;
  #waiting = 0;
  #barsFilled = 0;
  #gapsFilled = 0;
  #gapsUnfilled = 0;
  #isTold = false;

  constructor(options: BarFillerOptions) {
    this.#options = options;
    this.#rounds = new FillRounds({
      concurrency: CONCURRENCY,
      timers: options.timers,
      historyLagMs: options.historyLagMs,
      isReady: (gap) => options.clock() - options.historyLagMs >= gap.subscribedAt,
      fill: (gap, signal) => this.#fill(gap, signal),
      giveUp: (gap, reason) => {
        const hasMissed = this.#hasMissed(gap);
        if (reason !== null && hasMissed) this.#tell(gap.symbol, reason);
        this.#close(gap, [], !hasMissed);
      },
    });
  }

  /** Opens a gap where a log is continued that a predecessor wrote until just now. */
  inherit(symbol: string, interval: LiveBarInterval, counter: LogCounter, subscribedAt: number): void {
    const { newest } = counter.bars[interval];
    if (newest === null) return;
    this.#open({ symbol, interval, counter, since: newest.end - BAR_LATENESS_MS, isInherited: true, subscribedAt });
  }

  /** Opens gaps in the logs of a symbol that are written here: from now on its bars are missing. */
  open(symbol: string, counter: LogCounter): void {
    const { clock, feedDelayMs } = this.#options;
    for (const interval of ['SECOND', 'MINUTE'] as const) {
      // One that was late may not have come when the connection was lost.
      const since = Math.max(clock() - BAR_LATENESS_MS, counter.bars[interval].openedAt) - feedDelayMs;
      this.#open({ symbol, interval, counter, since, isInherited: false, subscribedAt: 0 });
    }
  }

  /** Keeps a bar behind its gap. Beyond the bound the gap is given up, and the bar goes out with the others. */
  wait(gap: BarGap, bar: LiveBar): void {
    gap.waiting.push(bar);
    this.#waiting += 1;
    if (this.#waiting > MAX_WAITING) this.giveUp(gap);
  }

  /** The connection is lost: gaps stay open until it is back. */
  pause(): void {
    for (const gap of this.#rounds.gaps) gap.beforeLoss = gap.waiting.length;
    this.#wholeSince = null;
    this.#rounds.pause();
  }

  /** The connection stands. */
  resume(): void {
    this.#isTold = false;
    this.#wholeSince ??= this.#options.clock();
    this.#rounds.resume();
  }

  /** Closes a gap, if it is still open, without filling it. */
  giveUp(gap: BarGap | null): void {
    if (gap !== null) this.#settle(gap, [], !this.#hasMissed(gap));
  }

  readStats(): Readonly<Record<string, number>> {
    return {
      barGapsOpen: this.#rounds.size,
      barGapsFilled: this.#gapsFilled,
      barGapsUnfilled: this.#gapsUnfilled,
      barsFilled: this.#barsFilled,
      barsBehindGaps: this.#waiting,
    };
  }

  close(): void {
    this.#rounds.close();
  }

  #open(fields: Pick<BarGap, 'symbol' | 'interval' | 'counter' | 'since' | 'isInherited' | 'subscribedAt'>): void {
    const log = fields.counter.bars[fields.interval];
    // Where the next one is to tell of an earlier loss, it tells of this one too.
    if (log.gap !== null || (log.gapBefore && !fields.isInherited)) return;
    log.gap = { ...fields, waiting: [], beforeLoss: 0 };
    this.#rounds.add(log.gap);
  }

  /** Whether a window has ended while nobody listened. */
  #hasMissed(gap: BarGap): boolean {
    return startOf(gap.since, gap.interval) < startOf(this.#readEnd(gap), gap.interval);
  }

  /**
   * Windows that end later come live, by the exchange's time (Unix ms). Half of what its history may lag behind is for its
   * clock, which may not be quite ours: when it is asked, all of them have ended there too.
   */
  #readEnd({ subscribedAt }: BarGap): number {
    const { clock, historyLagMs, feedDelayMs } = this.#options;
    return Math.max(this.#wholeSince ?? clock(), subscribedAt) - feedDelayMs + historyLagMs / 2;
  }

  async #fill(gap: BarGap, signal: AbortSignal): Promise<void> {
    const { symbol, interval, counter } = gap;
    const log = counter.bars[interval];
    if (!this.#hasMissed(gap)) return this.#settle(gap, [], true);
    // What came before the first bar that is known cannot be told from what was never there.
    if (log.newest === null) return this.#settle(gap, [], false);
    const end = this.#readEnd(gap);
    for (let tries = 1; ; tries += 1) {
      const first = gap.waiting[gap.beforeLoss];
      let bars: Bar[];
      try {
        if (gap.isInherited) await this.#rounds.ask(this.#readInherited(gap), signal);
        const query = { symbol, interval, ...rangeOf(gap, Math.max(end, first?.end ?? 0)), limit: MAX_BARS };
        bars = await this.#rounds.ask(this.#options.source.readBars(query, signal), signal);
      } catch (error) {
        if (!signal.aborted) this.#fail(gap, error);
        return;
      }
      if (signal.aborted || !this.#rounds.has(gap)) return;
      const starts = new Set(bars.map(({ start }) => start));
      if (!starts.has(log.newest.start)) {
        this.#tell(symbol, 'the history does not know the newest bar');
        return this.#settle(gap, [], false);
      }
      const isReached = (first === undefined || starts.has(first.start)) && bars.length < MAX_BARS;
      if (isReached || tries >= MAX_TRIES) {
        if (!isReached) this.#tell(symbol, 'the history does not reach up to what is live again');
        return this.#settle(gap, bars, isReached);
      }
      await this.#rounds.waitForHistory();
      if (signal.aborted || !this.#rounds.has(gap)) return;
    }
  }

  /** Rejects where the log no longer tells what a predecessor had. */
  async #readInherited(gap: BarGap): Promise<void> {
    const { symbol, interval, counter } = gap;
    const log = counter.bars[interval];
    const entries = await this.#options.bus.readHistory({ kind: 'bar', symbol, interval }, { last: INHERITED_BARS });
    const [oldest] = entries;
    if (oldest === undefined) throw new Error('the log does not hold the newest bar any more');
    gap.isInherited = false;
    log.starts = entries.map(({ start }) => start);
    log.firstAt = Math.min(...log.starts);
    for (const entry of entries) if (log.newest === null || entry.start > log.newest.start) log.newest = entry;
  }

  #fail(gap: BarGap, error: unknown): void {
    this.#tell(gap.symbol, error instanceof Error ? error.message : String(error));
    // What the plan does not include for one symbol, it does not for the others.
    if (error instanceof SourceUnavailableError && error.retryAfterMs === null) this.#rounds.giveUpAll();
    else this.giveUp(gap);
  }

  /** Once a connection: gaps that cannot be filled have one cause, mostly. */
  #tell(symbol: string, reason: string): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#options.logger.warn({ symbol, reason }, 'Missed bars could not be read; the next ones say so.');
  }

  #settle(gap: BarGap, bars: readonly Bar[], isComplete: boolean): void {
    if (this.#rounds.delete(gap)) this.#close(gap, bars, isComplete);
  }

  /** The log goes on: with what was missed in its place among what waited, or with a bar that says that some are missing. */
  #close(gap: BarGap, bars: readonly Bar[], isComplete: boolean): void {
    const { interval, counter, waiting } = gap;
    const { clock, log: writer } = this.#options;
    const log = counter.bars[interval];
    log.gap = null;
    this.#waiting -= waiting.length;
    if (isComplete) this.#gapsFilled += 1;
    else this.#gapsUnfilled += 1;

    // Of what came both ways, the one that came live stays.
    const known = new Set([...log.starts, ...waiting.map(({ start }) => start)]);
    const missed = bars.filter(({ start }) => !known.has(start));
    this.#barsFilled += missed.length;
    const fetched = missed.map((bar) => toLiveBar(bar, interval, clock()));
    // What was read follows without a gap upon the newest bar before, and so does what is next where nothing was missed since.
    if (bars.length > 0 || (isComplete && gap.isInherited)) log.gapBefore = false;
    const add = (bar: LiveBar): void => {
      if (!isRepeatedBar(bar, log)) writer.add(bar, counter);
    };
    if (isComplete) mergeByStart(fetched, waiting).forEach(add);
    else {
      fetched.forEach(add);
      log.gapBefore = true;
      waiting.forEach(add);
    }
    log.fetched = missed;
    writer.flush();
  }
}

/** Which windows are asked for: from the newest known one, or where others may be missing before it, to what ended by `end`. */
function rangeOf({ interval, counter, since }: BarGap, end: number): { from: number; to: number } {
  const log = counter.bars[interval];
  const newest = log.newest!.start;
  const from = Math.max(log.firstAt, Math.min(newest, startOf(since, interval)));
  return { from, to: Math.max(newest, end - LIVE_BAR_MS[interval]) + 1 };
}

function startOf(time: number, interval: LiveBarInterval): number {
  const lengthMs = LIVE_BAR_MS[interval];
  return Math.floor(time / lengthMs) * lengthMs;
}

function toLiveBar(bar: Bar, interval: LiveBarInterval, receivedAt: number): LiveBar {
  return { ...bar, kind: 'bar', interval, dayOpen: null, dayVolume: null, dayVwap: null, receivedAt };
}

/** Both by window; where it is the same, what is of `first` comes first. */
function mergeByStart(first: readonly LiveBar[], second: readonly LiveBar[]): LiveBar[] {
  const merged: LiveBar[] = [];
  let next = 0;
  for (const bar of second) {
    while (next < first.length && first[next]!.start <= bar.start) merged.push(first[next++]!);
    merged.push(bar);
  }
  return [...merged, ...first.slice(next)];
}
