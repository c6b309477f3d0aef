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
        for (const topic of topics) this.#leave(topic, listener);
        options.onEnd();
      },
    });
    const live = new Set<string>();
    // What the snapshot showed: the bus may deliver the very same quote late, after the join.
    const shown = new Map<string, Quote>();
    const listener: Listener = (quote, isLive) => {
      if (isLive) live.add(quote.symbol);
      const before = shown.get(quote.symbol);
      if (before !== undefined) {
        shown.delete(quote.symbol);
        if (isSameQuote(before, quote)) return;
      }
      mailbox.put(quote.symbol, quote);
    };
    const topics = symbols.map((symbol) => this.#join(symbol, listener));
    this.#mailboxes.add(mailbox);
    if (this.#isHeld) mailbox.hold();
    try {
      await Promise.all(topics.map(({ ready }) => ready));
    } catch (error) {
      await mailbox.return();
      throw error;
    }
    // Subscribed first, snapshot second: what came live in between is newer than the snapshot.
    for (const quote of await this.#read(symbols)) {
      if (quote === null || live.has(quote.symbol)) continue;
      if (!quote.stale) shown.set(quote.symbol, quote);
      mailbox.put(quote.symbol, quote);
    }
    return mailbox;
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
    for (const { depth, bytes } of this.#mailboxes) {
      messagesWaiting += depth;
      bytesWaiting += bytes;
    }
    return {
      channels: this.#topics.size,
      mailboxes: this.#mailboxes.size,
      messagesWaiting,
      bytesWaiting,
      conflated: this.#conflated,
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

  #join(symbol: string, listener: Listener): QuoteTopic {
    let topic = this.#topics.get(symbol);
    if (topic === undefined) this.#topics.set(symbol, (topic = new QuoteTopic(this.#options.bus, symbol)));
    topic.listeners.add(listener);
    return topic;
  }

  #leave(topic: QuoteTopic, listener: Listener): void {
    if (!topic.listeners.delete(listener) || topic.listeners.size > 0) return;
    this.#topics.delete(topic.symbol);
    topic.close().catch((error: unknown) => {
      this.#options.logger.warn({ err: error, symbol: topic.symbol }, 'could not unsubscribe');
    });
  }
}

type Listener = (quote: DeliveredQuote, isLive: boolean) => void;

/** One symbol's quotes, subscribed once in this process, and who listens to them. */
class QuoteTopic {
  readonly symbol: string;
  readonly channel: Channel<'quote'>;
  readonly listeners = new Set<Listener>();
  readonly ready: Promise<void>;
  readonly #unsubscribe: Promise<() => Promise<void>>;
  #newest: Quote | null = null;
  #isRefreshing = false;

  constructor(bus: Bus, symbol: string) {
    this.symbol = symbol;
    this.channel = quoteChannel(symbol);
    this.#unsubscribe = bus.subscribe(this.channel, (quote) => {
      this.#newest = quote;
      this.#isRefreshing = false;
      this.#tell({ ...quote, stale: false }, true);
    });
    this.ready = this.#unsubscribe.then(() => undefined);
    // Whoever joins awaits `ready`; where all have left before, a failure is nobody's concern.
    this.ready.catch(() => undefined);
  }

  beginRefresh(): void {
    this.#isRefreshing = true;
  }

  /** A quote that was read: told where it is another than the last one, unless a live one has come meanwhile. */
  refresh(quote: DeliveredQuote): void {
    if (!this.#isRefreshing) return;
    this.#isRefreshing = false;
    const { stale: _, ...read } = quote;
    if (this.#newest !== null && isSameQuote(this.#newest, read)) return;
    this.#newest = read;
    this.#tell(quote, false);
  }

  async close(): Promise<void> {
    const unsubscribe = await this.#unsubscribe.catch(() => null);
    await unsubscribe?.();
  }

  #tell(quote: DeliveredQuote, isLive: boolean): void {
    for (const listener of this.listeners) listener(quote, isLive);
  }
}

function isSameQuote(a: Quote, b: Quote): boolean {
  return (Object.keys(a) as (keyof Quote)[]).every((field) => (field as string) === 'stale' || a[field] === b[field]);
}
