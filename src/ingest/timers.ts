/** How ingest waits: an argument, so that a test moves time by hand. */
export interface Timers {
  /** Calls `callback` once, `delayMs` from now. Returns the function that calls it off; harmless when it is too late. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The machine's own timers. */
export const systemTimers: Timers = {
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
};
