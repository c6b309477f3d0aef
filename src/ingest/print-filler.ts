import type { Bus } from '../bus/bus.ts';
import { OFFSETS_PER_MS } from '../market/log.ts';
import type { Logger } from '../market/logger.ts';
import { SourceUnavailableError, type MarketDataSource } from '../market/source.ts';
import type { Timers } from '../market/timers.ts';
import type { Trade } from '../market/trade.ts';
import { FillRounds } from './fill-rounds.ts';
import type { LogCounter } from './log-counter.ts';
import type { LogWriter } from './log-writer.ts';
import type { Sequencer } from './sequencer.ts';

/**
 * Prints asked for at a time. A gap with more of them is filled page by page, the next one being asked for when the one
 * before is in the log: however long it was, memory holds a page of each gap that is being filled.
 */
const PAGE = 5_000;
/** Requests under way, of the eight that the upstream's client sends at a time: snapshots and bars are read beside them. */
const CONCURRENCY = 4;
/** Live prints that wait behind gaps, over all symbols: some 32 MiB, half of what may wait for the bus, where they go next. */
const MAX_WAITING = 100_000;
/** How far before the newest known print is asked, for prints that come late. */
const OVERLAP_MS = 1_000;
/** An answer that does not reach up to what is live again is asked for anew. */
const MAX_TRIES = 3;
/** A print of a predecessor is in the log so long after its receipt at most, so that none before it is further back in the log. */
const WRITTEN_WITHIN_MS = 5_000;

/** What was missed of one symbol: what came after `newest` and before the first that waits. */
export type PrintGap = {
  readonly symbol: string;
  readonly counter: LogCounter;
  /** The newest print before what is still missing, by the exchange's time: an answer that does not hold it is of another tape. */
  newest: { readonly id: string };
  /** Where that one is in the log, if it was read from there: of a log that is continued. */
  readonly offset: number;
  /** Prints before it are of no interest any more (Unix ms, the exchange's time). */
  from: number;
  /** What the log held before: `null` as long as it is not read. */
  had: Had | null;
  /** The ids of the last page that was written. */
  written: ReadonlySet<string>;
  /** What came since, in the order of arrival. Bounded over all gaps. */
  waiting: Trade[];
  /** How many of them came before the last loss: an answer has to reach beyond. */
  beforeLoss: number;
  /** The symbol is subscribed by then (Unix ms), if not before: its prints come live. */
  readonly subscribedAt: number;
};

export type PrintFillerOptions = {
  readonly bus: Pick<Bus, 'readHistory'>;
  readonly source: Pick<MarketDataSource, 'readTrades'>;
  readonly sequencer: Sequencer;
  readonly log: LogWriter;
  /** Unix ms. */
  readonly clock: () => number;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly historyLagMs: number;
  /** Called with prints of a symbol that were missed, when they are on their way into the log. */
  readonly onMissed: (symbol: string, prints: readonly Trade[]) => void;
};

/** What a log held before a gap: these ids, of the prints since then (Unix ms, the exchange's time). */
type Had = { readonly ids: readonly ReadonlySet<string>[]; readonly since: number };

/**
 * Reads the prints that were missed from the upstream's history, and writes them before the ones that came since: these wait
 * meanwhile, so that the log keeps the order of the tape. That nothing is missing is taken for true only where each page
 * holds the newest print before it, and the last one the first print after the gap that came before it was asked for. Every
 * gap is closed in the end; what could not be filled, the next print says by its `gapBefore`.
 */
export class PrintFiller {
  readonly #options: PrintFillerOptions;
  readonly #rounds: FillRounds<PrintGap>;
  #waiting = 0;
  #printsFilled = 0;
  #gapsFilled = 0;
  #gapsUnfilled = 0;
  #isTold = false;

  constructor(options: PrintFillerOptions) {
    this.#options = options;
    this.#rounds = new FillRounds({
      concurrency: CONCURRENCY,
      timers: options.timers,
      historyLagMs: options.historyLagMs,
      isReady: (gap) =>
        gap.waiting.length > gap.beforeLoss || options.clock() - options.historyLagMs >= gap.subscribedAt,
      fill: (gap, signal) => this.#fill(gap, signal),
      giveUp: (gap, reason) => {
        if (reason !== null) this.#tell(gap.symbol, reason);
        this.#close(gap, [], false);
      },
    });
  }

  /** Opens a gap where a log is continued that a predecessor wrote until just now. What it had, the log alone knows. */
  inherit(symbol: string, counter: LogCounter, subscribedAt: number): void {
    this.#open(symbol, counter, null, subscribedAt);
  }

  /** Opens a gap in a log that is written here: from now on prints are missing. Where nothing is known before, it is told. */
  open(symbol: string, counter: LogCounter): void {
    // Where the next one is to tell of an earlier loss, it tells of this one too.
    if (counter.gap === null && counter.gapBefore) return;
    counter.gapBefore = true;
    // As they are now: with the next print a quiet symbol may forget them.
    this.#open(symbol, counter, counter.olderIds === null ? [counter.ids] : [counter.ids, counter.olderIds], 0);
  }

  /** Keeps a print behind its gap. Beyond the bound the gap is given up, and the print goes out with the others. */
  wait(gap: PrintGap, trade: Trade): void {
    gap.waiting.push(trade);
    this.#waiting += 1;
    if (this.#waiting > MAX_WAITING) this.giveUp(gap);
  }

  /** The connection is lost: gaps stay open until it is back. */
  pause(): void {
    for (const gap of this.#rounds.gaps) gap.beforeLoss = gap.waiting.length;
    this.#rounds.pause();
  }

  /** The connection stands. */
  resume(): void {
    this.#isTold = false;
    this.#rounds.resume();
  }

  /** Closes a gap, if it is still open, without filling it. */
  giveUp(gap: PrintGap | null): void {
    if (gap !== null) this.#settle(gap, [], false);
  }

  readStats(): Readonly<Record<string, number>> {
    return {
      gapsOpen: this.#rounds.size,
      gapsFilled: this.#gapsFilled,
      gapsUnfilled: this.#gapsUnfilled,
      printsFilled: this.#printsFilled,
      printsBehindGaps: this.#waiting,
    };
  }

  close(): void {
    this.#rounds.close();
  }

  #open(symbol: string, counter: LogCounter, ids: readonly ReadonlySet<string>[] | null, subscribedAt: number): void {
    const { newest, firstAt } = counter;
    if (counter.gap !== null || newest === null) return;
    // What was printed before the log began was not missed.
    const from = Math.max(firstAt, newest.timestamp - OVERLAP_MS);
    const had = ids === null ? null : { ids, since: from };
    const offset = 'offset' in newest ? Number(newest.offset) : 0;
    const start = { symbol, counter, newest, offset, from, had, subscribedAt };
    counter.gap = { ...start, written: new Set(), waiting: [], beforeLoss: 0 };
    this.#rounds.add(counter.gap);
  }

  async #fill(gap: PrintGap, signal: AbortSignal): Promise<void> {
    const { source, log } = this.#options;
    for (let tries = 1; ;) {
      const first = gap.waiting[gap.beforeLoss];
      const query = { symbol: gap.symbol, from: gap.from, limit: PAGE };
      let page: Trade[];
      let had: Had;
      try {
        const answers = Promise.all([source.readTrades(query, signal), gap.had ?? this.#readHad(gap)]);
        [page, had] = await this.#rounds.ask(answers, signal);
      } catch (error) {
        if (!signal.aborted) this.#fail(gap, error);
        return;
      }
      if (signal.aborted || !this.#rounds.has(gap)) return;
      if (gap.had === null) this.#remember(gap.counter, had);
      gap.had = had;
      const ids = new Set(page.map(({ id }) => id));
      if (!ids.has(gap.newest.id)) {
        this.#tell(gap.symbol, 'the history does not know the newest print');
        return this.#settle(gap, [], false);
      }
      const missed = page.filter(
        ({ id, timestamp }) =>
          timestamp >= had.since && !gap.written.has(id) && !had.ids.some((known) => known.has(id)),
      );
      const last = page.at(-1)!;
      const isFull = page.length >= PAGE;
      if (first === undefined ? !isFull : ids.has(first.id)) return this.#settle(gap, missed, true);
      if (isFull && last.id !== gap.newest.id) {
        this.#writePage(gap, missed, last, ids);
        tries = 1;
        // The bus sets the pace.
        await log.settle();
      } else if (isFull || tries >= MAX_TRIES) {
        this.#tell(gap.symbol, 'the history does not reach up to what is live again');
        return this.#settle(gap, missed, false);
      } else {
        tries += 1;
        await this.#rounds.waitForHistory();
      }
      if (signal.aborted || !this.#rounds.has(gap)) return;
    }
  }

  /** Rejects where the log no longer tells what a predecessor had. */
  async #readHad({ symbol, newest, offset, from }: PrintGap): Promise<Had> {
    const { bus } = this.#options;
    const log = { kind: 'trade', symbol } as const;
    // By its place, not by its time: the log need not be numbered by the clock of the host that received it.
    const after = Math.max(0, offset - (OVERLAP_MS + WRITTEN_WITHIN_MS) * OFFSETS_PER_MS);
    const [[oldest], entries] = await Promise.all([
      bus.readHistory(log, { after: 0, limit: 1, unsettled: true }),
      bus.readHistory(log, { after, unsettled: true }),
    ]);
    const ids = new Set(entries.map(({ id }) => id));
    if (oldest === undefined || !ids.has(newest.id)) throw new Error('the log does not hold the newest print any more');
    // One that is as old as that began then, for all that is known: the log before may have been lost. And what was told as
    // missed is not to be had any more.
    const told = entries.filter(({ gapBefore }) => gapBefore).map(({ timestamp }) => timestamp);
    return { ids: [ids], since: Math.max(from, oldest.timestamp, ...told) };
  }

  /** What a predecessor had is known from now on, also to the next gap. */
  #remember(counter: LogCounter, { ids, since }: Had): void {
    for (const known of ids) for (const id of known) this.#options.sequencer.isDuplicate(counter, id);
    counter.firstAt = Math.max(counter.firstAt, since);
  }

  #fail(gap: PrintGap, error: unknown): void {
    this.#tell(gap.symbol, error instanceof Error ? error.message : String(error));
    // What the plan does not include for one symbol, it does not for the others.
    if (error instanceof SourceUnavailableError && error.retryAfterMs === null) this.#rounds.giveUpAll();
    else this.giveUp(gap);
  }

  /** Once a connection: gaps that cannot be filled have one cause, mostly. */
  #tell(symbol: string, reason: string): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#options.logger.warn({ symbol, reason }, 'Missed prints could not be read; the next ones say so.');
  }

  /** Writes a page beyond which there is more, and what came live in its time between two losses. The gap begins after it. */
  #writePage(gap: PrintGap, page: readonly Trade[], last: Trade, ids: ReadonlySet<string>): void {
    const count = gap.waiting.findIndex(
      ({ timestamp }, index) => index >= gap.beforeLoss || timestamp >= last.timestamp,
    );
    const passed = gap.waiting.splice(0, count < 0 ? gap.waiting.length : count);
    gap.beforeLoss -= passed.length;
    this.#waiting -= passed.length;
    gap.counter.gapBefore = false;
    this.#write(gap, page, passed);
    gap.newest = last;
    gap.from = last.timestamp;
    gap.written = ids;
  }

  #settle(gap: PrintGap, prints: readonly Trade[], isComplete: boolean): void {
    if (this.#rounds.delete(gap)) this.#close(gap, prints, isComplete);
  }

  /**
   * The log goes on: with what was missed in its place among what waited, or with a print that says that some are missing.
   *
   * @param prints by time; some of them may be known already
   */
  #close(gap: PrintGap, prints: readonly Trade[], isComplete: boolean): void {
    const { counter, waiting } = gap;
    counter.gap = null;
    this.#waiting -= waiting.length;
    if (isComplete) {
      this.#gapsFilled += 1;
      counter.gapBefore = false;
      this.#write(gap, prints, waiting);
      return;
    }
    this.#gapsUnfilled += 1;
    // What was read follows without a gap upon the newest print before.
    if (prints.length > 0) counter.gapBefore = false;
    this.#write(gap, prints, []);
    counter.gapBefore = true;
    this.#write(gap, [], waiting);
  }

  #write({ symbol, counter, waiting }: PrintGap, prints: readonly Trade[], others: readonly Trade[]): void {
    const { sequencer, log, onMissed } = this.#options;
    // Those that wait came before many others, perhaps: their ids are not relied upon to be remembered.
    const held = new Set([...waiting, ...others].map(({ id }) => id));
    const missed = prints.filter(({ id }) => !held.has(id) && !sequencer.isDuplicate(counter, id));
    this.#printsFilled += missed.length;
    for (const trade of mergeByTime(missed, others)) log.add(trade, counter);
    log.flush();
    if (missed.length > 0) onMissed(symbol, missed);
  }
}

/** Both by time; where times are equal, what is of `first` comes first. */
function mergeByTime(first: readonly Trade[], second: readonly Trade[]): Trade[] {
  const merged: Trade[] = [];
  let next = 0;
  for (const trade of second) {
    while (next < first.length && first[next]!.timestamp <= trade.timestamp) merged.push(first[next++]!);
    merged.push(trade);
  }
  return [...merged, ...first.slice(next)];
}
