import type { DocumentNode } from 'graphql';
import type { Clock } from './clock.ts';
import { type LiveDocument, select } from './live-document.ts';
import {
  compareTexts,
  type PolledAnswer,
  type PolledOperation,
  type PolledRequest,
  type PolledRound,
  readSymbols,
} from './polled-operation.ts';
import { createPolledQuery } from './polled-query.ts';

/** What each print is asked for beside what the subscription selects. */
type Print = { readonly id: string; readonly timestamp: string; readonly cursor: string };

/** How many symbols a query asks of: its cost is bounded by the server, and so are its aliases. */
const SYMBOLS_PER_QUERY = 20;
/** How far back each query reaches, by the number of symbols. */
const PRINTS = { few: 500, many: 100 };
const FEW_SYMBOLS = 4;
/** Ids that are remembered, of all symbols together; and of one, at the least and at the most. */
const REMEMBERED = { all: 20_000, least: 16, most: 512 };
/** A resumed log has long been past what the queries had. A print's id may come again on another day. */
const OVERLAP_MS = 5 * 60_000;

/**
 * Prints by `recentTrades`, each once: a print is known by its id, for the server numbers those of a symbol that nobody watches
 * only as it reads them. What is older than the oldest print that the reader has had of a symbol was before his time.
 */
export class PolledTrades implements PolledOperation {
  readonly #document: LiveDocument;
  readonly #variables: Readonly<Record<string, unknown>>;
  readonly #clock: Clock;
  readonly #symbols: readonly string[];
  readonly #last: number;
  readonly #remembered: number;
  readonly #queries = new Map<number, DocumentNode>();
  /** By symbol, the ids of the newest prints that were had, in the order in which they came. */
  #had = new Map<string, Set<string>>();
  /** Those of them that queries brought, and a resumed log will bring again. */
  #polled = new Map<string, Set<string>>();
  #polledAt = 0;
  /** The time of the newest print that was had. */
  #newest: string | null = null;
  /** Where there was nothing to begin after, the first round is where the reader begins. */
  #hasBegun = false;
  /** The newest place that the round before saw: the round after it has had all up to there. */
  #seen: string | null = null;

  constructor(document: LiveDocument, variables: Readonly<Record<string, unknown>>, clock: Clock) {
    this.#document = document;
    this.#variables = variables;
    this.#clock = clock;
    this.#symbols = readSymbols(document, variables);
    this.#last = this.#symbols.length <= FEW_SYMBOLS ? PRINTS.few : PRINTS.many;
    const share = Math.floor(REMEMBERED.all / Math.max(1, this.#symbols.length));
    this.#remembered = Math.min(REMEMBERED.most, Math.max(REMEMBERED.least, share));
  }

  take(entry: unknown): boolean {
    const { symbol, id, timestamp } = entry as { symbol?: unknown; id?: unknown; timestamp?: unknown };
    this.#seen = null;
    if (typeof symbol !== 'string' || typeof id !== 'string') return true;
    if (this.#polled.size > 0) {
      if (this.#clock.now() - this.#polledAt > OVERLAP_MS) this.#polled.clear();
      else if (this.#polled.get(symbol)?.has(id) === true) return false;
    }
    this.#remember(this.#had, symbol, id);
    if (typeof timestamp === 'string') this.#noteTime(timestamp);
    return true;
  }

  forget(): void {
    this.#had = new Map();
    this.#polled = new Map();
    this.#newest = null;
    this.#seen = null;
    this.#hasBegun = false;
  }

  readRequests(): readonly PolledRequest[] {
    const requests: PolledRequest[] = [];
    for (let from = 0; from < this.#symbols.length; from += SYMBOLS_PER_QUERY) {
      const symbols = this.#symbols.slice(from, from + SYMBOLS_PER_QUERY);
      const asked = Object.fromEntries(symbols.map((symbol, index) => [`pollSymbol${index}`, symbol]));
      const document = this.#query(symbols.length);
      requests.push({ document, variables: { ...this.#variables, ...asked, pollLast: this.#last } });
    }
    return requests;
  }

  readRound(answers: readonly PolledAnswer[]): PolledRound {
    const newest = this.#newest;
    const entries: { entry: Print; isAfterGap: boolean; order: string }[] = [];
    let seen: { cursor: string; order: string } | null = null;
    for (const [index, symbol] of this.#symbols.entries()) {
      const answer = answers[Math.floor(index / SYMBOLS_PER_QUERY)];
      const prints = (answer?.[`polled${index % SYMBOLS_PER_QUERY}`] ?? []) as readonly Print[];
      const { fresh, isAfterGap } = this.#findFresh(symbol, prints, newest);
      let order = '';
      let isFirst = isAfterGap;
      for (const print of prints) {
        // A symbol's prints stay in their order, whatever their times.
        if (print.timestamp > order) order = print.timestamp;
        if (!fresh.has(print)) continue;
        entries.push({ entry: print, isAfterGap: isFirst, order });
        isFirst = false;
        this.#remember(this.#had, symbol, print.id);
        this.#remember(this.#polled, symbol, print.id);
      }
      const last = prints.at(-1);
      if (last !== undefined && (seen === null || order > seen.order)) seen = { cursor: last.cursor, order };
      if (last !== undefined) this.#noteTime(order);
    }
    this.#hasBegun = true;
    this.#polledAt = this.#clock.now();
    const place = this.#seen;
    this.#seen = seen?.cursor ?? null;
    return { entries: entries.toSorted((a, b) => compareTexts(a.order, b.order)), place };
  }

  /** Those of a symbol's last prints that the reader has not had, and whether there may be others before them. */
  #findFresh(symbol: string, prints: readonly Print[], newest: string | null) {
    const had = this.#had.get(symbol);
    const first = had === undefined ? -1 : prints.findIndex(({ id }) => had.has(id));
    if (had !== undefined && first >= 0) {
      const fresh = new Set(prints.slice(first).filter(({ id }) => !had.has(id)));
      return { fresh, isAfterGap: false };
    }
    if (newest === null && !this.#hasBegun) {
      for (const { id } of prints) this.#remember(this.#had, symbol, id);
      return { fresh: new Set<Print>(), isAfterGap: false };
    }
    const fresh = new Set(prints.filter(({ timestamp }) => newest === null || timestamp > newest));
    // All that it reaches back to is new: there may be more behind.
    return { fresh, isAfterGap: fresh.size === this.#last || (had !== undefined && fresh.size === prints.length) };
  }

  #query(symbols: number): DocumentNode {
    const known = this.#queries.get(symbols);
    if (known !== undefined) return known;
    const { selectionSet } = select(this.#document.field, ['symbol', 'id', 'timestamp', 'cursor']);
    const last = { name: 'pollLast', type: 'Int!' };
    const query = createPolledQuery(
      this.#document.first,
      Array.from({ length: symbols }, (_, index) => ({
        alias: `polled${index}`,
        name: 'recentTrades',
        variables: { symbol: { name: `pollSymbol${index}`, type: 'Symbol!' }, last },
        selectionSet,
      })),
    );
    this.#queries.set(symbols, query);
    return query;
  }

  #remember(ids: Map<string, Set<string>>, symbol: string, id: string): void {
    let ofSymbol = ids.get(symbol);
    if (ofSymbol === undefined) ids.set(symbol, (ofSymbol = new Set()));
    ofSymbol.add(id);
    if (ofSymbol.size > this.#remembered) ofSymbol.delete(ofSymbol.values().next().value!);
  }

  #noteTime(timestamp: string): void {
    if (this.#newest === null || timestamp > this.#newest) this.#newest = timestamp;
  }
}
