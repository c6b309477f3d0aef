import type { Timers } from './timers.ts';

/** The time of a clock as it was at the start, from where on the timers count: it does not follow when the clock is set. */
export function createSteadyClock(clock: () => number, timers: Timers): () => number {
  const aheadMs = clock() - timers.now();
  return () => Math.floor(timers.now() + aheadMs);
}

/**
 * The time of a clock, but never less than what has passed since it was looked at: where the clock is set back, it goes on from
 * where it was. For what is compared with the times of the exchange and is not to shrink meanwhile.
 */
export function createForwardClock(clock: () => number, timers: Timers): () => number {
  let aheadMs = clock() - timers.now();
  return () => {
    aheadMs = Math.max(aheadMs, clock() - timers.now());
    return Math.floor(timers.now() + aheadMs);
  };
}
