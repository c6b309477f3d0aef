import type { ConditionSet } from '../src/feeds/simulator/condition-set.ts';
import type { Index, Instrument } from '../src/feeds/simulator/instrument.ts';
import { MarketState } from '../src/feeds/simulator/market-state.ts';
import type { Print } from '../src/feeds/simulator/print-log.ts';
import { ContinuousSchedule } from '../src/feeds/simulator/schedule.ts';
import type { Schedule } from '../src/feeds/simulator/schedule.ts';
import { Tape } from '../src/feeds/simulator/tape.ts';
import type { TapeListener } from '../src/feeds/simulator/tape.ts';
import { encodeBand, encodeBar, encodeIndexValue, encodePrint, encodeQuote } from '../src/feeds/simulator/wire.ts';

export type RecordedPrint = Print & {
  readonly symbol: string;
  readonly conditions: readonly number[];
  /** The best bid and offer as they were told before it. */
  readonly bid: number;
  readonly ask: number;
};

/** For tests: a tape by itself, with all that it tells, as it would go over the wire. */
export class TapeRecorder implements TapeListener {
  readonly tape: Tape;
  readonly prints: RecordedPrint[] = [];
  readonly elements: string[] = [];
  readonly #told = new Map<string, { bid: number; ask: number }>();
  readonly #keepsElements: boolean;

  constructor(options: {
    startAt: number;
    seed?: number;
    symbols?: number;
    eventsPerSecond?: number;
    schedule?: Schedule;
    /** Default true; `false` saves memory where prints alone are looked at. */
    keepsElements?: boolean;
  }) {
    const { startAt, seed = 1, symbols = 20, eventsPerSecond = 500, schedule = new ContinuousSchedule() } = options;
    this.#keepsElements = options.keepsElements ?? true;
    this.tape = new Tape({
      market: new MarketState({ seed, symbols, eventsPerSecond, schedule, beganAt: startAt }),
      seed,
      eventsPerSecond,
      generates: true,
      startAt,
      printCapacity: 65_536,
      listener: this,
    });
    for (const { symbol, bid, ask } of this.tape.market.instruments) this.#told.set(symbol, { bid, ask });
  }

  onPrint(instrument: Instrument, print: Print, conditions: ConditionSet): void {
    const told = this.#told.get(instrument.symbol)!;
    this.prints.push({ ...print, symbol: instrument.symbol, conditions: conditions.ids, ...told });
    this.#keep(() => encodePrint(instrument, print, conditions));
  }

  onQuote(instrument: Instrument): void {
    this.#told.set(instrument.symbol, { bid: instrument.bid, ask: instrument.ask });
    this.#keep(() => encodeQuote(instrument));
  }

  onBar(...[item, interval, bar]: Parameters<TapeListener['onBar']>): void {
    this.#keep(() => encodeBar(item, interval, bar));
  }

  onBand(instrument: Instrument, time: number, indicator: number): void {
    this.#keep(() => encodeBand(instrument, time, indicator));
  }

  onIndexValue(index: Index): void {
    this.#keep(() => encodeIndexValue(index));
  }

  /** The elements of one event kind, parsed. */
  parse(kind: string): Record<string, never>[] {
    const prefix = `{"ev":"${kind}",`;
    return this.elements.filter((element) => element.startsWith(prefix)).map((element) => JSON.parse(element));
  }

  #keep(encode: () => string): void {
    if (this.#keepsElements) this.elements.push(encode());
  }
}
