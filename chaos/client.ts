import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Checker } from './checker.ts';

const QUERY = `subscription ($symbols: [Symbol!]!, $after: Cursor) {
  trades(symbols: $symbols, after: $after) { id symbol sequence gapBefore }
}`;
/** Between two tries. */
const RETRY_MS = 200;

type Message = {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
};
type Next =
  | { readonly errors: readonly Failure[] }
  | {
      readonly errors?: undefined;
      readonly data: { readonly trades: { id: string; symbol: string; sequence: number; gapBefore: boolean } };
      readonly extensions: { readonly cursor: string };
    };
type Failure = {
  readonly message: string;
  readonly extensions: { readonly code: string; readonly cursor?: string | null; readonly oldestCursor?: string };
};

export type ClientOptions = {
  readonly name: string;
  readonly symbols: readonly string[];
  /** The `/graphql` of each api process that runs, as WebSocket URLs. */
  readonly listUrls: () => readonly string[];
  /** Of those, the one to begin with. */
  readonly first: number;
  readonly checker: Checker;
  readonly log: (line: string) => void;
};

/**
 * A subscriber to prints as the protocol's standard describes one, without a library that could hide anything. It keeps the last
 * cursor; when its connection or its subscription ends, it resumes from there, on another process than before where there is one.
 */
export class ResumingClient {
  readonly #options: ClientOptions;
  readonly #events = new EventEmitter<{ print: [] }>();
  #socket: WebSocket | null = null;
  #url: string | null = null;
  #cursor: string | null = null;
  #operation = 0;
  #refused = '';
  #isClosed = false;
  #running: Promise<void> = Promise.resolve();
  /** How often it had to resume, by cause. */
  readonly resumed = new Map<string, number>();
  #lastPrintAt = 0;
  #longestSilenceMs = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    options.checker.openStream(options.name, options.symbols);
  }

  get name(): string {
    return this.#options.name;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves at the first print that is received from now on. */
  async untilPrint(signal: AbortSignal): Promise<void> {
    await once(this.#events, 'print', { signal });
  }

  /** The longest time between two prints since the last call, in ms. */
  takeLongestSilence(): number {
    const longest = Math.max(this.#longestSilenceMs, performance.now() - this.#lastPrintAt);
    this.#longestSilenceMs = 0;
    return longest;
  }

  /** As a phone in a tunnel: no close frame. */
  cut(): void {
    this.#socket?.terminate();
  }

  /** Reads nothing until {@link goOn}; the connection stays. */
  stall(): void {
    this.#socket?.pause();
  }

  goOn(): void {
    this.#socket?.resume();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.cut();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const url = this.#chooseUrl();
      if (url !== null) {
        this.#url = url;
        this.#count(await this.#live(url));
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
    const socket = new WebSocket(url, ['graphql-transport-ws'], { handshakeTimeout: 5_000 });
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<string>();
    socket.on('error', () => undefined);
    socket.on('close', (code) => resolve(`closed ${code}`));
    socket.on('open', () => socket.send('{"type":"connection_init"}'));
    socket.on('message', (data: Buffer) => this.#take(socket, JSON.parse(data.toString()) as Message));
    return promise;
  }

  #take(socket: WebSocket, { type, id, payload }: Message): void {
    if (type === 'connection_ack') this.#subscribe(socket);
    else if (type === 'ping') socket.send('{"type":"pong"}');
    else if (id !== String(this.#operation)) {
      // One that was refused is complete by that. Of one that has ended nothing comes any more.
      if (id !== undefined && (type !== 'complete' || id !== this.#refused)) {
        this.#options.checker.report('protocol', this.name, `${type} for operation ${id}`);
      }
    } else if (type === 'next') this.#takeResult(socket, payload as Next);
    else if (type === 'error') this.#resumeAfter(socket, (payload as readonly Failure[])[0]!);
    else if (type === 'complete') {
      this.#count('completed');
      socket.terminate();
    }
  }

  #takeResult(socket: WebSocket, result: Next): void {
    if (result.errors !== undefined) {
      // What the subscription could not even begin with.
      this.#refused = String(this.#operation);
      this.#resumeAfter(socket, result.errors[0]!);
      return;
    }
    const { data, extensions } = result;
    this.#cursor = extensions.cursor;
    this.#options.checker.record(this.name, data.trades);
    const now = performance.now();
    if (this.#lastPrintAt > 0) this.#longestSilenceMs = Math.max(this.#longestSilenceMs, now - this.#lastPrintAt);
    this.#lastPrintAt = now;
    this.#events.emit('print');
  }

  #subscribe(socket: WebSocket): void {
    this.#operation += 1;
    const variables = { symbols: this.#options.symbols, after: this.#cursor };
    socket.send(
      JSON.stringify({ id: String(this.#operation), type: 'subscribe', payload: { query: QUERY, variables } }),
    );
  }

  /** What the contract says a client is to do with each code. */
  #resumeAfter(socket: WebSocket, { message, extensions }: Failure): void {
    const { code, cursor, oldestCursor } = extensions;
    this.#count(code);
    this.#options.log(`${this.name}: ${code} (${message})`);
    if (code === 'HISTORY_EXPIRED') {
      this.#options.checker.tellLoss(this.name);
      this.#cursor = oldestCursor ?? null;
      this.#subscribe(socket);
    } else if (code === 'SLOW_CONSUMER') {
      if (cursor !== this.#cursor) {
        const detail = `SLOW_CONSUMER names another cursor than the last one that was sent`;
        this.#options.checker.report('protocol', this.name, detail);
      }
      this.#subscribe(socket);
    } else {
      // Not for now: with the pause of a new connection.
      socket.terminate();
    }
  }

  #count(cause: string): void {
    this.resumed.set(cause, (this.resumed.get(cause) ?? 0) + 1);
  }
}
