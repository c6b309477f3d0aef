import { WebSocket } from 'ws';

// Elements of any shape are looked into; the tests say what they expect.
export type WireElement = { readonly [field: string]: never } & {
  readonly ev?: string;
  readonly status?: string;
  readonly message?: string;
  readonly sym?: string;
  readonly T?: string;
};

/** For tests: a client that keeps every frame as it came and lets a test wait for what it looks for. */
export class RawClient {
  readonly frames: string[] = [];
  /** The elements of all frames that are JSON arrays, in order. */
  readonly elements: WireElement[] = [];
  /** When the connection has ended: 1006 without a close frame. */
  readonly closed: Promise<number>;
  readonly webSocket: WebSocket;
  readonly #waiting = new Set<() => void>();
  #closeCode: number | null = null;

  private constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
    webSocket.on('error', () => {});
    webSocket.on('message', (data, isBinary) => {
      const frame = isBinary ? '(binary)' : (data as Buffer).toString();
      this.frames.push(frame);
      try {
        this.elements.push(...(JSON.parse(frame) as WireElement[]));
      } catch {
        // A frame that is not JSON is kept as text.
      }
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      webSocket.on('close', (code) => {
        this.#closeCode = code;
        this.#wake();
        resolve(code);
      });
    });
  }

  /** Resolves when the connection is open or has failed. */
  static async connect(url: string, options: { autoPong?: boolean } = {}): Promise<RawClient> {
    const webSocket = new WebSocket(url, options);
    const client = new RawClient(webSocket);
    await new Promise<void>((resolve) => {
      webSocket.once('open', resolve);
      webSocket.once('error', () => resolve());
    });
    return client;
  }

  /** Open, greeted and authenticated. */
  static async login(url: string, key = 'key'): Promise<RawClient> {
    const client = await RawClient.connect(url);
    client.auth(key);
    await client.untilStatus('auth_success');
    return client;
  }

  send(message: unknown): void {
    this.webSocket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  auth(key: string): void {
    this.send({ action: 'auth', params: key });
  }

  /** Subscribes and waits for the acknowledgement of every pair. */
  async subscribe(...pairs: string[]): Promise<void> {
    this.send({ action: 'subscribe', params: pairs.join(',') });
    for (const pair of pairs) await this.untilMessage(`subscribed to: ${pair}`);
  }

  /** Waits until `find` finds something; rejects where the connection ends before. */
  until<T>(find: () => T | undefined | null | false): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = find();
        if (found !== undefined && found !== null && found !== false) {
          this.#waiting.delete(look);
          resolve(found);
        } else if (this.#closeCode !== null) {
          this.#waiting.delete(look);
          reject(new Error(`closed with ${this.#closeCode} after ${this.frames.slice(-3).join(' ')}`));
        }
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** The first element, of those from `from` on, that matches. */
  untilElement(matches: (element: WireElement) => boolean, from = 0): Promise<WireElement> {
    return this.until(() => this.elements.slice(from).find((element) => element !== null && matches(element)));
  }

  untilStatus(status: string): Promise<WireElement> {
    return this.untilElement((element) => element.status === status);
  }

  untilMessage(message: string): Promise<WireElement> {
    return this.untilElement((element) => element.message === message);
  }

  untilCount(count: number, matches: (element: WireElement) => boolean): Promise<WireElement[]> {
    return this.until(() => {
      const found = this.elements.filter((element) => element !== null && matches(element));
      return found.length >= count ? found : null;
    });
  }

  close(): void {
    this.webSocket.terminate();
  }

  #wake(): void {
    for (const look of this.#waiting) look();
  }
}
