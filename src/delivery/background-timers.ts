import type { Timers } from '../market/timers.ts';

/** The machine's own timers, for what is no reason to keep the process alive. */
export const backgroundTimers: Timers = {
  now: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
