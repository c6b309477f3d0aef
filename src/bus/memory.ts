import { randomUUID } from 'node:crypto';
import type { Logger } from '../market/logger.ts';
import { barChannel, controlChannel, demandChannel, quoteChannel, statusChannel, tradeChannel } from './bus.ts';
import type { Bus, Channel, HistoryRange, IngestStatus, LogEntry, LogKey, Messages, WriterLease } from './bus.ts';
import { DemandBook } from './demand-book.ts';
import { FanOut } from './fan-out.ts';
import { HistoryRing } from './history-ring.ts';
import { demandTotalKey, quoteKey } from './keys.ts';
import { DEMAND_LEASE_MS, QUOTE_KEEP_MS, STATUS_KEEP_MS } from './lifetimes.ts';
import type { Store } from './store.ts';

export type MemoryBusOptions = {
  /** How far back a log can be read. */
  readonly historyMs: number;
  /** Bound per log (a symbol's trades, its second bars, its minute bars). Default 20,000. */
  readonly maxHistoryEntriesPerLog?: number;
  /** Bound over all logs. Default 1,000,000, about 500 MB of trades. */
  readonly maxHistoryEntries?: number;
  /**
   * Messages published but not yet delivered, all channels together. Beyond it publishing rejects, and the messages
   * are counted as dropped: the caller has published more in one turn of the event loop than it may. Default 200,000.
   */
  readonly maxQueuedMessages?: number;
  /** Where the latest quotes and the totals of demand are kept for the cache to read; without it they are not kept. */
  readonly store?: Store;
  /** Default 25 s. */
  readonly demandLeaseMs?: number;
  /** Unix ms. Default `Date.now`. */
  readonly clock?: () => number;
  readonly logger: Logger;
};

/** The bus within one process: the default without Redis. */
export function createMemoryBus(options: MemoryBusOptions): Bus {
  return new MemoryBus(options);
}

type Delivery = { readonly channel: string; readonly message: unknown };

class MemoryBus implements Bus {
  readonly shared = false;
  readonly maxHistoryEntries: number;
  readonly #clock: () => number;
  readonly #maxQueuedMessages: number;
  readonly #store: Store | null;
  readonly #fanOut: FanOut;
  readonly #history: HistoryRing;
  readonly #demand: DemandBook;
  readonly #epoch = randomUUID();
  #control: Messages['control'] | null = null;
  #status: { value: IngestStatus; until: number } | null = null;
  /** Bounded by `maxQueuedMessages`; emptied in the next turn of the event loop, in order. */
  #queue: Delivery[] = [];
  #scheduled: NodeJS.Immediate | null = null;
  #published = 0;
  #dropped = 0;
  #closed = false;

  constructor(options: MemoryBusOptions) {
    this.#clock = options.clock ?? Date.now;
    this.#maxQueuedMessages = options.maxQueuedMessages ?? 200_000;
    this.#store = options.store ?? null;
    this.#fanOut = new FanOut(options.logger);
    this.maxHistoryEntries = options.maxHistoryEntriesPerLog ?? 20_000;
    this.#demand = new DemandBook(this.#clock, options.demandLeaseMs ?? DEMAND_LEASE_MS);
    this.#history = new HistoryRing({
      historyMs: options.historyMs,
      maxEntriesPerLog: this.maxHistoryEntries,
      maxEntries: options.maxHistoryEntries ?? 1_000_000,
      clock: this.#clock,
    });
  }

  async publishQuotes(quotes: readonly Messages['quote'][]): Promise<void> {
    this.#admit(quotes.length);
    const kept =
      this.#store?.write(
        quotes.map((quote) => ({ key: quoteKey(quote.symbol), value: JSON.stringify(quote), ttlMs: QUOTE_KEEP_MS })),
      ) ?? null;
    for (const quote of quotes) this.#enqueue(quoteChannel(quote.symbol), quote);
    await kept;
  }

  async append(entries: readonly LogEntry[]): Promise<void> {
    this.#admit(entries.length);
    for (const entry of entries) {
      this.#history.append(entry);
      if (entry.kind === 'trade') this.#enqueue(tradeChannel(entry.symbol), entry);
      else this.#enqueue(barChannel(entry.symbol), entry);
    }
  }

  async publishStatus(status: IngestStatus): Promise<void> {
    this.#admit(1);
    this.#status = { value: status, until: this.#clock() + STATUS_KEEP_MS };
    this.#enqueue(statusChannel, status);
  }

  async readStatus(): Promise<IngestStatus | null> {
    return this.#status !== null && this.#status.until > this.#clock() ? this.#status.value : null;
  }

  async publishControl(message: Messages['control']): Promise<void> {
    this.#admit(1);
    this.#control = message;
    this.#enqueue(controlChannel, message);
  }

  async readControl(): Promise<Messages['control'] | null> {
    return this.#control;
  }

  async keepControl(message: Messages['control']): Promise<void> {
    this.#control = message;
  }

  async tell<K extends 'user' | 'order' | 'revocation'>(channel: Channel<K>, message: Messages[K]): Promise<void> {
    this.#admit(1);
    this.#enqueue(channel, message);
  }

  async subscribe<K extends keyof Messages>(
    channel: Channel<K>,
    listener: (message: Messages[K]) => void,
  ): Promise<() => Promise<void>> {
    this.#admit(0);
    const remove = this.#fanOut.add(channel.name, listener);
    return async () => remove();
  }

  readHistory(key: LogKey & { readonly kind: 'trade' }, range: HistoryRange): Promise<Messages['trade'][]>;
  readHistory(key: LogKey & { readonly kind: 'bar' }, range: HistoryRange): Promise<Messages['bar'][]>;
  async readHistory(key: LogKey, range: HistoryRange): Promise<LogEntry[]> {
    return this.#history.read(key, range);
  }

  async readHistoryFloors(keys: readonly LogKey[]): Promise<number[]> {
    return keys.map((key) => this.#history.readFloor(key));
  }

  async readLastEntries(keys: readonly LogKey[]): Promise<(LogEntry | null)[]> {
    return keys.map((key) => this.#history.readLast(key));
  }

  async readEpoch(): Promise<string> {
    return this.#epoch;
  }

  openEpoch(): Promise<string> {
    return this.readEpoch();
  }

  async acquireWriter(): Promise<WriterLease> {
    this.#admit(0);
    return { token: 1, writer: this, renew: async () => true, release: async () => {} };
  }

  async setDemand(process: string, counts: ReadonlyMap<string, number>): Promise<void> {
    this.#admit(1);
    this.#demand.set(process, counts);
    this.#enqueue(demandChannel, { process, counts: Object.fromEntries(counts) });
  }

  async renewDemand(process: string, counts: ReadonlyMap<string, number>): Promise<void> {
    if (!this.#demand.renew(process) && counts.size > 0) await this.setDemand(process, counts);
  }

  async readDemand(): Promise<Map<string, number>> {
    return this.#demand.readTotals();
  }

  async publishDemandTotals(changed: ReadonlyMap<string, number>): Promise<void> {
    if (this.#store === null) return;
    const [wanted, unwanted] = [
      [...changed].filter(([, count]) => count > 0),
      [...changed].filter(([, count]) => count <= 0),
    ];
    await this.#store.write(
      wanted.map(([symbol, count]) => ({
        key: demandTotalKey(symbol),
        value: String(count),
        ttlMs: Number.MAX_SAFE_INTEGER,
      })),
    );
    await this.#store.remove(unwanted.map(([symbol]) => demandTotalKey(symbol)));
  }

  now(): number {
    return this.#clock();
  }

  readState(): { connected: boolean; reason: string | null } {
    return { connected: true, reason: null };
  }

  onState(): () => void {
    return () => {};
  }

  onInterruption(): () => void {
    return () => {};
  }

  readStats(): Readonly<Record<string, number>> {
    return {
      messagesPublished: this.#published,
      messagesReceived: this.#fanOut.received,
      messagesUndecodable: 0,
      messagesDropped: this.#dropped,
      listenerFailures: this.#fanOut.listenerFailures,
      reconnects: 0,
      historyEntries: this.#history.count,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#scheduled !== null) clearImmediate(this.#scheduled);
    this.#queue = [];
    this.#fanOut.clear();
  }

  /** Throws where so many messages more find no room. */
  #admit(count: number): void {
    if (this.#closed) throw new Error('The bus is closed.');
    if (this.#queue.length + count <= this.#maxQueuedMessages) return;
    this.#dropped += count;
    throw new Error(`The bus holds ${this.#queue.length} undelivered messages: ${count} more were dropped.`);
  }

  #enqueue<K extends keyof Messages>(channel: Channel<K>, message: Messages[K]): void {
    this.#published++;
    if (!this.#fanOut.has(channel.name)) return;
    this.#queue.push({ channel: channel.name, message });
    // In a later turn, as from a socket: no listener ever runs on the publisher's stack, and none starves the loop.
    this.#scheduled ??= setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = null;
    const queue = this.#queue;
    this.#queue = [];
    for (const { channel, message } of queue) this.#fanOut.deliver(channel, message);
  }
}
