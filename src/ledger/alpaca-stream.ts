import { WebSocket } from 'ws';
import type { Logger } from '../market/logger.ts';
import type { Timers } from '../market/timers.ts';
import type { AlpacaLimits } from './alpaca-patience.ts';
import type { AlpacaAccess } from './alpaca-rest.ts';
import { type AlpacaUpdate, readUpdate } from './alpaca-wire.ts';

export type AlpacaStreamOptions = AlpacaAccess & {
  readonly limits: AlpacaLimits;
  readonly timers: Timers;
  readonly random: () => number;
  readonly logger: Logger;
  /** Something may have been missed until now: when it begins to tell, and after what is not understood. */
  readonly onGap: () => void;
  readonly onUpdate: (update: AlpacaUpdate) => void;
};

const MAX_FRAME_BYTES = 1024 * 1024;

/**
 * The stream `trade_updates`, opened again whenever it ends. As documented, a client says who it is (`authenticate`), then what it
 * wants (`listen`), and what it wants is confirmed before the first update; frames are binary at the paper API and text elsewhere,
 * JSON both.
 */
export class AlpacaStream {
  readonly #options: AlpacaStreamOptions;
  #socket: WebSocket | null = null;
  #cancelOpening: (() => void) | null = null;
  #failures = 0;
  #isClosed = false;

  constructor(options: AlpacaStreamOptions) {
    this.#options = options;
  }

  open(): void {
    const { url, limits, timers, logger } = this.#options;
    this.#cancelOpening = null;
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/stream`, {
      handshakeTimeout: limits.acceptMs,
      maxPayload: MAX_FRAME_BYTES,
      perMessageDeflate: false,
    });
    this.#socket = socket;
    let heardAt = timers.now();
    let reason = '';
    let isRefused = false;
    const end = (why: string): void => {
      reason ||= why;
      socket.terminate();
    };
    const cancelDeadline = timers.after(limits.acceptMs, () => end('it was not accepted in time'));
    let cancelPing = (): void => {};
    const ping = (): void => {
      cancelPing = timers.after(limits.pingMs, () => {
        if (timers.now() - heardAt >= limits.silenceMs) end('nothing was heard of it any more');
        else if (socket.readyState === WebSocket.OPEN) socket.ping();
        ping();
      });
    };
    ping();
    socket.on('open', () => {
      const { keyId, secretKey } = this.#options;
      send(socket, { action: 'authenticate', data: { key_id: keyId, secret_key: secretKey } });
    });
    socket.on('pong', () => (heardAt = timers.now()));
    socket.on('message', (data) => {
      heardAt = timers.now();
      if (this.#isClosed) return;
      const { stream, body } = readFrame(data as Buffer);
      if (stream === 'authorization') {
        if (body['status'] === 'authorized') send(socket, { action: 'listen', data: { streams: ['trade_updates'] } });
        else {
          isRefused = true;
          end('the key is refused');
        }
      } else if (stream === 'listening') {
        const { streams } = body;
        if (!Array.isArray(streams) || !streams.includes('trade_updates')) return end('it has no updates of orders');
        cancelDeadline();
        this.#failures = 0;
        logger.info({}, 'Alpaca tells of orders now.');
        this.#options.onGap();
      } else if (stream === 'trade_updates') this.#receive(body);
    });
    // Always followed by `close`.
    socket.on('error', (error) => (reason ||= error.message));
    socket.on('close', (code) => {
      cancelDeadline();
      cancelPing();
      if (this.#socket === socket) this.#socket = null;
      if (!this.#isClosed) this.#openLater(reason || `it was closed with ${code}`, isRefused);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelOpening?.();
    const socket = this.#socket;
    if (socket === null) return;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    // It has nothing to say that matters: whatever it tells is found again.
    socket.terminate();
    await closed;
  }

  #openLater(reason: string, isRefused: boolean): void {
    const { limits, timers, random, logger } = this.#options;
    const bound = Math.min(limits.maxDelayMs, limits.initialDelayMs * 2 ** this.#failures);
    this.#failures += 1;
    if (isRefused) logger.error({}, 'Alpaca refuses the key: it tells of no orders');
    else logger.warn({ reason }, 'Alpaca tells of no orders until its stream is open again');
    this.#cancelOpening = timers.after(isRefused ? limits.refusedDelayMs : random() * bound, () => this.open());
  }

  #receive(body: Record<string, unknown>): void {
    let update: AlpacaUpdate;
    try {
      update = readUpdate(body);
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'an update of Alpaca is not understood');
      this.#options.onGap();
      return;
    }
    this.#options.onUpdate(update);
  }
}

function send(socket: WebSocket, message: object): void {
  socket.send(JSON.stringify(message));
}

/** An unreadable one is of no stream. */
function readFrame(data: Buffer): { stream: unknown; body: Record<string, unknown> } {
  try {
    const frame = JSON.parse(data.toString()) as { stream?: unknown; data?: unknown } | null;
    const body = frame?.data;
    if (typeof body === 'object' && body !== null) {
      return { stream: frame?.stream, body: body as Record<string, unknown> };
    }
  } catch {
    // Not JSON.
  }
  return { stream: null, body: {} };
}
