import type { Clock } from '../../graphql/clock.ts';
import type { Direction } from '../format/price.ts';
import type { Quote } from './quote-document.ts';
import { planChunks } from './quote-chunks.ts';
import { requestPaint } from './request-paint.ts';

export type LiveQuote = Quote & {
  /** Which way the price went when it last moved. */
  readonly direction: Direction;
};

/** Opens a stream of quotes, and returns what ends it. */
export type OpenQuotes = (symbols: readonly string[], sink: QuoteSink) => () => void;

export type QuoteSink = {
  next(quote: Quote): void;
  /** The server takes fewer symbols at once. */
  limit(symbols: number): void;
  fail(message: string): void;
};

export type QuoteStoreOptions = {
  readonly open: OpenQuotes;
  /** Calls back before the next frame is painted. Default: the browser's, or after a second where the page is hidden. */
  readonly requestFrame?: (callback: () => void) => void;
  readonly clock: Clock;
};

/**
 * The newest quote of each symbol that someone watches, outside React: whatever the rate of updates, those of one frame are
 * taken in together, and only who watches a symbol that changed is told.
 *
 * What is watched is asked for in few subscriptions of many symbols. They are made anew only where symbols come; one that is
 * watched no more lingers until then, for a list that is scrolled lets go of symbols that it wants again in a moment.
 */
export type QuoteStore = {
  readonly read: (symbol: string) => LiveQuote | undefined;
  /** Wants a symbol, and calls the listener when its quote changes; returns what ends both. */
  readonly watch: (symbol: string, listener: () => void) => () => void;
  /** Wants many symbols; the listener is called once per frame in which any of them changed. */
  readonly watchMany: (symbols: readonly string[], listener: (changed: ReadonlySet<string>) => void) => () => void;
  /** In words, where the server refuses; `null` where it does not. */
  readonly readFailure: () => string | null;
  readonly watchFailure: (listener: () => void) => () => void;
  readonly dispose: () => void;
};

/** As many as one subscription may have where the server does not say fewer. */
const MAX_SYMBOLS = 500;
/** What comes within it is asked for together. */
const GATHER_MS = 100;

export function createQuoteStore(options: QuoteStoreOptions): QuoteStore {
  const { open, clock, requestFrame = requestPaint } = options;

  const quotes = new Map<string, LiveQuote>();
  const wanted = new Map<string, number>();
  const watchers = new Map<string, Set<() => void>>();
  const groups = new Set<{
    readonly symbols: ReadonlySet<string>;
    readonly listener: (changed: Set<string>) => void;
  }>();
  /** At most one per symbol, whatever comes between two frames: a quote is state. */
  let arrived = new Map<string, Quote>();
  let isFrameAsked = false;
  const failureListeners = new Set<() => void>();
  let failure: string | null = null;

  function receive(quote: Quote): void {
    setFailure(null);
    arrived.set(quote.symbol, quote);
    if (isFrameAsked) return;
    isFrameAsked = true;
    requestFrame(apply);
  }

  function apply(): void {
    isFrameAsked = false;
    const changed = new Set(arrived.keys());
    for (const [symbol, quote] of arrived) quotes.set(symbol, follow(quotes.get(symbol), quote));
    arrived = new Map();
    for (const symbol of changed) for (const listener of watchers.get(symbol) ?? []) listener();
    for (const group of groups) if (hasOneOf(group.symbols, changed)) group.listener(changed);
  }

  function setFailure(next: string | null): void {
    if (failure === next) return;
    failure = next;
    for (const listener of failureListeners) listener();
  }

  let maxSymbols = MAX_SYMBOLS;
  let chunks: { readonly symbols: ReadonlySet<string>; readonly stop: () => void }[] = [];
  let isPlanned = false;
  let isDisposed = false;

  function plan(): void {
    if (isPlanned) return;
    isPlanned = true;
    clock.schedule(subscribe, chunks.length === 0 ? 0 : GATHER_MS);
  }

  function subscribe(): void {
    isPlanned = false;
    if (isDisposed) return;
    const { kept, opened } = planChunks(chunks, new Set(wanted.keys()), maxSymbols);
    const ended = chunks.filter((chunk) => !kept.includes(chunk));
    chunks = [...kept, ...opened.map((symbols) => ({ symbols, stop: open([...symbols], sink) }))];
    // After the new ones stand: a symbol that moves from one to another is not let go of upstream in between.
    for (const chunk of ended) chunk.stop();
    for (const symbol of quotes.keys()) if (!chunks.some(({ symbols }) => symbols.has(symbol))) quotes.delete(symbol);
  }

  const sink: QuoteSink = {
    next: receive,
    limit: (symbols) => {
      if (symbols >= maxSymbols || symbols < 1) return setFailure('Too many symbols are watched.');
      maxSymbols = symbols;
      plan();
    },
    fail: setFailure,
  };

  function want(symbols: Iterable<string>): () => void {
    const all = [...symbols];
    for (const symbol of all) {
      const count = wanted.get(symbol) ?? 0;
      wanted.set(symbol, count + 1);
      if (count === 0 && !chunks.some((chunk) => chunk.symbols.has(symbol))) plan();
    }
    return () => {
      for (const symbol of all) {
        const count = wanted.get(symbol)! - 1;
        if (count === 0) wanted.delete(symbol);
        else wanted.set(symbol, count);
      }
    };
  }

  return {
    read: (symbol) => quotes.get(symbol),
    watch: (symbol, listener) => {
      const stop = want([symbol]);
      let listeners = watchers.get(symbol);
      if (listeners === undefined) watchers.set(symbol, (listeners = new Set()));
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0 && watchers.get(symbol) === listeners) watchers.delete(symbol);
        stop();
      };
    },
    watchMany: (symbols, listener) => {
      const stop = want(symbols);
      const group = { symbols: new Set(symbols), listener };
      groups.add(group);
      return () => {
        groups.delete(group);
        stop();
      };
    },
    readFailure: () => failure,
    watchFailure: (listener) => {
      failureListeners.add(listener);
      return () => failureListeners.delete(listener);
    },
    dispose: () => {
      isDisposed = true;
      for (const chunk of chunks) chunk.stop();
      chunks = [];
    },
  };
}

function follow(last: LiveQuote | undefined, quote: Quote): LiveQuote {
  const moved = last === undefined ? 0 : quote.price - last.price;
  const direction = moved > 0 ? 'up' : moved < 0 ? 'down' : (last?.direction ?? 'flat');
  return { ...quote, direction };
}

function hasOneOf(symbols: ReadonlySet<string>, changed: ReadonlySet<string>): boolean {
  for (const symbol of changed) if (symbols.has(symbol)) return true;
  return false;
}
