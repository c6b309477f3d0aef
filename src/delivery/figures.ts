import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { SubscriptionObserver } from './subscribe.ts';

const WINDOW_MS = 60_000;

/** The figures of delivery: what runs, what was delivered, and how long it took from ingest's read to the transport. */
export class DeliveryFigures implements SubscriptionObserver {
  readonly now: () => number;
  readonly #active = new Map<string, number>();
  readonly #delivered = new Map<string, number>();
  readonly #latency = new Map<string, LatencyWindow>();
  readonly #allLatency: LatencyWindow;
  readonly #onLatency: (field: string, ms: number) => void;

  constructor(options: { now: () => number; onLatency?: (field: string, ms: number) => void }) {
    this.now = options.now;
    this.#onLatency = options.onLatency ?? (() => undefined);
    this.#allLatency = new LatencyWindow(this.now());
  }

  onStart(field: string): () => void {
    this.#active.set(field, (this.#active.get(field) ?? 0) + 1);
    return () => this.#active.set(field, (this.#active.get(field) ?? 1) - 1);
  }

  onResult(field: string, receivedAt: number | null): void {
    this.#delivered.set(field, (this.#delivered.get(field) ?? 0) + 1);
    if (receivedAt === null) return;
    const now = this.now();
    const ms = Math.max(0, now - receivedAt);
    let window = this.#latency.get(field);
    if (window === undefined) this.#latency.set(field, (window = new LatencyWindow(now)));
    window.record(ms, now);
    this.#allLatency.record(ms, now);
    this.#onLatency(field, ms);
  }

  readStats() {
    const now = this.now();
    return {
      active: sum(this.#active),
      activeByField: Object.fromEntries(this.#active),
      delivered: sum(this.#delivered),
      deliveredByField: Object.fromEntries(this.#delivered),
      latencyMs: this.#allLatency.read(now),
      latencyMsByField: Object.fromEntries([...this.#latency].map(([field, window]) => [field, window.read(now)])),
    };
  }
}

/** Percentiles of the last one to two minutes, not of all time: two windows, of which the older is dropped. */
class LatencyWindow {
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

function sum(counts: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}
