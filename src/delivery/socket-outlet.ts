import { WebSocket } from 'ws';

/** Above this backlog a sender is kept waiting: what follows waits where it is bounded, in the mailboxes. */
const HIGH_WATER_BYTES = 64 * 1024;

/**
 * Where messages leave for one WebSocket. A message is handed to the socket at once, so that none of an operation follows its
 * end; but its sender is kept waiting while the backlog is above a mark. So who stops reading costs the mark, one message
 * for each of its operations, and what the kernel holds. Who goes on asking (pings, operations that are refused) without
 * reading any answer is cut off.
 */
export class SocketOutlet {
  readonly #socket: WebSocket;
  readonly #onSend: () => void;
  readonly #waiting: (() => void)[] = [];

  readonly #maxWaiting: number;

  /** `maxWaiting`: how many senders may wait before the connection is cut off. */
  constructor(socket: WebSocket, options: { readonly maxWaiting: number; readonly onSend: () => void }) {
    this.#socket = socket;
    this.#maxWaiting = options.maxWaiting;
    this.#onSend = options.onSend;
    socket.once('close', () => this.#drain());
  }

  /**
   * Resolves when the socket can take more. Never rejects: a failed send is followed by the close event, which ends all that
   * runs on the connection.
   */
  async send(text: string): Promise<void> {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#onSend();
    this.#socket.send(text, () => this.#drain());
    while (!this.#hasRoom()) await this.#untilDrained();
  }

  #hasRoom(): boolean {
    return this.#socket.readyState !== WebSocket.OPEN || this.#socket.bufferedAmount < HIGH_WATER_BYTES;
  }

  #untilDrained(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) > this.#maxWaiting) this.#socket.terminate();
    });
  }

  #drain(): void {
    if (this.#waiting.length === 0 || !this.#hasRoom()) return;
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
