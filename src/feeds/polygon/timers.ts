/** Waiting and measuring, passed in so that tests need not wait. */
export interface Timers {
  /** Milliseconds of a clock that never jumps; only differences mean something. */
  now(): number;
  /** Calls `callback` once after `delayMs`, unless the returned function is called before. */
  schedule(callback: () => void, delayMs: number): () => void;
}

export const systemTimers: Timers = {
  now: () => performance.now(),
  schedule(callback, delayMs) {
    const timeout = setTimeout(callback, delayMs);
    return () => clearTimeout(timeout);
  },
};
