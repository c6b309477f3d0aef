/** Waiting and measuring: an argument wherever something waits, so that a test moves time by hand. */
export interface Timers {
  /** Milliseconds of a clock that never jumps; only differences mean something. */
  now(): number;
  /** Calls `callback` once, `delayMs` from now. Returns the function that calls it off; harmless when it is too late. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The machine's own timers. */
export const systemTimers: Timers = {
  now: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Waits for `work`, but not longer than so many milliseconds: whether it was done by then. Rejects where it does. */
export async function waitAtMost(milliseconds: number, timers: Timers, work: Promise<unknown>): Promise<boolean> {
  const { promise: deadline, resolve } = Promise.withResolvers<boolean>();
  const cancel = timers.after(milliseconds, () => resolve(false));
  try {
    return await Promise.race([work.then(() => true), deadline]);
  } finally {
    cancel();
  }
}
