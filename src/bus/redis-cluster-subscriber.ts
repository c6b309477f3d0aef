import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import type { Logger } from '../market/logger.ts';
import { every, systemTimers } from '../market/timers.ts';
import type { Timers } from '../market/timers.ts';
import type { BusState, Interruption } from './bus.ts';
import { decodeLogMark, LOG_MARK_CHANNEL } from './log-mark.ts';
import type { LogPlace } from './log-mark.ts';
import type { RedisCluster } from './redis-cluster.ts';
import type { Subscriber } from './redis-subscriber.ts';
import { SubscriberSocket } from './subscriber-socket.ts';
import type { ChannelScope } from './subscriber-socket.ts';

export type RedisClusterSubscriberOptions = {
  /** Tells who serves what; it is not closed with the subscriber. */
  readonly cluster: RedisCluster;
  readonly name: string;
  readonly scopeOf: (channel: string) => ChannelScope;
  /** Default 2 s. */
  readonly pingIntervalMs?: number;
  /** Default 3 s. */
  readonly pingDeadlineMs?: number;
  /** What is wanted is compared with what stands so often. Default 1 s. */
  readonly reconcileIntervalMs?: number;
  readonly random?: () => number;
  /** Default: the machine's own. */
  readonly timers?: Timers;
  readonly logger: Logger;
};

type WantedChannel = {
  readonly name: string;
  readonly scope: ChannelScope;
  readonly slot: number;
  /** The node that it is asked for at. */
  home: string | null;
  stands: boolean;
  /** Since it has last stood, or was said to: by the loss of a connection, which the state tells, or otherwise. */
  lost: 'no' | 'moved' | 'away';
  /** Asked for at an earlier reconciliation already. */
  overdue: boolean;
  waiting: (() => void)[];
};

/**
 * The subscriber that `RedisPubSub` is given for a Cluster: one connection per master at which something is wanted, never one per
 * channel or slot. What is wanted is compared with who serves it, whenever the map of the Cluster changes, a node
 * gives a slot away, a connection comes or goes, and every second whatever was told. A channel whose subscription was not
 * standing for a while is told by `onInterruption` as soon as it stands again.
 */
export class RedisClusterSubscriber implements Subscriber {
  readonly #options: Required<RedisClusterSubscriberOptions>;
  readonly #events = new EventEmitter();
  readonly #channels = new Map<string, WantedChannel>();
  readonly #sockets = new Map<string, SubscriberSocket>();
  readonly #stateListeners = new Set<(state: BusState) => void>();
  readonly #interruptionListeners = new Set<(channels: Interruption) => void>();
  readonly #stops: (() => void)[] = [];
  /** Channels that stand again and are about to be told. Bounded by those that are wanted. */
  #restored = new Set<string>();
  #telling: NodeJS.Immediate | null = null;
  #state: BusState = { connected: false, reason: 'connecting to the Redis Cluster' };
  #awayCount = 0;
  #lostCount = 0;
  /** How far the log is complete by each connection, as its node has told. */
  readonly #marks = new Map<SubscriberSocket, number>();
  #highestMark = -1;
  readonly #completeListeners = new Set<(offset: number) => void>();
  #formerReconnects = 0;
  #closed = false;

  constructor(options: RedisClusterSubscriberOptions) {
    this.#options = {
      pingIntervalMs: 2_000,
      pingDeadlineMs: 3_000,
      reconcileIntervalMs: 1_000,
      random: Math.random,
      timers: systemTimers,
      ...options,
    };
    this.#stops.push(options.cluster.onMap(() => this.#reconcile(false)));
    const { timers, reconcileIntervalMs } = this.#options;
    this.#stops.push(every(timers, reconcileIntervalMs, () => this.#reconcile(true)));
  }

  get state(): BusState {
    return this.#state;
  }

  get reconnects(): number {
    return [...this.#sockets.values()].reduce((sum, socket) => sum + socket.reconnects, this.#formerReconnects);
  }

  onState(listener: (state: BusState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => void this.#stateListeners.delete(listener);
  }

  onInterruption(listener: (channels: Interruption) => void): () => void {
    this.#interruptionListeners.add(listener);
    return () => void this.#interruptionListeners.delete(listener);
  }

  /**
   * Calls `listener` with an offset up to which all log entries have been delivered on the channels that are wanted, or
   * told as interrupted.
   */
  onLogComplete(listener: (offset: number) => void): () => void {
    this.#completeListeners.add(listener);
    return () => void this.#completeListeners.delete(listener);
  }

  asClient(): Redis {
    const client: Pick<Redis, 'quit'> & Record<'on' | 'subscribe' | 'unsubscribe' | 'punsubscribe', unknown> = {
      on: (event: string, listener: (...args: unknown[]) => void) => this.#events.on(event, listener),
      subscribe: (channel: string, done: (error: null) => void) => this.#subscribe(channel, () => done(null)),
      unsubscribe: (channel: string) => this.#unsubscribe(channel),
      // There are no patterns here; RedisPubSub sends this with every unsubscribe.
      punsubscribe: () => {},
      quit: async () => 'OK',
    };
    return client as unknown as Redis;
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#telling !== null) clearImmediate(this.#telling);
    for (const stop of this.#stops) stop();
    this.#stateListeners.clear();
    this.#interruptionListeners.clear();
    this.#completeListeners.clear();
    for (const socket of this.#sockets.values()) socket.close();
    for (const channel of this.#channels.values()) release(channel);
  }

  #subscribe(name: string, done: () => void): void {
    const { cluster, scopeOf } = this.#options;
    const channel: WantedChannel = {
      name,
      scope: scopeOf(name),
      slot: cluster.slotOf(name),
      home: null,
      stands: false,
      lost: 'no',
      overdue: false,
      waiting: [done],
    };
    this.#channels.set(name, channel);
    this.#settle(channel);
    const socket = channel.home === null ? undefined : this.#sockets.get(channel.home);
    if (socket?.isHopeful !== true) this.#lose(channel, 'away');
    this.#updateState();
  }

  #unsubscribe(name: string): void {
    const channel = this.#channels.get(name);
    if (channel === undefined) return;
    this.#channels.delete(name);
    this.#forget(channel);
    if (channel.home !== null) this.#sockets.get(channel.home)?.unsubscribe(channel.scope, name);
    this.#updateState();
  }

  /** Level-triggered: it needs no history of what happened, and mends whatever was missed. */
  #reconcile(isDue: boolean): void {
    if (this.#closed) return;
    const used = new Set<string>();
    for (const channel of this.#channels.values()) {
      this.#settle(channel);
      if (channel.home !== null) used.add(channel.home);
      if (channel.stands || !isDue) continue;
      // What was just asked for is given until the next time.
      if (channel.overdue) {
        if (channel.home !== null) this.#sockets.get(channel.home)?.subscribe(channel.scope, channel.name);
        this.#lose(channel, 'away');
      }
      channel.overdue = true;
    }
    // Only now and then, so that a channel that comes and goes does not make and break a connection each time.
    if (isDue) for (const address of [...this.#sockets.keys()]) if (!used.has(address)) this.#closeSocket(address);
    this.#updateState();
    this.#tellComplete();
  }

  /** Has a channel asked for at the node that serves it, and no longer at another. */
  #settle(channel: WantedChannel): void {
    const owner = this.#options.cluster.map?.owners[channel.slot] ?? null;
    if (owner === null || owner === channel.home) return;
    const former = channel.home;
    channel.home = owner;
    this.#lose(channel, 'moved');
    const socket = this.#sockets.get(owner) ?? this.#openSocket(owner);
    socket.subscribe(channel.scope, channel.name);
    if (former !== null) this.#sockets.get(former)?.unsubscribe(channel.scope, channel.name);
  }

  /** `moved`: it is asked for anew and will stand in a moment. `away`: who waits for it waits no longer. */
  #lose(channel: WantedChannel, how: 'moved' | 'away'): void {
    if (channel.stands) {
      channel.stands = false;
      channel.overdue = false;
      this.#setLost(channel, 'moved');
    }
    if (how === 'moved') return;
    this.#setLost(channel, 'away');
    release(channel);
  }

  #setLost(channel: WantedChannel, lost: WantedChannel['lost']): void {
    // What is away stays so until it stands.
    if (lost === 'moved' && channel.lost === 'away') return;
    this.#lostCount += Number(lost !== 'no') - Number(channel.lost !== 'no');
    this.#awayCount += Number(lost === 'away') - Number(channel.lost === 'away');
    channel.lost = lost;
  }

  #forget(channel: WantedChannel): void {
    this.#setLost(channel, 'no');
    this.#restored.delete(channel.name);
    release(channel);
  }

  #openSocket(address: string): SubscriberSocket {
    const { cluster, name, pingIntervalMs, pingDeadlineMs, random, timers, logger } = this.#options;
    const socket = new SubscriberSocket({
      url: cluster.urlOf(address),
      name: `tapeql-${name}`,
      pingIntervalMs,
      pingDeadlineMs,
      random,
      timers,
      logger: logger.child({ node: address }),
      onConnect: () => {
        // What was complete before now does not come over it any more; what is complete later, it tells by itself.
        this.#marks.set(socket, this.#highestMark);
        socket.subscribe('classic', LOG_MARK_CHANNEL);
        for (const channel of this.#at(address)) socket.subscribe(channel.scope, channel.name);
        this.#updateState();
      },
      onDisconnect: () => {
        this.#marks.delete(socket);
        for (const channel of this.#at(address)) this.#lose(channel, 'away');
        cluster.refresh();
        this.#updateState();
      },
      onMessage: (name, data) => {
        if (name === LOG_MARK_CHANNEL) return this.#onMark(socket, data.toString());
        // What a former home still sends is dropped: it could overtake, and is in the history.
        if (this.#channels.get(name)?.home === address) this.#events.emit('messageBuffer', name, data);
      },
      onSubscribed: (name) => this.#onSubscribed(address, name),
      onUnsubscribed: (name) => {
        const channel = this.#channels.get(name);
        if (channel?.home !== address) return;
        this.#lose(channel, 'moved');
        // It answers by whom the slot was taken over.
        socket.subscribe(channel.scope, name);
      },
      onMoved: (slot, to) => cluster.noteMoved(slot, to),
    });
    this.#sockets.set(address, socket);
    return socket;
  }

  #closeSocket(address: string): void {
    const socket = this.#sockets.get(address)!;
    this.#sockets.delete(address);
    this.#marks.delete(socket);
    this.#formerReconnects += socket.reconnects;
    socket.close();
  }

  #onSubscribed(address: string, name: string): void {
    const channel = this.#channels.get(name);
    if (channel?.home !== address || channel.stands) return;
    channel.stands = true;
    channel.overdue = false;
    if (channel.lost !== 'no') {
      this.#setLost(channel, 'no');
      this.#restored.add(name);
      this.#telling ??= setImmediate(() => this.#tellRestored());
    }
    release(channel);
    if (!this.#state.connected) this.#updateState();
  }

  #tellRestored(): void {
    this.#telling = null;
    const restored = [...this.#restored];
    this.#restored = new Set();
    if (restored.length > 0) {
      this.#options.logger.info({ channels: restored.length }, 'subscriptions were interrupted and stand again');
      for (const listener of this.#interruptionListeners) listener(restored);
    }
    this.#tellComplete();
  }

  #onMark(socket: SubscriberSocket, text: string): void {
    const mark = decodeLogMark(text);
    if (mark === null) return;
    // It comes over each connection, and more than once: what it tells is taken at its first sight.
    if (mark.places.length > 0 && mark.offset > this.#highestMark) this.#follow(mark.places);
    this.#marks.set(socket, Math.max(mark.offset, this.#marks.get(socket) ?? -1));
    this.#highestMark = Math.max(this.#highestMark, mark.offset);
    this.#tellComplete();
  }

  /** The writer writes some logs elsewhere than before. */
  #follow(places: readonly LogPlace[]): void {
    const { cluster } = this.#options;
    const bySlot = new Map(places.map((place) => [place[0], place]));
    for (const channel of this.#channels.values()) {
      const place = bySlot.get(channel.slot);
      if (place === undefined || channel.scope === 'classic') continue;
      const [slot, address, how] = place;
      if (how === 'first' && channel.home === address) continue;
      // Whatever stands, or will in a moment: what was written to the former place may not have come.
      if (how !== 'ahead') cluster.noteMoved(slot, address);
      this.#restored.add(channel.name);
      this.#telling ??= setImmediate(() => this.#tellRestored());
    }
  }

  /**
   * A mark comes behind all that it speaks of, on each connection; the one that is furthest behind counts. While
   * something is lost nothing is complete: first the interruption is told.
   */
  #tellComplete(): void {
    if (this.#lostCount > 0 || this.#telling !== null || this.#marks.size === 0) return;
    const offset = Math.min(...this.#marks.values());
    for (const listener of this.#completeListeners) listener(offset);
  }

  *#at(address: string): Iterable<WantedChannel> {
    for (const channel of this.#channels.values()) if (channel.home === address) yield channel;
  }

  #updateState(): void {
    if (this.#closed) return;
    const state = this.#readState();
    const changed = state.connected !== this.#state.connected;
    this.#state = state;
    if (changed) for (const listener of this.#stateListeners) listener(state);
  }

  #readState(): BusState {
    if (this.#options.cluster.map === null) return { connected: false, reason: this.#options.cluster.state.reason };
    if (this.#awayCount === 0) return { connected: true, reason: null };
    return {
      connected: false,
      reason: `${this.#awayCount} of ${this.#channels.size} channels have no subscription at the Redis Cluster`,
    };
  }
}

function release(channel: WantedChannel): void {
  const { waiting } = channel;
  channel.waiting = [];
  for (const done of waiting) done();
}
