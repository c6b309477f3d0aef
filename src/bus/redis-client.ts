import type { Redis } from 'ioredis';
import type { BusState } from './bus.ts';

/** A command, its name in lower case, with its arguments. All keys of one command lie in one slot. */
export type RedisCommand = readonly [name: string, ...args: (string | number)[]];

export type ExecuteOptions = {
  /**
   * These commands write to the log. In a Cluster they are not answered before a replica of each server has it as well, so
   * that it survives a failover (where no replica keeps up it is done without, for a while); and where they went is told
   * by the next {@link RedisClient.announceAppended}. Default `false`.
   */
  readonly toLog?: boolean;
  /**
   * Called with the index and the reply of each command that was carried out, also where the whole rejects; and with the
   * connection that it went over, as {@link RedisClient.placeOf} names it, `null` where that is not the one that leads to
   * its slot.
   */
  readonly onDone?: (index: number, reply: unknown, place: string | null) => void;
  /** What is sent in the place of a command when it turns out that another server than was thought is to have it. */
  readonly elsewhere?: (index: number) => RedisCommand;
};

/**
 * Redis as the bus and the store see it, whether one server or a Cluster. While it is away every command rejects at once, and
 * what is in flight when a connection is lost rejects, unsent again: what it did is unknown. Two implementations:
 * redis-single.ts and redis-cluster.ts.
 */
export interface RedisClient {
  readonly state: BusState;
  /** Whether commands can be sent now: `false` also in the instant between a loss and its being told. */
  readonly writable: boolean;
  /** How often connections were made again after the first time. */
  readonly reconnects: number;
  /** By which command a message goes out on a channel that has a symbol: in a Cluster, to the subscribers of its slot alone. */
  readonly publishMarket: 'publish' | 'spublish';

  /** Calls `listener` at each change of state; returns the function that stops it. */
  onState(listener: (state: BusState) => void): () => void;

  /**
   * Sends the commands in one round trip per server, each to the server of its key. Returns the replies in order, or, once
   * all have been answered, rejects with the first error among them. On one server they run in the order given; in a
   * Cluster those of one slot do, unless the slot moves meanwhile.
   */
  execute<T>(commands: readonly RedisCommand[], options?: ExecuteOptions): Promise<T[]>;

  /**
   * To be called when all log entries up to `offset` have been appended and published: in a Cluster it lets the readers put
   * into order what comes to them from several servers, and read no further in one log than in the others. `nodes`: where
   * the writer has found its logs to be whole. Resolves when readers know. On one server it does nothing.
   */
  announceAppended(offset: number, nodes: readonly string[]): Promise<void>;

  /** Whether a replica may take over from a server, and have less than that had. */
  readonly failsOver: boolean;

  /**
   * Names the connection that leads to a slot now: another name where it was lost and made again, or another server serves the
   * slot. `null` where there is none.
   */
  placeOf(slot: number): string | null;

  /** Another number whenever a slot may be served by another server, or over another connection, than before. */
  readonly version: number;

  /** The servers of a Cluster that have slots, by their ids. */
  listNodes(): string[];

  /** The id of the server of a Cluster that has a slot; `null` where it is not known. */
  nodeOf(slot: number): string | null;

  /** Keys of the same slot may be named in one command. On one server all keys have the same. */
  slotOf(key: string): number;

  /** The servers that hold keys. */
  readonly servers: readonly Redis[];

  close(): Promise<void>;
}

/** The reply of one command. */
export async function run<T>(client: RedisClient, ...command: RedisCommand): Promise<T> {
  const [reply] = await client.execute<T>([command]);
  return reply as T;
}

/** Things by the slot of their key, in the order given, no more than `size` at a time. */
export function chunkBySlot<T>(
  client: RedisClient,
  items: readonly T[],
  keyOf: (item: T) => string,
  size: number,
): T[][] {
  const groups = Map.groupBy(items, (item) => client.slotOf(keyOf(item)));
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / size) }, (_, index) => group.slice(index * size, (index + 1) * size)),
  );
}

/** The key by which a command finds its server. A script's keys follow their number; a channel is as good as a key. */
export function routingKeyOf([name, ...args]: RedisCommand): string {
  return String(name === 'evalsha' ? args[2] : args[0]);
}
