import type { FeedEvent } from '../feeds/feed.ts';
import type { Logger } from '../market/logger.ts';
import type { Gaps } from './gaps.ts';
import { isRepeatedBar, type LogCounter } from './log-counter.ts';
import type { LogWriter } from './log-writer.ts';
import type { QuoteFold } from './quote-book.ts';
import type { Publication, QuotePublisher } from './quote-publisher.ts';
import type { Sequencer } from './sequencer.ts';

/** All that is kept of one symbol, so that an event costs one look-up. */
export type Slot = { readonly publication: Publication; readonly fold: QuoteFold; readonly counter: LogCounter };

export type IntakeOptions = {
  /** Of the symbols that are wanted: events of others are counted only. */
  readonly slots: ReadonlyMap<string, Slot>;
  readonly sequencer: Sequencer;
  readonly gaps: Gaps;
  readonly log: LogWriter;
  readonly quotes: QuotePublisher;
  /** Unix ms. */
  readonly clock: () => number;
  readonly logger: Logger;
};

/** Where the feed's events come in: each into the quote of its symbol, prints and bars into the log as well. */
export class Intake {
  readonly #options: IntakeOptions;
  #trades = 0;
  #bbos = 0;
  #bars = 0;
  #indexValues = 0;
  #unknown = 0;
  #duplicates = 0;
  #faulty = 0;
  #lagMs = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** The hot path: one look-up and some writes for an event; nothing is made but what is published. */
  take(events: readonly FeedEvent[]): void {
    const { slots, quotes, log, clock } = this.#options;
    for (let index = 0; index < events.length; index += 1) {
      const event = events[index]!;
      const slot = slots.get(event.symbol);
      if (slot === undefined) {
        this.#unknown += 1;
        continue;
      }
      try {
        if (this.#apply(event, slot)) quotes.mark(slot.publication);
      } catch (error) {
        this.#fault(event, error);
      }
    }
    const last = events.at(-1);
    if (last !== undefined) this.#lagMs = clock() - (last.kind === 'bar' ? last.end : last.timestamp);
    log.flush();
    quotes.flush();
  }

  readStats(): Readonly<Record<string, number>> {
    return {
      eventsTrade: this.#trades,
      eventsBbo: this.#bbos,
      eventsBar: this.#bars,
      eventsIndexValue: this.#indexValues,
      eventsUnknownSymbol: this.#unknown,
      eventsDuplicate: this.#duplicates,
      eventsFaulty: this.#faulty,
      lagMs: this.#lagMs,
    };
  }

  /** Returns whether the quote has changed. */
  #apply(event: FeedEvent, { fold, counter }: Slot): boolean {
    const { sequencer, gaps, log } = this.#options;
    switch (event.kind) {
      case 'trade':
        this.#trades += 1;
        if (sequencer.isDuplicate(counter, event.id)) {
          this.#duplicates += 1;
          return false;
        }
        if (counter.gap === null || !gaps.hold(event, counter)) log.add(event, counter);
        return fold.foldTrade(event);
      case 'bbo':
        this.#bbos += 1;
        return fold.foldBestBidOffer(event);
      case 'bar':
        this.#bars += 1;
        if (isRepeatedBar(event, counter.bars[event.interval])) {
          this.#duplicates += 1;
          return false;
        }
        if (!gaps.hold(event, counter)) log.add(event, counter);
        return fold.foldBar(event);
      case 'index-value':
        this.#indexValues += 1;
        return fold.foldIndexValue(event);
    }
  }

  #fault(event: FeedEvent, error: unknown): void {
    this.#faulty += 1;
    if (this.#faulty > 1) return;
    const fields = { kind: event.kind, symbol: event.symbol, error: String(error) };
    this.#options.logger.error(fields, 'An event could not be taken; further ones are counted only.');
  }
}
