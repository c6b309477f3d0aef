import type { DocumentNode } from 'graphql';
import { type LiveDocument, readArgument } from './live-document.ts';
import type { PolledMemory } from './resumption.ts';

export type PolledRequest = { readonly document: DocumentNode; readonly variables: Record<string, unknown> };
/** The `data` of an answer. */
export type PolledAnswer = Readonly<Record<string, unknown>>;

/** What a round of queries has brought. */
export type PolledRound = {
  /** What is new, in order: each as the subscription's field would have it. */
  readonly entries: readonly { readonly entry: unknown; readonly isAfterGap: boolean }[];
  /** The log has been had whole up to here; `null`: no further than before. */
  readonly place: string | null;
};

/** How what a subscription tells is had by queries, while no events come through. */
export type PolledOperation = PolledMemory & {
  /** Those of one round, to be sent one after the other. */
  readonly readRequests: () => readonly PolledRequest[];
  /** What their answers bring, in the same order. */
  readonly readRound: (answers: readonly PolledAnswer[]) => PolledRound;
};

/** As the server writes them. */
export function readSymbols(document: LiveDocument, variables: Readonly<Record<string, unknown>>): readonly string[] {
  const symbols = [readArgument(document.field, 'symbols', variables)].flat();
  return [...new Set(symbols.map((symbol) => String(symbol).trim().toUpperCase()))];
}

/** For times, which are written all in the same way. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
