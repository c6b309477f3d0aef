/** What time is it, and what comes later: passed in, so that a test need not wait. */
export type Clock = {
  /** Unix ms. */
  readonly now: () => number;
  /** Calls `run` after `delayMs`; returns what prevents that. */
  readonly schedule: (run: () => void, delayMs: number) => () => void;
};

export const systemClock: Clock = {
  now: Date.now,
  schedule: (run, delayMs) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
