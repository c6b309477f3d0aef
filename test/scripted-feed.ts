import type { Bar, BarInterval } from '../src/market/bar.ts';
import type { Feed, FeedEvent, FeedListener } from '../src/feeds/feed.ts';
import type { Quote } from '../src/market/quote.ts';
import type { Trade } from '../src/market/trade.ts';
import { SourceUnavailableError, type MarketDataSource } from '../src/market/source.ts';

/** A feed for tests of ingest alone: it sends what it is told to. */
export class ScriptedFeed implements Feed {
  readonly name = 'SIMULATED';
  readonly symbols = new Set<string>();
  readonly calls: string[] = [];
  #listener: FeedListener | null = null;

  start(listener: FeedListener): void {
    this.#listener = listener;
    this.connect();
  }

  connect(): void {
    this.#listener?.onPrintFlow(true);
    this.#listener?.onIndexFlow(true);
    this.#listener?.onStatus({ feed: this.name, connected: true, reason: null });
  }

  disconnect(): void {
    this.#listener?.onPrintFlow(false);
    this.#listener?.onIndexFlow(false);
    this.#listener?.onStatus({ feed: this.name, connected: false, reason: 'pulled' });
  }

  /** The connection of the indices alone. */
  setIndexFlow(isWhole: boolean): void {
    this.#listener?.onIndexFlow(isWhole);
  }

  emit(...events: FeedEvent[]): void {
    this.#listener?.onEvents(events);
  }

  subscribe(symbols: readonly string[]): void {
    this.calls.push(`+${symbols.join()}`);
    for (const symbol of symbols) this.symbols.add(symbol);
  }

  unsubscribe(symbols: readonly string[]): void {
    this.calls.push(`-${symbols.join()}`);
    for (const symbol of symbols) this.symbols.delete(symbol);
  }

  readStats(): Readonly<Record<string, number>> {
    return {};
  }

  async close(): Promise<void> {
    this.disconnect();
  }
}

/** Beside it: snapshots as they are set. */
export class ScriptedSource implements MarketDataSource {
  quotes = new Map<string, Quote>();
  /** What `readQuotes` waits for. */
  gate: Promise<void> = Promise.resolve();
  failures = 0;
  asked: string[][] = [];
  /** What the history of prints holds; an error where it does not answer. */
  askedTrades: { symbol: string; from?: number; limit: number }[] = [];
  history: readonly Trade[] | Error = [];
  /** The same of bars. */
  askedBars: { symbol: string; interval: BarInterval; from: number; to: number }[] = [];
  barHistory: readonly Bar[] | Error = [];
  alwaysOpen = false;

  async readQuotes(symbols: readonly string[]): Promise<Map<string, Quote>> {
    this.asked.push([...symbols]);
    await this.gate;
    if (this.failures > 0) {
      this.failures -= 1;
      throw new SourceUnavailableError('no answer');
    }
    return new Map(symbols.flatMap((symbol) => (this.quotes.has(symbol) ? [[symbol, this.quotes.get(symbol)!]] : [])));
  }

  async readPreviousClose(): Promise<null> {
    return null;
  }

  async readBars(query: {
    symbol: string;
    interval: BarInterval;
    from: number;
    to: number;
    limit: number;
  }): Promise<Bar[]> {
    const { limit, ...asked } = query;
    this.askedBars.push(asked);
    if (this.barHistory instanceof Error) throw this.barHistory;
    return this.barHistory
      .filter(({ symbol, interval }) => symbol === query.symbol && interval === query.interval)
      .filter(({ start }) => start >= query.from && start < query.to)
      .slice(0, limit);
  }

  async readTrades(query: { symbol: string; from?: number; limit: number }): Promise<Trade[]> {
    this.askedTrades.push(query);
    if (this.history instanceof Error) throw this.history;
    return this.history
      .filter(({ symbol, timestamp }) => symbol === query.symbol && timestamp >= (query.from ?? 0))
      .slice(0, query.limit);
  }

  async readMarketStatus(): ReturnType<MarketDataSource['readMarketStatus']> {
    return {
      market: 'open',
      earlyHours: false,
      afterHours: false,
      serverTime: Date.now(),
      alwaysOpen: this.alwaysOpen,
    };
  }

  async searchInstruments(): Promise<[]> {
    return [];
  }

  async readHolidays(): Promise<[]> {
    return [];
  }
}
