import type { Logger } from '../market/logger.ts';

type Registration = { readonly listener: (message: never) => void };

/**
 * The listeners of each channel in this process. A listener that throws is logged and counted, and disturbs neither
 * the others nor the caller. All of them get the same message object: it must be treated as immutable.
 */
export class FanOut {
  readonly #channels = new Map<string, Set<Registration>>();
  readonly #logger: Logger;
  /** Messages that had at least one listener. */
  received = 0;
  listenerFailures = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Returns the function that removes the listener, which may be called again in vain. */
  add(channel: string, listener: (message: never) => void): () => void {
    // A set of objects: the same function may listen twice.
    const registration: Registration = { listener };
    const registrations = this.#channels.get(channel) ?? new Set();
    this.#channels.set(channel, registrations.add(registration));
    return () => {
      registrations.delete(registration);
      if (registrations.size === 0 && this.#channels.get(channel) === registrations) this.#channels.delete(channel);
    };
  }

  has(channel: string): boolean {
    return this.#channels.has(channel);
  }

  deliver(channel: string, message: unknown): void {
    const registrations = this.#channels.get(channel);
    if (registrations === undefined) return;
    this.received++;
    for (const { listener } of registrations) {
      try {
        listener(message as never);
      } catch (error) {
        this.listenerFailures++;
        this.#logger.error({ err: error, channel }, 'a bus listener failed');
      }
    }
  }

  clear(): void {
    this.#channels.clear();
  }
}
