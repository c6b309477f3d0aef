import type { LiveBarInterval, LoggedBar } from '../market/bar.ts';
import type { MarketStatus } from '../market/market-status.ts';
import type { Quote } from '../market/quote.ts';
import type { FeedStatus } from '../market/service-status.ts';
import type { LoggedTrade } from '../market/trade.ts';

/** What travels on the bus, by kind. Each kind has its own strict codec; a message that does not fit is dropped and counted. */
export type Messages = {
  quote: Quote;
  trade: LoggedTrade;
  bar: LoggedBar;
  status: IngestStatus;
  demand: DemandChange;
  control: ControlMessage;
  writer: WriterChange;
  user: UserEvent;
  order: OrderOpened;
  revocation: Revocation;
};

/** A channel's name together with the kind of message it carries. */
export type Channel<K extends keyof Messages = keyof Messages> = { readonly kind: K; readonly name: string };

// The braces are Redis Cluster hash tags: a symbol's channel, history and cache share a slot.
export const quoteChannel = (symbol: string): Channel<'quote'> => ({
  kind: 'quote',
  name: `market-data:quotes:{${symbol}}`,
});
export const tradeChannel = (symbol: string): Channel<'trade'> => ({
  kind: 'trade',
  name: `market-data:trades:{${symbol}}`,
});
/** Second and minute bars of a symbol share one channel; a reader picks by `interval`. */
export const barChannel = (symbol: string): Channel<'bar'> => ({ kind: 'bar', name: `market-data:bars:{${symbol}}` });
export const statusChannel: Channel<'status'> = { kind: 'status', name: 'market-data:status' };
export const demandChannel: Channel<'demand'> = { kind: 'demand', name: 'market-data:subscriptions' };
export const controlChannel: Channel<'control'> = { kind: 'control', name: 'market-data:control' };

/** What one user is told: that its log of notifications has grown. */
export const userChannel = (user: string): Channel<'user'> => ({ kind: 'user', name: `user:{${user}}:events` });
/** Credentials that hold no longer, wherever they are in use; an identity provider may publish here. */
export const revocationsChannel: Channel<'revocation'> = { kind: 'revocation', name: 'access:revocations' };
export const ordersChannel: Channel<'order'> = { kind: 'order', name: 'ledger:orders' };

export const writerChannel: Channel<'writer'> = { kind: 'writer', name: 'ingest:lease' };

/** The state of the ingest side, whole in itself; published on change and every few seconds as a sign of life. */
export type IngestStatus = {
  readonly market: MarketStatus;
  readonly feed: FeedStatus;
  /** What else keeps ingest from its work, in plain words; `null`: nothing. An ingest of a former version tells nothing of it. */
  readonly problem?: string | null;
  /** Unix ms. */
  readonly timestamp: number;
};

/** One process's changed interest: the new count of subscriptions per symbol, 0 where it wants it no more. */
export type DemandChange = { readonly process: string; readonly counts: Readonly<Record<string, number>> };

/** What any process may publish to pause and resume all replicas. */
export type ControlMessage = { readonly action: 'pause' | 'resume'; readonly data: { readonly reason: string | null } };

/** A token, by its `jti`, or an API key, by its id, is revoked. */
export type Revocation = { readonly token: string } | { readonly key: string };

/** The role of the writer is free again: the process that had it has given it up in order. */
export type WriterChange = { readonly released: string };

/**
 * A user's log of notifications holds so many entries now. The entry that came last travels along for outside programs; who
 * needs them all reads the ledger.
 */
export type UserEvent = {
  readonly number: number;
  readonly notification: { readonly kind: string; readonly orderId: string };
};

/** An order waits to be filled from now on. */
export type OrderOpened = { readonly id: string };

/** A log of one symbol. */
export type LogKey =
  | { readonly kind: 'trade'; readonly symbol: string }
  | { readonly kind: 'bar'; readonly symbol: string; readonly interval: LiveBarInterval };

export type LogEntry = LoggedTrade | LoggedBar;

/**
 * Connection state of the bus: always connected for the in-process one. `reason`: what is wrong, in plain words; where it is
 * connected, why it does not take what is written. `null`: nothing is.
 */
export type BusState = { readonly connected: boolean; readonly reason: string | null };

/** The names of the channels concerned, or all that are subscribed to. */
export type Interruption = 'all' | readonly string[];

/**
 * What the single writer does, and nobody else. Under a lease every write carries its token, and is refused as a whole with
 * {@link WriterSupersededError} where a newer writer is known; `readLastEntries` makes this one known, before it reads. A log
 * that knows no writer has been lost: `append` and `readLastEntries` reject with {@link LogLostError} until `openEpoch`.
 */
export type BusWriter = Pick<
  Bus,
  'publishQuotes' | 'append' | 'publishStatus' | 'publishDemandTotals' | 'readLastEntries' | 'openEpoch'
>;

/** The role of the single writer, for as long as it is renewed in time. */
export interface WriterLease {
  /** Higher than that of every lease before, also where the bus has lost its data since. */
  readonly token: number;
  readonly writer: BusWriter;
  /**
   * Extends it by its whole time from now, also one that has ended, as long as no other process has come to the role.
   * `false`: another has, for good. Rejects where the bus cannot be asked.
   */
  renew(): Promise<boolean>;
  /** Gives the role up and tells it on {@link writerChannel}. Harmless where it is lost already. */
  release(): Promise<void>;
}

/** A newer writer is known: what was to be written is refused, now and for ever. */
export class WriterSupersededError extends Error {
  override readonly name = 'WriterSupersededError';

  /** Of the newer writer; 0 where it is not known. */
  readonly token: number;

  constructor(token = 0) {
    super('Another process has become the writer.');
    this.token = token;
  }
}

/** The bus has lost the log since this writer found its place in it. */
export class LogLostError extends Error {
  override readonly name = 'LogLostError';
  /** What was written before it was lost, and is not to be published again. */
  readonly written: readonly LogEntry[];

  constructor(written: readonly LogEntry[] = []) {
    super('The bus has lost the log.');
    this.written = written;
  }
}

/**
 * The bus between ingest and api, with the recent log beside it. Two implementations: redis.ts and memory.ts.
 * Publishing never blocks the caller; delivery is at most once and in order per channel.
 */
export interface Bus {
  /** `false`: messages do not leave this process. */
  readonly shared: boolean;
  /** How many entries of one log are kept before it is cut by size. What was cut, `readHistoryFloors` tells exactly. */
  readonly maxHistoryEntries: number;

  /** Publishes each symbol's quote on its channel and keeps it as the latest (`cache:quote:{SYMBOL}`). */
  publishQuotes(quotes: readonly Quote[]): Promise<void>;

  /** Appends to the history of each entry's symbol and publishes on its channel, in the order given. */
  append(entries: readonly LogEntry[]): Promise<void>;

  /** Publishes and keeps the state of ingest. */
  publishStatus(status: IngestStatus): Promise<void>;
  /** The last published one, or `null` where none was within a minute. */
  readStatus(): Promise<IngestStatus | null>;

  /** Publishes the message and keeps it, as {@link keepControl} does. */
  publishControl(message: ControlMessage): Promise<void>;
  /** The last one that was kept, or `null`: what holds for a process that starts, or was not there to hear it. */
  readControl(): Promise<ControlMessage | null>;
  /**
   * Keeps a message that was heard, for a week: whoever published it may know the channel alone. Every process keeps what it
   * hears, in order, so that the newest stays.
   */
  keepControl(message: ControlMessage): Promise<void>;

  /** Publishes what any process may tell the others. */
  tell<K extends 'user' | 'order' | 'revocation'>(channel: Channel<K>, message: Messages[K]): Promise<void>;

  /**
   * Calls `listener` with each message from the moment the promise resolves; while the bus is not connected it resolves at
   * once, and the subscription takes effect on return, before `onState` tells of it. A message is shared by all its
   * listeners: it must be treated as immutable. One underlying subscription serves all
   * listeners of a channel. A listener that throws is logged and does not disturb the others. The returned function
   * unsubscribes; calling it twice is harmless.
   */
  subscribe<K extends keyof Messages>(
    channel: Channel<K>,
    listener: (message: Messages[K]) => void,
  ): Promise<() => Promise<void>>;

  /**
   * Entries of one log in order, oldest first: those after `after` (an offset of the current epoch), or the `last` n.
   * None is older than the history's time limit.
   */
  readHistory(key: LogKey & { readonly kind: 'trade' }, range: HistoryRange): Promise<LoggedTrade[]>;
  readHistory(key: LogKey & { readonly kind: 'bar' }, range: HistoryRange): Promise<LoggedBar[]>;
  readHistory(key: LogKey, range: HistoryRange): Promise<LogEntry[]>;

  /**
   * The lowest offset of each log after which it is complete: who was at or above it can be brought up to date by
   * {@link readHistory}, who was below it has lost entries to the limits of age and size. To be asked after reading.
   */
  readHistoryFloors(keys: readonly LogKey[]): Promise<number[]>;

  /**
   * The newest entry of each log, `null` where there is none. The numbering of a log is continued from it:
   * it outlives the history's time limit.
   */
  readLastEntries(keys: readonly LogKey[]): Promise<(LogEntry | null)[]>;

  /**
   * Names the incarnation of the log: made once, lost with any part of the log's data. Where it is lost this rejects for a
   * while: it is for the writer to begin the next one.
   */
  readEpoch(): Promise<string>;

  /**
   * Names the incarnation of the log in which is to be written from now on. Where some of the log was lost, on whichever
   * server, it begins a new one for all of it; what a failover has lost of what this writer still holds is appended again,
   * with its numbers. To be called at the start, when the bus is back, after a {@link LogLostError}, and now and then.
   */
  openEpoch(): Promise<string>;

  /**
   * Asks for the role of the single writer, for `ttlMs` unless renewed: `null` where another process has it. The in-process
   * bus grants it always. Its writes without a lease are refused as soon as a writer with one is known.
   */
  acquireWriter(process: string, ttlMs: number): Promise<WriterLease | null>;

  /** States what this process wants: the count of subscriptions per changed symbol. Announced on the demand channel. */
  setDemand(process: string, counts: ReadonlyMap<string, number>): Promise<void>;
  /** Renews the deadline of all that a process wants, states it anew where it was lost. To be called every 10 s. */
  renewDemand(process: string, counts: ReadonlyMap<string, number>): Promise<void>;
  /** What all living processes want together, symbol to count; a dead process's part ends within 30 s. */
  readDemand(): Promise<Map<string, number>>;
  /**
   * Writes the totals where outside programs read them: `subscriptions:active` and `subscriptions:count:{SYMBOL}`. 0 removes.
   * They expire within 3 minutes; this bus renews what it was given until it is closed, or loses the role of the writer.
   */
  publishDemandTotals(changed: ReadonlyMap<string, number>): Promise<void>;

  /**
   * Unix ms, by the clock that all processes on the bus share: by it log entries are numbered and age. It is not to be compared
   * with the times of the exchange, and it does not jump where the clock of this host is set.
   */
  now(): number;

  readState(): BusState;
  /** Calls `listener` at each change of state, also where the bus begins or ends to refuse writes; returns the function that stops it. */
  onState(listener: (state: BusState) => void): () => void;

  /**
   * Calls `listener` with the names of channels whose subscriptions were interrupted and stand again: what was published
   * meanwhile is in the history, and was not delivered. Told whatever the cause, each time, and not before the bus is
   * connected; where a slot of a Cluster moves, `onState` tells nothing of it. Never called by the in-process bus.
   * Returns the function that stops it.
   */
  onInterruption(listener: (channels: Interruption) => void): () => void;

  /** Figures for /stats and /metrics: messages in and out, undecodable messages, listener failures, reconnects. */
  readStats(): Readonly<Record<string, number>>;

  close(): Promise<void>;
}

/**
 * `after` is exclusive; `limit` keeps the first ones after it, `last` the newest ones of all. What comes after a place ends where
 * an entry of another log with a lower offset may still be on its way, so that no reader passes it; a writer, which wants to
 * know what is there, has it all by `unsettled`.
 */
export type HistoryRange =
  | { readonly after: number; readonly limit?: number; readonly unsettled?: boolean }
  | { readonly last: number };
