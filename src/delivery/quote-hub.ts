import { type Bus, type Channel, type Interruption, quoteChannel } from '../bus/bus.ts';
import type { Logger } from '../market/logger.ts';
import type { Quote } from '../market/quote.ts';
import { StateMailbox } from './mailbox.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** A quote as it is delivered: `stale` where it was served while its source is unreachable or silent. */
export type DeliveredQuote = Quote & { readonly stale: boolean };

export type ReadQuotes = (symbols: readonly string[]) => Promise<readonly (DeliveredQuote | null)[]>;

export type QuoteHubOptions = {
  readonly bus: Bus;
  /** The current quotes. A rejection is survived: the live ones come anyway. */
  readonly readQuotes: ReadQuotes;
  /** Whether what was heard last is current, so that a new subscriber can be shown it. */
  readonly isLive: () => boolean;
  readonly wheel: TimerWheel;
  readonly logger: Logger;
};

/** The same bound as that of one client's question. */
const SYMBOLS_PER_READ = 500;

/** The quotes that this process follows, one topic per symbol, and the mailboxes of those who watch them. */
export class QuoteHub {
  readonly #options: QuoteHubOptions;
  readonly #topics = new Map<string, QuoteTopic>();
  readonly #mailboxes = new Set<StateMailbox<DeliveredQuote>>();
  readonly #stopWatching: () => void;
  #isHeld = false;
  #conflated = 0;
  #refreshes: Promise<void> = Promise.resolve();

  constructor(options: QuoteHubOptions) {
    this.#options = options;
    this.#stopWatching = options.bus.onInterruption((channels) => {
      // What was published meanwhile is known to nobody here.
      this.#refreshes = this.#refreshes.then(() => this.#refresh(channels));
    });
  }

  /** The current quote of each symbol, then each change; newest wins where the reader is behind. */
  async open(
    symbols: readonly string[],
    options: { readonly maxRateHz: number | null; readonly onEnd: () => void },
  ): Promise<StateMailbox<DeliveredQuote>> {
    const mailbox: StateMailbox<DeliveredQuote> = new StateMailbox({
      minIntervalMs: options.maxRateHz === null ? 0 : 1000 / options.maxRateHz,
      wheel: this.#options.wheel,
      onEnd: () => {
        this.#conflated += mailbox.conflated;
        this.#mailboxes.delete(mailbox);
        for (const topic of topics) this.#leave(topic, mailbox);
        options.onEnd();
      },
    });
    const topics = symbols.map((symbol) => this.#join(symbol, mailbox));
    const versions = topics.map(({ version }) => version);
    this.#mailboxes.add(mailbox);
    if (this.#isHeld) mailbox.hold();
    try {
      await Promise.all(topics.filter(({ isReady }) => !isReady).map(({ ready }) => ready));
    } catch (error) {
      await mailbox.return();
      throw error;
    }
    // Subscribed first, snapshot second: what came live in between is newer than what is read.
    const current = await this.#readCurrent(topics);
    for (const [index, topic] of topics.entries()) {
      const quote = current[index] ?? null;
      if (quote !== null && topic.version === versions[index]) mailbox.put(topic.symbol, topic.seed(quote));
    }
    return mailbox;
  }

  /** What was told last of a symbol that somebody follows here. */
  newestOf(symbol: string): DeliveredQuote | null {
    return this.#topics.get(symbol)?.newest ?? null;
  }

  /** Nothing is handed over until {@link release}; the newest quote of each symbol is kept. */
  hold(): void {
    this.#isHeld = true;
    for (const mailbox of this.#mailboxes) mailbox.hold();
  }

  release(): void {
    this.#isHeld = false;
    for (const mailbox of this.#mailboxes) mailbox.release();
  }

  readStats() {
    let messagesWaiting = 0;
    let bytesWaiting = 0;
    let conflated = this.#conflated;
    for (const mailbox of this.#mailboxes) {
      messagesWaiting += mailbox.depth;
      bytesWaiting += mailbox.bytes;
      conflated += mailbox.conflated;
    }
    return {
      channels: this.#topics.size,
      mailboxes: this.#mailboxes.size,
      messagesWaiting,
      bytesWaiting,
      conflated,
    };
  }

  async close(): Promise<void> {
    this.#stopWatching();
    for (const mailbox of [...this.#mailboxes]) await mailbox.return();
  }

  /** Reads each symbol that is followed, once, and gives what changed to those who follow it. */
  async #refresh(channels: Interruption): Promise<void> {
    const names = channels === 'all' ? null : new Set(channels);
    const topics = [...this.#topics.values()].filter(({ channel }) => names === null || names.has(channel.name));
    for (let start = 0; start < topics.length; start += SYMBOLS_PER_READ) {
      const part = topics.slice(start, start + SYMBOLS_PER_READ);
      for (const topic of part) topic.beginRefresh();
      for (const [index, quote] of (await this.#read(part.map(({ symbol }) => symbol))).entries()) {
        if (quote !== null) part[index]!.refresh(quote);
      }
    }
  }

  async #read(symbols: readonly string[]): Promise<readonly (DeliveredQuote | null)[]> {
    try {
      return await this.#options.readQuotes(symbols);
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'no current quotes could be read; the live ones come');
      return [];
    }
  }

  /** A topic that is followed knows the newest, unless its source is away: then it is read how old that is. */
  async #readCurrent(topics: readonly QuoteTopic[]): Promise<readonly (DeliveredQuote | null)[]> {
    const isLive = this.#options.isLive();
    const known = topics.map(({ newest }) => (isLive ? newest : null));
    const unknown = topics.filter((_topic, index) => known[index] === null);
    if (unknown.length === 0) return known;
    const read = await this.#read(unknown.map(({ symbol }) => symbol));
    let next = 0;
    return known.map((quote) => quote ?? read[next++] ?? null);
  }

  #join(symbol: string, mailbox: StateMailbox<DeliveredQuote>): QuoteTopic {
    let topic = this.#topics.get(symbol);
    if (topic === undefined) this.#topics.set(symbol, (topic = new QuoteTopic(this.#options.bus, symbol)));
    topic.mailboxes.add(mailbox);
    return topic;
  }

  #leave(topic: QuoteTopic, mailbox: StateMailbox<DeliveredQuote>): void {
    if (!topic.mailboxes.delete(mailbox) || topic.mailboxes.size > 0) return;
    this.#topics.delete(topic.symbol);
    topic.close().catch((error: unknown) => {
      this.#options.logger.warn({ err: error, symbol: topic.symbol }, 'could not unsubscribe');
    });
  }
}

/** One symbol's quotes, subscribed once in this process, and the mailboxes of who follows them. */
class QuoteTopic {
  readonly symbol: string;
  readonly channel: Channel<'quote'>;
  readonly mailboxes = new Set<StateMailbox<DeliveredQuote>>();
  readonly ready: Promise<void>;
  isReady = false;
  /** Counts what was told. */
  version = 0;
  /** The last that was told or shown. */
  newest: DeliveredQuote | null = null;
  readonly #unsubscribe: Promise<() => Promise<void>>;
  /** `newest` was read: the bus may deliver the very same quote late. */
  #isRead = false;
  #isRefreshing = false;

  constructor(bus: Bus, symbol: string) {
    this.symbol = symbol;
    this.channel = quoteChannel(symbol);
    this.#unsubscribe = bus.subscribe(this.channel, (quote) => this.#hear(quote));
    this.ready = this.#unsubscribe.then(() => void (this.isReady = true));
    // Whoever joins awaits `ready`; where all have left before, a failure is nobody's concern.
    this.ready.catch(() => undefined);
  }

  /**
   * A quote that was read while nothing came live: what is shown of it, the same object to all. One that is stale is shown, but
   * not kept.
   */
  seed(quote: DeliveredQuote): DeliveredQuote {
    if (this.newest !== null && isSameQuote(this.newest, quote) && this.newest.stale === quote.stale)
      return this.newest;
    if (!quote.stale) {
      this.newest = quote;
      this.#isRead = true;
    }
    return quote;
  }

  beginRefresh(): void {
    this.#isRefreshing = true;
  }

  /** A quote that was read: told where it is another than the last one, unless a live one has come meanwhile. */
  refresh(quote: DeliveredQuote): void {
    if (!this.#isRefreshing) return;
    this.#isRefreshing = false;
    if (this.newest !== null && isSameQuote(this.newest, quote)) return;
    this.#isRead = true;
    this.#tell(quote);
  }

  async close(): Promise<void> {
    const unsubscribe = await this.#unsubscribe.catch(() => null);
    await unsubscribe?.();
  }

  #hear(quote: Quote): void {
    this.#isRefreshing = false;
    if (this.#isRead) {
      this.#isRead = false;
      if (this.newest !== null && isSameQuote(this.newest, quote)) return;
    }
    this.#tell({ ...quote, stale: false });
  }

  #tell(quote: DeliveredQuote): void {
    this.newest = quote;
    this.version++;
    for (const mailbox of this.mailboxes) mailbox.put(quote.symbol, quote);
  }
}

function isSameQuote(a: Quote, b: Quote): boolean {
  return (Object.keys(a) as (keyof Quote)[]).every((field) => (field as string) === 'stale' || a[field] === b[field]);
}
