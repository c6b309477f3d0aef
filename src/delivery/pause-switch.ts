import { type Bus, controlChannel, type ControlMessage } from '../bus/bus.ts';
import type { Logger } from '../market/logger.ts';
import { systemTimers, type Timers } from '../market/timers.ts';

export type PauseState = {
  readonly paused: boolean;
  /** In the words of who paused; `null` where none were given. */
  readonly reason: string | null;
};

const RUNNING: PauseState = { paused: false, reason: null };
const START_PATIENCE_MS = 500;

/**
 * Whether market events are paused, as anyone may say on `market-data:control`. What was heard is kept on the bus, so that
 * it holds for a process that starts later, or that was not connected when it was said.
 */
export class PauseSwitch {
  readonly #bus: Bus;
  readonly #timers: Timers;
  readonly #patienceMs: number;
  readonly #logger: Logger;
  readonly #listeners = new Set<(state: PauseState) => void>();
  readonly #stops: (() => void | Promise<void>)[] = [];
  #state = RUNNING;
  /** What was heard goes to the bus one after the other, so that the newest stays. */
  #keeping: Promise<void> = Promise.resolve();
  #heard = 0;

  constructor(options: {
    readonly bus: Bus;
    /** How long a start waits at most to learn whether it starts into a pause. Default 500 ms. */
    readonly patienceMs?: number;
    readonly timers?: Timers;
    readonly logger: Logger;
  }) {
    this.#bus = options.bus;
    this.#timers = options.timers ?? systemTimers;
    this.#patienceMs = options.patienceMs ?? START_PATIENCE_MS;
    this.#logger = options.logger;
  }

  get state(): PauseState {
    return this.#state;
  }

  /** Calls `listener` at each change; returns the function that stops it. */
  onChange(listener: (state: PauseState) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Begins to listen. Resolves when it is known whether there is a pause, and soon where the bus is away. Never rejects. */
  async start(): Promise<void> {
    const known = Promise.withResolvers<void>();
    const cancelPatience = this.#timers.after(this.#patienceMs, known.resolve);
    // What is said while the bus is away is not heard: it is read on return.
    this.#stops.push(this.#bus.onState(({ connected }) => connected && void this.#read().then(known.resolve)));
    try {
      this.#stops.push(await this.#bus.subscribe(controlChannel, (message) => this.#hear(message)));
    } catch (error) {
      this.#logger.warn({ err: error }, 'pauses are not heard');
    }
    if (this.#bus.readState().connected) void this.#read().then(known.resolve);
    await known.promise;
    cancelPatience();
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    for (const stop of this.#stops.splice(0).toReversed()) await stop();
    await this.#keeping;
  }

  #hear(message: ControlMessage): void {
    this.#heard++;
    this.#apply(message);
    this.#keep(message);
  }

  async #read(): Promise<void> {
    const heard = this.#heard;
    const kept = await this.#bus.readControl().catch((error: unknown) => {
      this.#logger.debug({ err: error }, 'whether there is a pause is read again when the bus is back');
      return undefined;
    });
    // What was heard meanwhile is newer.
    if (kept === undefined || heard !== this.#heard) return;
    if (kept !== null) this.#apply(kept);
    // The bus has lost its data, but nobody has ended the pause.
    else if (this.#state.paused) this.#keep({ action: 'pause', data: { reason: this.#state.reason } });
  }

  #keep(message: ControlMessage): void {
    this.#keeping = this.#keeping
      .then(() => this.#bus.keepControl(message))
      .catch((error: unknown) => this.#logger.debug({ err: error }, 'a pause or its end could not be kept'));
  }

  #apply({ action, data: { reason } }: ControlMessage): void {
    const before = this.#state;
    this.#state = action === 'pause' ? { paused: true, reason } : RUNNING;
    if (before.paused === this.#state.paused && before.reason === this.#state.reason) return;
    this.#logger.info({ action, reason }, 'market events');
    for (const listener of this.#listeners) {
      try {
        listener(this.#state);
      } catch (error) {
        this.#logger.error({ err: error }, 'a listener to pauses failed');
      }
    }
  }
}
