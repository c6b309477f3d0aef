import type { Clock } from '../../graphql/clock.ts';
import type { LiveQuote } from './quote-store.ts';

/** Closes of the last hours, oldest first, the last one live. */
export type Spark = readonly number[];

export type SparkStoreOptions = {
  /** The closes of the past, oldest first; rejects where they are not to be had. */
  readonly fetchCloses: (symbol: string) => Promise<Spark>;
  readonly readQuote: (symbol: string) => LiveQuote | undefined;
  readonly clock: Clock;
};

export type SparkStore = {
  readonly read: (symbol: string) => Spark | null;
  readonly watch: (symbol: string, listener: () => void) => () => void;
};

/** A list that is scrolled past asks for nothing. */
const DWELL_MS = 250;
/** Beside what the page asks for otherwise: a browser has six connections to a server. */
const MAX_FETCHES = 2;
/** A line of 56 pixels moves no faster than that. */
const REFRESH_MS = 2000;
const MINUTE_MS = 60_000;
const MAX_POINTS = 120;
/** A line that was not continued for so many minutes, off the screen or while the machine slept, is fetched anew. */
const MAX_GAP = 3;

type Entry = { spark: Spark; minute: number };

/**
 * What the price did lately, of the symbols that are on the screen: their history is fetched once, a few at a time, and goes on
 * by their quotes.
 */
export function createSparkStore({ fetchCloses, readQuote, clock }: SparkStoreOptions): SparkStore {
  const entries = new Map<string, Entry>();
  const watchers = new Map<string, Set<() => void>>();
  /** The newest first: it is what the reader sees now. */
  const queue: string[] = [];
  /** Queued or being fetched. */
  const asked = new Set<string>();
  let fetching = 0;
  let stopRefresh: (() => void) | null = null;

  function tell(symbol: string): void {
    for (const listener of watchers.get(symbol) ?? []) listener();
  }

  /** Once, however many want it. */
  function ask(symbol: string): void {
    if (asked.has(symbol)) return;
    asked.add(symbol);
    queue.push(symbol);
    fetchNext();
  }

  function fetchNext(): void {
    while (fetching < MAX_FETCHES && queue.length > 0) {
      const symbol = queue.pop()!;
      if (!watchers.has(symbol)) {
        asked.delete(symbol);
        continue;
      }
      fetching++;
      fetchCloses(symbol)
        .then(
          (closes) => {
            entries.set(symbol, { spark: closes.slice(-MAX_POINTS), minute: toMinute(clock.now()) });
            tell(symbol);
          },
          // Its line begins with the next quotes.
          () => void entries.set(symbol, { spark: [], minute: toMinute(clock.now()) }),
        )
        .finally(() => {
          asked.delete(symbol);
          fetching--;
          fetchNext();
        });
    }
  }

  function refreshAll(): void {
    stopRefresh = clock.schedule(refreshAll, REFRESH_MS);
    const minute = toMinute(clock.now());
    for (const symbol of watchers.keys()) {
      const entry = entries.get(symbol);
      const price = readQuote(symbol)?.price;
      if (entry === undefined || price === undefined) continue;
      if (minute - entry.minute > MAX_GAP) {
        ask(symbol);
        continue;
      }
      const isSameMinute = entry.minute === minute;
      if (isSameMinute && entry.spark.at(-1) === price) continue;
      const past = isSameMinute ? entry.spark.slice(0, -1) : entry.spark.slice(1 - MAX_POINTS);
      entries.set(symbol, { spark: [...past, price], minute });
      tell(symbol);
    }
  }

  return {
    read: (symbol) => entries.get(symbol)?.spark ?? null,
    watch: (symbol, listener) => {
      let listeners = watchers.get(symbol);
      if (listeners === undefined) watchers.set(symbol, (listeners = new Set()));
      listeners.add(listener);
      stopRefresh ??= clock.schedule(refreshAll, REFRESH_MS);
      const stopDwell = clock.schedule(() => {
        const entry = entries.get(symbol);
        if (entry === undefined || toMinute(clock.now()) - entry.minute > MAX_GAP) ask(symbol);
      }, DWELL_MS);
      return () => {
        stopDwell();
        listeners.delete(listener);
        if (listeners.size > 0 || watchers.get(symbol) !== listeners) return;
        watchers.delete(symbol);
        if (watchers.size > 0) return;
        stopRefresh?.();
        stopRefresh = null;
      };
    },
  };
}

function toMinute(time: number): number {
  return Math.floor(time / MINUTE_MS);
}
