import computeSlot from 'cluster-key-slot';
import type { Redis } from 'ioredis';
import type { BusState } from './bus.ts';
import { readClusterMap, SLOTS, splitAddress } from './cluster-map.ts';
import type { ClusterMap, ClusterView } from './cluster-map.ts';
import { encodeLogMark, LOG_MARK_CHANNEL } from './log-mark.ts';
import type { LogPlace } from './log-mark.ts';
import { routingKeyOf } from './redis-client.ts';
import type { ExecuteOptions, RedisClient, RedisCommand } from './redis-client.ts';
import { RedisConnection } from './redis-connection.ts';
import type { RedisConnectionOptions } from './redis-connection.ts';

export type RedisClusterOptions = Omit<RedisConnectionOptions, 'url'> & {
  /** Some nodes of the Cluster; it names the others. All have the credentials and the protocol of the first. */
  readonly urls: readonly string[];
  /** How often the nodes are asked who serves what, while all is well. Default 1 s. */
  readonly refreshIntervalMs?: number;
};

/** While a slot has no master, or one that is out of reach, the nodes are asked so often. */
const ANXIOUS_REFRESH_MS = 100;
/** A node that does not tell its view of the Cluster within this is left out. */
const VIEW_DEADLINE_MS = 500;
/** A command is sent on so often, after a slot that moves or a Cluster that elects, before it rejects. */
const MAX_REDIRECTIONS = 16;
const RETRY_DELAY_MS = 50;
const MARK_AGAIN_MS = 100;
/** So long a write waits for a replica, and so long none is waited for after it did so in vain. */
const REPLICA_DEADLINE_MS = 500;
const REPLICA_DISTRUST_MS = 1_000;

type Attempt = {
  readonly index: number;
  readonly command: RedisCommand;
  readonly slot: number;
  readonly to: string | null;
  readonly asking: boolean;
};

type Answer = { readonly attempt: Attempt; readonly error: Error | null; readonly reply: unknown };

/**
 * What a node answers instead of running a command: it has not run it, and it may be sent again, to another one, or, after a
 * moment, to whoever serves its slot then (`null`).
 */
type Redirection = { readonly to: string | null; readonly asking: boolean; readonly moved: boolean };

/**
 * A Redis Cluster: one connection per master, each with the deadlines of a {@link RedisConnection}, and the map of who serves
 * what. ioredis's own Cluster is not used: it has no deadline for a node that is silent, sends writes again whose fate
 * is unknown, and does not know of scripts that a promoted replica has never seen.
 */
export class RedisCluster implements RedisClient {
  readonly publishMarket = 'spublish';
  readonly #options: RedisClusterOptions;
  readonly #seeds: readonly string[];
  readonly #nodes = new Map<string, RedisConnection>();
  readonly #stateListeners = new Set<(state: BusState) => void>();
  readonly #mapListeners = new Set<(map: ClusterMap) => void>();
  #map: ClusterMap | null = null;
  #state: BusState = { connected: false, reason: 'connecting to the Redis Cluster' };
  #refreshing = false;
  #refreshAgain = false;
  #timer: NodeJS.Timeout | null = null;
  #markAgain: NodeJS.Timeout | null = null;
  #formerReconnects = 0;
  /** When the replicas of a master are waited for again, by `performance.now`. One per master at most. */
  readonly #replicasTrustedAt = new Map<string, number>();
  /** Where the logs of each slot were last written to. */
  readonly #places = new Map<number, string>();
  /** Of those, what the next mark tells, by slot. */
  #newPlaces = new Map<number, LogPlace>();
  #closed = false;

  /** Returns at once and connects in the background. Throws where a URL is none of Redis, or names a database. */
  constructor(options: RedisClusterOptions) {
    this.#options = options;
    this.#seeds = options.urls.map(readNodeAddress);
    for (const address of this.#seeds) this.#open(address);
    this.#schedule();
  }

  get state(): BusState {
    return this.#state;
  }

  get writable(): boolean {
    return this.#state.connected && this.#masters().every((node) => node?.writable);
  }

  get reconnects(): number {
    return [...this.#nodes.values()].reduce((sum, node) => sum + node.reconnects, this.#formerReconnects);
  }

  get servers(): readonly Redis[] {
    return this.#masters().flatMap((node) => (node === undefined ? [] : [node.redis]));
  }

  get map(): ClusterMap | null {
    return this.#map;
  }

  onState(listener: (state: BusState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => void this.#stateListeners.delete(listener);
  }

  /** Calls `listener` with each map that differs from the one before; returns the function that stops it. */
  onMap(listener: (map: ClusterMap) => void): () => void {
    this.#mapListeners.add(listener);
    return () => void this.#mapListeners.delete(listener);
  }

  slotOf(key: string): number {
    return computeSlot(key);
  }

  /** How a node of this Cluster is reached. */
  urlOf(address: string): string {
    const url = new URL(this.#options.urls[0]!);
    const { host, port } = splitAddress(address);
    url.hostname = host.includes(':') ? `[${host}]` : host;
    url.port = String(port);
    return url.href;
  }

  async execute<T>(commands: readonly RedisCommand[], { toLog = false, onDone }: ExecuteOptions = {}): Promise<T[]> {
    const replies: unknown[] = [];
    let failure: Error | null = null;
    let attempts = commands.map((command, index): Attempt => {
      const slot = computeSlot(routingKeyOf(command));
      return { index, command, slot, to: this.#map?.owners[slot] ?? null, asking: false };
    });
    for (let redirections = 0; attempts.length > 0; redirections++) {
      const answered = await this.#send(attempts, toLog);
      attempts = [];
      let wait = false;
      for (const { attempt, error, reply } of answered) {
        const redirection =
          error === null || redirections === MAX_REDIRECTIONS ? null : readRedirection(error, attempt);
        if (redirection === null) {
          if (toLog && error === null) this.#notePlace(attempt);
          replies[attempt.index] = reply;
          if (error === null) onDone?.(attempt.index);
          failure ??= error;
          continue;
        }
        const { to, asking, moved } = redirection;
        if (moved) this.noteMoved(attempt.slot, to!);
        wait ||= to === null;
        attempts.push({ ...attempt, to: to ?? this.#map?.owners[attempt.slot] ?? null, asking });
      }
      if (wait) await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY_MS));
    }
    if (failure !== null) throw failure;
    return replies as T[];
  }

  announceAppended(offset: number): void {
    this.#mark(offset);
    // Once more when it has become quiet: for who was just connecting, or where the first got lost.
    if (this.#markAgain !== null) clearTimeout(this.#markAgain);
    this.#markAgain = setTimeout(() => this.#mark(offset), MARK_AGAIN_MS);
  }

  /** A node has told that a slot is served by another one. */
  noteMoved(slot: number, to: string): void {
    if (this.#map === null || this.#closed) return;
    if (this.#map.owners[slot] !== to) {
      const owners = this.#map.owners.with(slot, to);
      const masters = this.#map.masters.has(to) ? this.#map.masters : new Map([...this.#map.masters, [to, 0]]);
      this.#take({ owners, masters, addresses: new Set([...this.#map.addresses, to]) });
    }
    this.refresh();
  }

  /** Asks the nodes anew who serves what. */
  refresh(): void {
    this.#refreshAgain = true;
    if (!this.#refreshing && !this.#closed) void this.#refresh();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#markAgain !== null) clearTimeout(this.#markAgain);
    this.#stateListeners.clear();
    this.#mapListeners.clear();
    await Promise.all([...this.#nodes.values()].map((node) => node.close()));
  }

  #notePlace({ slot, to, asking }: Attempt): void {
    const before = this.#places.get(slot);
    if (to === null || (to === before && !asking)) return;
    this.#places.set(slot, to);
    this.#newPlaces.set(slot, [slot, to, asking ? 'ahead' : before === undefined ? 'first' : 'moved']);
  }

  /**
   * At every master by itself, though one would pass it on to all: between nodes small messages wait for each other, up to
   * 40 ms (Nagle's algorithm). A subscriber takes the first that comes.
   */
  #mark(offset: number): void {
    const places = this.#newPlaces;
    this.#newPlaces = new Map();
    const text = encodeLogMark({ offset, places: [...places.values()] });
    for (const { redis } of this.#masters().filter((node) => node !== undefined)) {
      redis.publish(LOG_MARK_CHANNEL, text).catch(() => {
        this.#newPlaces = new Map([...places, ...this.#newPlaces]);
      });
    }
  }

  /** One pipeline per server. */
  async #send(attempts: readonly Attempt[], toLog: boolean): Promise<Answer[]> {
    const groups = new Map<string | null, Attempt[]>();
    for (const attempt of attempts) {
      const group = groups.get(attempt.to);
      if (group === undefined) groups.set(attempt.to, [attempt]);
      else group.push(attempt);
    }
    const answers = await Promise.all([...groups].map(([address, group]) => this.#sendTo(address, group, toLog)));
    return answers.flat();
  }

  async #sendTo(address: string | null, group: readonly Attempt[], toLog: boolean): Promise<Answer[]> {
    const node = address === null ? null : await this.#demandNode(address);
    if (address === null || node === null) {
      const error = new Error(`Redis is away: ${address ?? 'a slot of the Cluster has no master'}`);
      return group.map((attempt) => ({ attempt, error, reply: null }));
    }
    const lines = group.flatMap(({ command, asking }) => (asking ? [['asking'], [...command]] : [[...command]]));
    const waits = toLog && this.#hasReplica(address);
    if (waits) lines.push(['wait', 1, REPLICA_DEADLINE_MS]);
    const results = (await node.redis.pipeline(lines).exec()) ?? [];
    let lost: Error | null = null;
    if (waits) {
      const [error, replicas] = results.at(-1) ?? [new Error('Redis did not answer'), null];
      lost = error;
      if (replicas === 0) this.#distrustReplicas(address);
    }
    let line = 0;
    return group.map((attempt) => {
      if (attempt.asking) line++;
      const [error, reply] = results[line++] ?? [new Error('Redis did not answer'), null];
      return { attempt, error: error ?? lost, reply };
    });
  }

  #hasReplica(address: string): boolean {
    return (
      (this.#map?.masters.get(address) ?? 0) > 0 && (this.#replicasTrustedAt.get(address) ?? 0) <= performance.now()
    );
  }

  /** A connection that waits holds up all that is sent over it: not every time for a replica that does not keep up. */
  #distrustReplicas(address: string): void {
    this.#replicasTrustedAt.set(address, performance.now() + REPLICA_DISTRUST_MS);
    this.#options.logger.warn(
      { node: address },
      'no replica keeps up: what is written now would not survive a failover',
    );
  }

  /** A node that a slot has just moved to may not be connected yet: it is given a moment. */
  async #demandNode(address: string): Promise<RedisConnection | null> {
    if (this.#closed) return null;
    const node = this.#nodes.get(address) ?? this.#open(address);
    if (node.state.connected) return node;
    if (!node.isFirstAttempt) return null;
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = node.onState(() => resolve());
    const timer = setTimeout(resolve, this.#options.pingDeadlineMs ?? 3_000);
    await promise;
    clearTimeout(timer);
    stop();
    return node.state.connected ? node : null;
  }

  #open(address: string): RedisConnection {
    const { urls: _, refreshIntervalMs: __, ...options } = this.#options;
    const logger = this.#options.logger.child({ node: address });
    const node = new RedisConnection({ ...options, url: this.urlOf(address), logger });
    this.#nodes.set(address, node);
    node.onState((state) => {
      this.#updateState();
      if (!state.connected || this.#map === null) this.refresh();
    });
    return node;
  }

  #masters(): (RedisConnection | undefined)[] {
    return [...(this.#map?.masters.keys() ?? [])].map((address) => this.#nodes.get(address));
  }

  async #refresh(): Promise<void> {
    this.#refreshing = true;
    try {
      while (this.#refreshAgain && !this.#closed) {
        this.#refreshAgain = false;
        await this.#askNodes();
      }
    } finally {
      this.#refreshing = false;
      this.#schedule();
    }
  }

  async #askNodes(): Promise<void> {
    const views = await Promise.all([...this.#nodes].map(([address, node]) => readView(address, node)));
    if (this.#closed) return;
    const known = views.filter((view) => view !== null);
    if (known.length > 0) {
      this.#take(readClusterMap(known, new URL(this.#options.urls[0]!).protocol === 'rediss:'));
      return;
    }
    // All that was known is away: the Cluster may have moved to nodes that the seeds, or former replicas, know.
    for (const address of [...this.#seeds, ...(this.#map?.addresses ?? [])]) {
      if (!this.#nodes.has(address)) this.#open(address);
    }
  }

  #take(map: ClusterMap): void {
    const before = this.#map;
    const isSame =
      before !== null &&
      before.masters.size === map.masters.size &&
      before.owners.every((owner, slot) => owner === map.owners[slot]);
    this.#map = map;
    for (const address of map.masters.keys()) if (!this.#nodes.has(address)) this.#open(address);
    // A map without masters is that of a node that has been thrown out of its Cluster: it leads nowhere.
    for (const [address, node] of map.masters.size > 0 ? this.#nodes : []) {
      if (map.masters.has(address)) continue;
      this.#nodes.delete(address);
      this.#replicasTrustedAt.delete(address);
      this.#formerReconnects += node.reconnects;
      void node.close();
    }
    this.#updateState();
    if (!isSame) for (const listener of this.#mapListeners) listener(map);
  }

  #updateState(): void {
    const state = this.#readNodes();
    const changed = state.connected !== this.#state.connected;
    this.#state = state;
    if (changed) for (const listener of this.#stateListeners) listener(state);
    if (changed && !state.connected) this.#schedule();
  }

  #readNodes(): BusState {
    if (this.#map === null) {
      const reason = [...this.#nodes.values()].map((node) => node.state.reason).find((text) => text !== null);
      return { connected: false, reason: reason ?? 'connecting to the Redis Cluster' };
    }
    const away = [...this.#map.masters.keys()].filter((address) => this.#nodes.get(address)?.state.connected !== true);
    if (away.length > 0) {
      const reason = this.#nodes.get(away[0]!)?.state.reason ?? 'connecting';
      return {
        connected: false,
        reason: `${away.length} of ${this.#map.masters.size} masters of the Redis Cluster are out of reach: ${reason}`,
      };
    }
    const orphaned = this.#map.owners.filter((owner) => owner === null).length;
    if (orphaned > 0) {
      return { connected: false, reason: `${orphaned} of ${SLOTS} slots of the Redis Cluster have no master` };
    }
    return { connected: true, reason: null };
  }

  #schedule(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#closed) return;
    const intervalMs = this.#options.refreshIntervalMs ?? 1_000;
    this.#timer = setTimeout(
      () => this.refresh(),
      this.#state.connected ? intervalMs : Math.min(intervalMs, ANXIOUS_REFRESH_MS),
    );
  }
}

async function readView(address: string, node: RedisConnection): Promise<ClusterView | null> {
  if (!node.state.connected) return null;
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(resolve, VIEW_DEADLINE_MS, null);
  const text = await Promise.race([node.redis.call('CLUSTER', 'NODES').catch(() => null), late]);
  clearTimeout(timer);
  return typeof text === 'string' ? { text, askedAt: address } : null;
}

function readRedirection(error: Error, attempt: Attempt): Redirection | null {
  const [code, , address = ''] = error.message.split(' ');
  // A node may leave out the host: then it is its own.
  const to = address.startsWith(':') ? `${splitAddress(attempt.to!).host}${address}` : address;
  if (code === 'MOVED') return { to, asking: false, moved: true };
  if (code === 'ASK') return { to, asking: true, moved: false };
  // Half of the keys have moved; or there is an election, which may be over in a moment.
  return code === 'TRYAGAIN' || code === 'CLUSTERDOWN' ? { to: null, asking: false, moved: false } : null;
}

function readNodeAddress(text: string): string {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'redis:' && url.protocol !== 'rediss:')) {
    throw new Error('REDIS_URL is not a redis:// or rediss:// URL');
  }
  if (!/^\/?0?$/.test(url.pathname)) throw new Error('REDIS_URL names a database, and a Redis Cluster has but one');
  return `${url.hostname.replace(/^\[|\]$/g, '')}:${url.port || '6379'}`;
}
