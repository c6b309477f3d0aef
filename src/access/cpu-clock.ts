import { performance } from 'node:perf_hooks';

/** How often it is looked how much of its time the thread really had. */
const SAMPLE_MS = 250;
/** A share that is measured over a moment may be anything. */
const LEAST_SHARE = 0.05;

/**
 * Measures CPU time of the thread by the time that passed: the kernel's own count moves in steps of some milliseconds, too coarse for one
 * operation. On a busy machine most of the time that passes is other processes'; so it is multiplied by the share that the thread had of
 * late while it was not idle, which the kernel's count does tell.
 */
export class CpuClock {
  #usage = process.threadCpuUsage();
  #activeMs = performance.eventLoopUtilization().active;
  #sampledAt = performance.now();
  #share = 1;

  /** What {@link since} is to be given. */
  start(): number {
    return performance.now();
  }

  /** Milliseconds of CPU time. */
  since(start: number): number {
    const now = performance.now();
    if (now - this.#sampledAt >= SAMPLE_MS) this.#sample(now);
    return (now - start) * this.#share;
  }

  #sample(now: number): void {
    const usage = process.threadCpuUsage();
    // What runs before the event loop has turned once counts as idle there.
    const { active } = performance.eventLoopUtilization();
    const cpuMs = (usage.user + usage.system - this.#usage.user - this.#usage.system) / 1000;
    const activeMs = active - this.#activeMs;
    if (activeMs > 0) this.#share = Math.min(1, Math.max(LEAST_SHARE, cpuMs / activeMs));
    this.#usage = usage;
    this.#activeMs = active;
    this.#sampledAt = now;
  }
}
