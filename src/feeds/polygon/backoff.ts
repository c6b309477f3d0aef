import type { FeedLimits } from './limits.ts';

/** How a connection ended. */
export type Ending = {
  /** `crowded`: too many connections with this key. */
  readonly cause: 'lost' | 'crowded';
  /** How long it was in use, from the acceptance of the key; 0 where it never was. */
  readonly livedMs: number;
};

/**
 * How long to wait before the next attempt: exponential with full jitter, and anew after a connection that proved itself
 * (`stableAfterMs`), so that one cut, or one more after a while, costs half a second at most. Opening and authenticating
 * alone prove nothing, since a rival with the same key is let in just so and then evicts: who is cut soon after the key was
 * accepted waits longer and longer, up to `maxDelayMs`. Who is not even let in troubles nobody and looks more often, every
 * `maxClosedDelayMs` at the most, since nothing is heard of the market meanwhile.
 */
export class Backoff {
  readonly #limits: FeedLimits;
  readonly #random: () => number;
  /** Since the last connection that proved itself: how many ended soon, and how many were never let in. */
  #cuts = 0;
  #refusals = 0;

  constructor(limits: FeedLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Milliseconds from this ending to the next attempt. */
  next({ cause, livedMs }: Ending): number {
    const { initialDelayMs, maxDelayMs, maxClosedDelayMs, stableAfterMs, crowdedDelayMs } = this.#limits;
    if (livedMs >= stableAfterMs) this.#cuts = 0;
    // The upstream is there again: when it goes, it is looked for as at first.
    if (livedMs > 0) this.#refusals = 0;
    const isLetIn = livedMs > 0 || cause === 'crowded';
    const bound = isLetIn
      ? Math.min(maxDelayMs, initialDelayMs * 2 ** this.#cuts)
      : Math.min(maxClosedDelayMs, maxDelayMs, initialDelayMs * 2 ** (this.#refusals + this.#cuts));
    if (isLetIn) this.#cuts += 1;
    else this.#refusals += 1;
    return (cause === 'crowded' ? crowdedDelayMs : 0) + this.#random() * bound;
  }
}
