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
