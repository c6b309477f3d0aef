import { barChannel, type Bus, type Channel, type LogEntry, type LogKey, tradeChannel } from '../bus/bus.ts';
import type { LogPosition } from '../market/log.ts';
import type { LogEnd } from './history-reader.ts';

/** What a topic tells those who follow it. */
export type LogListener<T> = {
  /** The next entry, in order. */
  put(entry: T): void;
  /** Entries were missed: what comes next is to be read from history. Called before the entry that showed it. */
  interrupt(): void;
};

/** The live entries since somebody began to collect them, while history is read. */
export type Tail<T> = {
  entries: T[];
  /** Some are missing: the bus was interrupted, or there were too many. */
  broken: boolean;
  collectors: number;
};

/** A tail that grows past this is given up: history, which holds the same, is read once more. */
const MAX_TAIL_ENTRIES = 4096;

/** The live end of one log in this process: one subscription of the bus, whatever the number of streams that follow it. */
export class LogTopic<T extends LogEntry> {
  readonly key: LogKey;
  readonly channel: Channel<'trade' | 'bar'>;
  readonly streams = new Set<LogListener<T>>();
  /** Resolves when every later entry is heard. */
  readonly ready: Promise<void>;
  readonly #unsubscribe: Promise<() => Promise<void>>;
  #tail: Tail<T> | null = null;
  #epoch: string | null = null;
  /** Of the newest entry that all streams were given. */
  #offset = 0;
  /** Of the newest entry that was heard; `null`: none was since the last interruption. */
  #sequence: number | null = null;
  /** The newest entry as history had it. */
  #end: LogEnd | null = null;

  constructor(bus: Bus, key: LogKey) {
    this.key = key;
    this.channel = channelOf(key);
    this.#unsubscribe = bus.subscribe(this.channel, (entry) => this.#receive(entry as T));
    this.ready = this.#unsubscribe.then(() => undefined);
    // Whoever joins awaits `ready`; where all have left before, a failure is nobody's concern.
    this.ready.catch(() => undefined);
  }

  /** The offset of the newest entry that was heard live in this epoch; 0: none. */
  offsetIn(epoch: string | null): number {
    return this.#epoch === epoch ? this.#offset : 0;
  }

  /** The newest entry that all streams were given: whoever was not here then must find it in the history. */
  get heard(): LogPosition {
    return { epoch: this.#epoch ?? '', offset: this.#offset };
  }

  /** Keeps what comes live from now on. To be given back by {@link release}. */
  collect(): Tail<T> {
    this.#tail ??= { entries: [], broken: false, collectors: 0 };
    this.#tail.collectors++;
    return this.#tail;
  }

  release(tail: Tail<T>): void {
    if (--tail.collectors === 0 && this.#tail === tail) this.#tail = null;
  }

  /** Entries after the newest may have been missed: the bus was lost, or the channel was. */
  interrupt(): void {
    this.#sequence = null;
    this.#end = null;
    this.#breakTail();
    for (const stream of this.streams) stream.interrupt();
  }

  /** Where the log ended when it was read: the first entry that is heard is measured against it. */
  noteEnd(end: LogEnd): void {
    this.#end = end;
  }

  /**
   * A place after which every entry comes live: where the log ended when it was read since the last interruption, or what
   * was heard after that. `null`: none is known, and history is to be asked.
   */
  get level(): LogEnd | null {
    const end = this.#end;
    if (end === null || this.#epoch !== end.epoch || this.#offset <= end.offset) return end;
    return { epoch: this.#epoch, offset: this.#offset, sequence: this.#sequence ?? 0 };
  }

  async close(): Promise<void> {
    const unsubscribe = await this.#unsubscribe.catch(() => null);
    await unsubscribe?.();
  }

  #receive(entry: T): void {
    if (this.key.kind === 'bar' && entry.kind === 'bar' && entry.interval !== this.key.interval) return;
    if (entry.epoch !== this.#epoch) {
      this.#epoch = entry.epoch;
      this.#offset = 0;
      this.#sequence = null;
      this.#breakTail();
    } else if (entry.offset <= this.#offset) {
      return; // Delivered twice, or late.
    }
    // The bus delivers at most once: a hole in the numbers is a message that was lost.
    if (this.#isHoleBefore(entry)) {
      this.#breakTail();
      for (const stream of this.streams) stream.interrupt();
    }
    this.#sequence = entry.sequence;
    if (this.#tail !== null && this.#tail.entries.push(entry) > MAX_TAIL_ENTRIES) this.#breakTail();
    for (const stream of this.streams) stream.put(entry);
    // Last: a stream that has no room for it reads on from the entry before.
    this.#offset = entry.offset;
  }

  #isHoleBefore({ epoch, offset, sequence }: LogEntry): boolean {
    if (this.#sequence !== null) return sequence > this.#sequence + 1;
    const end = this.#end;
    return end !== null && end.epoch === epoch && offset > end.offset && sequence > end.sequence + 1;
  }

  #breakTail(): void {
    if (this.#tail === null) return;
    this.#tail.broken = true;
    this.#tail.entries = [];
    this.#tail = null;
  }
}

function channelOf(key: LogKey): Channel<'trade' | 'bar'> {
  return key.kind === 'trade' ? tradeChannel(key.symbol) : barChannel(key.symbol);
}
