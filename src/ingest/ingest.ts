import type { Bus, BusState, BusWriter } from '../bus/bus.ts';
import type { Feed, FeedEvent } from '../feeds/feed.ts';
import type { Logger } from '../market/logger.ts';
import type { Quote } from '../market/quote.ts';
import type { Trade } from '../market/trade.ts';
import type { FeedStatus } from '../market/service-status.ts';
import { ReferenceBook } from '../market/reference-book.ts';
import type { MarketDataSource } from '../market/source.ts';
import { Admission } from './admission.ts';
import { Demand } from './demand.ts';
import { EpochWatch } from './epoch-watch.ts';
import { GapFiller } from './gap-filler.ts';
import { LogWriter } from './log-writer.ts';
import { MarketHours } from './market-hours.ts';
import { QuoteFold } from './quote-book.ts';
import { createPublication, QuotePublisher, type Publication } from './quote-publisher.ts';
import { Seeder } from './seeder.ts';
import { Sequencer, type LogCounter } from './sequencer.ts';
import { StatusPublisher } from './status-publisher.ts';
import type { Timers } from '../market/timers.ts';
import { TimerGroup, waitAtMost } from './timers.ts';

/** A first quote waits so long at most for the snapshot that makes it whole. */
const SEED_WAIT_MS = 1_000;
/** A start does not wait longer for an upstream or a bus that is away. */
const FIRST_LOOK_MS = 1_000;
/** What is still to be written when ingest closes has this long. */
const DRAIN_MS = 1_000;

export type IngestOptions = {
  /** Owned: started and closed by ingest. */
  readonly feed: Feed;
  /** Not owned: it is left open. */
  readonly bus: Bus;
  /** What it writes with: that of its lease. Default: the bus itself, for one that is alone. */
  readonly writer?: BusWriter;
  /** For snapshots, the market's status and its holidays. */
  readonly source: MarketDataSource;
  /** What a trade's conditions let it set. Default: the built-in table. */
  readonly reference?: ReferenceBook;
  /** Unix ms. */
  readonly clock: () => number;
  readonly timers: Timers;
  readonly logger: Logger;
  /** A symbol's quote is published at most this often, in ms. Default 100; 0: at the end of every frame that changed it. */
  readonly quoteIntervalMs?: number;
  /** How long a symbol stays subscribed upstream after its last subscriber left, in ms. Default 10,000. */
  readonly demandLingerMs?: number;
  /** Symbols beyond it are not served; logged and counted. Default 15,000. */
  readonly maxSymbols?: number;
  /** Log entries that may wait while the bus is away. Default 200,000, about 64 MiB. */
  readonly maxWaitingEntries?: number;
  /** How far the upstream's REST history may lag behind its feed, in ms: prints that were missed are read after it. Default 1,000. */
  readonly historyLagMs?: number;
  /** Kept subscribed whatever is wanted, so that their latest values are always at hand. */
  readonly indices: readonly string[];
};

/** The single writer: it owns the feed, folds its events into quotes, numbers the log, publishes both on the bus. */
export interface Ingest {
  /**
   * Starts the feed and follows the demand. Resolves after the first look at upstream and bus; where one is away, after two
   * seconds at most: ingest goes on trying in the background. Never rejects.
   */
  start(): Promise<void>;
  /** Figures for /stats and /metrics: events by kind, what was published, appended, conflated, dropped by cause, what waits. */
  readStats(): Readonly<Record<string, number>>;
  /** Closes the feed, writes what is left (within 1 s), and stops. Calling it twice is harmless. */
  close(): Promise<void>;
}

export function createIngest(options: IngestOptions): Ingest {
  return new SingleWriter(options);
}

/** All that is kept of one symbol, so that an event costs one look-up. */
type Slot = { readonly publication: Publication; readonly fold: QuoteFold; readonly counter: LogCounter };

class SingleWriter implements Ingest {
  readonly #options: IngestOptions;
  readonly #hours: MarketHours;
  readonly #reference: ReferenceBook;
  readonly #status: StatusPublisher;
  readonly #sequencer: Sequencer;
  readonly #log: LogWriter;
  readonly #quotes: QuotePublisher;
  readonly #seeder: Seeder;
  readonly #gaps: GapFiller;
  readonly #demand: Demand;
  readonly #epoch: EpochWatch;
  readonly #admission: Admission;
  readonly #timers: TimerGroup;
  /** Bounded by `maxSymbols`. */
  readonly #slots = new Map<string, Slot>();
  #stopBusState: (() => void) | null = null;
  #feedWasConnected = false;
  #isConnected = false;
  #arePrintsWhole = false;
  #closing: Promise<void> | null = null;
  #trades = 0;
  #bbos = 0;
  #bars = 0;
  #indexValues = 0;
  #unknown = 0;
  #duplicates = 0;
  #faulty = 0;
  #feedGaps = 0;
  #lagMs = 0;

  constructor(options: IngestOptions) {
    const { bus, clock, timers, logger, source } = options;
    const { writer = bus } = options;
    this.#options = options;
    this.#timers = new TimerGroup(timers);
    this.#hours = new MarketHours();
    this.#reference = options.reference ?? new ReferenceBook();
    this.#status = new StatusPublisher({
      bus: writer,
      source,
      hours: this.#hours,
      feed: options.feed.name,
      clock,
      timers,
      logger,
      onTick: () => this.#rollDay(),
    });
    this.#sequencer = new Sequencer(clock);
    this.#log = new LogWriter({
      bus,
      writer,
      sequencer: this.#sequencer,
      timers,
      logger,
      onLost: () => this.#epoch.followLoss(),
      ...(options.maxWaitingEntries !== undefined && { maxWaiting: options.maxWaitingEntries }),
    });
    this.#epoch = new EpochWatch({ bus, writer, sequencer: this.#sequencer, log: this.#log, timers, logger });
    this.#admission = new Admission({
      bus: writer,
      epoch: this.#epoch,
      log: this.#log,
      sequencer: this.#sequencer,
      timers,
      logger,
      onAdmitted: (counters) => this.#open(counters),
    });
    this.#quotes = new QuotePublisher({
      bus: writer,
      clock,
      timers,
      logger,
      intervalMs: options.quoteIntervalMs ?? 100,
    });
    this.#seeder = new Seeder({
      source,
      timers,
      logger,
      isWanted: (symbol) => this.#slots.has(symbol),
      onSeed: (symbol, seed) => this.#seed(symbol, seed),
      onSettled: (symbols) => this.#release(symbols),
    });
    this.#gaps = new GapFiller({
      bus,
      source,
      sequencer: this.#sequencer,
      log: this.#log,
      clock,
      timers,
      logger,
      historyLagMs: options.historyLagMs ?? 1_000,
      onMissed: (symbol, prints) => this.#foldMissed(symbol, prints),
    });
    this.#demand = new Demand({
      bus,
      writer,
      clock,
      timers,
      logger,
      lingerMs: options.demandLingerMs ?? 10_000,
      pinned: options.indices,
      ...(options.maxSymbols !== undefined && { maxSymbols: options.maxSymbols }),
      onWanted: (symbols) => this.#admission.enter(symbols),
      onUnwanted: (symbols) => this.#leave(symbols),
    });
  }

  async start(): Promise<void> {
    const { bus, feed, timers } = this.#options;
    this.#stopBusState = bus.onState((state) => this.#followBus(state));
    const predecessorRead = this.#gaps.start();
    const [epochRead, statusRead] = [this.#epoch.start(), this.#status.start()];
    feed.start({
      onEvents: (events) => this.#take(events),
      onStatus: (status) => this.#followFeed(status),
      onPrintFlow: (isWhole) => this.#followPrints(isWhole),
    });
    // The hours come before the first symbols: the day of a snapshot depends on them.
    await waitAtMost(FIRST_LOOK_MS, timers, Promise.all([predecessorRead, epochRead, statusRead]));
    if (this.#closing === null) await waitAtMost(FIRST_LOOK_MS, timers, this.#demand.start());
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
      feedGaps: this.#feedGaps,
      lagMs: this.#lagMs,
      symbols: this.#slots.size,
      symbolsEntering: this.#admission.size,
      ...this.#demand.readStats(),
      ...this.#quotes.readStats(),
      ...this.#log.readStats(),
      ...this.#seeder.readStats(),
      ...this.#gaps.readStats(),
      ...this.#status.readStats(),
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stopBusState?.();
    this.#seeder.close();
    this.#admission.close();
    this.#epoch.close();
    this.#timers.close();
    const closings = await Promise.allSettled([this.#demand.close(), this.#options.feed.close()]);
    this.#gaps.close();
    this.#log.flush();
    const written = Promise.all([this.#log.settle(), this.#quotes.drain()]);
    await waitAtMost(DRAIN_MS, this.#options.timers, written);
    this.#log.close();
    this.#quotes.close();
    await this.#status.close();
    for (const closing of closings) {
      if (closing.status === 'rejected')
        this.#options.logger.warn({ error: String(closing.reason) }, 'Ingest closed with an error.');
    }
  }

  /** The hot path: one look-up and some writes for an event; nothing is made but what is published. */
  #take(events: readonly FeedEvent[]): void {
    for (let index = 0; index < events.length; index += 1) {
      const event = events[index]!;
      const slot = this.#slots.get(event.symbol);
      if (slot === undefined) {
        this.#unknown += 1;
        continue;
      }
      try {
        if (this.#apply(event, slot)) this.#quotes.mark(slot.publication);
      } catch (error) {
        this.#fault(event, error);
      }
    }
    const last = events.at(-1);
    if (last !== undefined) this.#lagMs = this.#options.clock() - (last.kind === 'bar' ? last.end : last.timestamp);
    this.#log.flush();
    this.#quotes.flush();
  }

  /** Returns whether the quote has changed. */
  #apply(event: FeedEvent, { fold, counter }: Slot): boolean {
    switch (event.kind) {
      case 'trade':
        this.#trades += 1;
        if (this.#sequencer.isDuplicate(counter, event.id)) {
          this.#duplicates += 1;
          return false;
        }
        if (counter.gap === null) this.#log.add(event, counter);
        else this.#gaps.wait(counter.gap, event);
        return fold.foldTrade(event);
      case 'bbo':
        this.#bbos += 1;
        return fold.foldBestBidOffer(event);
      case 'bar':
        this.#bars += 1;
        this.#log.add(event, counter);
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

  /** Subscribes upstream: when the first event of these symbols comes, there is a slot for it. */
  #open(counters: ReadonlyMap<string, LogCounter>): void {
    const symbols = [...counters.keys()];
    for (const [symbol, counter] of counters) {
      const fold = new QuoteFold(symbol, this.#hours, this.#reference);
      const publication = createPublication(fold);
      publication.isHeld = true;
      this.#slots.set(symbol, { publication, fold, counter });
      this.#gaps.inherit(symbol, counter);
    }
    if (this.#arePrintsWhole) this.#gaps.resume();
    this.#options.feed.subscribe(symbols);
    this.#seeder.request(symbols);
    this.#timers.after(SEED_WAIT_MS, () => this.#release(symbols));
  }

  #leave(symbols: readonly string[]): void {
    const left: string[] = [];
    for (const symbol of symbols) {
      this.#admission.leave(symbol);
      const slot = this.#slots.get(symbol);
      if (slot === undefined) continue;
      this.#gaps.giveUp(slot.counter.gap);
      slot.publication.isRemoved = true;
      this.#slots.delete(symbol);
      left.push(symbol);
    }
    if (left.length > 0) this.#options.feed.unsubscribe(left);
  }

  #seed(symbol: string, seed: Quote | null): void {
    const slot = this.#slots.get(symbol);
    if (slot !== undefined && slot.fold.applySeed(seed)) this.#quotes.mark(slot.publication);
  }

  #release(symbols: readonly string[]): void {
    for (const symbol of symbols) {
      const slot = this.#slots.get(symbol);
      if (slot !== undefined) this.#quotes.release(slot.publication);
    }
    this.#quotes.flush();
  }

  #foldMissed(symbol: string, prints: readonly Trade[]): void {
    const slot = this.#slots.get(symbol);
    if (slot === undefined) return;
    for (const trade of prints) if (slot.fold.foldTrade(trade)) this.#quotes.mark(slot.publication);
    this.#quotes.flush();
  }

  /** What was printed while the feed was away is read from the history, or told with the next print. */
  #followPrints(isWhole: boolean): void {
    this.#arePrintsWhole = isWhole;
    if (isWhole) return this.#gaps.resume();
    if (this.#slots.size > 0) this.#feedGaps += 1;
    for (const [symbol, { counter }] of this.#slots) this.#gaps.open(symbol, counter);
    this.#gaps.pause();
  }

  /** The state is read anew after a loss. */
  #followFeed(status: FeedStatus): void {
    if (this.#isConnected && !status.connected) for (const { fold } of this.#slots.values()) fold.expectSeed();
    if (status.connected && !this.#isConnected && this.#feedWasConnected) this.#seeder.request([...this.#slots.keys()]);
    this.#isConnected = status.connected;
    this.#feedWasConnected ||= status.connected;
    this.#status.setFeed(status);
  }

  /** The day of the calendar begins for all symbols at once, also for those that are not traded in it yet. */
  #rollDay(): void {
    const day = this.#hours.dayOf(this.#options.clock());
    const rolled: string[] = [];
    for (const [symbol, { fold, publication }] of this.#slots) {
      if (!fold.rollTo(day)) continue;
      fold.expectSeed();
      this.#quotes.mark(publication);
      rolled.push(symbol);
    }
    if (rolled.length === 0) return;
    this.#seeder.request(rolled);
    this.#quotes.flush();
  }

  #followBus(state: BusState): void {
    this.#epoch.followBus(state);
    if (!state.connected) return;
    this.#quotes.resume();
    this.#status.publish();
    this.#demand.resume();
  }
}
