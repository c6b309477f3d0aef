import { CLOCK_AHEAD_MS, CLOCK_STEPS } from './clock-steps.ts';

/*
 * Loaded into a process of TapeQL before its own code: at each SIGUSR2 the clock of that process is set, as that of its host would be.
 * Its timers go on as they were.
 */

const systemNow = Date.now;
let steps = 0;
let aheadMs = 0;
Date.now = () => systemNow() + aheadMs;
process.on('SIGUSR2', () => {
  aheadMs = CLOCK_AHEAD_MS[steps % CLOCK_STEPS]!;
  steps += 1;
});
