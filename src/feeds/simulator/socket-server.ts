import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Logger } from '../../market/logger.ts';
import { Audience } from './audience.ts';
import { Connection, STATUS, splitPair } from './connection.ts';
import type { CloseCause, ConnectionHost } from './connection.ts';
import type { FaultSwitches } from './faults.ts';
import { CLUSTERS } from './plans.ts';
import type { KeyPlan, Plans } from './plans.ts';

/** Control messages are small: the vendor's own limit is not known, some thousand pairs fit. */
const MAX_MESSAGE_BYTES = 1 << 20;

/** How long the newcomer lives where it is the victim of the quota and subscribes to nothing. */
const NEWCOMER_GRACE_MS = 1_000;

export type SocketServerOptions = {
  readonly plans: Plans;
  readonly faults: FaultSwitches;
  readonly chance: () => number;
  readonly clock: { now(): number };
  readonly logger: Logger;
  readonly authTimeoutMs: number;
  readonly maxConnectionsPerKey: number;
  readonly quotaVictim: 'oldest' | 'newest';
  readonly maxBufferedBytes: number;
  readonly on: SocketListener;
};

export type SocketListener = {
  connected(connection: Connection): void;
  authenticated(connection: Connection): void;
  subscribed(connection: Connection, pairs: readonly string[]): void;
  unsubscribed(connection: Connection, pairs: readonly string[]): void;
  closed(connection: Connection, code: number, cause: CloseCause): void;
};

/** The WebSocket side of the exchange. */
export class SocketServer implements ConnectionHost {
  readonly faults: FaultSwitches;
  readonly chance: () => number;
  readonly maxBufferedBytes: number;
  readonly connections = new Set<Connection>();
  readonly sent = { frames: 0, events: 0, bytes: 0 };
  readonly #options: SocketServerOptions;
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    autoPong: false,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
  });
  readonly #audiences = new Map<string, Audience>();
  readonly #pending = new Set<Connection>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** In the order of authentication, by key and cluster. */
  readonly #byKey = new Map<string, Connection[]>();
  #lastId = 0;

  constructor(options: SocketServerOptions) {
    this.#options = options;
    this.faults = options.faults;
    this.chance = options.chance;
    this.maxBufferedBytes = options.maxBufferedBytes;
    for (const [cluster, topics] of Object.entries(CLUSTERS)) {
      for (const topic of topics) this.#audiences.set(`${cluster}.${topic}`, new Audience());
    }
  }

  /** @param cluster as in the URL, with a topic that it has */
  audience(cluster: string, topic: string): Audience {
    return this.#audiences.get(`${cluster}.${topic}`)!;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const cluster = new URL(request.url ?? '/', 'http://simulator').pathname.slice(1);
    const refusal = this.faults.use('upgrade-status');
    if (refusal !== null || !Object.hasOwn(CLUSTERS, cluster)) {
      socket.on('error', () => {});
      socket.end(`HTTP/1.1 ${refusal ?? '404 Not Found'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    if (!(socket instanceof Socket)) {
      socket.destroy();
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const { clock, on, authTimeoutMs, logger } = this.#options;
      this.#lastId += 1;
      const connection = new Connection({ id: this.#lastId, cluster, webSocket, socket, host: this, clock });
      this.connections.add(connection);
      const timeout = this.#later(authTimeoutMs, () => {
        if (connection.plan !== null) return;
        connection.say([STATUS.authTimeout]);
        connection.close(1008, 'auth-timeout');
      });
      webSocket.on('message', (data, isBinary) => {
        // With the default binaryType a message is one Buffer.
        if (!isBinary && Buffer.isBuffer(data)) connection.receive(data.toString());
      });
      webSocket.on('ping', (data: Buffer) => connection.answerPing(data));
      webSocket.on('error', (error) => logger.debug({ connection: connection.id, error }, 'simulator: socket error'));
      webSocket.on('close', (code) => {
        this.#cancel(timeout);
        this.connections.delete(connection);
        this.#retire(connection);
        on.closed(connection, code, connection.cause);
      });
      on.connected(connection);
      connection.greet();
    });
  }

  findPlan(key: string): KeyPlan | null {
    return this.#options.plans.find(key);
  }

  onAuthenticated(connection: Connection): void {
    this.#options.on.authenticated(connection);
    const account = `${connection.cluster} ${connection.key}`;
    const ofKey = this.#byKey.get(account) ?? [];
    ofKey.push(connection);
    this.#byKey.set(account, ofKey);
    if (this.faults.use('max-connections') !== null) {
      this.#evict(connection);
      return;
    }
    const quota = connection.plan?.maxConnections ?? this.#options.maxConnectionsPerKey;
    if (ofKey.length <= quota) return;
    if (this.#options.quotaVictim === 'oldest') this.#evict(ofKey[0]!);
    // Where the newcomer loses, it does so after it has subscribed.
    else this.#later(NEWCOMER_GRACE_MS, () => this.#evict(connection));
  }

  onSubscribed(connection: Connection, pairs: readonly string[]): void {
    for (const pair of pairs) {
      const [topic, symbol] = splitPair(pair);
      this.audience(connection.cluster, topic).add(symbol, connection);
    }
    this.#options.on.subscribed(connection, pairs);
    const quota = connection.plan?.maxConnections ?? this.#options.maxConnectionsPerKey;
    const ofKey = this.#byKey.get(`${connection.cluster} ${connection.key}`) ?? [];
    if (this.#options.quotaVictim === 'newest' && ofKey.indexOf(connection) >= quota) this.#evict(connection);
  }

  onUnsubscribed(connection: Connection, pairs: readonly string[]): void {
    this.#leave(connection, pairs);
    this.#options.on.unsubscribed(connection, pairs);
  }

  onPending(connection: Connection): void {
    this.#pending.add(connection);
  }

  onFrame(events: number, bytes: number): void {
    this.sent.frames += 1;
    this.sent.events += events;
    this.sent.bytes += bytes;
  }

  /** Sends every frame under construction. */
  flush(): void {
    for (const connection of this.#pending) connection.flush();
    this.#pending.clear();
  }

  /** Cuts the connections whose time has come by the faults `drop-every` and `idle-drop`. */
  dropByFaults(): void {
    const dropEvery = this.faults.peek('drop-every');
    const idleDrop = this.faults.peek('idle-drop');
    if (dropEvery === null && idleDrop === null) return;
    const now = this.#options.clock.now();
    for (const connection of this.connections) {
      // Between 75 and 125 % of the time, by the connection's number, so that they do not fall together.
      const age = Number(dropEvery) * (0.75 + ((connection.id * 0.618) % 1) / 2);
      const tooOld = dropEvery !== null && now - connection.openedAt > age;
      const tooIdle = idleDrop !== null && now - connection.lastDataAt > Number(idleDrop);
      if (tooOld || tooIdle) connection.cut('fault');
    }
  }

  /** Cuts everything; resolves at once. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const connection of this.connections) connection.cut('shutdown');
    this.#webSockets.close();
  }

  #evict(connection: Connection): void {
    if (!connection.open) return;
    connection.say([STATUS.maxConnections]);
    connection.close(1008, 'quota');
    this.#retire(connection);
  }

  /** It hears nothing more, and its place in the quota is free. */
  #retire(connection: Connection): void {
    this.#pending.delete(connection);
    this.#leave(connection, [...connection.pairs]);
    connection.pairs.clear();
    const account = `${connection.cluster} ${connection.key}`;
    const rest = (this.#byKey.get(account) ?? []).filter((other) => other !== connection);
    if (rest.length === 0) this.#byKey.delete(account);
    else this.#byKey.set(account, rest);
  }

  #leave(connection: Connection, pairs: readonly string[]): void {
    for (const pair of pairs) {
      const [topic, symbol] = splitPair(pair);
      this.audience(connection.cluster, topic).remove(symbol, connection);
    }
  }

  #later(delayMs: number, action: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, delayMs);
    this.#timers.add(timer);
    return timer;
  }

  #cancel(timer: NodeJS.Timeout): void {
    clearTimeout(timer);
    this.#timers.delete(timer);
  }
}
