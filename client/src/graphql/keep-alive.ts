import type { Clock } from './clock.ts';

export type KeepAliveOptions = {
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  /** Whether there is a connection that a ping can be sent on. */
  readonly isOpen: () => boolean;
  readonly send: (message: string) => void;
  /** The connection is dead: nothing has come in time. */
  readonly giveUp: () => void;
  readonly clock: Clock;
};

/**
 * Pings by messages of graphql-transport-ws, for a browser sees no pings of the protocol below, and a connection whose far end
 * is gone never ends by itself. One deadline at a time: for the acknowledgement, then for each pong.
 */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  #cancelDeadline = (): void => {};
  #cancelPing = (): void => {};
  #isHeard = false;

  constructor(options: KeepAliveOptions) {
    this.#options = options;
  }

  expectWithin(timeoutMs: number): void {
    this.#cancelDeadline();
    this.#isHeard = false;
    this.#cancelDeadline = this.#options.clock.schedule(() => {
      // A pong queues behind what the server has still to send: as long as that flows, the connection is not dead.
      if (this.#isHeard) this.expectWithin(timeoutMs);
      else this.#options.giveUp();
    }, timeoutMs);
  }

  noteHeard(): void {
    this.#isHeard = true;
  }

  /** What was expected has come: the next ping has its whole interval. */
  noteAnswer(): void {
    this.stop();
    this.#cancelPing = this.#options.clock.schedule(() => this.ping(), this.#options.pingIntervalMs);
  }

  ping(payload?: object): void {
    this.#cancelPing();
    if (!this.#options.isOpen()) return;
    this.#options.send(JSON.stringify({ type: 'ping', ...(payload && { payload }) }));
    this.expectWithin(this.#options.pongTimeoutMs);
  }

  stop(): void {
    this.#cancelDeadline();
    this.#cancelPing();
  }
}
