import { connect as connectTcp, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import RedisParser from 'redis-parser';
import type { Logger } from '../market/logger.ts';
import type { Timers } from '../market/timers.ts';

/** Sharded channels belong to a slot, and their messages go to its node alone. Classic ones go through all nodes. */
export type ChannelScope = 'sharded' | 'classic';

export type SubscriberSocketOptions = {
  /** Of one node, with the credentials. Never logged. */
  readonly url: string;
  /** Its name in CLIENT LIST and in the log. */
  readonly name: string;
  readonly pingIntervalMs: number;
  readonly pingDeadlineMs: number;
  readonly random: () => number;
  readonly timers: Timers;
  readonly logger: Logger;

  readonly onConnect: () => void;
  /** The connection was lost, or an attempt has failed; another follows by itself. */
  readonly onDisconnect: (reason: string) => void;
  readonly onMessage: (channel: string, data: Buffer) => void;
  readonly onSubscribed: (channel: string) => void;
  /** Asked for or not: the node ends the subscriptions of a slot that it gives away. */
  readonly onUnsubscribed: (channel: string) => void;
  /** The node does not serve this slot: another one does. */
  readonly onMoved: (slot: number, address: string) => void;
};

const MAX_RECONNECT_DELAY_MS = 1_000;
const FIRST_RECONNECT_DELAY_MS = 50;

/**
 * A connection to one node of a Cluster on which there is nothing but subscriptions; it comes back for ever, with backoff and
 * jitter, and is watched by pings. ioredis is not up to this: a node that gives a slot away ends its subscriptions unasked,
 * which ioredis takes for the reply to whatever command is under way, and tells nobody; its `ssubscribe` that is answered
 * MOVED never settles. Here replies are told apart by the channel that they name, never by their order.
 */
export class SubscriberSocket {
  readonly #options: SubscriberSocketOptions;
  #socket: Socket | null = null;
  /** Calls off the timer that runs: of the next attempt, the next ping or a deadline. */
  #callOff: (() => void) | null = null;
  /** Replies to the handshake that are still to come. */
  #handshake = 0;
  #connected = false;
  #attempting = true;
  #failures = 0;
  #connects = 0;
  #reason = 'the connection to Redis was lost';
  #closed = false;

  /** Returns at once and connects in the background. */
  constructor(options: SubscriberSocketOptions) {
    this.#options = options;
    this.#connect();
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Whether it is connected or about to be: `false` between a failed attempt and the next one. */
  get isHopeful(): boolean {
    return this.#connected || this.#attempting;
  }

  get reconnects(): number {
    return Math.max(0, this.#connects - 1);
  }

  /** Nothing while it is away: who wants a channel says so again in `onConnect`. */
  subscribe(scope: ChannelScope, channel: string): void {
    this.#send(scope === 'sharded' ? 'SSUBSCRIBE' : 'SUBSCRIBE', channel);
  }

  unsubscribe(scope: ChannelScope, channel: string): void {
    this.#send(scope === 'sharded' ? 'SUNSUBSCRIBE' : 'UNSUBSCRIBE', channel);
  }

  close(): void {
    this.#closed = true;
    this.#connected = false;
    this.#attempting = false;
    this.#stopTimer();
    this.#socket?.destroy();
  }

  #connect(): void {
    this.#attempting = true;
    const url = new URL(this.#options.url);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const port = Number(url.port || '6379');
    const socket =
      url.protocol === 'rediss:'
        ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }) })
        : connectTcp({ host, port });
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    const parser = new RedisParser({
      returnBuffers: true,
      returnReply: (reply) => this.#receive(reply),
      returnError: (error) => this.#receiveError(error),
      returnFatalError: (error) => socket.destroy(error),
    });
    socket.on('data', (data: Buffer) => parser.execute(data));
    socket.on('error', (error) => (this.#reason = error.message));
    socket.once('close', () => this.#onClose());
    socket.once(url.protocol === 'rediss:' ? 'secureConnect' : 'connect', () => this.#shakeHands(url));
    this.#expectBytes();
  }

  #shakeHands(url: URL): void {
    const [username, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
    this.#handshake = 1;
    if (password !== '') {
      this.#handshake++;
      this.#write('AUTH', ...(username === '' ? [] : [username]), password);
    }
    this.#write('CLIENT', 'SETNAME', this.#options.name);
  }

  #onClose(): void {
    const wasConnected = this.#connected;
    this.#stopTimer();
    this.#socket = null;
    this.#connected = false;
    this.#attempting = false;
    this.#handshake = 0;
    if (this.#closed) return;
    const reason = this.#reason;
    this.#reason = 'the connection to Redis was lost';
    const ceiling = Math.min(MAX_RECONNECT_DELAY_MS, FIRST_RECONNECT_DELAY_MS * 2 ** Math.min(this.#failures++, 10));
    const delayMs = Math.round(ceiling * (0.5 + this.#options.random() / 2));
    this.#callOff = this.#options.timers.after(delayMs, () => this.#connect());
    const fields = { connection: this.#options.name, reason };
    if (wasConnected) this.#options.logger.warn(fields, 'Redis is away: reconnecting until it is back');
    this.#options.onDisconnect(reason);
  }

  #receive(reply: unknown): void {
    if (this.#handshake > 0) {
      if (--this.#handshake === 0) this.#onReady();
      return;
    }
    // Else the answer to a ping: that something came is all that it says.
    if (!Array.isArray(reply) || !(reply[1] instanceof Buffer)) return;
    const channel = reply[1].toString();
    switch (String(reply[0])) {
      case 'message':
      case 'smessage':
        return this.#options.onMessage(channel, reply[2] as Buffer);
      case 'subscribe':
      case 'ssubscribe':
        return this.#options.onSubscribed(channel);
      case 'unsubscribe':
      case 'sunsubscribe':
        return this.#options.onUnsubscribed(channel);
    }
  }

  #onReady(): void {
    this.#connected = true;
    this.#attempting = false;
    this.#failures = 0;
    this.#connects++;
    this.#schedulePing();
    this.#options.logger.info({ connection: this.#options.name }, 'connected to Redis');
    this.#options.onConnect();
  }

  #receiveError(error: Error): void {
    const [code, slot, address] = error.message.split(' ');
    if (code === 'MOVED' && address !== undefined) return this.#options.onMoved(Number(slot), address);
    // What follows a refused AUTH says no more than that it was refused.
    if (this.#socket?.destroyed === true) return;
    // Refused credentials end the attempt. Later, as in an election, what was refused is asked for again from time to time.
    this.#reason = error.message;
    if (!this.#connected) this.#socket?.destroy();
    else
      this.#options.logger.debug({ connection: this.#options.name, reason: error.message }, 'Redis refused a channel');
  }

  #schedulePing(): void {
    this.#stopTimer();
    this.#callOff = this.#options.timers.after(this.#options.pingIntervalMs, () => {
      this.#write('PING');
      this.#expectBytes();
    });
  }

  #expectBytes(): void {
    this.#stopTimer();
    const socket = this.#socket!;
    const received = socket.bytesRead;
    const callOff = this.#options.timers.after(this.#options.pingDeadlineMs, () => {
      // Where this very process was busy, the answer may lie in the socket unread: one turn of the loop to read from it.
      setImmediate(() => {
        if (this.#callOff !== callOff) return;
        if (this.#connected && socket.bytesRead > received) return this.#schedulePing();
        this.#reason = `Redis did not answer within ${this.#options.pingDeadlineMs} ms`;
        socket.destroy();
      });
    });
    this.#callOff = callOff;
  }

  #stopTimer(): void {
    this.#callOff?.();
    this.#callOff = null;
  }

  #send(command: string, channel: string): void {
    if (this.#connected) this.#write(command, channel);
  }

  #write(...args: string[]): void {
    const parts = args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`);
    this.#socket?.write(`*${args.length}\r\n${parts.join('')}`);
  }
}
