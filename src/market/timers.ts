/** Waiting and measuring: an argument wherever something waits, so that a test moves time by hand. */
export interface Timers {
  /** Milliseconds of a clock that never jumps; only differences mean something. */
  now(): number;
  /**
   * Calls `callback` once, `delayMs` from now. Returns the function that calls it off; harmless when it is too late. What waits
   * keeps the process alive, as `setTimeout` does: whoever has to wait calls it off when it is closed.
   */
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

/** Calls `callback` every `intervalMs`. Returns the function that ends it. */
export function every(timers: Timers, intervalMs: number, callback: () => void): () => void {
  const tick = (): void => {
    callOff = timers.after(intervalMs, tick);
    callback();
  };
  let callOff = timers.after(intervalMs, tick);
  return () => callOff();
}
