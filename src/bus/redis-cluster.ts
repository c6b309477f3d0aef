import computeSlot from 'cluster-key-slot';
import type { Redis } from 'ioredis';
import { systemTimers } from '../market/timers.ts';
import type { Timers } from '../market/timers.ts';
import type { BusState } from './bus.ts';
import { readClusterMap, SLOTS, splitAddress } from './cluster-map.ts';
import type { ClusterMap, ClusterView } from './cluster-map.ts';
import { completeKey } from './keys.ts';
import { encodeLogEnd } from './log-mark.ts';
import { ClusterCalls } from './cluster-calls.ts';
import { LogMarker } from './log-marker.ts';
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
/**
 * A Redis Cluster: one connection per master, each with the deadlines of a {@link RedisConnection}, and the map of who serves
 * what. ioredis's own Cluster is not used: it has no deadline for a node that is silent, sends writes again whose fate
 * is unknown, and does not know of scripts that a promoted replica has never seen.
 */
export class RedisCluster implements RedisClient {
  readonly publishMarket = 'spublish';
  readonly failsOver = true;
  readonly #options: RedisClusterOptions;
  readonly #seeds: readonly string[];
  readonly #nodes = new Map<string, RedisConnection>();
  readonly #stateListeners = new Set<(state: BusState) => void>();
  readonly #mapListeners = new Set<(map: ClusterMap) => void>();
  #map: ClusterMap | null = null;
  #state: BusState = { connected: false, reason: 'connecting to the Redis Cluster' };
  #refreshing = false;
  #refreshAgain = false;
  readonly #timers: Timers;
  /** Calls off the next refresh. */
  #callOff: (() => void) | null = null;
  /** Of each call that waits for a node to connect: to be called where it may wait in vain from now on. */
  readonly #waiting = new Set<() => void>();
  #version = 0;
  #formerReconnects = 0;
  readonly #calls: ClusterCalls;
  readonly #marker: LogMarker;
  #closed = false;

  /** Returns at once and connects in the background. Throws where a URL is none of Redis, or names a database. */
  constructor(options: RedisClusterOptions) {
    this.#options = options;
    this.#seeds = options.urls.map(readNodeAddress);
    this.#timers = options.timers ?? systemTimers;
    this.#marker = new LogMarker(() => this.servers, this.#timers);
    this.#calls = new ClusterCalls({
      ownerOf: (slot) => this.#map?.owners[slot] ?? null,
      countReplicas: (address) => this.#map?.masters.get(address) ?? 0,
      demandNode: (address) => this.#demandNode(address),
      onMoved: (slot, to) => this.noteMoved(slot, to),
      onLogged: (slot, to, isAhead) => this.#marker.notePlace(slot, to, isAhead),
      onError: options.onError,
      timers: this.#timers,
      logger: options.logger,
    });
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

  execute<T>(commands: readonly RedisCommand[], options?: ExecuteOptions): Promise<T[]> {
    return this.#calls.execute(commands, options);
  }

  async announceAppended(offset: number, nodes: readonly string[]): Promise<void> {
    if (!this.#closed) this.#marker.announce(offset);
    await this.execute([['set', completeKey, encodeLogEnd({ offset, nodes })]]);
  }

  get version(): number {
    return this.#version;
  }

  listNodes(): string[] {
    return [...(this.#map?.masters.keys() ?? [])].flatMap((address) => this.#map?.addresses.get(address) || []);
  }

  nodeOf(slot: number): string | null {
    return this.#map?.addresses.get(this.#map.owners[slot] ?? '') || null;
  }

  placeOf(slot: number): string | null {
    const address = this.#map?.owners[slot] ?? null;
    return (address === null ? null : this.#nodes.get(address)?.place) ?? null;
  }

  /** A node has told that a slot is served by another one. */
  noteMoved(slot: number, to: string): void {
    if (this.#map === null || this.#closed) return;
    if (this.#map.owners[slot] !== to) {
      const owners = this.#map.owners.with(slot, to);
      const masters = this.#map.masters.has(to) ? this.#map.masters : new Map([...this.#map.masters, [to, 0]]);
      const addresses = this.#map.addresses.has(to) ? this.#map.addresses : new Map([...this.#map.addresses, [to, '']]);
      this.#take({ owners, masters, addresses });
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
    this.#callOff?.();
    this.#marker.close();
    this.#stateListeners.clear();
    this.#mapListeners.clear();
    for (const look of this.#waiting) look();
    await Promise.all([...this.#nodes.values()].map((node) => node.close()));
  }

  /**
   * A node that a slot has just moved to may not be connected yet: it is given a moment. Not where the other nodes, which may not
   * have heard of it, say that it is no master: then it is given up, and `null` is the answer.
   */
  async #demandNode(address: string): Promise<RedisConnection | null> {
    if (this.#closed) return null;
    const node = this.#nodes.get(address) ?? this.#open(address);
    if (node.state.connected) return node;
    if (!node.isFirstAttempt) return null;
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (): void => {
      if (!node.isFirstAttempt || this.#nodes.get(address) !== node || this.#closed) resolve();
    };
    this.#waiting.add(look);
    const stop = node.onState(look);
    const callOff = this.#timers.after(this.#options.pingDeadlineMs ?? 3_000, resolve);
    await promise;
    callOff();
    stop();
    this.#waiting.delete(look);
    return node.state.connected ? node : null;
  }

  #open(address: string): RedisConnection {
    const { urls: _, refreshIntervalMs: __, ...options } = this.#options;
    const logger = this.#options.logger.child({ node: address });
    const node = new RedisConnection({ ...options, url: this.urlOf(address), logger });
    this.#nodes.set(address, node);
    node.onState((state) => {
      this.#version += 1;
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
    const views = await Promise.all([...this.#nodes].map(([address, node]) => readView(address, node, this.#timers)));
    if (this.#closed) return;
    const known = views.filter((view) => view !== null);
    if (known.length > 0) {
      this.#take(readClusterMap(known, new URL(this.#options.urls[0]!).protocol === 'rediss:'));
      return;
    }
    // All that was known is away: the Cluster may have moved to nodes that the seeds, or former replicas, know.
    for (const address of [...this.#seeds, ...(this.#map?.addresses.keys() ?? [])]) {
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
      this.#calls.forgetNode(address);
      this.#formerReconnects += node.reconnects;
      void node.close();
    }
    for (const look of this.#waiting) look();
    this.#updateState();
    if (isSame) return;
    this.#version += 1;
    for (const listener of this.#mapListeners) listener(map);
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
    this.#callOff?.();
    if (this.#closed) return;
    const intervalMs = this.#options.refreshIntervalMs ?? 1_000;
    const delayMs = this.#state.connected ? intervalMs : Math.min(intervalMs, ANXIOUS_REFRESH_MS);
    this.#callOff = this.#timers.after(delayMs, () => this.refresh());
  }
}

async function readView(address: string, node: RedisConnection, timers: Timers): Promise<ClusterView | null> {
  if (!node.state.connected) return null;
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const callOff = timers.after(VIEW_DEADLINE_MS, () => resolve(null));
  const text = await Promise.race([node.redis.call('CLUSTER', 'NODES').catch(() => null), late]);
  callOff();
  return typeof text === 'string' ? { text, askedAt: address } : null;
}

function readNodeAddress(text: string): string {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'redis:' && url.protocol !== 'rediss:')) {
    throw new Error('REDIS_URL is not a redis:// or rediss:// URL');
  }
  if (!/^\/?0?$/.test(url.pathname)) throw new Error('REDIS_URL names a database, and a Redis Cluster has but one');
  return `${url.hostname.replace(/^\[|\]$/g, '')}:${url.port || '6379'}`;
}
