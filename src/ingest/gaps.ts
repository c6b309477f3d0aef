import type { Bus } from '../bus/bus.ts';
import type { LiveBar } from '../market/bar.ts';
import type { Logger } from '../market/logger.ts';
import type { MarketDataSource } from '../market/source.ts';
import { isIndex } from '../market/symbol.ts';
import type { Timers } from '../market/timers.ts';
import type { Trade } from '../market/trade.ts';
import { BarFiller } from './bar-filler.ts';
import type { LogCounter } from './log-counter.ts';
import type { LogWriter } from './log-writer.ts';
import { Predecessor } from './predecessor.ts';
import { PrintFiller } from './print-filler.ts';
import type { Sequencer } from './sequencer.ts';

export type GapsOptions = {
  readonly bus: Pick<Bus, 'readHistory' | 'readStatus'>;
  readonly source: Pick<MarketDataSource, 'readTrades' | 'readBars'>;
  readonly sequencer: Sequencer;
  readonly log: LogWriter;
  /** Unix ms. */
  readonly clock: () => number;
  readonly timers: Timers;
  readonly logger: Logger;
  /** How far the upstream's history may lag behind its feed, in ms: so long after the connection it is asked. */
  readonly historyLagMs: number;
  /** By how much the feed is behind the exchange, in ms. */
  readonly feedDelayMs: number;
  /** Called with prints of a symbol that were missed, when they are on their way into the log. */
  readonly onMissed: (symbol: string, prints: readonly Trade[]) => void;
};

/** The feed asks for fifty symbols every 50 ms: twice that time is given to it. */
const SUBSCRIBING_MS_PER_SYMBOL = 2;

/** The counters of symbols. */
type Counters = Iterable<readonly [symbol: string, counter: LogCounter]>;

/** The two connections of the feed come and go by themselves: that of the indices has no prints. */
type Flow = { readonly prints: PrintFiller | null; readonly bars: BarFiller; isWhole: boolean };

/** What was missed while the upstream, or a writer, was away: prints and bars, of stocks and of indices. */
export class Gaps {
  readonly #options: GapsOptions;
  readonly #predecessor: Predecessor;
  readonly #prints: PrintFiller;
  readonly #stocks: Flow;
  readonly #indices: Flow;
  /** Unix ms. */
  #subscribingUntil = 0;

  constructor(options: GapsOptions) {
    this.#options = options;
    this.#predecessor = new Predecessor(options.bus, options.clock);
    this.#prints = new PrintFiller(options);
    this.#stocks = { prints: this.#prints, bars: new BarFiller(options), isWhole: false };
    this.#indices = { prints: null, bars: new BarFiller(options), isWhole: false };
  }

  /** Finds out whether there was a writer until just now. To be called before there is a status of this one. Never rejects. */
  async start(): Promise<void> {
    await this.#predecessor.look();
  }

  /** Symbols are subscribed, whose logs a predecessor may have written until just now. */
  enter(counters: ReadonlyMap<string, LogCounter>): void {
    const { clock, historyLagMs } = this.#options;
    this.#subscribingUntil = Math.max(clock(), this.#subscribingUntil) + counters.size * SUBSCRIBING_MS_PER_SYMBOL;
    // A few of them are subscribed long before the history is asked.
    const subscribedAt = Math.max(clock(), this.#subscribingUntil - historyLagMs / 2);
    for (const [symbol, counter] of counters) {
      const { prints, bars } = this.#flowOf(symbol);
      if (this.#predecessor.hasWritten(counter.newest)) prints?.inherit(symbol, counter, subscribedAt);
      for (const interval of ['SECOND', 'MINUTE'] as const) {
        if (this.#predecessor.hasWritten(counter.bars[interval].newest))
          bars.inherit(symbol, interval, counter, subscribedAt);
      }
    }
    for (const flow of [this.#stocks, this.#indices]) if (flow.isWhole) resume(flow);
  }

  /** Keeps an entry back that comes behind a gap. `false`: there is none. */
  hold(event: Trade | LiveBar, counter: LogCounter): boolean {
    if (event.kind === 'trade') {
      if (counter.gap === null) return false;
      this.#prints.wait(counter.gap, event);
      return true;
    }
    const { gap } = counter.bars[event.interval];
    if (gap === null) return false;
    this.#flowOf(event.symbol).bars.wait(gap, event);
    return true;
  }

  /** What comes from now on is whole, or no more. `counters`: of all symbols. */
  follow(cluster: 'stocks' | 'indices', isWhole: boolean, counters: Counters): void {
    const flow = cluster === 'stocks' ? this.#stocks : this.#indices;
    flow.isWhole = isWhole;
    if (isWhole) return resume(flow);
    for (const [symbol, counter] of counters) {
      if (this.#flowOf(symbol) !== flow) continue;
      flow.prints?.open(symbol, counter);
      flow.bars.open(symbol, counter);
    }
    flow.prints?.pause();
    flow.bars.pause();
  }

  /** Nobody wants the symbol any more. */
  leave(symbol: string, counter: LogCounter): void {
    const { prints, bars } = this.#flowOf(symbol);
    prints?.giveUp(counter.gap);
    bars.giveUp(counter.bars.SECOND.gap);
    bars.giveUp(counter.bars.MINUTE.gap);
  }

  readStats(): Readonly<Record<string, number>> {
    const stats: Record<string, number> = { ...this.#prints.readStats() };
    for (const { bars } of [this.#stocks, this.#indices]) {
      for (const [name, count] of Object.entries(bars.readStats())) stats[name] = (stats[name] ?? 0) + count;
    }
    return stats;
  }

  close(): void {
    this.#prints.close();
    this.#stocks.bars.close();
    this.#indices.bars.close();
  }

  #flowOf(symbol: string): Flow {
    return isIndex(symbol) ? this.#indices : this.#stocks;
  }
}

function resume({ prints, bars }: Flow): void {
  prints?.resume();
  bars.resume();
}
