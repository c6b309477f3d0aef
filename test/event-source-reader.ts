import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';

// oxlint-disable-next-line typescript/no-explicit-any -- each test knows what it asked for
export type ServerEvent = { readonly event: string; readonly id: string; readonly data: any };

/** Reads server-sent events as an EventSource does, over a connection that a test can stop and cut. */
export class EventSourceReader implements AsyncDisposable {
  readonly response: IncomingMessage;
  /** What an EventSource would send when it reconnects. */
  lastEventId = '';
  /** Comments that came. */
  comments = 0;
  #text = '';
  readonly #events: ServerEvent[] = [];
  #wake: (() => void) | null = null;
  #ended = false;

  constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.#read(text));
    response.on('error', () => undefined);
    response.on('close', () => {
      this.#ended = true;
      this.#wake?.();
    });
  }

  /** Posts an operation; resolves with the first bytes of the stream. */
  static async open(endpoint: string, operation: object, headers: Record<string, string> = {}) {
    const posted = request(endpoint, {
      method: 'POST',
      agent: false,
      headers: { accept: 'text/event-stream', 'content-type': 'application/json', ...headers },
    });
    posted.on('error', () => undefined);
    posted.end(JSON.stringify(operation));
    const [response] = (await once(posted, 'response')) as [IncomingMessage];
    const reader = new EventSourceReader(response);
    await once(response, 'data');
    return reader;
  }

  /** The next event with data. @throws where the stream ended without one */
  async next(): Promise<ServerEvent> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      if (this.#ended) throw new Error('the stream ended');
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.response.destroy();
    while (!this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #read(text: string): void {
    this.#text += text;
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end === -1) return;
      this.#accept(this.#text.slice(0, end));
      this.#text = this.#text.slice(end + 2);
    }
  }

  #accept(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const colon = line.indexOf(':');
      if (colon === 0) this.comments++;
      else fields.set(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''));
    }
    this.lastEventId = fields.get('id') ?? this.lastEventId;
    const data = fields.get('data');
    if (data === undefined) return;
    this.#events.push({
      event: fields.get('event') ?? 'message',
      id: fields.get('id') ?? '',
      data: data === '' ? null : JSON.parse(data),
    });
    this.#wake?.();
  }
}
