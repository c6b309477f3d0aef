import { LatencyHistogram } from './latency-histogram.ts';

const WINDOW_MS = 60_000;

/** Percentiles of the last one to two minutes, not of all time: two windows, of which the older is dropped. */
export class LatencyWindow {
  #current = new LatencyHistogram();
  #previous = new LatencyHistogram();
  #rotateAt: number;

  constructor(now: number) {
    this.#rotateAt = now + WINDOW_MS;
  }

  /** `times` values of `ms`, at the time `now`. */
  record(ms: number, times: number, now: number): void {
    this.#rotate(now);
    this.#current.record(ms, times);
  }

  read(now: number): { count: number; p50: number | null; p99: number | null } {
    this.#rotate(now);
    const both = LatencyHistogram.sum(this.#current, this.#previous);
    return { count: both.count, p50: both.percentile(50), p99: both.percentile(99) };
  }

  #rotate(now: number): void {
    if (now < this.#rotateAt) return;
    const isOld = now >= this.#rotateAt + WINDOW_MS;
    this.#previous = isOld ? new LatencyHistogram() : this.#current;
    this.#current = new LatencyHistogram();
    this.#rotateAt = now + WINDOW_MS;
  }
}
