import type { Checker, TapedEntry } from './checker.ts';
import { barOf, type LogName, printOf } from './subscriptions.ts';

const PAGE = 1_000;
/** The exchange's ring holds no more of all symbols together. */
const MAX_PAGES = 300;
const SECOND_MS = 1_000;
/** At the first time bars are read from so long before: some of them may be on their way yet. */
const BARS_BEFORE_MS = 5_000;

type WirePage<T> = { readonly results?: readonly T[]; readonly next_url?: string };
type WirePrint = {
  readonly id: string;
  readonly exchange: number;
  readonly trf_id?: number;
  readonly price: number;
  readonly decimal_size: string;
  /** Unix ns. */
  readonly sip_timestamp: number;
};
type WireBar = Readonly<Record<'t' | 'o' | 'h' | 'l' | 'c' | 'v' | 'vw', number>>;

export type TapeReaderOptions = {
  readonly restUrl: string;
  readonly symbols: readonly string[];
  readonly checkers: Readonly<Record<LogName, Checker>>;
};

/** Reads what the exchange has on record of some symbols, prints and bars of a second, again and again without a hole. */
export class TapeReader {
  readonly #options: TapeReaderOptions;
  /** `null`: it had none at the last look. */
  readonly #newest = new Map<string, string | null>();
  /** Of all prints that were seen (Unix ms): seconds before it are over. */
  #newestAt = 0;
  /** The start of the last second whose bars were read (Unix ms). */
  #barsTo: number | null = null;
  #reading: Promise<void> = Promise.resolve();

  constructor(options: TapeReaderOptions) {
    this.#options = options;
  }

  /** Gives the checkers what is new since the last time. @throws where the exchange's record no longer reaches back so far */
  read(): Promise<void> {
    const reading = this.#reading.then(() => this.#read());
    this.#reading = reading.catch(() => undefined);
    return reading;
  }

  async #read(): Promise<void> {
    const { symbols, checkers } = this.#options;
    for (const symbol of symbols) checkers.trades.recordTape(symbol, await this.#readPrints(symbol));
    // Of the second in which the newest print was made, bars are still under way.
    const to = Math.floor(this.#newestAt / SECOND_MS) * SECOND_MS - SECOND_MS;
    const from = this.#barsTo === null ? to - BARS_BEFORE_MS : this.#barsTo + SECOND_MS;
    if (from > to) return;
    const bars: (readonly [symbol: string, bars: readonly TapedEntry[]])[] = [];
    for (const symbol of symbols) bars.push([symbol, await this.#readBars(symbol, from, to)]);
    // All or none: where one is refused, all are asked for again.
    for (const [symbol, entries] of bars) checkers.bars.recordTape(symbol, entries);
    this.#barsTo = to;
  }

  /** At the first time the tape begins with the newest print alone. */
  async #readPrints(symbol: string): Promise<TapedEntry[]> {
    const isFirst = !this.#newest.has(symbol);
    const known = this.#newest.get(symbol) ?? null;
    const newestFirst: TapedEntry[] = [];
    let url: string | undefined = `/v3/trades/${symbol}?order=desc&limit=${isFirst ? 1 : PAGE}`;
    let isJoined = false;
    for (let page = 0; url !== undefined && !isJoined && page < MAX_PAGES; page += 1) {
      const { results = [], next_url: next }: WirePage<WirePrint> = await this.#readPage(url);
      for (const print of results) {
        const id = nameOf(print);
        if ((isJoined = id === known)) break;
        newestFirst.push(printOf(id, print.price, Number(print.decimal_size)));
        this.#newestAt = Math.max(this.#newestAt, Math.floor(print.sip_timestamp / 1e6));
      }
      isJoined ||= isFirst;
      url = next;
    }
    if (!isJoined && known !== null) throw new Error(`the exchange has forgotten prints of ${symbol}`);
    this.#newest.set(symbol, newestFirst[0]?.id ?? known);
    return newestFirst.toReversed();
  }

  /** Of the seconds that start from the one to the other, both included. */
  async #readBars(symbol: string, from: number, to: number): Promise<TapedEntry[]> {
    const bars: TapedEntry[] = [];
    let url: string | undefined = `/v2/aggs/ticker/${symbol}/range/1/second/${from}/${to}?limit=50000`;
    while (url !== undefined) {
      const { results = [], next_url: next }: WirePage<WireBar> = await this.#readPage(url);
      for (const { t, o: open, h: high, l: low, c: close, v: volume, vw: vwap } of results) {
        bars.push(barOf(t, { open, high, low, close, volume, vwap }));
      }
      url = next;
    }
    return bars;
  }

  /** `url`: of a following page, or a path. */
  async #readPage<T>(url: string): Promise<WirePage<T>> {
    const response = await fetch(new URL(url, this.#options.restUrl), {
      // Over a connection of its own: one that was kept may be closed by the exchange just when the request is on its way.
      headers: { authorization: 'Bearer checker', connection: 'close' },
    });
    if (!response.ok) throw new Error(`the exchange answers ${response.status}`);
    return (await response.json()) as WirePage<T>;
  }
}

/** As `Trade.id` has it: unique per symbol are exchange, reporting facility and their number together. */
function nameOf({ exchange, trf_id: facility, id }: WirePrint): string {
  return facility === undefined ? `${exchange}-${id}` : `${exchange}-${facility}-${id}`;
}
