import type { Bus } from '../bus/bus.ts';
import { OFFSETS_PER_MS } from '../market/log.ts';
import type { Logger } from '../market/logger.ts';
import { SourceUnavailableError, type MarketDataSource } from '../market/source.ts';
import { isIndex } from '../market/symbol.ts';
import type { Timers } from '../market/timers.ts';
import type { Trade } from '../market/trade.ts';
import type { LogWriter } from './log-writer.ts';
import type { LogCounter, Sequencer } from './sequencer.ts';
import { TimerGroup } from './timers.ts';

/** Prints asked for per gap: one page of the upstream. A gap with more of them is filled in part, and the rest is told. */
const MAX_PRINTS = 10_000;
/** Requests under way, of the eight that the upstream's client sends at a time: snapshots are read beside them. */
const CONCURRENCY = 4;
/** From its first request on, a round lasts so long at most: nobody waits longer for what is live again. */
const ROUND_MS = 5_000;
/** Live prints that wait behind gaps, over all symbols. */
const MAX_WAITING = 50_000;
/** How far before the newest known print is asked, for prints that come late. */
const OVERLAP_MS = 1_000;
/** An answer that does not reach up to what is live again is asked for anew. */
const MAX_TRIES = 3;
/** A longer gap is told, not filled. */
const MAX_GAP_MS = 5 * 60_000;
/** What was wanted when a predecessor wrote is wanted again so long after the start at most. */
const INHERITANCE_MS = 30_000;
/** A print of a predecessor is in the log so long after its receipt at most. */
const WRITTEN_WITHIN_MS = 5_000;

/** What was missed of one symbol: what came after `newest` and before the first that waits. */
export type Gap = {
  readonly symbol: string;
  readonly counter: LogCounter;
  /** The newest print before it by the exchange's time: an answer that does not hold it is of another tape. */
  readonly newest: Trade;
  /** Prints before it are of no interest (Unix ms, the exchange's time). */
  readonly notBefore: number;
  /** It passed since another process wrote the log: what that one had of it, the log alone knows. */
  readonly isInherited: boolean;
  /** The ids of prints that came before it, for as long as they are remembered. */
  readonly known: readonly ReadonlySet<string>[];
  /** What came since, in the order of arrival. Bounded over all gaps. */
  readonly waiting: Trade[];
  /** How many of them came before the last loss: an answer has to reach beyond. */
  beforeLoss: number;
};

export type GapFillerOptions = {
  readonly bus: Pick<Bus, 'readHistory' | 'readStatus'>;
  readonly source: Pick<MarketDataSource, 'readTrades'>;
  readonly sequencer: Sequencer;
  readonly log: LogWriter;
  /** Unix ms. */
  readonly clock: () => number;
  readonly timers: Timers;
  readonly logger: Logger;
  /** How far the upstream's history may lag behind its feed, in ms: so long after the connection it is asked. */
  readonly historyLagMs: number;
  /** Called with the prints of a symbol that were missed, when they are in the log. */
  readonly onMissed: (symbol: string, prints: readonly Trade[]) => void;
};

/** What a log held before a gap: these ids, of the prints since then (Unix ms, the exchange's time). */
type Had = { readonly ids: readonly ReadonlySet<string>[]; readonly since: number };

/**
 * Reads the prints that were missed from the upstream's history, and writes them before the ones that came since: these wait
 * meanwhile, so that the log keeps the order of the tape. That nothing is missing is taken for true only where the answer
 * holds both the newest print before the gap and the first one after it that came before it was asked for. Every gap is
 * closed in the end; what could not be filled, the next print says by its `gapBefore`.
 */
export class GapFiller {
  readonly #options: GapFillerOptions;
  readonly #timers: TimerGroup;
  /** In the order in which they are asked for. Bounded by the number of symbols. */
  readonly #open = new Set<Gap>();
  #waiting = 0;
  /** Until then (Unix ms) logs are taken over from a predecessor; 0 where none was alive within the last minute. */
  #inheritsUntil = 0;
  #pausedAt: number | null = null;
  #round: AbortController | null = null;
  #cancelRound: (() => void) | null = null;
  #printsFilled = 0;
  #gapsFilled = 0;
  #gapsUnfilled = 0;
  #isTold = false;

  constructor(options: GapFillerOptions) {
    this.#options = options;
    this.#timers = new TimerGroup(options.timers);
  }

  /** Finds out whether there was a writer until just now. To be called before there is a status of this one. Never rejects. */
  async start(): Promise<void> {
    const { bus, clock } = this.#options;
    try {
      if ((await bus.readStatus()) !== null) this.#inheritsUntil = clock() + INHERITANCE_MS;
    } catch {
      // Without the bus nothing is known of one: what was missed is told, not filled.
    }
  }

  /** Opens a gap where a log is continued that a predecessor wrote until just now. */
  inherit(symbol: string, counter: LogCounter): void {
    const now = this.#options.clock();
    if (now >= this.#inheritsUntil || counter.newest === null) return;
    if (now - counter.newest.receivedAt < MAX_GAP_MS) this.#openGap(symbol, counter, true);
  }

  /** Opens a gap in a log that is written here: from now on prints are missing. Where nothing is known before, it is told. */
  open(symbol: string, counter: LogCounter): void {
    counter.gapBefore = true;
    if (!isIndex(symbol)) this.#openGap(symbol, counter, false);
  }

  /** Keeps a print behind its gap. Beyond the bound the gap is given up, and the print goes out with the others. */
  wait(gap: Gap, trade: Trade): void {
    gap.waiting.push(trade);
    this.#waiting += 1;
    if (this.#waiting > MAX_WAITING) this.giveUp(gap);
  }

  /** The connection is lost: gaps stay open until it is back. */
  pause(): void {
    this.#pausedAt ??= this.#options.clock();
    for (const gap of this.#open) gap.beforeLoss = gap.waiting.length;
    this.#endRound();
  }

  /** The connection stands: the gaps are asked for as soon as the history has caught up. */
  resume(): void {
    const pausedAt = this.#pausedAt;
    this.#pausedAt = null;
    if (pausedAt !== null && this.#options.clock() - pausedAt > MAX_GAP_MS) this.giveUpAll();
    if (this.#open.size === 0 || this.#cancelRound !== null) return;
    this.#cancelRound = this.#timers.after(this.#options.historyLagMs, () => void this.#runRound());
  }

  /** Closes a gap, if it is still open, without filling it. */
  giveUp(gap: Gap | null): void {
    if (gap !== null && this.#open.has(gap)) this.#settle(gap, [], false);
  }

  /** Closes all of them without filling them. */
  giveUpAll(): void {
    this.#endRound();
    for (const gap of this.#open) this.giveUp(gap);
  }

  readStats(): Readonly<Record<string, number>> {
    return {
      gapsOpen: this.#open.size,
      gapsFilled: this.#gapsFilled,
      gapsUnfilled: this.#gapsUnfilled,
      printsFilled: this.#printsFilled,
      printsBehindGaps: this.#waiting,
    };
  }

  close(): void {
    this.giveUpAll();
    this.#timers.close();
  }

  #openGap(symbol: string, counter: LogCounter, isInherited: boolean): void {
    const { newest, firstAt } = counter;
    if (counter.gap !== null || newest === null) return;
    // What was printed before the log began was not missed.
    const notBefore = Math.max(firstAt, newest.timestamp - OVERLAP_MS);
    // As they are now: with the next print a quiet symbol may forget them.
    const known = counter.olderIds === null ? [counter.ids] : [counter.ids, counter.olderIds];
    const gap: Gap = { symbol, counter, newest, notBefore, isInherited, known, waiting: [], beforeLoss: 0 };
    counter.gap = gap;
    this.#open.add(gap);
  }

  #endRound(): void {
    this.#cancelRound?.();
    this.#cancelRound = null;
    this.#round?.abort();
    this.#round = null;
  }

  async #runRound(): Promise<void> {
    const round = new AbortController();
    this.#round = round;
    this.#isTold = false;
    this.#cancelRound = this.#timers.after(ROUND_MS, () => this.giveUpAll());
    const gaps = [...this.#open];
    const work = async (): Promise<void> => {
      for (let gap = gaps.shift(); gap !== undefined && !round.signal.aborted; gap = gaps.shift()) {
        if (this.#open.has(gap)) await this.#fill(gap, round.signal);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
    if (this.#round !== round) return;
    this.#endRound();
    // A gap that was opened meanwhile has a round of its own.
    this.resume();
  }

  async #fill(gap: Gap, signal: AbortSignal): Promise<void> {
    const { symbol, newest, notBefore } = gap;
    for (let tries = 1; ; tries += 1) {
      const first = gap.waiting[gap.beforeLoss];
      let prints: Trade[];
      let had: Had;
      try {
        [prints, had] = await Promise.all([
          this.#options.source.readTrades({ symbol, from: notBefore, limit: MAX_PRINTS }, signal),
          this.#readHad(gap),
        ]);
      } catch (error) {
        if (!signal.aborted) this.#fail(gap, error);
        return;
      }
      if (signal.aborted || !this.#open.has(gap)) return;
      const ids = new Set(prints.map(({ id }) => id));
      if (!ids.has(newest.id)) {
        this.#tell(symbol, 'the history does not know the newest print');
        return this.#settle(gap, [], false);
      }
      const isFull = prints.length >= MAX_PRINTS;
      const isReached = first === undefined || ids.has(first.id);
      if (isReached || isFull || tries >= MAX_TRIES) {
        if (isFull || !isReached) this.#tell(symbol, 'the history does not reach up to what is live again');
        const missed = prints.filter(({ id, timestamp }) => {
          return timestamp >= had.since && !had.ids.some((ids) => ids.has(id));
        });
        return this.#settle(gap, missed, isReached && !isFull);
      }
      await new Promise<void>((resolve) => void this.#timers.after(this.#options.historyLagMs, resolve));
      if (signal.aborted) return;
    }
  }

  /** Rejects where the log no longer tells what a predecessor had. */
  async #readHad({ symbol, newest, notBefore, isInherited, known }: Gap): Promise<Had> {
    if (!isInherited) return { ids: known, since: notBefore };
    const { bus } = this.#options;
    const log = { kind: 'trade', symbol } as const;
    const after = Math.max(0, newest.receivedAt - OVERLAP_MS - WRITTEN_WITHIN_MS) * OFFSETS_PER_MS;
    const [[oldest], entries] = await Promise.all([
      bus.readHistory(log, { after: 0, limit: 1 }),
      bus.readHistory(log, { after }),
    ]);
    const ids = new Set(entries.map(({ id }) => id));
    if (oldest === undefined || !ids.has(newest.id)) throw new Error('the log does not hold the newest print any more');
    // One that is as old as that began then, for all that is known: the log before may have been lost.
    return { ids: [ids], since: oldest.timestamp };
  }

  #fail(gap: Gap, error: unknown): void {
    this.#tell(gap.symbol, error instanceof Error ? error.message : String(error));
    // What the plan does not include for one symbol, it does not for the others.
    if (error instanceof SourceUnavailableError && error.retryAfterMs === null) this.giveUpAll();
    else this.giveUp(gap);
  }

  /** Once a round: gaps that cannot be filled have one cause, mostly. */
  #tell(symbol: string, reason: string): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#options.logger.warn({ symbol, reason }, 'Missed prints could not be read; the next ones say so.');
  }

  /**
   * The log goes on: with what was missed in its place among what waited, or with a print that says that some are missing.
   *
   * @param prints by time; some of them may be known already
   */
  #settle(gap: Gap, prints: readonly Trade[], isComplete: boolean): void {
    const { sequencer, log, onMissed } = this.#options;
    const { counter, waiting } = gap;
    this.#open.delete(gap);
    counter.gap = null;
    this.#waiting -= waiting.length;
    if (isComplete) this.#gapsFilled += 1;
    else this.#gapsUnfilled += 1;

    const missed = prints.filter(({ id }) => !sequencer.isDuplicate(counter, id));
    this.#printsFilled += missed.length;
    if (isComplete) {
      counter.gapBefore = false;
      for (const trade of mergeByTime(missed, waiting)) log.add(trade, counter);
    } else {
      // What was read follows without a gap upon the newest print before.
      if (missed.length > 0) counter.gapBefore = false;
      for (const trade of missed) log.add(trade, counter);
      counter.gapBefore = true;
      for (const trade of waiting) log.add(trade, counter);
    }
    log.flush();
    if (missed.length > 0) onMissed(gap.symbol, missed);
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
