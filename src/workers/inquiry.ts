import type { Timers } from '../market/timers.ts';
import type { Answers } from '../server/crew.ts';

type Outcome = Omit<Answers<unknown>, 'past'>;

/** One question to several workers: over when each has answered or ended, or when the time is up. */
export class Inquiry {
  readonly outcome: Promise<Outcome>;
  readonly #waiting: Set<string>;
  readonly #missing: Set<string>;
  readonly #answers = new Map<string, unknown>();
  readonly #resolve: (outcome: Outcome) => void;
  readonly #cancel: () => void;

  constructor(options: {
    readonly asked: readonly string[];
    /** Those that are known not to answer. */
    readonly missing: readonly string[];
    readonly timers: Timers;
    readonly timeoutMs: number;
  }) {
    this.#waiting = new Set(options.asked);
    this.#missing = new Set(options.missing);
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.outcome = promise;
    this.#resolve = resolve;
    this.#cancel = options.timers.after(options.timeoutMs, () => {
      for (const worker of this.#waiting) this.giveUp(worker);
    });
    this.#endIfAllAnswered();
  }

  take(worker: string, answer: unknown): void {
    if (!this.#waiting.delete(worker)) return;
    this.#answers.set(worker, answer);
    this.#endIfAllAnswered();
  }

  /** What a worker said that has ended since is not what it is now. */
  giveUp(worker: string): void {
    if (!this.#waiting.delete(worker) && !this.#answers.delete(worker)) return;
    this.#missing.add(worker);
    this.#endIfAllAnswered();
  }

  #endIfAllAnswered(): void {
    if (this.#waiting.size > 0) return;
    this.#cancel();
    const answers = [...this.#answers].map(([worker, answer]) => ({ worker, answer }));
    this.#resolve({
      answers: answers.toSorted((a, b) => a.worker.localeCompare(b.worker)),
      missing: [...this.#missing].toSorted(),
    });
  }
}
