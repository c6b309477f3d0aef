export type Backoff = {
  /** The longest that a first retry waits. */
  readonly initialDelayMs: number;
  /** The longest that any retry waits. */
  readonly maxDelayMs: number;
};

/** Soon at first, for most interruptions are short; and never rarer than a trader would try by hand. */
export const DEFAULT_BACKOFF: Backoff = { initialDelayMs: 500, maxDelayMs: 15_000 };

/**
 * How long to wait before a retry, in ms. "Full jitter": anything from nothing to a ceiling that doubles with each
 * failure, so that the clients of a server that went away do not come back all at once.
 * `failures`: how many there were in a row before this one. `random`: from 0, inclusive, to 1.
 */
export function chooseDelayMs(failures: number, { initialDelayMs, maxDelayMs }: Backoff, random: () => number): number {
  return Math.round(random() * Math.min(maxDelayMs, initialDelayMs * 2 ** failures));
}
