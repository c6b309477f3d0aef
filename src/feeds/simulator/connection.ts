import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { FaultSwitches } from './faults.ts';
import type { KeyPlan } from './plans.ts';
import { CLUSTERS, allowsCluster, allowsTopic } from './plans.ts';

/** A frame is closed when it holds this many events or characters (the official clients refuse a million bytes). */
const MAX_EVENTS_PER_FRAME = 500;
const MAX_FRAME_LENGTH = 900_000;
/** Subscriptions of one connection; more are ignored. The vendor states no limit for stocks. */
const MAX_PAIRS = 100_000;

export const STATUS = {
  connected: status('connected', 'Connected Successfully'),
  authSuccess: status('auth_success', 'authenticated'),
  authFailed: status('auth_failed', 'authentication failed'),
  noWebSocket: status('auth_failed', "Your plan doesn't include websocket access."),
  authTimeout: status('auth_timeout', 'No authentication request received.'),
  maxConnections: status(
    'max_connections',
    'Maximum number of websocket connections exceeded. You have reached the connection limit for your account. ' +
      'Please contact support at https://polygon.io/contact to increase your limit.',
  ),
  notAuthorized: status('error', 'not authorized'),
  unknown: status('weather_report', 'A status that no document knows.'),
};

function status(name: string, message: string): string {
  return JSON.stringify({ ev: 'status', status: name, message });
}

/** Why a connection ended, as the simulator sees it. */
export type CloseCause = 'client' | 'auth' | 'auth-timeout' | 'quota' | 'slow-consumer' | 'fault' | 'shutdown';

/** What a connection asks of the server that holds it. */
export interface ConnectionHost {
  readonly faults: FaultSwitches;
  readonly chance: () => number;
  readonly maxBufferedBytes: number;
  findPlan(key: string): KeyPlan | null;
  onAuthenticated(connection: Connection): void;
  onSubscribed(connection: Connection, pairs: readonly string[]): void;
  onUnsubscribed(connection: Connection, pairs: readonly string[]): void;
  /** It has something to send at the end of the time slice. */
  onPending(connection: Connection): void;
  onFrame(events: number, bytes: number): void;
}

/** One client's side of the protocol: authentication, subscriptions, and the frame under construction. */
export class Connection {
  readonly id: number;
  readonly cluster: string;
  readonly openedAt: number;
  /** `null` until a key was accepted. */
  plan: KeyPlan | null = null;
  key: string | null = null;
  /** In the order of subscription. */
  readonly pairs = new Set<string>();
  cause: CloseCause = 'client';
  lastDataAt: number;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #clock: { now(): number };
  #frame = '';
  #events = 0;

  constructor(options: {
    id: number;
    cluster: string;
    webSocket: WebSocket;
    socket: Socket;
    host: ConnectionHost;
    clock: { now(): number };
  }) {
    this.id = options.id;
    this.cluster = options.cluster;
    this.#webSocket = options.webSocket;
    this.#socket = options.socket;
    this.#host = options.host;
    this.#clock = options.clock;
    this.openedAt = this.#clock.now();
    this.lastDataAt = this.openedAt;
  }

  get open(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  greet(): void {
    if (!this.#faulty('no-connected')) this.say([STATUS.connected]);
  }

  /** One control message. What is malformed or unknown is ignored, as no document says otherwise. */
  receive(data: string): void {
    if (!this.open || this.#faulty('stall')) return;
    let message: unknown;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (typeof message !== 'object' || message === null) return;
    const { action, params } = message as { action?: unknown; params?: unknown };
    if (typeof params !== 'string') return;
    if (action === 'auth') this.#authenticate(params);
    else if (action === 'subscribe') this.#subscribe(params);
    else if (action === 'unsubscribe') this.#unsubscribe(params);
  }

  answerPing(data: Buffer): void {
    if (!this.#faulty('stall') && !this.#faulty('no-pong') && this.open) this.#webSocket.pong(data);
  }

  /** Adds an event to the frame of this time slice. */
  append(element: string): void {
    this.#frame = this.#events === 0 ? `[${element}` : `${this.#frame},${element}`;
    this.#events += 1;
    if (this.#events === 1) this.#host.onPending(this);
    if (this.#events >= MAX_EVENTS_PER_FRAME || this.#frame.length >= MAX_FRAME_LENGTH) this.flush();
  }

  /**
   * Sends the frame under construction. The bound: a client that leaves more than `maxBufferedBytes` unread is cut
   * off without a word, as the vendor does.
   */
  flush(): void {
    if (this.#events === 0) return;
    const { faults, chance } = this.#host;
    const events = this.#events;
    let frame = this.#frame;
    this.#events = 0;
    this.#frame = '';
    if (!this.open || this.#faulty('stall') || this.#faulty('mute')) return;
    if (faults.any) {
      if (faults.strikes('bad-json', chance)) this.#send('[{"ev":"T","sym":"AAPL","p":', 0);
      if (faults.strikes('binary-frame', chance)) this.#webSocket.send(Buffer.from([0xde, 0xad, 0xbe, 0xef]));
      if (faults.strikes('malformed-element', chance)) {
        frame += `,${MALFORMED[Math.floor(chance() * MALFORMED.length)]!}`;
      }
    }
    this.lastDataAt = this.#clock.now();
    this.#send(`${frame}]`, events);
    if (this.#webSocket.bufferedAmount > this.#host.maxBufferedBytes) this.cut('slow-consumer');
  }

  /** Sends elements at once, in a frame of their own, after what came before. */
  say(elements: readonly string[]): void {
    this.flush();
    if (elements.length === 0 || !this.open || this.#faulty('stall')) return;
    this.#send(`[${elements.join(',')}]`, elements.length);
  }

  /** Ends it with a close frame. */
  close(code: number, cause: CloseCause): void {
    this.cause = cause;
    this.#webSocket.close(code);
  }

  /** Ends it without a close frame. */
  cut(cause: CloseCause): void {
    this.cause = cause;
    this.#webSocket.terminate();
  }

  /** Ends it without a close frame, once what was said is out. */
  hangUp(cause: CloseCause): void {
    this.cause = cause;
    this.#socket.destroySoon();
  }

  #authenticate(key: string): void {
    if (this.#faulty('no-auth-answer')) return;
    if (this.#host.faults.use('auth-timeout') !== null) {
      this.say([STATUS.authTimeout]);
      this.hangUp('auth-timeout');
      return;
    }
    const plan = this.#host.faults.use('auth-failed') === null ? this.#host.findPlan(key) : null;
    if (plan === null || !allowsCluster(plan, this.cluster)) {
      this.say([plan === null ? STATUS.authFailed : STATUS.noWebSocket]);
      this.hangUp('auth');
      return;
    }
    const first = this.plan === null;
    this.plan = plan;
    this.key = key;
    this.say([STATUS.authSuccess]);
    if (this.#faulty('unknown-status')) this.say([STATUS.unknown]);
    if (first) this.#host.onAuthenticated(this);
  }

  #subscribe(params: string): void {
    if (this.plan === null) {
      this.say([STATUS.notAuthorized]);
      return;
    }
    const accepted: string[] = [];
    let refused = false;
    for (const pair of splitPairs(params)) {
      const [topic] = splitPair(pair);
      if (!CLUSTERS[this.cluster]!.includes(topic)) continue;
      if (!allowsTopic(this.plan, topic)) refused = true;
      else if (!this.pairs.has(pair) && this.pairs.size < MAX_PAIRS) {
        this.pairs.add(pair);
        accepted.push(pair);
      }
    }
    if (refused) this.say([STATUS.notAuthorized]);
    this.#acknowledge('subscribed to: ', accepted);
    if (accepted.length > 0) this.#host.onSubscribed(this, accepted);
  }

  #unsubscribe(params: string): void {
    const removed = splitPairs(params).filter((pair) => this.pairs.delete(pair));
    // What was heard so far leaves before the last word on it.
    this.#host.onUnsubscribed(this, removed);
    this.#acknowledge('unsubscribed to: ', removed);
  }

  #acknowledge(words: string, pairs: readonly string[]): void {
    if (this.#faulty('no-acks')) return;
    const acks = pairs.map((pair) => status('success', words + pair));
    if (this.#faulty('unknown-status') && acks.length > 0) acks.push(STATUS.unknown);
    if (this.#faulty('ack-per-frame')) for (const ack of acks) this.say([ack]);
    else this.say(acks);
  }

  #faulty(name: Parameters<FaultSwitches['peek']>[0]): boolean {
    return this.#host.faults.any && this.#host.faults.peek(name) !== null;
  }

  #send(frame: string, events: number): void {
    this.#webSocket.send(frame);
    this.#host.onFrame(events, frame.length);
  }
}

const MALFORMED: readonly string[] = [
  'null',
  '42',
  '"T"',
  '{}',
  '{"ev":"T","sym":"AAPL","p":"a lot","s":100}',
  '{"ev":"Q","bp":1,"ap":2}',
  '{"ev":"T","sym":7,"p":1,"s":1,"t":"now"}',
];

/** `T.BRK.B` is topic `T` and symbol `BRK.B`. */
export function splitPair(pair: string): [topic: string, symbol: string] {
  const dot = pair.indexOf('.');
  return dot === -1 ? [pair, ''] : [pair.slice(0, dot), pair.slice(dot + 1)];
}

function splitPairs(params: string): string[] {
  return params
    .split(',')
    .map((pair) => pair.trim())
    .filter((pair) => /^[A-Z0-9]+\../.test(pair));
}
