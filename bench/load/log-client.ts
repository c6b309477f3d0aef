import { chooseDelayMs } from '../../client/src/graphql/backoff.ts';
import { Client, sourceAddress } from './client.ts';
import { nowMicros } from './clock.ts';
import { speakOfTrades } from './protocol.ts';

/** What the clients of a log have received, all together. */
export type LogTally = {
  entries: number;
  /** Prints that are missing before another, and nobody said so. */
  silentGaps: number;
  /** Prints that came again, or after a later one. */
  repeated: number;
  /** How often a client was told that prints may be missing. */
  gapsTold: number;
  /** How old each print was when it came, in ms: since ingest had read it. */
  agesMs: number[];
  /** When a print came last that was older than {@link LATE_MS}, by the clock of the machine, in µs; `null`: none was. */
  lastLateAt: number | null;
  /** Connections that were refused or lost, and what was said instead of prints: how often, and a few in their own words. */
  troubles: number;
  words: string[];
};

export type LogClientOptions = {
  /** Where it connects: to the first, and to the next whenever its connection is lost. */
  readonly ports: readonly number[];
  readonly symbols: readonly string[];
  readonly token: string;
  /** Tells the connections of all clients apart. */
  readonly number: number;
  /** The longest that a first retry waits; then twice as long each time. */
  readonly jitterMs: number;
  readonly buffer: Buffer;
  readonly tally: LogTally;
};

/** When a client that had lost its connection was back, by the clock of the machine, in µs. */
export type Return = {
  readonly lostAt: number;
  /** When it had asked to go on; `null`: not yet. */
  askedAt: number | null;
  /** When it had the first print of those that it had missed; where it had missed none, when it had asked. */
  resumedAt: number | null;
};

/** A print that comes later than this is one of the past. */
export const LATE_MS = 1_000;
const MAX_RETRY_MS = 15_000;
const WORDS = 5;

const OLDEST_CURSOR = /"code":"HISTORY_EXPIRED".*"oldestCursor":"([\w-]+)"/;

type Result = {
  readonly errors?: readonly unknown[];
  readonly data: { readonly trades: { symbol: string; sequence: number; gapBefore: boolean; receivedAt: string } };
  readonly extensions: { readonly cursor: string };
};

export function createTally(): LogTally {
  return {
    entries: 0,
    silentGaps: 0,
    repeated: 0,
    gapsTold: 0,
    agesMs: [],
    lastLateAt: null,
    troubles: 0,
    words: [],
  };
}

/** A reader of prints that keeps its cursor, goes on from there on another server, and counts what it gets. */
export class LogClient {
  readonly #options: LogClientOptions;
  /** By symbol, the number of the last print. */
  readonly sequences = new Map<string, number>();
  /** Since it first lost its connection; `null`: it never has. */
  lastReturn: Return | null = null;
  readonly #opened = Promise.withResolvers<void>();
  #client: Client | null = null;
  #cursor: string | null = null;
  #connections = 0;
  #failures = 0;
  #retry: NodeJS.Timeout | null = null;
  /** The symbols of which the client was told that their next print may not follow. */
  readonly #told = new Set<string>();
  #hasLostPlace = false;
  #isClosed = false;

  constructor(options: LogClientOptions) {
    this.#options = options;
    this.#connect();
  }

  get symbols(): readonly string[] {
    return this.#options.symbols;
  }

  /** Whether it lost its connection before its first print: it had no cursor then, and prints have passed it by. */
  get hasLostPlace(): boolean {
    return this.#hasLostPlace;
  }

  /** Resolves when it has first subscribed. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  close(): void {
    this.#isClosed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#client?.close();
  }

  #connect(): void {
    const { ports, symbols, token, number, buffer } = this.#options;
    const client = new Client({
      port: ports[this.#connections % ports.length]!,
      localAddress: sourceAddress(number),
      protocol: speakOfTrades(() => this.#cursor),
      symbols,
      token,
      buffer,
      onSample: (message) => this.#take(JSON.parse(message.toString('utf8')) as { payload: Result }),
      onTrouble: (trouble) => this.#lose(trouble),
    });
    // Each message is looked at.
    client.walker.reset(1, 0);
    this.#client = client;
    client.opened.then(
      () => this.#noteAsked(),
      (error: unknown) => this.#lose(String(error)),
    );
  }

  #noteAsked(): void {
    this.#failures = 0;
    this.#opened.resolve();
    if (this.lastReturn !== null) this.lastReturn.askedAt = nowMicros();
  }

  #take({ payload }: { payload: Result }): void {
    const { errors, data, extensions } = payload;
    if (errors !== undefined) {
      this.#lose(JSON.stringify(errors));
      return;
    }
    const { tally } = this.#options;
    const { symbol, sequence, gapBefore, receivedAt } = data.trades;
    // It was there before the first print of all, which has the number 1.
    const last = this.sequences.get(symbol) ?? (this.#hasLostPlace ? sequence - 1 : 0);
    const isTold = this.#told.delete(symbol) || gapBefore;
    if (sequence <= last) tally.repeated += 1;
    else if (sequence > last + 1 && !isTold) tally.silentGaps += sequence - last - 1;
    if (isTold) tally.gapsTold += 1;
    this.sequences.set(symbol, Math.max(last, sequence));
    this.#cursor = extensions.cursor;
    tally.entries += 1;
    this.#noteTime(Date.now() - Date.parse(receivedAt));
  }

  #noteTime(ageMs: number): void {
    const { tally } = this.#options;
    const now = nowMicros();
    tally.agesMs.push(ageMs);
    if (ageMs > LATE_MS) tally.lastLateAt = now;
    const { lastReturn } = this;
    if (lastReturn === null || lastReturn.resumedAt !== null || lastReturn.askedAt === null) return;
    const wasMissed = now - ageMs * 1e3 < lastReturn.askedAt;
    lastReturn.resumedAt = wasMissed ? now : lastReturn.askedAt;
  }

  /** The connection is gone, or the subscription, with which it goes as well. */
  #lose(trouble: string): void {
    if (this.#isClosed || this.#retry !== null) return;
    const { tally, jitterMs, symbols } = this.#options;
    tally.troubles += 1;
    if (tally.words.length < WORDS && !tally.words.includes(trouble)) tally.words.push(trouble);
    const oldestCursor = OLDEST_CURSOR.exec(trouble)?.[1];
    if (oldestCursor !== undefined) {
      for (const symbol of symbols) this.#told.add(symbol);
      this.#cursor = oldestCursor;
    }
    if (this.#cursor === null) this.#hasLostPlace = true;
    this.#client?.close();
    if (this.lastReturn === null || this.lastReturn.askedAt !== null) {
      this.lastReturn = { lostAt: nowMicros(), askedAt: null, resumedAt: null };
    }
    const backoff = { initialDelayMs: jitterMs, maxDelayMs: MAX_RETRY_MS };
    const delayMs = chooseDelayMs(this.#failures, backoff, Math.random);
    this.#failures += 1;
    this.#connections += 1;
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#connect();
    }, delayMs);
  }
}
