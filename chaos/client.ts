import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Checker } from './checker.ts';
import { openEventStreamLine } from './event-stream-line.ts';
import type { Asking, Failure, Line, OpenLine, Result } from './line.ts';
import type { Subscription } from './subscriptions.ts';
import { openWebSocketLine } from './web-socket-line.ts';

/** Between two tries. */
const RETRY_MS = 200;

/** How a client reaches the service, and how it says where it goes on. */
const MANNERS = {
  'WebSocket, after': { open: openWebSocketLine, resumesBy: 'after' },
  'WebSocket, resumeFrom': { open: openWebSocketLine, resumesBy: 'resumeFrom' },
  'SSE, resumeFrom': { open: openEventStreamLine, resumesBy: 'resumeFrom' },
  'SSE, Last-Event-ID': { open: openEventStreamLine, resumesBy: 'lastEventId' },
} as const satisfies Record<string, { open: OpenLine; resumesBy: 'after' | 'resumeFrom' | 'lastEventId' }>;

export type Manner = keyof typeof MANNERS;

export type ClientOptions = {
  readonly name: string;
  readonly subscription: Subscription;
  /** One for each connection, in turn. */
  readonly manners: readonly Manner[];
  readonly symbols: readonly string[];
  /** Further fields that make each result longer, so that the buffers of the network are full sooner. */
  readonly padding?: string;
  /** The api processes that run. */
  readonly listUrls: () => readonly string[];
  /** Of those, the one to begin with. */
  readonly first: number;
  readonly checker: Checker;
  readonly log: (line: string) => void;
};

/**
 * A subscriber to a log as the contract describes one. It keeps the last cursor; when its connection or its subscription ends,
 * it resumes from there, on another process than before where there is one.
 */
export class ResumingClient {
  readonly #options: ClientOptions;
  readonly #events = new EventEmitter<{ entry: []; end: [cause: string] }>();
  #line: Line | null = null;
  #url: string | null = null;
  #cursor: string | null = null;
  #connections = 0;
  #isConnected = false;
  #isStalled = false;
  #isAway = false;
  #isClosed = false;
  #running: Promise<void> = Promise.resolve();
  /** How often it had to resume, by cause. */
  readonly resumed = new Map<string, number>();
  #lastEntryAt = 0;
  #longestSilenceMs = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    options.checker.openStream(options.name, options.symbols);
  }

  get name(): string {
    return this.#options.name;
  }

  /** The process that it is connected to, or was last. */
  get url(): string | null {
    return this.#url;
  }

  /** Whether something has come over the connection that it has now. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves at the first entry that is received from now on. */
  async untilEntry(signal: AbortSignal): Promise<void> {
    await once(this.#events, 'entry', { signal });
  }

  /** Resolves at the end of the connection, with its cause. */
  async untilEnd(signal: AbortSignal): Promise<string> {
    const [cause] = (await once(this.#events, 'end', { signal })) as [string];
    return cause;
  }

  /** The longest time between two entries since the last call, in ms. */
  takeLongestSilence(): number {
    const longest = Math.max(this.#longestSilenceMs, performance.now() - this.#lastEntryAt);
    this.#longestSilenceMs = 0;
    return longest;
  }

  /** As a phone in a tunnel: without a word. */
  cut(): void {
    this.#line?.cut();
  }

  /** Reads nothing until {@link goOn}; the connection stays. */
  stall(): void {
    this.#isStalled = true;
    this.#line?.stall();
  }

  goOn(): void {
    this.#isStalled = false;
    this.#line?.goOn();
  }

  /** Cut, and not to be back before {@link comeBack}. */
  leave(): void {
    this.#isAway = true;
    this.cut();
  }

  comeBack(): void {
    this.#isAway = false;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.cut();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const url = this.#isAway ? null : this.#chooseUrl();
      if (url !== null) {
        this.#url = url;
        const cause = await this.#live(url);
        this.#isConnected = false;
        this.#count(cause);
        this.#events.emit('end', cause);
      }
      if (!this.#isClosed) await sleep(RETRY_MS);
    }
  }

  /** Another than before, where there is one. */
  #chooseUrl(): string | null {
    const urls = this.#options.listUrls();
    if (this.#url === null) return urls[this.#options.first % Math.max(1, urls.length)] ?? null;
    return urls.find((url) => url !== this.#url) ?? urls[0] ?? null;
  }

  /** One connection, to its end; resolves with the cause. */
  async #live(url: string): Promise<string> {
    const { manners, checker, name } = this.#options;
    const { open, resumesBy } = MANNERS[manners[this.#connections % manners.length]!];
    this.#connections += 1;
    this.#line = open(url, {
      ask: () => this.#ask(resumesBy),
      takeResult: (result, id) => this.#takeResult(result, id),
      takePlace: (cursor) => void (this.#cursor = cursor),
      takeFailure: (failure) => this.#takeFailure(failure),
      objectTo: (detail) => checker.report('protocol', name, detail),
    });
    if (this.#isStalled) this.#line.stall();
    return this.#line.ended;
  }

  #ask(resumesBy: 'after' | 'resumeFrom' | 'lastEventId'): Asking {
    const { subscription, symbols, padding: more = '' } = this.#options;
    const cursor = this.#cursor;
    if (resumesBy === 'after') {
      const query = subscription.write({ head: ', $after: Cursor', argument: ', after: $after', more });
      return { query, variables: { symbols, after: cursor } };
    }
    const asking = { query: subscription.write({ head: '', argument: '', more }), variables: { symbols } };
    if (cursor === null) return asking;
    return resumesBy === 'resumeFrom'
      ? { ...asking, extensions: { resumeFrom: cursor } }
      : { ...asking, lastEventId: cursor };
  }

  #takeResult({ data, extensions }: Result, id: string | null): void {
    const { checker, name, subscription } = this.#options;
    const cursor = extensions?.cursor;
    if (cursor === undefined || (id !== null && id !== cursor)) {
      checker.report('protocol', name, `a result with cursor ${cursor} and id ${id}`);
    }
    this.#cursor = cursor ?? this.#cursor;
    this.#isConnected = true;
    checker.record(name, subscription.read(data!));
    const now = performance.now();
    if (this.#lastEntryAt > 0) this.#longestSilenceMs = Math.max(this.#longestSilenceMs, now - this.#lastEntryAt);
    this.#lastEntryAt = now;
    this.#events.emit('entry');
  }

  /** What the contract says a client is to do with each code. */
  #takeFailure({ message, extensions }: Failure): boolean {
    const { checker, name, log } = this.#options;
    const { code, cursor, oldestCursor } = extensions;
    this.#count(code);
    log(`${name}: ${code} (${message})`);
    if (code === 'HISTORY_EXPIRED') {
      checker.tellLoss(name);
      this.#cursor = oldestCursor ?? null;
      return true;
    }
    if (code === 'SLOW_CONSUMER') {
      if (cursor !== this.#cursor) {
        checker.report('protocol', name, 'SLOW_CONSUMER names another cursor than the last one that was sent');
      }
      return true;
    }
    // Not for now: with the pause of a new connection.
    return false;
  }

  #count(cause: string): void {
    this.resumed.set(cause, (this.resumed.get(cause) ?? 0) + 1);
  }
}
