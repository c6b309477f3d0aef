import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

const WINDOW_MS = 60_000;

/** Percentiles of the last one to two minutes, not of all time: two windows, of which the older is dropped. */
export class LatencyWindow {
  #current: RecordableHistogram = createHistogram();
  #previous: RecordableHistogram = createHistogram();
  #rotateAt: number;

  constructor(now: number) {
    this.#rotateAt = now + WINDOW_MS;
  }

  record(ms: number, now: number): void {
    this.#rotate(now);
    this.#current.record(Math.max(1, Math.round(ms * 1000)));
  }

  read(now: number): { count: number; p50: number | null; p99: number | null } {
    this.#rotate(now);
    const both = createHistogram();
    both.add(this.#current);
    both.add(this.#previous);
    const percentile = (p: number): number | null => (both.count === 0 ? null : both.percentile(p) / 1000);
    return { count: both.count, p50: percentile(50), p99: percentile(99) };
  }

  #rotate(now: number): void {
    if (now < this.#rotateAt) return;
    const isOld = now >= this.#rotateAt + WINDOW_MS;
    this.#previous = isOld ? createHistogram() : this.#current;
    this.#current = createHistogram();
    this.#rotateAt = now + WINDOW_MS;
  }
}
