import type { BarWindow } from './bar-window.ts';
import type { ConditionSet } from './condition-set.ts';
import type { FaultSwitches } from './faults.ts';
import { Index } from './instrument.ts';
import type { Instrument } from './instrument.ts';
import type { Print } from './print-log.ts';
import type { Audience } from './audience.ts';
import type { SocketServer } from './socket-server.ts';
import type { TapeListener } from './tape.ts';
import { encodeBand, encodeBar, encodeIndexValue, encodePrint, encodeQuote } from './wire.ts';

/** How far back the fault `out-of-order` puts an event's time, and how late the fault `late-bar` sends a bar. */
const DISORDER_MS = 3_000;
const LATENESS_MS = 3_000;
/** Bound of bars held back by the fault; beyond it they leave in time. */
const MAX_LATE_BARS = 10_000;

// Indicators of bands, and conditions of quotes.
const HALTED = 17;
const RESUMED = 18;
const PAUSE_CONDITION_ID = 43;
const RESUME_CONDITION_ID = 16;

const UNKNOWN_CONDITION_ID = 250;
const UNKNOWN_EXCHANGE_ID = 99;

/** Tells the subscribers what happens on the tape; encodes only what somebody listens to. */
export class Broadcast implements TapeListener {
  readonly #faults: FaultSwitches;
  readonly #chance: () => number;
  readonly #clock: { now(): number };
  readonly #trades: Audience;
  readonly #quotes: Audience;
  readonly #bands: Audience;
  readonly #values: Audience;
  readonly #bars: Readonly<Record<'A' | 'AM', { readonly stocks: Audience; readonly indices: Audience }>>;
  readonly #late: { at: number; audience: Audience; symbol: string; element: string }[] = [];
  /** Events that left, by topic, counted once however many hear them. */
  readonly counts: Record<'T' | 'Q' | 'A' | 'AM' | 'LULD' | 'V', number> = { T: 0, Q: 0, A: 0, AM: 0, LULD: 0, V: 0 };

  constructor(sockets: SocketServer, clock: { now(): number }) {
    this.#faults = sockets.faults;
    this.#chance = sockets.chance;
    this.#clock = clock;
    this.#trades = sockets.audience('stocks', 'T');
    this.#quotes = sockets.audience('stocks', 'Q');
    this.#bands = sockets.audience('stocks', 'LULD');
    this.#values = sockets.audience('indices', 'V');
    const bars = (topic: 'A' | 'AM') => ({
      stocks: sockets.audience('stocks', topic),
      indices: sockets.audience('indices', topic),
    });
    this.#bars = { A: bars('A'), AM: bars('AM') };
  }

  onPrint(instrument: Instrument, print: Print, conditions: ConditionSet): void {
    if (!this.#trades.wants(instrument.symbol)) return;
    this.counts.T += 1;
    const element = this.#faults.any
      ? this.#spoilPrint(instrument, print, conditions)
      : encodePrint(instrument, print, conditions);
    this.#send(this.#trades, instrument.symbol, element);
  }

  onQuote(instrument: Instrument): void {
    if (!this.#quotes.wants(instrument.symbol)) return;
    this.counts.Q += 1;
    const element = encodeQuote(instrument);
    this.#send(this.#quotes, instrument.symbol, this.#faults.any ? this.#spoilQuote(instrument, element) : element);
  }

  onBar(item: Instrument | Index, interval: 'A' | 'AM', bar: BarWindow): void {
    const audience = this.#bars[interval][item instanceof Index ? 'indices' : 'stocks'];
    if (!audience.wants(item.symbol)) return;
    this.counts[interval] += 1;
    const fractional = this.#faults.any && this.#faults.peek('fractional-bar-size') !== null;
    const element = encodeBar(item, interval, bar, fractional);
    if (this.#faults.any && this.#late.length < MAX_LATE_BARS && this.#faults.strikes('late-bar', this.#chance)) {
      this.#late.push({ at: this.#clock.now() + LATENESS_MS, audience, symbol: item.symbol, element });
      return;
    }
    this.#send(audience, item.symbol, element);
  }

  onBand(instrument: Instrument, time: number, indicator: number): void {
    if (!this.#bands.wants(instrument.symbol)) return;
    this.counts.LULD += 1;
    this.#send(this.#bands, instrument.symbol, encodeBand(instrument, time, indicator));
  }

  /**
   * Says that a symbol is halted or resumes: Nasdaq by indicators of the bands, for the stocks that it lists; elsewhere a
   * quote with the condition of a trading pause, or of resuming, is all that the tape has.
   */
  tellHalt(instrument: Instrument, time: number): void {
    const { halted, symbol } = instrument;
    if (instrument.listing.tape === 'C') this.onBand(instrument, time, halted ? HALTED : RESUMED);
    else if (this.#quotes.wants(symbol)) {
      const condition = halted ? PAUSE_CONDITION_ID : RESUME_CONDITION_ID;
      this.counts.Q += 1;
      this.#quotes.send(symbol, encodeQuote(instrument).replace(',"bx"', `,"c":${condition},"bx"`));
    }
  }

  onIndexValue(index: Index): void {
    if (!this.#values.wants(index.symbol)) return;
    this.counts.V += 1;
    this.#send(this.#values, index.symbol, encodeIndexValue(index));
  }

  /** Sends the bars held back whose time has come. */
  sendLateBars(): void {
    const now = this.#clock.now();
    while (this.#late.length > 0 && this.#late[0]!.at <= now) {
      const { audience, symbol, element } = this.#late.shift()!;
      audience.send(symbol, element);
    }
  }

  #send(audience: Audience, symbol: string, element: string): void {
    audience.send(symbol, element);
    if (this.#faults.any && this.#faults.strikes('duplicate', this.#chance)) audience.send(symbol, element);
  }

  #spoilPrint(instrument: Instrument, print: Print, conditions: ConditionSet): string {
    const strikes = (name: 'out-of-order' | 'unknown-ids'): boolean => this.#faults.strikes(name, this.#chance);
    const time = print.time - (strikes('out-of-order') ? DISORDER_MS : 0);
    const unknown = strikes('unknown-ids');
    const element = encodePrint(
      instrument,
      {
        ...print,
        time,
        participantTime: Math.min(time, print.participantTime),
        exchange: unknown ? UNKNOWN_EXCHANGE_ID : print.exchange,
      },
      unknown ? { ...conditions, json: `,"c":[${[...conditions.ids, UNKNOWN_CONDITION_ID].join(',')}]` } : conditions,
    );
    return this.#faults.peek('numeric-id') === null ? element : element.replace(/"i":"(\d+)"/, '"i":$1');
  }

  #spoilQuote(instrument: Instrument, element: string): string {
    const strikes = (name: 'out-of-order' | 'zero-quote' | 'crossed-quote'): boolean =>
      this.#faults.strikes(name, this.#chance);
    const set = (field: string, value: number): void => {
      element = element.replace(new RegExp(`"${field}":[\\d.]+`), `"${field}":${value}`);
    };
    if (strikes('out-of-order')) set('t', instrument.quoteTime - DISORDER_MS);
    if (strikes('zero-quote')) {
      set('bp', 0);
      set('bs', 0);
    } else if (strikes('crossed-quote')) {
      set('bp', instrument.ask);
      set('ap', instrument.bid);
    }
    return element;
  }
}
