import type { BusWriter } from '../bus/bus.ts';
import type { Logger } from '../market/logger.ts';
import type { Quote } from '../market/quote.ts';
import type { QuoteFold } from './quote-book.ts';
import type { Timers } from '../market/timers.ts';

/** Timers are kept this far apart, so that thousands of symbols share a wake-up and a call of the bus. */
const MIN_TICK_MS = 5;
/** Calls of the bus in flight; beyond it quotes conflate instead of queueing behind a slow bus. */
const MAX_IN_FLIGHT = 4;
const RETRY_MS = 250;

/** The part of a symbol's state that the publisher keeps. */
export type Publication = {
  readonly fold: QuoteFold;
  /** It changed since it was published last. */
  isDirty: boolean;
  /** It was published less than an interval ago, until `dueAt` (by the timers). */
  isCooling: boolean;
  dueAt: number;
  /** Not to be published yet: its snapshot is still awaited. */
  isHeld: boolean;
  /** Nobody wants it any more. */
  isRemoved: boolean;
};

export function createPublication(fold: QuoteFold): Publication {
  return { fold, isDirty: false, isCooling: false, dueAt: 0, isHeld: false, isRemoved: false };
}

export type QuotePublisherOptions = {
  readonly bus: Pick<BusWriter, 'publishQuotes'>;
  readonly timers: Timers;
  readonly logger: Logger;
  /** A symbol is published at most this often, in ms; 0: at the end of every frame that changed it. */
  readonly intervalMs: number;
};

/**
 * Publishes quotes, which are state: the newest wins, what was between two publications is skipped, the last one always
 * goes out. A symbol that was quiet is published at the end of the frame that changed it; a busy one when its interval ends.
 */
export class QuotePublisher {
  readonly #options: QuotePublisherOptions;
  /** Dirty and not cooling. Bounded by the number of symbols, as is `#cooling`: each is in it once. */
  #ready: Publication[] = [];
  /** In the order of their `dueAt`, since all intervals are equal; from `#head` on. */
  #cooling: Publication[] = [];
  #head = 0;
  #cancelTick: (() => void) | null = null;
  #inFlight = 0;
  /** The bus rejected the last call: it is asked again by the tick only. */
  #isFailing = false;
  #closed = false;
  #published = 0;
  #conflated = 0;
  #failures = 0;

  constructor(options: QuotePublisherOptions) {
    this.#options = options;
  }

  /** Says that the quote has changed. It is published at the next {@link QuotePublisher.flush} or when its interval ends. */
  mark(publication: Publication): void {
    if (publication.isDirty) {
      this.#conflated += 1;
      return;
    }
    publication.isDirty = true;
    if (!publication.isCooling && !publication.isHeld) this.#ready.push(publication);
  }

  /** Lets a held quote go. */
  release(publication: Publication): void {
    if (!publication.isHeld) return;
    publication.isHeld = false;
    if (publication.isDirty && !publication.isCooling) this.#ready.push(publication);
  }

  /** Publishes what is ready, in one call of the bus. */
  flush(): void {
    if (this.#ready.length === 0 || this.#isFailing || this.#closed) return;
    void this.#publish();
  }

  /** Tries again at once: the bus is back. */
  resume(): void {
    this.#isFailing = false;
    this.#endIntervals();
    this.flush();
  }

  /** Publishes what is dirty without regard to intervals: the last value always goes out. For the end. */
  async drain(): Promise<void> {
    this.#endIntervals();
    if (this.#ready.length > 0) await this.#publish();
  }

  readStats(): Readonly<Record<string, number>> {
    return {
      quotesPublished: this.#published,
      quotesConflated: this.#conflated,
      quoteFailures: this.#failures,
      quotesReady: this.#ready.length,
    };
  }

  close(): void {
    this.#closed = true;
    this.#cancelTick?.();
    this.#cancelTick = null;
    this.#ready = [];
    this.#cooling = [];
  }

  /** Of all that are dirty: an interval that began with a publication that failed has no meaning. */
  #endIntervals(): void {
    const cooling: Publication[] = [];
    for (const publication of this.#cooling.slice(this.#head)) {
      publication.isCooling = !publication.isDirty;
      if (publication.isCooling) cooling.push(publication);
      else if (!publication.isHeld) this.#ready.push(publication);
    }
    this.#cooling = cooling;
    this.#head = 0;
  }

  async #publish(): Promise<void> {
    if (this.#inFlight >= MAX_IN_FLIGHT) return;
    const { timers, intervalMs } = this.#options;
    const dueAt = timers.now() + intervalMs;
    const publications: Publication[] = [];
    const quotes: Quote[] = [];
    for (const publication of this.#ready) {
      const quote = publication.isRemoved ? null : publication.fold.toQuote();
      publication.isDirty = false;
      if (quote === null) continue;
      quotes.push(quote);
      publications.push(publication);
      if (intervalMs === 0) continue;
      publication.isCooling = true;
      publication.dueAt = dueAt;
      this.#cooling.push(publication);
    }
    this.#ready = [];
    this.#arm();
    if (quotes.length === 0) return;
    this.#inFlight += 1;
    try {
      await this.#options.bus.publishQuotes(quotes);
      this.#published += quotes.length;
      this.#isFailing = false;
    } catch (error) {
      this.#fail(publications, error);
    }
    this.#inFlight -= 1;
    this.flush();
  }

  #fail(publications: readonly Publication[], error: unknown): void {
    this.#failures += 1;
    if (this.#closed) return;
    if (!this.#isFailing) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.logger.warn({ error: reason }, 'The bus did not take quotes; the newest ones wait.');
    }
    this.#isFailing = true;
    for (const publication of publications) this.mark(publication);
    this.#arm();
  }

  /** One timer for all: it wakes for the oldest publication whose interval ends, which is the first one. */
  #arm(): void {
    const first = this.#cooling[this.#head];
    if (this.#cancelTick !== null || this.#closed || (first === undefined && !this.#isFailing)) return;
    const delayMs = this.#isFailing || first === undefined ? RETRY_MS : first.dueAt - this.#options.timers.now();
    this.#cancelTick = this.#options.timers.after(Math.max(MIN_TICK_MS, Math.ceil(delayMs)), () => {
      this.#cancelTick = null;
      this.#tick();
    });
  }

  #tick(): void {
    const now = this.#options.timers.now();
    const cooling = this.#cooling;
    while (this.#head < cooling.length && cooling[this.#head]!.dueAt <= now) {
      const publication = cooling[this.#head]!;
      this.#head += 1;
      publication.isCooling = false;
      if (publication.isDirty && !publication.isHeld) this.#ready.push(publication);
    }
    if (this.#head > 1_024 && this.#head * 2 > cooling.length) {
      cooling.splice(0, this.#head);
      this.#head = 0;
    }
    if (this.#ready.length > 0) void this.#publish();
    this.#arm();
  }
}
