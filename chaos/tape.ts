import type { Checker } from './checker.ts';

const PAGE = 1_000;
/** The exchange's ring holds no more of all symbols together. */
const MAX_PAGES = 300;

type WirePrint = { readonly id: string; readonly exchange: number; readonly trf_id?: number };
type WirePage = { readonly results: readonly WirePrint[]; readonly next_url?: string };

/** Reads what the exchange has on record of some symbols, `GET /v3/trades/{symbol}`, again and again without a hole. */
export class TapeReader {
  readonly #restUrl: string;
  readonly #symbols: readonly string[];
  /** `null`: it had none at the last look. */
  readonly #newest = new Map<string, string | null>();

  constructor(restUrl: string, symbols: readonly string[]) {
    this.#restUrl = restUrl;
    this.#symbols = symbols;
  }

  /** Gives the checker what is new since the last time. @throws where the exchange's record no longer reaches back so far */
  async read(checker: Checker): Promise<void> {
    for (const symbol of this.#symbols) checker.recordTape(symbol, await this.#readNew(symbol));
  }

  /** At the first time the tape begins with the newest print alone. */
  async #readNew(symbol: string): Promise<string[]> {
    const isFirst = !this.#newest.has(symbol);
    const known = this.#newest.get(symbol) ?? null;
    const newestFirst: string[] = [];
    let url: string | undefined = `${this.#restUrl}/v3/trades/${symbol}?order=desc&limit=${isFirst ? 1 : PAGE}`;
    let isJoined = false;
    for (let page = 0; url !== undefined && !isJoined && page < MAX_PAGES; page += 1) {
      const { results, next_url: next } = await this.#readPage(url);
      for (const print of results) {
        const id = nameOf(print);
        if ((isJoined = id === known)) break;
        newestFirst.push(id);
      }
      isJoined ||= isFirst;
      url = next;
    }
    if (!isJoined && known !== null) throw new Error(`the exchange has forgotten prints of ${symbol}`);
    this.#newest.set(symbol, newestFirst[0] ?? known);
    return newestFirst.toReversed();
  }

  async #readPage(url: string): Promise<WirePage> {
    const response = await fetch(url, { headers: { authorization: 'Bearer checker' } });
    if (!response.ok) throw new Error(`the exchange answers ${response.status}`);
    return (await response.json()) as WirePage;
  }
}

/** As `Trade.id` has it: unique per symbol are exchange, reporting facility and their number together. */
function nameOf({ exchange, trf_id: facility, id }: WirePrint): string {
  return facility === undefined ? `${exchange}-${id}` : `${exchange}-${facility}-${id}`;
}
