import type { Logger } from './logger.ts';
import { every } from './timers.ts';
import type { Timers } from './timers.ts';

const LOOK_MS = 1_000;
/** What is less is the clock being kept in time, or this process having been busy between two looks at a clock. */
const TOLD_MS = 1_000;

/** Says in the log where the clock of this host is set: nothing waits by it, but all times that are shown are its. Returns the end. */
export function watchClock(clock: () => number, timers: Timers, logger: Logger): () => void {
  let aheadMs = clock() - timers.now();
  return every(timers, LOOK_MS, () => {
    const stepMs = Math.round(clock() - timers.now() - aheadMs);
    if (Math.abs(stepMs) < TOLD_MS) return;
    aheadMs += stepMs;
    logger.warn(
      { stepMs },
      `the clock of this host was set ${stepMs > 0 ? 'forward' : 'back'}, or the machine stood still`,
    );
  });
}
