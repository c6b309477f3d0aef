import type { DocumentNode } from 'graphql';
import type { Clock } from './clock.ts';
import { type LiveDocument, readArgument, select } from './live-document.ts';
import {
  compareTexts,
  type PolledAnswer,
  type PolledOperation,
  type PolledRequest,
  type PolledRound,
  readSymbols,
} from './polled-operation.ts';
import { createPolledQuery } from './polled-query.ts';

type Bar = { readonly symbol: string; readonly start: string };

const SYMBOLS_PER_QUERY = 10;
const MINUTE_MS = 60_000;

/**
 * Bars by the query of the same name. It knows the bar that is still growing as well: that one comes again until it has ended,
 * and the later bar of one `start` replaces the earlier, as always.
 */
export class PolledBars implements PolledOperation {
  readonly #document: LiveDocument;
  readonly #variables: Readonly<Record<string, unknown>>;
  readonly #clock: Clock;
  readonly #symbols: readonly string[];
  readonly #queries = new Map<number, DocumentNode>();
  /** By symbol, the newest bar that was had: when it begins, how it was written, and whether a query brought it. */
  readonly #newest = new Map<string, { start: string; text: string; isPolled: boolean }>();
  #hasBegun = false;

  constructor(document: LiveDocument, variables: Readonly<Record<string, unknown>>, clock: Clock) {
    this.#document = document;
    this.#variables = variables;
    this.#clock = clock;
    this.#symbols = readSymbols(document, variables);
  }

  take(entry: unknown): boolean {
    const { symbol, start } = entry as { symbol?: unknown; start?: unknown };
    if (typeof symbol !== 'string' || typeof start !== 'string') return true;
    const newest = this.#newest.get(symbol);
    // A query had it already. The newest of those may have grown since.
    if (newest?.isPolled === true && start < newest.start) return false;
    if (newest === undefined || start >= newest.start) {
      this.#newest.set(symbol, { start, text: JSON.stringify(entry), isPolled: false });
    }
    return true;
  }

  forget(): void {
    this.#newest.clear();
    this.#hasBegun = false;
  }

  readRequests(): readonly PolledRequest[] {
    const interval = readArgument(this.#document.field, 'interval', this.#variables) ?? 'SECOND';
    const begin = new Date(this.#clock.now() - 2 * MINUTE_MS).toISOString();
    const requests: PolledRequest[] = [];
    for (let from = 0; from < this.#symbols.length; from += SYMBOLS_PER_QUERY) {
      const symbols = this.#symbols.slice(from, from + SYMBOLS_PER_QUERY);
      const variables: Record<string, unknown> = { ...this.#variables, pollInterval: interval };
      for (const [index, symbol] of symbols.entries()) {
        variables[`pollSymbol${index}`] = symbol;
        variables[`pollFrom${index}`] = toMinute(this.#newest.get(symbol)?.start ?? begin);
      }
      requests.push({ document: this.#query(symbols.length), variables });
    }
    return requests;
  }

  readRound(answers: readonly PolledAnswer[]): PolledRound {
    const entries: { entry: Bar; isAfterGap: boolean }[] = [];
    for (const [index, symbol] of this.#symbols.entries()) {
      const answer = answers[Math.floor(index / SYMBOLS_PER_QUERY)];
      // What ended before the reader came is not for him.
      const isHis = this.#hasBegun || this.#newest.has(symbol);
      for (const bar of (answer?.[`polled${index % SYMBOLS_PER_QUERY}`] ?? []) as readonly Bar[]) {
        const newest = this.#newest.get(symbol);
        const text = JSON.stringify(bar);
        if (newest !== undefined && (bar.start < newest.start || text === newest.text)) continue;
        this.#newest.set(symbol, { start: bar.start, text, isPolled: true });
        if (isHis) entries.push({ entry: bar, isAfterGap: false });
      }
    }
    this.#hasBegun = true;
    return { entries: entries.toSorted((a, b) => compareTexts(a.entry.start, b.entry.start)), place: null };
  }

  #query(symbols: number): DocumentNode {
    const known = this.#queries.get(symbols);
    if (known !== undefined) return known;
    const { selectionSet } = select(this.#document.field, ['symbol', 'start']);
    const query = createPolledQuery(
      this.#document.first,
      Array.from({ length: symbols }, (_, index) => ({
        alias: `polled${index}`,
        name: 'bars',
        variables: {
          symbol: { name: `pollSymbol${index}`, type: 'Symbol!' },
          interval: { name: 'pollInterval', type: 'BarInterval!' },
          from: { name: `pollFrom${index}`, type: 'DateTime!' },
        },
        selectionSet,
      })),
    );
    this.#queries.set(symbols, query);
    return query;
  }
}

/** Those who ask within one minute ask for the same, which the server has at hand. */
function toMinute(time: string): string {
  return `${time.slice(0, 16)}:00.000Z`;
}
