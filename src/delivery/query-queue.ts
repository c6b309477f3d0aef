import type { Sender, SocketOutlet } from './socket-outlet.ts';

/** Queries of one connection that are worked out at a time. Most take less than a millisecond. */
const MAX_RUNNING = 4;

/**
 * Has the queries of one WebSocket wait for each other, and for the client: none is worked out while more is written than the socket
 * takes. So a client that asks on and on and reads no answer makes the server hold a few answers, not all; one that reads is
 * answered to everything. How many wait is bounded by how many operations a connection may have.
 */
export class QueryQueue implements Sender {
  readonly #outlet: SocketOutlet;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(outlet: SocketOutlet) {
    this.#outlet = outlet;
  }

  /** Resolves when the query may be worked out; then {@link leave} is to be called once its answer is handed over. */
  enter(): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#mayStart()) {
      this.#running++;
      return undefined;
    }
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) this.#outlet.attach(this);
    });
  }

  leave(): void {
    this.#running--;
    this.pull();
  }

  pull(): void {
    if (this.#waiting.length === 0) return;
    while (this.#waiting.length > 0 && this.#mayStart()) {
      this.#running++;
      this.#waiting.shift()!();
    }
    if (this.#waiting.length === 0) this.#outlet.detach(this);
  }

  /** The connection is over: what waits is not begun. */
  stop(): void {
    this.#waiting.length = 0;
  }

  #mayStart(): boolean {
    return this.#running < MAX_RUNNING && this.#outlet.ready;
  }
}
