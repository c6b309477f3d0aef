import type { Timers } from '../market/timers.ts';
import { MAX_GAP_MS } from './predecessor.ts';
import { TimerGroup } from './timers.ts';

/** Where nothing that was asked of the upstream's history is answered for so long, it is broken, not slow. */
const ANSWER_MS = 10_000;
/** Nobody waits longer for what is live again. */
const ROUND_MS = 30_000;

export type FillRoundsOptions<Gap> = {
  /** Gaps that are filled at a time. */
  readonly concurrency: number;
  readonly timers: Timers;
  /** How far the upstream's history may lag behind its feed, in ms: so long after the connection it is asked. */
  readonly historyLagMs: number;
  /** Whether it is known that everything from some time on comes live: others are left to a later round. */
  readonly isReady: (gap: Gap) => boolean;
  /** Asks the history, by {@link FillRounds.ask}, and settles the gap, unless the signal says that it is too late. */
  readonly fill: (gap: Gap, signal: AbortSignal) => Promise<void>;
  /** Settles a gap, which is no longer open, without what was missed; `reason`: in plain words, where there is one. */
  readonly giveUp: (gap: Gap, reason: string | null) => void;
};

/**
 * The gaps that are open, and when the history is asked for what was missed in them: all of them, some at a time, once the
 * connection stands and the history has caught up. Every gap is closed in the end: by what was missed, or without it where
 * the upstream does not answer for ten seconds, or does not come to an end within thirty.
 */
export class FillRounds<Gap> {
  readonly #options: FillRoundsOptions<Gap>;
  readonly #timers: TimerGroup;
  /** In the order in which they are asked for. Bounded by the number of logs. */
  readonly #open = new Set<Gap>();
  /** By the timers. */
  #pausedAt: number | null = null;
  #round: AbortController | null = null;
  #cancelRound: (() => void) | null = null;
  /** Questions of the round that are not answered. */
  #asking = 0;
  #cancelPatience: (() => void) | null = null;

  constructor(options: FillRoundsOptions<Gap>) {
    this.#options = options;
    this.#timers = new TimerGroup(options.timers);
  }

  get size(): number {
    return this.#open.size;
  }

  get gaps(): Iterable<Gap> {
    return this.#open;
  }

  add(gap: Gap): void {
    this.#open.add(gap);
  }

  has(gap: Gap): boolean {
    return this.#open.has(gap);
  }

  /** Closes a gap. `false`: it is closed already. */
  delete(gap: Gap): boolean {
    return this.#open.delete(gap);
  }

  /** The connection is lost: gaps stay open until it is back. */
  pause(): void {
    this.#pausedAt ??= this.#options.timers.now();
    this.#endRound();
  }

  /** The connection stands: the gaps are asked for as soon as the history has caught up. */
  resume(): void {
    const pausedAt = this.#pausedAt;
    this.#pausedAt = null;
    if (pausedAt !== null && this.#options.timers.now() - pausedAt > MAX_GAP_MS)
      this.giveUpAll('the connection was away for too long');
    if (this.#open.size === 0 || this.#cancelRound !== null) return;
    this.#cancelRound = this.#timers.after(this.#options.historyLagMs, () => void this.#run());
  }

  giveUpAll(reason: string | null = null): void {
    this.#endRound();
    for (const gap of this.#open) if (this.#open.delete(gap)) this.#options.giveUp(gap, reason);
  }

  /** Waits for an answer of the history; where none comes any more to any question, all gaps are given up. */
  async ask<Answer>(answer: Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    if (signal.aborted) return await answer;
    this.#asking += 1;
    this.#cancelPatience ??= this.#timers.after(ANSWER_MS, () => this.giveUpAll('the history does not answer'));
    try {
      return await answer;
    } finally {
      if (!signal.aborted) this.#noteAnswer();
    }
  }

  /** Waits until the history may have caught up. */
  async waitForHistory(): Promise<void> {
    await new Promise<void>((resolve) => void this.#timers.after(this.#options.historyLagMs, resolve));
  }

  close(): void {
    this.giveUpAll();
    this.#timers.close();
  }

  #noteAnswer(): void {
    this.#asking -= 1;
    this.#cancelPatience?.();
    this.#cancelPatience = null;
    if (this.#asking === 0) return;
    this.#cancelPatience = this.#timers.after(ANSWER_MS, () => this.giveUpAll('the history does not answer'));
  }

  #endRound(): void {
    this.#asking = 0;
    this.#cancelPatience?.();
    this.#cancelPatience = null;
    this.#cancelRound?.();
    this.#cancelRound = null;
    this.#round?.abort();
    this.#round = null;
  }

  async #run(): Promise<void> {
    const { concurrency, fill, isReady } = this.#options;
    const round = new AbortController();
    this.#round = round;
    this.#cancelRound = this.#timers.after(ROUND_MS, () => this.giveUpAll('it takes too long to read all of it'));
    const gaps = [...this.#open].filter(isReady);
    const work = async (): Promise<void> => {
      for (let gap = gaps.shift(); gap !== undefined && !round.signal.aborted; gap = gaps.shift()) {
        if (this.#open.has(gap)) await fill(gap, round.signal);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, work));
    if (this.#round !== round) return;
    this.#endRound();
    // A gap that was opened meanwhile, or was not ready, has a round of its own.
    this.resume();
  }
}
