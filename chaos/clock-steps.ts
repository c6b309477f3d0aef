/** By how much the clock of a process is ahead after each step: an NTP step, or a machine that is resumed; then it is right again. */
export const CLOCK_AHEAD_MS = [-60_000, 3_600_000, 0] as const;

export const CLOCK_STEPS = CLOCK_AHEAD_MS.length;
