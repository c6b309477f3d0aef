import { writerChannel, type Bus, type BusState, type BusWriter, type WriterLease } from '../bus/bus.ts';
import type { Feed } from '../feeds/feed.ts';
import type { Logger } from '../market/logger.ts';
import { type Timers, waitAtMost } from '../market/timers.ts';
import type { Ingest } from './ingest.ts';
import { InterruptibleFeed } from './interruptible-feed.ts';
import { TimerGroup } from './timers.ts';

/** A writer that died is followed after this at the latest, and the next look at the lease. */
const TTL_MS = 5_000;
const RENEW_MS = 1_000;
/** A writer that could not renew gives up its connection so long before the lease ends: closing it takes a second at most. */
const MARGIN_MS = 1_000;
/** Between two looks of a process that waits for the role, where nobody tells that it is free. */
const LOOK_MS = 500;
/** A bus that comes back may have lost the lease: who had it finds back to it before others ask. */
const GRACE_MS = 3_000;
/** A start does not wait longer for a bus that is away. */
const FIRST_LOOK_MS = 1_000;
const RELEASE_MS = 500;

export type LeasedIngestOptions = {
  readonly bus: Bus;
  /** This process among all that ask for the role. */
  readonly process: string;
  /** Makes a feed that is not started. */
  readonly openFeed: () => Feed;
  /** Makes an ingest that is not started, which owns the feed. */
  readonly openIngest: (feed: Feed, writer: BusWriter) => Ingest;
  /** Told when this process becomes the writer, and when it is no more. */
  readonly onRole?: (isWriter: boolean) => void;
  readonly timers: Timers;
  readonly logger: Logger;
};

export interface LeasedIngest extends Ingest {
  /** Figures of the feed; none while this process is not the writer. */
  readFeedStats(): Readonly<Record<string, number>>;
}

/**
 * An ingest that runs in one process at a time: the one that holds the lease on the bus connects upstream and writes, the
 * others stand by, connected to the bus alone. A holder that cannot renew its lease gives up its connection before the
 * lease ends; what it has not written yet waits until it is known whether another process has come to the role meanwhile.
 */
export function createLeasedIngest(options: LeasedIngestOptions): LeasedIngest {
  return new Candidate(options);
}

/** One time in the role. */
type Term = {
  readonly lease: WriterLease;
  readonly ingest: Ingest;
  readonly feed: InterruptibleFeed;
  /** By `timers.now()`: until then no other process can have come to the role. */
  heldUntil: number;
  isRenewing: boolean;
  cancelRenewal: () => void;
  cancelDeadline: () => void;
};

class Candidate implements LeasedIngest {
  readonly #options: LeasedIngestOptions;
  readonly #timers: TimerGroup;
  readonly #stops: (() => unknown)[] = [];
  #term: Term | null = null;
  /** The end of the last term, or the asking for the next. */
  #changing: Promise<void> = Promise.resolve();
  #isChanging = false;
  #cancelLook: (() => void) | null = null;
  #wasConnected = false;
  #isConnected = false;
  #closing: Promise<void> | null = null;
  #takeovers = 0;
  #losses = 0;

  constructor(options: LeasedIngestOptions) {
    this.#options = options;
    this.#timers = new TimerGroup(options.timers);
  }

  async start(): Promise<void> {
    const { bus, timers } = this.#options;
    const { promise: looked, resolve: tellLooked } = Promise.withResolvers<void>();
    const look = (): void => void this.#look().then(tellLooked);
    this.#stops.push(bus.onState((state) => this.#followBus(state, look)));
    const listening = bus
      .subscribe(writerChannel, () => void this.#look())
      .then(
        (unsubscribe) => this.#stops.push(unsubscribe),
        (error: unknown) => this.#options.logger.warn({ error: describe(error) }, 'The end of a lease is not heard.'),
      );
    this.#wasConnected = this.#isConnected = bus.readState().connected;
    if (this.#wasConnected) {
      await listening;
      await this.#look();
    } else await waitAtMost(FIRST_LOOK_MS, timers, looked);
  }

  readStats(): Readonly<Record<string, number>> {
    return {
      isWriter: this.#term === null ? 0 : 1,
      leaseTakeovers: this.#takeovers,
      leaseLosses: this.#losses,
      ...this.#term?.ingest.readStats(),
    };
  }

  readFeedStats(): Readonly<Record<string, number>> {
    return this.#term?.feed.readStats() ?? {};
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#timers.close();
    await this.#changing;
    const term = this.#term;
    if (term !== null) {
      await this.#end(term);
      // The others look for themselves where this does not get through.
      await waitAtMost(RELEASE_MS, this.#options.timers, this.#release(term.lease));
    }
    for (const stop of this.#stops.splice(0)) await stop();
  }

  #followBus({ connected }: BusState, firstLook: () => void): void {
    // That a server takes no writes, or takes them again, is told as well.
    if (connected === this.#isConnected) return;
    this.#isConnected = connected;
    if (!connected) {
      this.#cancelLook?.();
      this.#cancelLook = null;
      return;
    }
    if (this.#term !== null) void this.#renew(this.#term);
    else if (this.#wasConnected) this.#lookLater(GRACE_MS);
    else firstLook();
    this.#wasConnected = true;
  }

  #lookLater(delayMs: number): void {
    this.#cancelLook?.();
    this.#cancelLook = this.#timers.after(delayMs, () => void this.#look());
  }

  /** Resolves when this process stands by, or has started as the writer. */
  async #look(): Promise<void> {
    if (this.#term !== null || this.#isChanging || this.#closing !== null) return;
    this.#cancelLook?.();
    this.#isChanging = true;
    const asking = this.#ask();
    this.#changing = asking.then(() => {});
    const term = await asking;
    this.#isChanging = false;
    if (term !== null) {
      if (this.#closing === null) await term.ingest.start();
    } else if (this.#options.bus.readState().connected) this.#lookLater(LOOK_MS);
  }

  async #ask(): Promise<Term | null> {
    const { bus, process, timers, logger } = this.#options;
    const askedAt = timers.now();
    try {
      const lease = await bus.acquireWriter(process, TTL_MS);
      if (lease !== null) return this.#begin(lease, askedAt);
    } catch (error) {
      if (bus.readState().connected)
        logger.warn({ error: describe(error) }, 'The role of the writer could not be asked for.');
    }
    return null;
  }

  #begin(lease: WriterLease, askedAt: number): Term {
    const { openFeed, openIngest, onRole, logger } = this.#options;
    const feed = new InterruptibleFeed(openFeed);
    const term: Term = {
      lease,
      feed,
      ingest: openIngest(feed, lease.writer),
      heldUntil: 0,
      isRenewing: false,
      cancelRenewal: () => {},
      cancelDeadline: () => {},
    };
    this.#term = term;
    this.#takeovers += 1;
    logger.info({ token: lease.token }, 'This process is the writer now.');
    onRole?.(true);
    this.#extend(term, askedAt);
    return term;
  }

  /** The bus has granted the role for a whole time from `askedAt` on, if not longer. */
  #extend(term: Term, askedAt: number): void {
    const { timers } = this.#options;
    term.heldUntil = askedAt + TTL_MS - MARGIN_MS;
    term.cancelDeadline();
    const leftMs = term.heldUntil - timers.now();
    if (leftMs > 0) {
      term.cancelDeadline = this.#timers.after(leftMs, () => this.#interrupt(term));
      void term.feed.resume();
    } else this.#interrupt(term);
    term.cancelRenewal();
    term.cancelRenewal = this.#timers.after(leftMs > 0 ? RENEW_MS : 0, () => void this.#renew(term));
  }

  #interrupt(term: Term): void {
    if (term.feed.isInterrupted) return;
    this.#options.logger.warn({}, 'The lease of the writer could not be renewed: its connection upstream is given up.');
    term.feed.interrupt('Redis does not renew the lease of ingest.');
  }

  async #renew(term: Term): Promise<void> {
    if (term.isRenewing || this.#term !== term || this.#closing !== null) return;
    const { timers, logger } = this.#options;
    term.isRenewing = true;
    const askedAt = timers.now();
    let isHeld: boolean | null = null;
    try {
      isHeld = await term.lease.renew();
    } catch (error) {
      logger.debug({ error: describe(error) }, 'The lease of the writer could not be renewed yet.');
    }
    term.isRenewing = false;
    if (this.#term !== term || this.#closing !== null) return;
    if (isHeld === true) this.#extend(term, askedAt);
    else if (isHeld === false) this.#stepDown(term);
    else term.cancelRenewal = this.#timers.after(LOOK_MS, () => void this.#renew(term));
  }

  #stepDown(term: Term): void {
    this.#losses += 1;
    this.#options.logger.warn(
      { token: term.lease.token },
      'Another process has become the writer: this one stands by.',
    );
    this.#isChanging = true;
    this.#changing = this.#end(term).then(() => {
      this.#isChanging = false;
      this.#lookLater(LOOK_MS);
    });
  }

  async #end(term: Term): Promise<void> {
    term.cancelRenewal();
    term.cancelDeadline();
    await term.ingest.close();
    this.#term = null;
    this.#options.onRole?.(false);
  }

  async #release(lease: WriterLease): Promise<void> {
    try {
      await lease.release();
    } catch (error) {
      this.#options.logger.debug({ error: describe(error) }, 'The role of the writer ends with its time.');
    }
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
