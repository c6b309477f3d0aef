import { type Bus, userChannel } from '../bus/bus.ts';
import type { Logger } from '../market/logger.ts';

/** Told the newest number of the user's log, or `null`: some may have been missed. */
export type NewsListener = (number: number | null) => void;

type Topic = { readonly listeners: Set<NewsListener>; readonly unsubscribe: Promise<() => Promise<void>> };

/** Tells in this process that a user's log has grown, on whichever process it did. One subscription on the bus per user. */
export class UserNews {
  readonly #bus: Bus;
  readonly #logger: Logger;
  readonly #topics = new Map<string, Topic>();
  readonly #stopWatching: () => void;

  constructor(bus: Bus, logger: Logger) {
    this.#bus = bus;
    this.#logger = logger;
    this.#stopWatching = bus.onInterruption((channels) => {
      const names = channels === 'all' ? null : new Set(channels);
      for (const [user, topic] of this.#topics) {
        if (names === null || names.has(userChannel(user).name)) this.#tell(topic, null);
      }
    });
  }

  /** Calls `listener` from the moment the promise resolves. The returned function ends it; calling it twice is harmless. */
  async listen(user: string, listener: NewsListener): Promise<() => void> {
    let topic = this.#topics.get(user);
    if (topic === undefined) {
      const joined: Topic = {
        listeners: new Set(),
        unsubscribe: this.#bus.subscribe(userChannel(user), ({ number }) => this.#tell(joined, number)),
      };
      this.#topics.set(user, (topic = joined));
    }
    const { listeners, unsubscribe } = topic;
    // A set of objects: the same function may listen twice.
    const own: NewsListener = (number) => listener(number);
    listeners.add(own);
    const leave = (): void => {
      if (!listeners.delete(own) || listeners.size > 0) return;
      if (this.#topics.get(user)?.listeners === listeners) this.#topics.delete(user);
      unsubscribe
        .then((end) => end())
        .catch((error: unknown) =>
          this.#logger.warn({ err: error }, 'could not unsubscribe from the events of a user'),
        );
    };
    try {
      await unsubscribe;
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  /** What was committed in this process is known here without the bus, also while that is away. */
  tell(user: string, number: number): void {
    const topic = this.#topics.get(user);
    if (topic !== undefined) this.#tell(topic, number);
  }

  close(): void {
    this.#stopWatching();
  }

  #tell({ listeners }: Topic, number: number | null): void {
    for (const listener of listeners) {
      try {
        listener(number);
      } catch (error) {
        this.#logger.error({ err: error }, 'a listener to the events of a user failed');
      }
    }
  }
}
