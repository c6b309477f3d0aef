import type { Logger } from '../market/logger.ts';

/** The connections of all processes, where there is Redis. */
export type SharedConnections = {
  /** Says that a process lives, for `leaseMs` from now. Returns all that do, and whether this one was not known to. */
  noteProcess(
    process: string,
    leaseMs: number,
  ): Promise<{ readonly isNew: boolean; readonly living: readonly string[] }>;
  /** States how many connections of a user a process has. Returns what all have stated, also those that died since. */
  stateConnections(user: string, process: string, connections: number): Promise<ReadonlyMap<string, number>>;
};

export type ConnectionLimitOptions = {
  /** Of one user. */
  readonly max: number;
  /** `null`: this process is alone. */
  readonly shared: SharedConnections | null;
  /** Names this process among them. */
  readonly processName: string;
  /** The connections of a process that died count for at most this long. Default 10 s. */
  readonly leaseMs?: number;
  readonly logger: Logger;
};

/** A connection as it counts. */
export type Seat = {
  /** To be called when it ends; a second time it does nothing. */
  release(): void;
};

/** The lease is extended so often that one time may fail. */
const RENEWALS_PER_LEASE = 3;
/** So many users are stated at a time where all have to be. */
const STATED_AT_ONCE = 500;

/**
 * How many connections a user has, in all processes. Each of them counts its own, and states them in Redis, under a lease of
 * its own: so nothing has to be renewed for each connection, and those of a process that died are forgotten with its lease. A
 * connection is let in by what this process knows, and ended a moment later where the others say that it is one too many: none
 * waits for Redis, and while that is away each process counts for itself.
 */
export class ConnectionLimit {
  readonly #options: ConnectionLimitOptions;
  readonly #counts = new Map<string, number>();
  readonly #leaseMs: number;
  readonly #renewing: NodeJS.Timeout | null;
  #living: ReadonlySet<string> = new Set();

  constructor(options: ConnectionLimitOptions) {
    this.#options = options;
    this.#leaseMs = options.leaseMs ?? 10_000;
    const isShared = options.shared !== null;
    this.#renewing = isShared ? setInterval(() => void this.#renew(), this.#leaseMs / RENEWALS_PER_LEASE) : null;
    this.#renewing?.unref();
    if (isShared) void this.#renew();
  }

  /**
   * Counts a connection of a user; `null`: he has as many as he may. `onRefused` is called where it turns out only later that
   * with those of the other processes it is one too many; it is not counted any more then.
   */
  take(user: string, onRefused: () => void): Seat | null {
    const { max, shared, logger } = this.#options;
    const count = this.#counts.get(user) ?? 0;
    if (count >= max) return null;
    this.#counts.set(user, count + 1);
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      this.#release(user);
    };
    if (shared !== null) {
      this.#isTooMany(user, count + 1).then(
        (isTooMany) => {
          if (!isTooMany || !isHeld) return;
          release();
          onRefused();
        },
        (error: unknown) => logger.debug({ err: error }, 'connections are counted by this process alone'),
      );
    }
    return { release };
  }

  #release(user: string): void {
    const count = this.#counts.get(user)! - 1;
    if (count === 0) this.#counts.delete(user);
    else this.#counts.set(user, count);
    const { shared, processName } = this.#options;
    shared?.stateConnections(user, processName, count).catch(() => {
      // It is stated again with the next connection of this user, and forgotten with this process at the latest.
    });
  }

  /** `rank`: how many connections of the user this process had with the one that is asked for, which later ones do not make too many. */
  async #isTooMany(user: string, rank: number): Promise<boolean> {
    const { max, shared, processName } = this.#options;
    // The others count what is stated by those alone who are known to live.
    if (!this.#living.has(processName)) await this.#renew();
    const stated = await shared!.stateConnections(user, processName, this.#counts.get(user) ?? 0);
    const others = [...stated].filter(([name]) => name !== processName);
    const own = Math.min(rank, stated.get(processName) ?? 0);
    if (own + sum(others) <= max) return false;
    // Nobody is refused by a list that is some seconds old.
    await this.#renew();
    const [living, dead] = [
      others.filter(([name]) => this.#living.has(name)),
      others.filter(([name]) => !this.#living.has(name)),
    ];
    for (const [name] of dead) await shared!.stateConnections(user, name, 0);
    return own + sum(living) > max;
  }

  async #renew(): Promise<void> {
    const { shared, processName, logger } = this.#options;
    try {
      const { isNew, living } = await shared!.noteProcess(processName, this.#leaseMs);
      this.#living = new Set(living);
      // Redis has forgotten, or this process stood still for longer than its lease.
      if (isNew) await this.#stateAll();
    } catch (error) {
      logger.debug({ err: error }, 'connections are counted by this process alone');
    }
  }

  async #stateAll(): Promise<void> {
    const { shared, processName } = this.#options;
    const users = [...this.#counts.keys()];
    for (let start = 0; start < users.length; start += STATED_AT_ONCE) {
      const part = users.slice(start, start + STATED_AT_ONCE);
      await Promise.all(part.map((user) => shared!.stateConnections(user, processName, this.#counts.get(user) ?? 0)));
    }
  }

  close(): void {
    if (this.#renewing !== null) clearInterval(this.#renewing);
  }
}

function sum(counts: readonly (readonly [string, number])[]): number {
  return counts.reduce((total, [, count]) => total + count, 0);
}
