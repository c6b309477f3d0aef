import { LatencyWindow } from './latency-window.ts';
import type { SubscriptionObserver } from './subscribe.ts';

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

function sum(counts: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}
