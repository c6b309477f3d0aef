import { WebSocket } from 'ws';
import type { FeedEvent } from '../feed.ts';
import type { FrameDecoder, StatusMessage } from './frames.ts';
import type { FeedLimits } from './limits.ts';
import { describeNetworkFailure } from './network-failure.ts';
import type { Timers } from '../../market/timers.ts';

export type ConnectionOptions = {
  /** Of one cluster: `wss://host/stocks`. */
  readonly url: string;
  readonly apiKey: string;
  readonly decoder: FrameDecoder;
  readonly limits: FeedLimits;
  /** Wall time in Unix ms, for the time of receipt. */
  readonly clock: () => number;
  readonly timers: Timers;
};

/**
 * `lost`: a new attempt makes sense. `crowded`: too many connections with this key, an attempt makes sense after a long
 * wait. `refused`: the key is not accepted, an attempt makes no sense. `reason` is in plain words and without the key.
 */
export type ConnectionEnd = {
  readonly cause: 'lost' | 'crowded' | 'refused';
  readonly reason: string;
  /** From the acceptance of the key; 0 where it was not accepted. */
  readonly livedMs: number;
};

export type ConnectionHandlers = {
  /** The key is accepted: subscriptions may be sent. */
  onReady(): void;
  onEvents(events: readonly FeedEvent[]): void;
  /** A status that is not about the connection itself: acks, errors, unknown ones. The key is cut out of its text. */
  onStatus(status: StatusMessage): void;
  /** Once, and nothing after it. Not called after {@link Connection.close}. */
  onEnd(end: ConnectionEnd): void;
};

/** The life of one socket: handshake, key, pings against a deadline of silence, and its end. */
export class Connection {
  /** Resolves once the socket is gone; never rejects. */
  readonly closed: Promise<void>;
  readonly #options: ConnectionOptions;
  readonly #handlers: ConnectionHandlers;
  readonly #socket: WebSocket;
  #phase: 'opening' | 'greeting' | 'authenticating' | 'ready' | 'ended' = 'opening';
  #readyAt: number | null = null;
  #heardAt = 0;
  #cancelDeadline: () => void = noop;
  #cancelPing: () => void = noop;
  #cancelSilence: () => void = noop;

  /** Begins to connect. Throws `SyntaxError` where `url` is none of a WebSocket. */
  constructor(options: ConnectionOptions, handlers: ConnectionHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    const socket = new WebSocket(options.url, {
      handshakeTimeout: options.limits.handshakeTimeoutMs,
      maxPayload: options.limits.maxFrameBytes,
      // Not offered: the upstream documents none, and inflating would take the time that parsing needs.
      perMessageDeflate: false,
    });
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));

    let failure: string | null = null;
    socket.on('open', () => this.#open());
    socket.on('message', (data, isBinary) => {
      this.#heardAt = options.timers.now();
      if (isBinary) options.decoder.countBinaryFrame();
      else if (this.#phase !== 'ended') this.#receive((data as Buffer).toString());
    });
    socket.on('ping', () => (this.#heardAt = options.timers.now()));
    socket.on('pong', () => (this.#heardAt = options.timers.now()));
    // Always followed by `close`; without a listener it would end the process, also after our end.
    socket.on('error', (error) => (failure ??= `the connection failed: ${describeNetworkFailure(error)}`));
    socket.on('close', (code, reason) => {
      const said = reason.length > 0 ? `, "${reason.toString()}"` : '';
      this.#end('lost', failure ?? `the upstream closed the connection (${code}${said})`);
    });
  }

  /** Sends one message; without effect unless the connection is ready. */
  send(message: { readonly action: string; readonly params: string }): void {
    if (this.#phase === 'ready') this.#write(message);
  }

  /** Ends the connection: close frame first, the socket destroyed where the other side does not answer in time. */
  close(): Promise<void> {
    this.#retire();
    this.#shut();
    return this.closed;
  }

  #open(): void {
    const { limits, timers } = this.#options;
    if (this.#phase !== 'opening') return;
    this.#phase = 'greeting';
    this.#heardAt = timers.now();
    this.#setDeadline(limits.greetingTimeoutMs, 'the upstream did not greet in time');
    this.#schedulePing();
    this.#watchSilence(limits.silenceTimeoutMs);
  }

  #receive(text: string): void {
    const { decoder, clock } = this.#options;
    const { events, statuses } = decoder.decode(text, clock());
    // First the events: a status of the same frame may end the connection.
    if (events.length > 0) this.#handlers.onEvents(events);
    for (const status of statuses) this.#handleStatus(status);
  }

  #handleStatus({ status, message: rawMessage }: StatusMessage): void {
    if (this.#phase === 'ended') return;
    const message = this.#redact(rawMessage);
    const { limits, apiKey, timers } = this.#options;
    switch (status) {
      case 'connected':
        if (this.#phase !== 'greeting') return;
        this.#phase = 'authenticating';
        this.#setDeadline(limits.authTimeoutMs, 'the upstream did not answer to the key in time');
        this.#write({ action: 'auth', params: apiKey });
        return;
      case 'auth_success':
        if (this.#phase !== 'authenticating') return;
        this.#phase = 'ready';
        this.#cancelDeadline();
        this.#readyAt = timers.now();
        this.#handlers.onReady();
        return;
      case 'auth_failed':
        this.#end('refused', `the upstream refuses the API key: ${message || 'authentication failed'}`);
        return;
      case 'auth_timeout':
        this.#end('lost', 'the upstream says that it received no key in time');
        return;
      case 'max_connections':
        this.#end('crowded', 'too many connections with this API key: is another ingest running?');
        return;
      default:
        this.#handlers.onStatus({ status: this.#redact(status), message });
    }
  }

  #end(cause: ConnectionEnd['cause'], reason: string): void {
    if (this.#phase === 'ended') return;
    const livedMs = this.#readyAt === null ? 0 : this.#options.timers.now() - this.#readyAt;
    this.#retire();
    this.#shut();
    this.#handlers.onEnd({ cause, reason: this.#redact(reason), livedMs });
  }

  #retire(): void {
    this.#phase = 'ended';
    this.#cancelDeadline();
    this.#cancelPing();
    this.#cancelSilence();
  }

  #shut(): void {
    const { timers, limits } = this.#options;
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    if (this.#socket.readyState === WebSocket.CONNECTING) {
      this.#socket.terminate();
      return;
    }
    this.#socket.close(1000);
    const cancel = timers.after(limits.closeTimeoutMs, () => this.#socket.terminate());
    this.#socket.once('close', cancel);
  }

  #setDeadline(timeoutMs: number, reason: string): void {
    this.#cancelDeadline();
    this.#cancelDeadline = this.#options.timers.after(timeoutMs, () => this.#end('lost', reason));
  }

  #schedulePing(): void {
    const { timers, limits } = this.#options;
    this.#cancelPing = timers.after(limits.pingIntervalMs, () => {
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
      this.#schedulePing();
    });
  }

  /** One timer that looks at the time of the last sign of life, instead of one that is set anew at every frame. */
  #watchSilence(delayMs: number): void {
    const { timers, limits } = this.#options;
    this.#cancelSilence = timers.after(delayMs, () => {
      const silentMs = timers.now() - this.#heardAt;
      if (silentMs < limits.silenceTimeoutMs) return this.#watchSilence(limits.silenceTimeoutMs - silentMs);
      // No close frame: nobody is there to answer it.
      this.#socket.terminate();
      this.#end('lost', `nothing was heard from the upstream for ${Math.round(silentMs / 1000)} s`);
    });
  }

  #write(message: { readonly action: string; readonly params: string }): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #redact(text: string): string {
    const { apiKey } = this.#options;
    return apiKey === '' ? text : text.replaceAll(apiKey, '[key]');
  }
}

function noop(): void {}
