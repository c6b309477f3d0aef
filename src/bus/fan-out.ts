import type { Logger } from '../market/logger.ts';

type Listener = (message: never) => void;
/** `since`: the listener gets what was published after this tick of the fan-out's own count. */
type Registration = { readonly listener: Listener; readonly since: number };

/**
 * The listeners of each channel in this process. A listener that throws is logged and counted, and disturbs neither
 * the others nor the caller. All of them get the same message object: it must be treated as immutable.
 */
export class FanOut {
  readonly #channels = new Map<string, Set<Registration>>();
  readonly #logger: Logger;
  #published = 0;
  /** Messages that had at least one listener. */
  received = 0;
  listenerFailures = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Returns the function that removes the listener; it tells whether the channel has none left by this very call. */
  add(channel: string, listener: Listener): () => boolean {
    const registration: Registration = { listener, since: this.#published };
    let registrations = this.#channels.get(channel);
    if (registrations === undefined) this.#channels.set(channel, (registrations = new Set()));
    registrations.add(registration);
    return () => {
      if (!registrations.delete(registration) || registrations.size > 0) return false;
      if (this.#channels.get(channel) === registrations) this.#channels.delete(channel);
      return true;
    };
  }

  has(channel: string): boolean {
    return this.#channels.has(channel);
  }

  /** Marks the moment of a publication, for {@link deliver} at a later one: who joins in between does not get it. */
  stamp(): number {
    return ++this.#published;
  }

  deliver(channel: string, message: unknown, stamp: number = Infinity): void {
    const registrations = this.#channels.get(channel);
    if (registrations === undefined) return;
    this.received++;
    for (const { listener, since } of registrations) {
      if (stamp <= since) continue;
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
