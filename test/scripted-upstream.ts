import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

type Message = { readonly action: string; readonly params: string };

/** One connection of the feed, as the upstream sees it. */
export class UpstreamConnection {
  readonly path: string;
  readonly socket: WebSocket;
  readonly received: Message[] = [];
  /** The text of each message, as it came. */
  readonly texts: string[] = [];
  pings = 0;
  closeCode: number | null = null;

  constructor(path: string, socket: WebSocket) {
    this.path = path;
    this.socket = socket;
  }

  send(...elements: readonly unknown[]): void {
    this.socket.send(JSON.stringify(elements));
  }

  sendStatus(status: string, message: string): void {
    this.send({ ev: 'status', status, message });
  }

  /** The pairs that it was asked for and still is, in the order of asking. */
  get pairs(): string[] {
    const pairs = new Set<string>();
    for (const { action, params } of this.received) {
      for (const pair of params.split(',')) {
        if (action === 'subscribe') pairs.add(pair);
        if (action === 'unsubscribe') pairs.delete(pair);
      }
    }
    return [...pairs];
  }
}

/**
 * An upstream that does exactly what a test tells it to: also what the simulator, which is faithful, never does.
 * Left alone it greets, accepts every key and confirms every pair.
 */
export class ScriptedUpstream implements AsyncDisposable {
  readonly connections: UpstreamConnection[] = [];
  /** Stays as it is after the end. */
  url = '';
  greets = true;
  confirms = true;
  answersPings = true;
  /** The status that answers the key, by path; `null`: none. */
  answerToKey: (path: string) => { readonly status: string; readonly message: string } | null = () => ({
    status: 'auth_success',
    message: 'authenticated',
  });
  readonly #http = createServer();
  readonly #server = new WebSocketServer({ noServer: true, autoPong: false });

  static async start(): Promise<ScriptedUpstream> {
    const upstream = new ScriptedUpstream();
    upstream.#http.listen(0, '127.0.0.1');
    await once(upstream.#http, 'listening');
    upstream.url = `ws://127.0.0.1:${(upstream.#http.address() as AddressInfo).port}`;
    upstream.#http.on('upgrade', (request, socket, head) => {
      upstream.#server.handleUpgrade(request, socket, head, (ws) => upstream.#accept(request.url ?? '', ws));
    });
    return upstream;
  }

  /** Those of one cluster. */
  of(path: string): UpstreamConnection[] {
    return this.connections.filter((connection) => connection.path === path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.connections) socket.terminate();
    this.#http.close();
    this.#http.closeAllConnections();
    await once(this.#http, 'close');
  }

  #accept(path: string, socket: WebSocket): void {
    const connection = new UpstreamConnection(path, socket);
    this.connections.push(connection);
    socket.on('error', () => {});
    socket.on('close', (code) => (connection.closeCode = code));
    socket.on('ping', () => {
      connection.pings += 1;
      if (this.answersPings) socket.pong();
    });
    socket.on('message', (data) => {
      const text = (data as Buffer).toString();
      const message = JSON.parse(text) as Message;
      connection.texts.push(text);
      connection.received.push(message);
      if (message.action === 'auth') {
        const answer = this.answerToKey(path);
        if (answer !== null) connection.sendStatus(answer.status, answer.message);
      } else if (this.confirms) {
        const prefix = message.action === 'subscribe' ? 'subscribed to: ' : 'unsubscribed to: ';
        const pairs = message.params.split(',');
        connection.send(...pairs.map((pair) => ({ ev: 'status', status: 'success', message: prefix + pair })));
      }
    });
    if (this.greets) connection.sendStatus('connected', 'Connected Successfully');
  }
}
