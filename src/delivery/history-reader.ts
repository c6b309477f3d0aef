import { LRUCache } from 'lru-cache';
import type { Bus, LogEntry, LogKey } from '../bus/bus.ts';

/** What a log holds after a place. */
export type HistoryPage<T> = {
  /** The incarnation of the log that was read. */
  readonly epoch: string;
  readonly entries: readonly T[];
  /** Whether the log had no more than these when it was read. */
  readonly atEnd: boolean;
  /** The lowest offset after which nothing of the log is missing. */
  readonly floor: number;
};

/** The newest entry of a log. */
export type LogEnd = {
  readonly epoch: string;
  /** 0: it has none. */
  readonly offset: number;
  /** Of a print; 0 where there is none. */
  readonly sequence: number;
};

/** How long a full page is kept for the next to ask: those who fell behind together read on at about the same time. */
const PAGE_TTL_MS = 2000;
/** Pages of up to 256 entries each. */
const MAX_KEPT_PAGES = 64;
/** One pipeline asks for no more than this. */
const KEYS_PER_CALL = 500;

type Question<T> = { readonly key: LogKey; readonly answer: PromiseWithResolvers<T> };
type PageQuestion = Question<HistoryPage<LogEntry>> & { readonly after: number; readonly limit: number };
type Batch = { readonly pages: Map<string, PageQuestion>; readonly ends: Map<string, Question<LogEnd>> };

/**
 * Reads the history for all streams of this process: what is asked in one turn is read once, whatever the number of those
 * who ask, so that a thousand subscribers of one symbol who come back together cost one read.
 */
export class HistoryReader {
  readonly #bus: Bus;
  readonly #pages = new LRUCache<string, HistoryPage<LogEntry>>({ max: MAX_KEPT_PAGES, ttl: PAGE_TTL_MS });
  #batch: Batch | null = null;
  /** Of what was read last. */
  #epoch = '';
  /** How many reads went to the bus. */
  reads = 0;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** The first `limit` entries after an offset. Rejects where the bus is away. */
  readPage<T extends LogEntry>(key: LogKey, after: number, limit: number): Promise<HistoryPage<T>> {
    const id = `${idOf(key)} ${after} ${limit}`;
    // A full page stays what it is; what is at the end now may have more behind it in a moment.
    const kept = this.#pages.get(id);
    if (kept !== undefined) return Promise.resolve(kept as HistoryPage<T>);
    const { pages } = this.#gather();
    let question = pages.get(id);
    if (question === undefined) {
      pages.set(id, (question = { key, after, limit, answer: Promise.withResolvers() }));
    }
    return question.answer.promise as Promise<HistoryPage<LogEntry>> as Promise<HistoryPage<T>>;
  }

  /** Where a log ends now. Rejects where the bus is away. */
  readEnd(key: LogKey): Promise<LogEnd> {
    const { ends } = this.#gather();
    const id = idOf(key);
    let question = ends.get(id);
    if (question === undefined) ends.set(id, (question = { key, answer: Promise.withResolvers() }));
    return question.answer.promise;
  }

  /** Everything that was kept may be of a log that is lost. */
  forget(): void {
    this.#pages.clear();
  }

  async #readEpoch(): Promise<string> {
    const epoch = await this.#bus.readEpoch();
    if (epoch !== this.#epoch) this.forget();
    this.#epoch = epoch;
    return epoch;
  }

  #gather(): Batch {
    if (this.#batch === null) {
      const batch: Batch = { pages: new Map(), ends: new Map() };
      this.#batch = batch;
      // Not a microtask of the first who asks: those whom the same event wakes ask in microtasks of their own.
      setImmediate(() => {
        this.#batch = null;
        void this.#answerPages(batch.pages);
        void this.#answerEnds([...batch.ends.values()]);
      });
    }
    return this.#batch;
  }

  async #answerPages(questions: ReadonlyMap<string, PageQuestion>): Promise<void> {
    const all = [...questions];
    await Promise.all(
      inChunks(all).map(async (chunk) => {
        try {
          const parts = await Promise.all(
            chunk.map(([, { key, after, limit }]) => this.#bus.readHistory(key, { after, limit })),
          );
          this.reads += chunk.length;
          // Asked after reading: what was cut off meanwhile is among what was read, or counts as lost.
          const [floors, epoch] = await Promise.all([
            this.#bus.readHistoryFloors(chunk.map(([, { key }]) => key)),
            this.#readEpoch(),
          ]);
          for (const [index, [id, { limit, answer }]] of chunk.entries()) {
            const entries = parts[index]!;
            const page = { epoch, entries, atEnd: entries.length < limit, floor: floors[index]! };
            if (!page.atEnd) this.#pages.set(id, page);
            answer.resolve(page);
          }
        } catch (error) {
          for (const [, { answer }] of chunk) answer.reject(error);
        }
      }),
    );
  }

  async #answerEnds(questions: readonly Question<LogEnd>[]): Promise<void> {
    await Promise.all(
      inChunks(questions).map(async (chunk) => {
        try {
          const entries = await this.#bus.readLastEntries(chunk.map(({ key }) => key));
          const epoch = await this.#readEpoch();
          for (const [index, { answer }] of chunk.entries()) {
            // Where part of a log was lost, the rest of it may be there still.
            const entry = entries[index]?.epoch === epoch ? entries[index] : null;
            answer.resolve({ epoch, offset: entry?.offset ?? 0, sequence: entry?.sequence ?? 0 });
          }
        } catch (error) {
          for (const { answer } of chunk) answer.reject(error);
        }
      }),
    );
  }
}

function idOf(key: LogKey): string {
  return key.kind === 'trade' ? `trades ${key.symbol}` : `bars ${key.interval} ${key.symbol}`;
}

function inChunks<T>(items: readonly T[]): T[][] {
  const chunks: T[][] = [];
  for (let start = 0; start < items.length; start += KEYS_PER_CALL) {
    chunks.push(items.slice(start, start + KEYS_PER_CALL));
  }
  return chunks;
}
