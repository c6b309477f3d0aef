import { Redis, ReplyError } from 'ioredis';
import type { Logger } from '../market/logger.ts';
import { systemTimers } from '../market/timers.ts';
import type { Timers } from '../market/timers.ts';
import type { BusState } from './bus.ts';

export type RedisConnectionOptions = {
  /** `redis://` or `rediss://`, with credentials and database where needed. Never logged. */
  readonly url: string;
  /** What the connection is for: its name in CLIENT LIST and in the log. */
  readonly name: string;
  /** Runs at each connect before the connection counts as connected; where it rejects, the connection is made anew. */
  readonly prepare?: (redis: Redis) => Promise<unknown>;
  /** Default 2 s. */
  readonly pingIntervalMs?: number;
  /** How long a ping or a handshake may take before the peer counts as dead. Default 3 s. */
  readonly pingDeadlineMs?: number;
  /** 0 to 1, for the jitter of reconnects. Default `Math.random`. */
  readonly random?: () => number;
  /** For pings and deadlines. Default: the machine's own. How long it takes to connect and to try again, ioredis measures. */
  readonly timers?: Timers;
  /** Called with each error that the server has answered to a command. */
  readonly onError?: (error: Error) => void;
  readonly logger: Logger;
};

const MAX_RECONNECT_DELAY_MS = 2_000;
const FIRST_REASON = 'connecting to Redis';

/**
 * One connection that comes back for ever, with backoff and jitter, and knows when it is away. Nothing waits in an
 * offline queue: a command while away rejects at once, and one in flight rejects when the connection is lost, unsent again
 * (what it did at the server is unknown). A peer that accepts but does not answer is found by pings (a dead peer would
 * else be noticed after minutes, a subscriber's never) and cut off.
 */
export class RedisConnection {
  readonly redis: Redis;
  readonly #options: Required<Omit<RedisConnectionOptions, 'url' | 'prepare' | 'onError'>>;
  readonly #prepare: (redis: Redis) => Promise<unknown>;
  readonly #listeners = new Set<(state: BusState) => void>();
  #state: BusState = { connected: false, reason: FIRST_REASON };
  #lastError: string | null = null;
  /** Calls off the timer that runs: of the next ping, or of what is waited for. */
  #callOff: (() => void) | null = null;
  #connects = 0;
  #place: string | null = null;
  #closed = false;

  /** Returns at once and connects in the background. Throws where the URL is none of Redis. */
  constructor(options: RedisConnectionOptions) {
    assertRedisUrl(options.url);
    this.#options = {
      pingIntervalMs: 2_000,
      pingDeadlineMs: 3_000,
      random: Math.random,
      timers: systemTimers,
      ...options,
    };
    this.#prepare = options.prepare ?? (async () => {});
    this.redis = new Redis(options.url, {
      connectionName: `tapeql-${options.name}`,
      connectTimeout: this.#options.pingDeadlineMs,
      enableOfflineQueue: false,
      // It asks by INFO whether the server still loads its data, which an ACL without @dangerous forbids, and then writes to the
      // console: a PING, which a server that loads refuses as well, tells the same.
      enableReadyCheck: false,
      // CLIENT SETINFO, which servers before 7.2 do not know, nor lists of what a user may do.
      disableClientInfo: true,
      autoResendUnfulfilledCommands: false,
      // ioredis resubscribes without awaiting, and a loss meanwhile is an unhandled rejection: see redis-subscriber.ts.
      autoResubscribe: false,
      // With 0, what is in flight is rejected at each loss; with more it would hang until that many reconnects failed.
      maxRetriesPerRequest: 0,
      retryStrategy: (attempt) => {
        const ceiling = Math.min(MAX_RECONNECT_DELAY_MS, 50 * 2 ** Math.min(attempt, 10));
        return Math.round(ceiling * (0.5 + this.#options.random() / 2));
      },
    });
    this.redis.on('connect', () => this.#expectAnswer());
    this.redis.on('ready', () => void this.#onReady());
    this.redis.on('close', () => this.#onClose());
    // Only the message: the error of a refused AUTH carries the password among its command's arguments. And only the first
    // of an attempt: what follows a refused AUTH says no more than that it was refused.
    this.redis.on('error', (error: Error) => (this.#lastError ??= error.message || error.name));
  }

  get state(): BusState {
    return this.#state;
  }

  /** Whether it has neither been connected nor failed to be, so far. */
  get isFirstAttempt(): boolean {
    return this.#connects === 0 && this.#state.reason === FIRST_REASON;
  }

  /** Whether a command can be sent now: `false` also in the instant between a loss and its being told. */
  get writable(): boolean {
    return this.#state.connected && this.redis.status === 'ready' && this.redis.stream.writable;
  }

  /** Names the connection that stands now, other than those before it; `null` while there is none. */
  get place(): string | null {
    return this.#place;
  }

  /** How often the connection was made again after the first time. */
  get reconnects(): number {
    return Math.max(0, this.#connects - 1);
  }

  onState(listener: (state: BusState) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Sends what is queued, within 500 ms, and disconnects. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopWatch();
    this.#listeners.clear();
    if (this.redis.status === 'ready') {
      const deadline = Promise.withResolvers<void>();
      const callOff = this.#options.timers.after(500, deadline.resolve);
      await Promise.race([this.redis.quit().catch(() => {}), deadline.promise]);
      callOff();
    }
    this.redis.disconnect();
    if (this.redis.status !== 'end') this.#cutOff();
  }

  async #onReady(): Promise<void> {
    const { stream } = this.redis;
    try {
      await this.redis.ping().catch((error: unknown) => {
        if (!isUnsaved(error)) throw error;
      });
      await this.#prepare(this.redis);
    } catch (error) {
      // What follows a refused AUTH says no more than that it was refused.
      this.#lastError ??= error instanceof Error ? error.message : String(error);
      if (this.redis.stream === stream) this.#cutOff();
      return;
    }
    if (this.#closed || this.redis.stream !== stream || this.redis.status !== 'ready') return;
    this.#stopWatch();
    this.#connects++;
    this.#place = `${this.redis.options.host}:${this.redis.options.port} ${this.#connects}`;
    this.#lastError = null;
    this.#setState({ connected: true, reason: null });
    this.#schedulePing();
  }

  #onClose(): void {
    this.#stopWatch();
    this.#place = null;
    if (this.#closed) return;
    this.#setState({ connected: false, reason: this.#lastError ?? 'the connection to Redis was lost' });
    this.#lastError = null;
  }

  #setState(state: BusState): void {
    const changed = state.connected !== this.#state.connected;
    const first = this.isFirstAttempt;
    this.#state = state;
    if (!changed && !first) return;
    const fields = { connection: this.#options.name, ...(state.reason === null ? {} : { reason: state.reason }) };
    if (state.connected) this.#options.logger.info(fields, 'connected to Redis');
    else this.#options.logger.warn(fields, 'Redis is away: reconnecting until it is back');
    for (const listener of this.#listeners) listener(state);
  }

  #schedulePing(): void {
    this.#callOff = this.#options.timers.after(this.#options.pingIntervalMs, () => {
      this.#expectAnswer();
      const goOn = (): void => {
        this.#stopWatch();
        if (this.#state.connected) this.#schedulePing();
      };
      this.redis.ping().then(goOn, (error: unknown) => {
        // A server that cannot save its data (MISCONF) refuses even a ping: it has answered. Else the connection is lost, and its
        // close event tells the rest.
        if (error instanceof ReplyError) goOn();
      });
    });
  }

  #expectAnswer(): void {
    this.#stopWatch();
    const { stream } = this.redis;
    const received = stream.bytesRead;
    const callOff = this.#options.timers.after(this.#options.pingDeadlineMs, () => {
      // Where this very process was busy, the answer may lie in the socket unread: one turn of the loop to read from it.
      setImmediate(() => {
        if (this.#callOff !== callOff) return;
        // A peer that sends is alive: the answer stands in line behind what it sent before.
        if (stream.bytesRead > received) return this.#expectAnswer();
        this.#lastError = `Redis did not answer within ${this.#options.pingDeadlineMs} ms`;
        this.#cutOff();
      });
    });
    this.#callOff = callOff;
  }

  #stopWatch(): void {
    this.#callOff?.();
    this.#callOff = null;
  }

  /** Without a farewell: a dead peer would never answer it, and the socket would stay half open. */
  #cutOff(): void {
    (this.redis.stream as Redis['stream'] | undefined)?.destroy();
  }
}

function assertRedisUrl(url: string): void {
  const parsed = URL.parse(url);
  if (parsed === null || (parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:')) {
    throw new Error('REDIS_URL is not a redis:// or rediss:// URL');
  }
}

/** A server that cannot save its data refuses even a ping, and answers reads all the same. */
function isUnsaved(error: unknown): boolean {
  return error instanceof ReplyError && (error as Error).message.startsWith('MISCONF');
}
