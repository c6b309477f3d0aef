import type { Feed, FeedListener } from '../feeds/feed.ts';
import type { FeedName } from '../market/service-status.ts';

/**
 * A feed whose connection can be given up and made anew, while who listens keeps what it has and sees a connection that was
 * lost and came back. There is never more than one: a new one is opened when the one before has ended.
 */
export class InterruptibleFeed implements Feed {
  readonly name: FeedName;
  readonly #open: () => Feed;
  #feed: Feed | null;
  #ending: Promise<void> = Promise.resolve();
  #listener: FeedListener | null = null;
  /** What is to be subscribed on a new connection. Bounded by who subscribes. */
  readonly #symbols = new Set<string>();
  #isInterrupted = false;
  #closed = false;

  /** @param open makes a feed that is not started */
  constructor(open: () => Feed) {
    this.#open = open;
    this.#feed = open();
    this.name = this.#feed.name;
  }

  get isInterrupted(): boolean {
    return this.#isInterrupted;
  }

  start(listener: FeedListener): void {
    this.#listener = listener;
    this.#feed?.start(listener);
  }

  subscribe(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#symbols.add(symbol);
    this.#feed?.subscribe(symbols);
  }

  unsubscribe(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#symbols.delete(symbol);
    this.#feed?.unsubscribe(symbols);
  }

  /** Closes the connection until {@link resume}. */
  interrupt(reason: string): void {
    if (this.#isInterrupted || this.#closed) return;
    this.#isInterrupted = true;
    this.#end();
    this.#listener?.onPrintFlow(false);
    this.#listener?.onIndexFlow(false);
    this.#listener?.onStatus({ feed: this.name, connected: false, reason });
  }

  /** Connects again. */
  async resume(): Promise<void> {
    if (!this.#isInterrupted) return;
    this.#isInterrupted = false;
    await this.#ending;
    if (this.#isInterrupted || this.#closed || this.#feed !== null) return;
    this.#feed = this.#open();
    this.#feed.subscribe([...this.#symbols]);
    if (this.#listener !== null) this.#feed.start(this.#listener);
  }

  /** Those of the connection that stands. */
  readStats(): Readonly<Record<string, number>> {
    return this.#feed?.readStats() ?? {};
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#end();
    await this.#ending;
  }

  #end(): void {
    const feed = this.#feed;
    this.#feed = null;
    if (feed !== null) this.#ending = feed.close();
  }
}
