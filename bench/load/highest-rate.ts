const MAX_FACTOR = 4;

/** What one trial at a rate has shown. */
export type Trial = { readonly isSustained: boolean };

export type SearchOptions<T extends Trial> = {
  /** The first rate to try. */
  readonly start: number;
  /**
   * By which the rate is multiplied, or divided, until a sustained and an unsustained one are known; squared at each step, so
   * that a start that is far off costs little, up to {@link MAX_FACTOR}.
   */
  readonly factor: number;
  /** Then the span between the two is halved, by ratio, until it is no wider than this. */
  readonly precision: number;
  readonly min: number;
  readonly max: number;
  /** Runs at a rate. A rate is never tried twice. */
  readonly attempt: (rate: number) => Promise<T>;
};

/** The last sustained trial of the search; `null` where not even the lowest rate was. */
export type Found<T extends Trial> = { readonly rate: number; readonly trial: T } | null;

/**
 * The highest rate that is sustained, by steps: far ones first, up or down from the start, then between the highest that was
 * sustained and the lowest that was not. A machine that is disturbed for a moment costs the answer one step, not the run.
 */
export async function findHighestRate<T extends Trial>(options: SearchOptions<T>): Promise<Found<T>> {
  const { precision, min, max, attempt } = options;
  let best: Found<T> = null;
  let tooHigh: number | null = null;
  let { factor } = options;
  const tryRate = async (rate: number): Promise<void> => {
    const trial = await attempt(rate);
    if (trial.isSustained) best = { rate, trial };
    else tooHigh = rate;
  };

  let rate = Math.min(Math.max(options.start, min), max);
  await tryRate(rate);
  while (tooHigh === null && rate < max) {
    rate = Math.min(rate * factor, max);
    factor = Math.min(factor * factor, MAX_FACTOR);
    await tryRate(rate);
  }
  while (best === null && rate > min) {
    rate = Math.max(rate / factor, min);
    factor = Math.min(factor * factor, MAX_FACTOR);
    await tryRate(rate);
  }
  for (;;) {
    const low = best as Found<T>;
    if (low === null || tooHigh === null || tooHigh / low.rate <= precision) return low;
    await tryRate(Math.sqrt(low.rate * tooHigh));
  }
}
