import computeSlot from 'cluster-key-slot';
import type { Logger } from '../market/logger.ts';
import type { Timers } from '../market/timers.ts';
import { splitAddress } from './cluster-map.ts';
import { routingKeyOf } from './redis-client.ts';
import type { ExecuteOptions, RedisCommand } from './redis-client.ts';
import type { RedisConnection } from './redis-connection.ts';

export type ClusterCallsOptions = {
  readonly ownerOf: (slot: number) => string | null;
  readonly countReplicas: (address: string) => number;
  /** `null` where it is out of reach. */
  readonly demandNode: (address: string) => Promise<RedisConnection | null>;
  readonly onMoved: (slot: number, to: string) => void;
  /** Called where something of the log was written; `isAhead`: to the node to which the slot is just moving. */
  readonly onLogged: (slot: number, to: string, isAhead: boolean) => void;
  /** Called with each error that a node has answered to a command, and that no other node can mend. */
  readonly onError?: ((error: Error) => void) | undefined;
  readonly timers: Timers;
  readonly logger: Logger;
};

/** A command is sent on so often, after a slot that moves or a Cluster that elects, before it rejects. */
const MAX_REDIRECTIONS = 16;
const RETRY_DELAY_MS = 50;
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

type Answer = {
  readonly attempt: Attempt;
  readonly error: Error | null;
  readonly reply: unknown;
  readonly place: string | null;
};

/**
 * What a node answers instead of running a command: it has not run it, and it may be sent again, to another one, or, after a
 * moment, to whoever serves its slot then (`null`).
 */
type Redirection = { readonly to: string | null; readonly asking: boolean; readonly moved: boolean };

/** Sends commands to the nodes of a Cluster, one write per node, and sends on what another node turns out to serve. */
export class ClusterCalls {
  readonly #options: ClusterCallsOptions;
  /** When the replicas of a master are waited for again, by the timers' clock. One per master at most. */
  readonly #replicasTrustedAt = new Map<string, number>();

  constructor(options: ClusterCallsOptions) {
    this.#options = options;
  }

  /** See `RedisClient.execute`. */
  async execute<T>(commands: readonly RedisCommand[], options: ExecuteOptions = {}): Promise<T[]> {
    const { toLog = false, onDone, elsewhere } = options;
    const { ownerOf, onMoved, onLogged, timers } = this.#options;
    const replies: unknown[] = [];
    let failure: Error | null = null;
    let attempts = commands.map((command, index): Attempt => {
      const slot = computeSlot(routingKeyOf(command));
      return { index, command, slot, to: ownerOf(slot), asking: false };
    });
    for (let redirections = 0; attempts.length > 0; redirections++) {
      const answered = await this.#send(attempts, toLog);
      attempts = [];
      let wait = false;
      for (const { attempt, error, reply, place } of answered) {
        const { index, slot } = attempt;
        const redirection =
          error === null || redirections === MAX_REDIRECTIONS ? null : readRedirection(error, attempt);
        if (redirection === null) {
          replies[index] = reply;
          failure ??= error;
          if (error !== null) {
            this.#options.onError?.(error);
            continue;
          }
          if (toLog && attempt.to !== null) onLogged(slot, attempt.to, attempt.asking);
          onDone?.(index, reply, attempt.asking ? null : place);
          continue;
        }
        const { to, asking, moved } = redirection;
        if (moved) onMoved(slot, to!);
        wait ||= to === null;
        attempts.push({ ...attempt, command: elsewhere?.(index) ?? attempt.command, to: to ?? ownerOf(slot), asking });
      }
      if (wait) await new Promise<void>((resolve) => void timers.after(RETRY_DELAY_MS, resolve));
    }
    if (failure !== null) throw failure;
    return replies as T[];
  }

  /** It is no master any more. */
  forgetNode(address: string): void {
    this.#replicasTrustedAt.delete(address);
  }

  async #send(attempts: readonly Attempt[], toLog: boolean): Promise<Answer[]> {
    const groups = Map.groupBy(attempts, ({ to }) => to);
    const answers = await Promise.all([...groups].map(([address, group]) => this.#sendTo(address, group, toLog)));
    return answers.flat();
  }

  async #sendTo(address: string | null, group: readonly Attempt[], toLog: boolean): Promise<Answer[]> {
    const node = address === null ? null : await this.#options.demandNode(address);
    if (address === null || node === null) {
      const error = new Error(`Redis is away: ${address ?? 'a slot of the Cluster has no master'}`);
      return group.map((attempt) => ({ attempt, error, reply: null, place: null }));
    }
    const { place } = node;
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
      return { attempt, error: error ?? lost, reply, place };
    });
  }

  #hasReplica(address: string): boolean {
    const trustedAt = this.#replicasTrustedAt.get(address) ?? 0;
    return this.#options.countReplicas(address) > 0 && trustedAt <= this.#options.timers.now();
  }

  /** A connection that waits holds up all that is sent over it: not every time for a replica that does not keep up. */
  #distrustReplicas(address: string): void {
    this.#replicasTrustedAt.set(address, this.#options.timers.now() + REPLICA_DISTRUST_MS);
    this.#options.logger.warn(
      { node: address },
      'no replica keeps up: what is written now would not survive a failover',
    );
  }
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
