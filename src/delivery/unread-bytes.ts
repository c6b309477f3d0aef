import { every, type Timers } from '../market/timers.ts';
import { backgroundTimers } from './background-timers.ts';

/** What is known of a TCP connection: `net.Socket` is one. */
export type WrittenSocket = {
  /** What was written and not taken by the kernel. */
  readonly writableLength: number;
  /** All that was ever written. */
  readonly bytesWritten: number;
  readonly destroyed: boolean;
  destroy(): unknown;
};

export type UnreadBounds = {
  /** A connection that holds more is cut off at once. More than the largest answers that are worked out at a time for one client. */
  readonly maxPerConnection: number;
  /** Where all connections hold more, the largest one of the client that holds the most is cut off. */
  readonly max: number;
  /**
   * A connection is cut off where the kernel takes nothing of what is written to it for so long, and for the time that the unread bytes
   * take at `minBytesPerSecond` besides: what was written at once is only known to be taken when all of it is.
   */
  readonly patienceMs: number;
  readonly minBytesPerSecond: number;
};

export const UNREAD_BOUNDS: UnreadBounds = {
  maxPerConnection: 16 * 1024 * 1024,
  max: 128 * 1024 * 1024,
  patienceMs: 30_000,
  minBytesPerSecond: 32 * 1024,
};

const SWEEP_MS = 1000;

type Held = {
  readonly client: string;
  /** What its bytes share with other connections, and so costs nothing more. */
  sharedBytes: number;
  /** What it holds alone. */
  bytes: number;
  /** All that the kernel has ever taken. */
  taken: number;
  cutAt: number;
};

/**
 * The answers and messages that clients do not read, in bytes of this process's memory: over HTTP, event streams and WebSockets
 * alike. A connection is known here only while it has any. Those that hold too much, or that take too long, are cut off.
 */
export class UnreadBytes {
  readonly #bounds: UnreadBounds;
  readonly #timers: Timers;
  readonly #held = new Map<WrittenSocket, Held>();
  readonly #counts = { cutTooMuch: 0, cutTooSlow: 0 };
  #bytes = 0;
  #stopSweeping: (() => void) | null = null;

  constructor(bounds: Partial<UnreadBounds> = {}, timers: Timers = backgroundTimers) {
    this.#bounds = { ...UNREAD_BOUNDS, ...bounds };
    this.#timers = timers;
  }

  /**
   * To be called whenever something was written that the kernel did not take whole. `client` is whom the bytes count for;
   * `sharedBytes` are those of a body that is in memory once for all connections.
   */
  note(socket: WrittenSocket, client: string, sharedBytes = 0): void {
    let held = this.#held.get(socket);
    if (held === undefined) {
      held = { client, sharedBytes, bytes: 0, taken: -1, cutAt: 0 };
      this.#held.set(socket, held);
      this.#stopSweeping ??= every(this.#timers, SWEEP_MS, () => this.#sweep());
    }
    held.sharedBytes = sharedBytes;
    this.#measure(socket, held);
    if (held.bytes > this.#bounds.maxPerConnection) this.#cut(socket, 'cutTooMuch');
    if (this.#bytes > this.#bounds.max) this.#makeRoom();
  }

  readStats() {
    return { connections: this.#held.size, bytes: this.#bytes, ...this.#counts };
  }

  close(): void {
    this.#stopSweeping?.();
    this.#stopSweeping = null;
  }

  #measure(socket: WrittenSocket, held: Held): void {
    const unread = socket.destroyed ? 0 : socket.writableLength;
    const bytes = Math.max(0, unread - held.sharedBytes);
    this.#bytes += bytes - held.bytes;
    held.bytes = bytes;
    if (unread === 0) {
      this.#held.delete(socket);
      return;
    }
    const taken = socket.bytesWritten - unread;
    if (taken === held.taken) return;
    const { patienceMs, minBytesPerSecond } = this.#bounds;
    held.taken = taken;
    held.cutAt = this.#timers.now() + patienceMs + (unread / minBytesPerSecond) * 1000;
  }

  #sweep(): void {
    const now = this.#timers.now();
    for (const [socket, held] of this.#held) {
      this.#measure(socket, held);
      if (this.#held.has(socket) && held.cutAt <= now) this.#cut(socket, 'cutTooSlow');
    }
    if (this.#held.size === 0) this.close();
  }

  /** First by what was read since the last look. */
  #makeRoom(): void {
    for (const [socket, held] of this.#held) this.#measure(socket, held);
    while (this.#bytes > this.#bounds.max) this.#cut(this.#findLargest(), 'cutTooMuch');
  }

  /** Whoever spreads what he does not read over many connections is not spared for it. */
  #findLargest(): WrittenSocket {
    const ofClients = new Map<string, { bytes: number; socket: WrittenSocket; largest: number }>();
    for (const [socket, { client, bytes }] of this.#held) {
      const sum = ofClients.get(client);
      if (sum === undefined) ofClients.set(client, { bytes, socket, largest: bytes });
      else {
        sum.bytes += bytes;
        if (bytes > sum.largest) Object.assign(sum, { socket, largest: bytes });
      }
    }
    return [...ofClients.values()].reduce((most, one) => (one.bytes > most.bytes ? one : most)).socket;
  }

  #cut(socket: WrittenSocket, cause: 'cutTooMuch' | 'cutTooSlow'): void {
    this.#counts[cause]++;
    this.#bytes -= this.#held.get(socket)?.bytes ?? 0;
    this.#held.delete(socket);
    socket.destroy();
  }
}
