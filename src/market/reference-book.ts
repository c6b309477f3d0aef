import { type Condition, type ConditionTable, TRADE_CONDITIONS } from './conditions.ts';
import { type Exchange, exchangeOf, isKnownExchange } from './exchanges.ts';
import type { Logger } from './logger.ts';
import type { Timers } from './timers.ts';

/** Where the tables are published. Both throw `SourceUnavailableError`, as a MarketDataSource does. */
export interface ReferenceSource {
  readConditions(): Promise<Iterable<Condition>>;
  readExchanges(): Promise<readonly Exchange[]>;
}

const REFRESH_MS = 24 * 60 * 60 * 1000;
const RETRY_MS = 60_000;

/** The tables of sale conditions and exchanges: those that are built in, and over them what the upstream publishes. */
export class ReferenceBook {
  #conditions = TRADE_CONDITIONS;
  readonly #exchanges = new Map<number, Exchange>();

  get conditions(): ConditionTable {
    return this.#conditions;
  }

  exchangeOf(id: number): Exchange {
    return this.#exchanges.get(id) ?? exchangeOf(id);
  }

  /** Conditions replace those of the same id. Of exchanges only new ones are taken: several rows may share an old id. */
  update(conditions: Iterable<Condition>, exchanges: readonly Exchange[]): void {
    this.#conditions = this.#conditions.merge(conditions);
    for (const exchange of exchanges) if (!isKnownExchange(exchange.id)) this.#exchanges.set(exchange.id, exchange);
  }

  /** Reads the tables now and once a day; a failure is told and tried again every minute. Returns the function that stops it. */
  keepCurrent(source: ReferenceSource, timers: Timers, logger: Logger): () => void {
    let isStopped = false;
    let cancel = (): void => undefined;
    const refresh = async (): Promise<void> => {
      let delayMs = REFRESH_MS;
      try {
        this.update(await source.readConditions(), await source.readExchanges());
      } catch (error) {
        delayMs = RETRY_MS;
        logger.debug({ err: error }, 'the tables of conditions and exchanges could not be read; those at hand stand');
      }
      if (!isStopped) cancel = timers.after(delayMs, () => void refresh());
    };
    void refresh();
    return () => {
      isStopped = true;
      cancel();
    };
  }
}
