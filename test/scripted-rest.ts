import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** `text` is sent as it is, else `body` as JSON. */
export type ScriptedAnswer = {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly text?: string;
};

/** A REST upstream that answers exactly what a test tells it to. */
export class ScriptedRest implements AsyncDisposable {
  readonly requests: { readonly url: string; readonly authorization: string | undefined }[] = [];
  /** Stays as it is after the end. */
  origin = '';
  /** Answers the n-th request, from 0; `null`: the test answers by itself, or not at all. */
  answer: (url: URL, count: number, request: IncomingMessage, response: ServerResponse) => ScriptedAnswer | null =
    () => ({});
  readonly #server = createServer((request, response) => {
    const url = request.url ?? '';
    this.requests.push({ url, authorization: request.headers.authorization });
    const reply = this.answer(new URL(url, this.origin), this.requests.length - 1, request, response);
    if (reply === null) return;
    response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers });
    response.end(reply.text ?? JSON.stringify(reply.body ?? {}));
  });

  static async start(): Promise<ScriptedRest> {
    const upstream = new ScriptedRest();
    upstream.#server.listen(0, '127.0.0.1');
    await once(upstream.#server, 'listening');
    upstream.origin = `http://127.0.0.1:${(upstream.#server.address() as AddressInfo).port}`;
    return upstream;
  }

  /** Answers that follow one another; the last one stays. */
  answerInTurn(...answers: readonly ScriptedAnswer[]): void {
    let count = 0;
    this.answer = () => {
      count += 1;
      return answers[Math.min(count, answers.length) - 1]!;
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
