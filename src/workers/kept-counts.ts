import type { Logger } from '../market/logger.ts';

/** Joins what a worker told last, before it ended, to what those told that ended before it. */
export type AddCounts = (sum: unknown, gone: unknown) => Promise<unknown>;

/** What workers told last, so that a count over all of them does not go back when one of them is silent or ends. */
export class KeptCounts {
  readonly #add: AddCounts;
  readonly #logger: Logger;
  readonly #last = new Map<string, unknown>();
  /** Of all that have ended, as one. */
  #gone: unknown;
  #adding: Promise<void> = Promise.resolve();

  constructor(add: AddCounts, logger: Logger) {
    this.#add = add;
    this.#logger = logger;
  }

  note(worker: string, counts: unknown): void {
    this.#last.set(worker, counts);
  }

  /** The worker has ended: who comes in its place counts from 0. */
  retire(worker: string): void {
    const last = this.#last.get(worker);
    if (last === undefined) return;
    this.#last.delete(worker);
    this.#adding = this.#adding.then(async () => {
      try {
        this.#gone = await this.#add(this.#gone, last);
      } catch (error) {
        this.#logger.error({ err: error, worker }, 'the counts of a worker that ended are lost');
      }
    });
  }

  /** Of the silent ones, and of those that have ended. */
  async list(silent: readonly string[]): Promise<unknown[]> {
    const lasts = silent.map((worker) => this.#last.get(worker));
    await this.#adding;
    return [...lasts, this.#gone].filter((counts) => counts !== undefined);
  }
}
