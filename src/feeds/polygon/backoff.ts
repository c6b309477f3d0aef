import type { FeedLimits } from './limits.ts';

/** How a connection ended. */
export type Ending = {
  /** `crowded`: too many connections with this key. */
  readonly cause: 'lost' | 'crowded';
  /** How long it was in use, from the acceptance of the key; 0 where it never was. */
  readonly livedMs: number;
};

/**
 * How long to wait before the next attempt: exponential with full jitter. Opening and authenticating prove nothing,
 * since a rival with the same key is let in just so and then evicts; only a life of `stableAfterMs` starts it anew.
 */
export class Backoff {
  readonly #limits: FeedLimits;
  readonly #random: () => number;
  #attempts = 0;

  constructor(limits: FeedLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Milliseconds from this ending to the next attempt. */
  next({ cause, livedMs }: Ending): number {
    const { initialDelayMs, maxDelayMs, stableAfterMs, crowdedDelayMs } = this.#limits;
    if (livedMs >= stableAfterMs) this.#attempts = 0;
    const bound = Math.min(maxDelayMs, initialDelayMs * 2 ** this.#attempts);
    this.#attempts += 1;
    return (cause === 'crowded' ? crowdedDelayMs : 0) + this.#random() * bound;
  }
}
