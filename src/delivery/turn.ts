import type { Payload } from './payload.ts';

/** What is to be written once at the end of a turn. */
export type Written = { flush(): void };

/**
 * One turn of the event loop: what is delivered in it is gathered, and each socket is written once at its end. It ends when all
 * input that was ready has been handled, so that nothing waits where there is little to do.
 */
export class Turn {
  readonly #onDelivered: (payloads: readonly Payload[]) => void;
  #outlets: Written[] = [];
  #payloads: Payload[] = [];
  #isScheduled = false;

  /** `onDelivered` is told at each end which payloads were handed out; their counts are those of the turn. */
  constructor(onDelivered: (payloads: readonly Payload[]) => void) {
    this.#onDelivered = onDelivered;
  }

  /** `outlet` is flushed at the end of the turn. To be added once a turn. */
  add(outlet: Written): void {
    this.#outlets.push(outlet);
    if (!this.#isScheduled) this.#schedule();
  }

  /** Counts one hand-over; `isLive`: it was, as it happened. */
  count(payload: Payload, isLive: boolean): void {
    if (payload.deliveries === 0) {
      this.#payloads.push(payload);
      if (!this.#isScheduled) this.#schedule();
    }
    payload.deliveries++;
    if (isLive) payload.liveDeliveries++;
  }

  #schedule(): void {
    this.#isScheduled = true;
    setImmediate(this.#end);
  }

  readonly #end = (): void => {
    const outlets = this.#outlets;
    const payloads = this.#payloads;
    this.#outlets = [];
    this.#payloads = [];
    this.#isScheduled = false;
    for (const outlet of outlets) outlet.flush();
    this.#onDelivered(payloads);
    for (const payload of payloads) {
      payload.deliveries = 0;
      payload.liveDeliveries = 0;
    }
  };
}
