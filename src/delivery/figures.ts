import { LatencyHistogram } from './latency-histogram.ts';
import { LatencyWindow } from './latency-window.ts';
import type { Payload } from './payload.ts';
import type { PlanObserver } from './plan.ts';
import type { EndCause, SubscriptionObserver } from './subscription.ts';

type FieldFigures = {
  active: number;
  deliveries: number;
  executions: number;
  readonly latency: LatencyHistogram;
  readonly recentLatency: LatencyWindow;
};

/** The figures of delivery: what runs, what was delivered, and how long it took from ingest's read to the transport. */
export class DeliveryFigures implements SubscriptionObserver, Pick<PlanObserver, 'onExecution'> {
  readonly now: () => number;
  readonly #fields = new Map<string, FieldFigures>();
  readonly #ended = new Map<EndCause, number>();
  readonly #allLatency: LatencyWindow;

  constructor(options: { now: () => number }) {
    this.now = options.now;
    this.#allLatency = new LatencyWindow(this.now());
  }

  onStart(field: string): void {
    this.#of(field).active++;
  }

  onEnd(field: string, cause: EndCause): void {
    this.#of(field).active--;
    this.#ended.set(cause, (this.#ended.get(cause) ?? 0) + 1);
  }

  onExecution(field: string): void {
    this.#of(field).executions++;
  }

  /** Counts a turn's deliveries by payload, not one by one: a delivery itself costs an increment. */
  countDelivered(payloads: readonly Payload[]): void {
    const now = this.now();
    for (const { field, receivedAt, deliveries, liveDeliveries } of payloads) {
      const figures = this.#of(field);
      figures.deliveries += deliveries;
      if (receivedAt === null || liveDeliveries === 0) continue;
      const ms = Math.max(0, now - receivedAt);
      figures.latency.record(ms, liveDeliveries);
      figures.recentLatency.record(ms, liveDeliveries, now);
      this.#allLatency.record(ms, liveDeliveries, now);
    }
  }

  /** Since the start, by root field. */
  readLatency(): ReadonlyMap<string, LatencyHistogram> {
    return new Map([...this.#fields].map(([field, { latency }]) => [field, latency]));
  }

  readStats() {
    const now = this.now();
    const pick = (figure: 'active' | 'deliveries' | 'executions') =>
      Object.fromEntries([...this.#fields].map(([field, figures]) => [field, figures[figure]]));
    return {
      active: this.#sum('active'),
      activeByField: pick('active'),
      delivered: this.#sum('deliveries'),
      deliveredByField: pick('deliveries'),
      endedByCause: Object.fromEntries(this.#ended),
      executed: this.#sum('executions'),
      executedByField: pick('executions'),
      latencyMs: this.#allLatency.read(now),
      latencyMsByField: Object.fromEntries(
        [...this.#fields].map(([field, { recentLatency }]) => [field, recentLatency.read(now)]),
      ),
    };
  }

  #of(field: string): FieldFigures {
    let figures = this.#fields.get(field);
    if (figures === undefined) {
      figures = {
        active: 0,
        deliveries: 0,
        executions: 0,
        latency: new LatencyHistogram(),
        recentLatency: new LatencyWindow(this.now()),
      };
      this.#fields.set(field, figures);
    }
    return figures;
  }

  #sum(figure: 'active' | 'deliveries' | 'executions'): number {
    let total = 0;
    for (const figures of this.#fields.values()) total += figures[figure];
    return total;
  }
}
