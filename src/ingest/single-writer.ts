import type { BusState } from '../bus/bus.ts';
import type { Quote } from '../market/quote.ts';
import type { Trade } from '../market/trade.ts';
import type { FeedStatus } from '../market/service-status.ts';
import { ReferenceBook } from '../market/reference-book.ts';
import { createForwardClock } from '../market/steady-clock.ts';
import { waitAtMost } from '../market/timers.ts';
import { Admission } from './admission.ts';
import { Demand } from './demand.ts';
import { EpochWatch } from './epoch-watch.ts';
import { Gaps } from './gaps.ts';
import type { Ingest, IngestOptions } from './ingest.ts';
import { Intake, type Slot } from './intake.ts';
import type { LogCounter } from './log-counter.ts';
import { LogWriter } from './log-writer.ts';
import { MarketHours } from './market-hours.ts';
import { QuoteFold } from './quote-book.ts';
import { createPublication, QuotePublisher } from './quote-publisher.ts';
import { Seeder } from './seeder.ts';
import { Sequencer } from './sequencer.ts';
import { StatusPublisher } from './status-publisher.ts';
import { TimerGroup } from './timers.ts';

/** A first quote waits so long at most for the snapshot that makes it whole. */
const SEED_WAIT_MS = 1_000;
/** A start does not wait longer for an upstream or a bus that is away. */
const FIRST_LOOK_MS = 1_000;
/** What is still to be written when ingest closes has this long. */
const DRAIN_MS = 1_000;
/** By how much a delayed feed is behind the exchange: it was measured as exactly so much. */
const DELAYED_MS = 15 * 60_000;

/** The parts of ingest, and what they have to do with one another. */
export class SingleWriter implements Ingest {
  readonly #options: IngestOptions;
  readonly #hours: MarketHours;
  readonly #reference: ReferenceBook;
  readonly #status: StatusPublisher;
  readonly #sequencer: Sequencer;
  readonly #log: LogWriter;
  readonly #quotes: QuotePublisher;
  readonly #seeder: Seeder;
  readonly #gaps: Gaps;
  readonly #intake: Intake;
  readonly #demand: Demand;
  readonly #epoch: EpochWatch;
  readonly #admission: Admission;
  readonly #timers: TimerGroup;
  /** Bounded by `maxSymbols`. */
  readonly #slots = new Map<string, Slot>();
  #stopBusState: (() => void) | null = null;
  #isBusConnected = false;
  #feedWasConnected = false;
  #isConnected = false;
  #closing: Promise<void> | null = null;
  #feedGaps = 0;

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
      readProblem: () => bus.readState().reason,
      clock,
      timers,
      logger,
      onTick: () => this.#rollDay(),
    });
    // How long something was missed does not shrink where the clock of this host is set back meanwhile.
    const forwardClock = createForwardClock(clock, timers);
    this.#sequencer = new Sequencer({ clock: forwardClock, logClock: () => bus.now() });
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
    this.#gaps = new Gaps({
      bus,
      source,
      sequencer: this.#sequencer,
      log: this.#log,
      clock: forwardClock,
      timers,
      logger,
      historyLagMs: options.historyLagMs ?? 1_000,
      feedDelayMs: options.feed.name === 'DELAYED' ? DELAYED_MS : 0,
      onMissed: (symbol, prints) => this.#foldMissed(symbol, prints),
    });
    this.#intake = new Intake({
      slots: this.#slots,
      sequencer: this.#sequencer,
      gaps: this.#gaps,
      log: this.#log,
      quotes: this.#quotes,
      clock,
      logger,
    });
    this.#demand = new Demand({
      bus,
      writer,
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
    this.#isBusConnected = bus.readState().connected;
    this.#stopBusState = bus.onState((state) => this.#followBus(state));
    const predecessorRead = this.#gaps.start();
    const [epochRead, statusRead] = [this.#epoch.start(), this.#status.start()];
    feed.start({
      onEvents: (events) => this.#intake.take(events),
      onStatus: (status) => this.#followFeed(status),
      onPrintFlow: (isWhole) => this.#followFlow('stocks', isWhole),
      onIndexFlow: (isWhole) => this.#followFlow('indices', isWhole),
    });
    // The hours come before the first symbols: the day of a snapshot depends on them.
    await waitAtMost(FIRST_LOOK_MS, timers, Promise.all([predecessorRead, epochRead, statusRead]));
    if (this.#closing === null) await waitAtMost(FIRST_LOOK_MS, timers, this.#demand.start());
  }

  readStats(): Readonly<Record<string, number>> {
    return {
      ...this.#intake.readStats(),
      feedGaps: this.#feedGaps,
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

  /** Subscribes upstream: when the first event of these symbols comes, there is a slot for it. */
  #open(counters: ReadonlyMap<string, LogCounter>): void {
    const symbols = [...counters.keys()];
    for (const [symbol, counter] of counters) {
      const fold = new QuoteFold(symbol, this.#hours, this.#reference);
      const publication = createPublication(fold);
      publication.isHeld = true;
      this.#slots.set(symbol, { publication, fold, counter });
    }
    this.#gaps.enter(counters);
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
      this.#gaps.leave(symbol, slot.counter);
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

  /** What happened while the feed was away is read from the history, or told with what comes next. */
  #followFlow(cluster: 'stocks' | 'indices', isWhole: boolean): void {
    if (cluster === 'stocks' && !isWhole && this.#slots.size > 0) this.#feedGaps += 1;
    this.#gaps.follow(cluster, isWhole, this.#listCounters());
  }

  *#listCounters(): Generator<[string, LogCounter]> {
    for (const [symbol, { counter }] of this.#slots) yield [symbol, counter];
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
    const isBack = state.connected && !this.#isBusConnected;
    this.#isBusConnected = state.connected;
    if (state.connected && !isBack && state.reason !== null) {
      // It begins to take no writes: what is tried again goes on being tried, and who watches is told.
      this.#status.publish();
      return;
    }
    this.#epoch.followBus(state);
    if (!state.connected) return;
    this.#quotes.resume();
    this.#status.publish();
    this.#demand.resume();
  }
}
