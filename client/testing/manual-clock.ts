import type { Clock } from '../src/graphql/clock.ts';

export type ManualClock = Clock & {
  /** Lets time go by: what is due meanwhile is called, in its order. */
  readonly advance: (ms: number) => void;
  /** The waits that have not ended, in ms from now, in their order. */
  readonly readWaits: () => number[];
};

/** A clock that stands still until it is told. */
export function createManualClock(begin = Date.parse('2026-11-20T15:00:00.000Z')): ManualClock {
  let now = begin;
  const waits = new Set<{ at: number; run: () => void }>();
  const readNext = () => [...waits].toSorted((a, b) => a.at - b.at)[0];
  return {
    now: () => now,
    schedule: (run, delayMs) => {
      const wait = { at: now + delayMs, run };
      waits.add(wait);
      return () => void waits.delete(wait);
    },
    advance: (ms) => {
      const end = now + ms;
      for (let next = readNext(); next !== undefined && next.at <= end; next = readNext()) {
        waits.delete(next);
        now = Math.max(now, next.at);
        next.run();
      }
      now = end;
    },
    readWaits: () => [...waits].map(({ at }) => at - now).toSorted((a, b) => a - b),
  };
}
