import pg from 'pg';
import { ClientError } from '../errors.ts';
import type { Logger } from '../market/logger.ts';
import { every, systemTimers, type Timers, waitAtMost } from '../market/timers.ts';
import { cutOff, waitForAnswer } from './database-client.ts';
import {
  DatabaseConnectError,
  DatabaseDeadlineError,
  type DatabaseFault,
  readDatabaseFault,
} from './database-faults.ts';
import { DatabaseProbe } from './database-probe.ts';
import { drizzle, type NodePgDatabase } from './drizzle.ts';
import { EmbeddedPostgres } from './embedded-postgres.ts';
import { migrate } from './migrate.ts';
import { takeWorkRole } from './work-role.ts';

export type Queries = NodePgDatabase;
/** Queries of which all are done or none. */
export type Transaction = Queries;

export type DatabaseOptions = {
  /** `postgres://…`; `null`: an embedded Postgres in `dataDir`. */
  readonly url: string | null;
  readonly dataDir: string;
  /** The embedded one, where somebody has created it already, who closes it as well. */
  readonly embedded?: EmbeddedPostgres;
  readonly patience?: Partial<DatabasePatience>;
  /** Default: the machine's. */
  readonly timers?: Timers;
  readonly logger: Logger;
};

/** How long the database is waited for. */
export type DatabasePatience = {
  /** By whoever uses it, until it is open. Default 5 s. */
  readonly openingMs: number;
  /**
   * By one operation, a query or a whole transaction, from the moment that the database is open: then it is given up. The server is
   * told to give up earlier: a statement after 4/5 of it, the wait for a lock after 3/5, and a transaction of which nothing is heard
   * after twice as long. Default 5 s.
   */
  readonly operationMs: number;
  /** By the look at whether it can be used. Default 1.2 s. */
  readonly lookMs: number;
};

/**
 * - `unopened`: nobody has needed it so far
 * - `opening`: it is being created, started or brought up to date
 * - `open`: it answers and takes changes
 * - `unreachable`: it does not answer
 * - `unusable`: it answers and does not do its work, such as one that is read-only or full
 */
export type DatabaseState = 'unopened' | 'opening' | 'open' | 'unreachable' | 'unusable';

const PATIENCE: DatabasePatience = { openingMs: 5_000, operationMs: 5_000, lookMs: 1_200 };
const MAX_CONNECTIONS = 10;
const CONNECT_TIMEOUT_MS = 5_000;
/** The tables may be large that are brought up to date. */
const MIGRATION_MS = 60_000;
/** From one look at whether it can be used to the next: what has gone is noticed within this and `lookMs`. */
const LOOK_INTERVAL_MS = 500;
/** A database that has refused to work counts as unusable for so long, or until a transaction succeeds: the look reads alone. */
const UNUSABLE_MS = 10_000;
/** So many transactions one after the other that were given up are no accident any more. */
const MAX_GIVEN_UP = 3;
/** How often a transaction is tried that is undone in favour of another one, and how long it waits at most before it is tried again. */
const MAX_TRIES = 4;
const RETRY_MS = 50;
const RETRY_AFTER_MS = 1_000;
/** An operator has to act first. */
const UNUSABLE_RETRY_AFTER_MS = 5_000;
/** How long the end waits for what is under way. */
const CLOSE_DEADLINE_MS = 1_000;

const MESSAGES: Record<DatabaseFault, string> = {
  unreachable: 'Accounts cannot be reached now: try again.',
  unusable: 'Accounts cannot be used now: try again later.',
  busy: 'Accounts did not answer in time: try again.',
  conflict: 'Accounts were changed by others at the same time: try again.',
};
const UNKNOWN_OUTCOME =
  'It is not known whether the change was made: send it again. An order is placed once, however often it is sent with its clientOrderId.';

/** An operation, from its beginning to its end. */
type Operation = {
  /** Ends the connection that it has, so that what is under way fails. */
  abort: () => void;
  /** Nobody waits for it any more. */
  isOver: boolean;
  /** The server was asked to make the change for good, and has not answered. */
  isCommitting: boolean;
};

/**
 * The ledger's database. Nothing is opened before it is needed: the embedded one takes memory, which a process without accounts
 * does without. Its tables are there when the first query runs.
 */
export class Database {
  readonly #options: DatabaseOptions;
  readonly #patience: DatabasePatience;
  readonly #timers: Timers;
  readonly #embedded: EmbeddedPostgres | null;
  readonly #pool: pg.Pool;
  readonly #probe: DatabaseProbe;
  /** The connections of the pool. */
  readonly #clients = new Set<pg.PoolClient>();
  readonly #queries = new WeakMap<pg.PoolClient, Queries>();
  #opening: Promise<void> | null = null;
  #isMigrated = false;
  #state: DatabaseState = 'unopened';
  /** Calls the next look off; `null`: nobody looks. */
  #stopLooking: (() => void) | null = null;
  #look: Promise<void> | null = null;
  /** By the clock of the timers: until then it counts as unusable. */
  #unusableUntil = Number.NEGATIVE_INFINITY;
  /** Transactions in a row that were given up. */
  #givenUp = 0;
  /** Gives up each of the operations that are under way. */
  readonly #underWay = new Set<() => void>();
  #isHurried = false;
  #isGivenUp = false;
  #cancelHurry = (): void => {};
  #isClosed = false;
  readonly #onOpen: (() => void)[] = [];

  constructor(options: DatabaseOptions) {
    this.#options = options;
    this.#patience = { ...PATIENCE, ...options.patience };
    this.#timers = options.timers ?? systemTimers;
    this.#embedded = options.url === null ? (options.embedded ?? new EmbeddedPostgres(options)) : null;
    this.#pool = this.#createPool();
    this.#probe = new DatabaseProbe({
      connection: this.#connection(),
      ensure: () => this.#ensure(),
      deadlineMs: this.#patience.lookMs,
      timers: this.#timers,
    });
  }

  get state(): DatabaseState {
    return this.#state;
  }

  /** Whether it can be used now, as far as is known. The embedded one can before it is opened: it is opened by its first use. */
  get isConnected(): boolean {
    return this.#state === 'open' || (this.#state === 'unopened' && this.#embedded !== null);
  }

  /** Calls `listener` once, when the database is open. */
  onOpen(listener: () => void): void {
    this.#onOpen.push(listener);
  }

  /** Begins to open it, and finds out from then on whether it can be used. Returns at once. */
  start(): void {
    if (this.#stopLooking !== null || this.#isClosed) return;
    const look = (): void => {
      this.#look ??= this.#lookOnce().finally(() => (this.#look = null));
    };
    this.#stopLooking = every(this.#timers, LOOK_INTERVAL_MS, look);
    look();
  }

  /**
   * Runs `work` on the tables.
   * @throws {ClientError} UPSTREAM_UNAVAILABLE where the database cannot be used now, is not open after `openingMs`, or takes longer
   * than `deadlineMs`
   */
  use<T>(work: (queries: Queries) => Promise<T>, deadlineMs: number = this.#patience.operationMs): Promise<T> {
    return this.#perform(deadlineMs, (operation) => this.#borrow(operation, (client) => work(this.#queriesOf(client))));
  }

  /**
   * All of `work` or none of it. It may be called several times: what a transaction has done that is undone in favour of another one
   * is forgotten, and it is tried again.
   * @throws {ClientError} as {@link use}. Where the answer to the commit is missing, the change may have been made.
   */
  async transact<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const attempt = (operation: Operation): Promise<T> =>
      this.#borrow(operation, async (client) => {
        await client.query('BEGIN');
        const result = await work(this.#queriesOf(client));
        operation.isCommitting = true;
        await client.query('COMMIT');
        operation.isCommitting = false;
        return result;
      });
    const result = await this.#perform(
      this.#patience.operationMs,
      async (operation) => {
        for (let tries = 1; ; tries++) {
          try {
            return await attempt(operation);
          } catch (error) {
            if (readDatabaseFault(error) !== 'conflict') throw error;
            // Known to be undone, whatever it was doing.
            operation.isCommitting = false;
            if (operation.isOver || tries === MAX_TRIES) throw error;
            await new Promise<void>((resolve) => void this.#timers.after(Math.random() * RETRY_MS, resolve));
          }
        }
      },
      (fault, error) => this.#noteGivenUp(fault, error),
    );
    this.#givenUp = 0;
    this.#unusableUntil = Number.NEGATIVE_INFINITY;
    this.#note('open', null);
    return result;
  }

  /**
   * Asks for the role of the one process that works open orders: `null` where another has it. It is lost with the connection that
   * holds it, of which `onLost` is told, and which the database notices by itself.
   */
  async takeRole(onLost: () => void): Promise<(() => Promise<void>) | null> {
    return this.#perform(this.#patience.operationMs, async (operation) => {
      if (this.#embedded !== null) {
        await this.#ensure();
        if (!this.#embedded.isOwner) return null;
        // Where the thread is, there is the role.
        const callOff = this.#embedded.onEnd(onLost);
        if (!operation.isOver) return async () => callOff();
        callOff();
        return null;
      }
      const release = await takeWorkRole({
        connection: this.#connection(),
        timers: this.#timers,
        onLost,
        onConnection: (abort) => (operation.abort = abort),
      });
      if (!operation.isOver) return release;
      await release?.();
      return null;
    });
  }

  /** The end has begun: what is under way in a second from now is given up, and what comes later at once. Returns at once. */
  hurry(): void {
    if (this.#isHurried) return;
    this.#isHurried = true;
    this.#cancelHurry = this.#timers.after(CLOSE_DEADLINE_MS, () => {
      this.#isGivenUp = true;
      for (const giveUp of this.#underWay) giveUp();
    });
  }

  /** Ends what is under way, and in any case within some seconds. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopLooking?.();
    this.hurry();
    const ends = Promise.allSettled([this.#look, this.#opening, this.#pool.end(), this.#probe.close()]);
    const closeOwn = (): Promise<void> | undefined =>
      this.#options.embedded === undefined ? this.#embedded?.close() : undefined;
    // One that is still being opened has nothing to lose, and the others wait for it.
    if (this.#state !== 'open') await closeOwn();
    await waitAtMost(CLOSE_DEADLINE_MS, this.#timers, ends);
    this.#cancelHurry();
    for (const client of this.#clients) cutOff(client);
    await closeOwn();
  }

  /** Runs an operation once the database is open, and gives it up where it takes too long. */
  async #perform<T>(
    deadlineMs: number,
    work: (operation: Operation) => Promise<T>,
    onFault: (fault: DatabaseFault, error: unknown) => void = (fault, error) => this.#noteFault(fault, error),
  ): Promise<T> {
    const operation = beginOperation();
    const ended = Promise.withResolvers<never>();
    ended.promise.catch(() => {});
    const giveUp = (): void => {
      abandon(operation);
      ended.reject(new DatabaseDeadlineError('The database is being closed.'));
    };
    this.#underWay.add(giveUp);
    if (this.#isGivenUp) giveUp();
    try {
      await Promise.race([this.#waitUntilOpen(), ended.promise]);
      const onLate = (): void => abandon(operation);
      const running = waitForAnswer(work(operation), { deadlineMs, timers: this.#timers, onLate });
      return await Promise.race([running, ended.promise]);
    } catch (error) {
      const fault = readDatabaseFault(error);
      if (fault === null) throw error;
      onFault(fault, error);
      const retryAfterMs = fault === 'unusable' ? UNUSABLE_RETRY_AFTER_MS : RETRY_AFTER_MS;
      const message = operation.isCommitting ? UNKNOWN_OUTCOME : MESSAGES[fault];
      throw new ClientError('UPSTREAM_UNAVAILABLE', message, { retryAfterMs }, error);
    } finally {
      this.#underWay.delete(giveUp);
    }
  }

  /** Lends a connection to an operation. One on which something failed is closed, except where the server only refused what it was asked. */
  async #borrow<T>(operation: Operation, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    let client: pg.PoolClient;
    try {
      client = await this.#connect();
    } catch (error) {
      throw new DatabaseConnectError('The database cannot be connected to.', { cause: error });
    }
    if (operation.isOver) {
      client.release();
      throw new DatabaseDeadlineError('A connection was free too late.');
    }
    operation.abort = () => cutOff(client);
    let isSound = true;
    try {
      const result = await work(client);
      isSound = !operation.isOver;
      return result;
    } catch (error) {
      const fault = readDatabaseFault(error);
      isSound = !operation.isOver && (fault === null || fault === 'conflict' || fault === 'busy');
      // Of a transaction nothing may be left; outside of one it says that there is none, which is a warning.
      if (isSound) await client.query('ROLLBACK').catch(() => (isSound = false));
      throw error;
    } finally {
      operation.abort = () => {};
      if (!isSound) cutOff(client);
      client.release(!isSound);
    }
  }

  async #connect(): Promise<pg.PoolClient> {
    await this.#ensure();
    return this.#pool.connect();
  }

  async #ensure(): Promise<void> {
    await this.#embedded?.ensure();
  }

  #queriesOf(client: pg.PoolClient): Queries {
    let queries = this.#queries.get(client);
    if (queries === undefined) this.#queries.set(client, (queries = drizzle(client)));
    return queries;
  }

  /** Until it is open, but not for ever: who asks is told to come back. */
  async #waitUntilOpen(): Promise<void> {
    if (this.#isMigrated) return;
    if (await waitAtMost(this.#patience.openingMs, this.#timers, this.#open())) return;
    throw new ClientError('UPSTREAM_UNAVAILABLE', 'Accounts are still being opened: try again.', {
      retryAfterMs: RETRY_AFTER_MS,
    });
  }

  #open(): Promise<void> {
    if (this.#opening !== null) return this.#opening;
    if (this.#state === 'unopened') this.#state = 'opening';
    this.#opening = this.#migrate().catch((error: unknown) => {
      this.#opening = null;
      throw error;
    });
    // Whoever waits hears of it; nobody may any more.
    this.#opening.catch(() => {});
    return this.#opening;
  }

  async #migrate(): Promise<void> {
    const operation = beginOperation();
    const onLate = (): void => abandon(operation);
    const applied = await this.#borrow(operation, (client) =>
      waitForAnswer(migrate(client), { deadlineMs: MIGRATION_MS, timers: this.#timers, onLate }),
    );
    if (applied.length > 0) this.#options.logger.info({ applied }, 'the tables of the ledger were brought up to date');
    this.#isMigrated = true;
    this.#note('open', null);
    this.start();
    for (const listener of this.#onOpen.splice(0)) listener();
  }

  async #lookOnce(): Promise<void> {
    try {
      if (!this.#isMigrated) await this.#open();
      else await this.#probe.ask();
      if (this.#timers.now() >= this.#unusableUntil) this.#note('open', null);
    } catch (error) {
      this.#note(readDatabaseFault(error) === 'unusable' ? 'unusable' : 'unreachable', error);
    }
  }

  #noteFault(fault: DatabaseFault, error: unknown): void {
    if (fault === 'unreachable') this.#note('unreachable', error);
    else if (fault === 'unusable') this.#noteUnusable(error);
  }

  /** Once may be chance, such as somebody who holds a lock. */
  #noteGivenUp(fault: DatabaseFault, error: unknown): void {
    // Those that an outage ends say nothing of what comes after it.
    if (fault !== 'unreachable') this.#givenUp += 1;
    if (fault !== 'unreachable' && this.#givenUp >= MAX_GIVEN_UP) this.#noteUnusable(error);
    else this.#noteFault(fault, error);
  }

  #noteUnusable(error: unknown): void {
    this.#unusableUntil = this.#timers.now() + UNUSABLE_MS;
    this.#probe.reset();
    this.#note('unusable', error);
  }

  #note(state: 'open' | 'unreachable' | 'unusable', error: unknown): void {
    if (this.#state === state || this.#isClosed) return;
    // To take long at opening is no failure yet.
    if (state !== 'open' && this.#state === 'opening' && this.#opening !== null) return;
    this.#state = state;
    if (state === 'open') this.#options.logger.info({}, 'the database is connected');
    else if (state === 'unreachable') this.#options.logger.warn({ err: error }, 'the database cannot be reached');
    else this.#options.logger.warn({ err: error }, 'the database cannot be used');
  }

  #connection(): pg.ClientConfig {
    const common = { connectionTimeoutMillis: CONNECT_TIMEOUT_MS, application_name: 'tapeql', keepAlive: true };
    if (this.#embedded !== null) {
      return { ...common, ...this.#embedded.address, user: 'postgres', database: 'postgres', ssl: false };
    }
    const { operationMs } = this.#patience;
    return {
      ...common,
      connectionString: this.#options.url!,
      statement_timeout: Math.ceil(operationMs * 0.8),
      lock_timeout: Math.ceil(operationMs * 0.6),
      // A process that is gone without a word holds the locks of its transaction no longer.
      idle_in_transaction_session_timeout: 2 * operationMs,
    };
  }

  #createPool(): pg.Pool {
    const config: pg.PoolConfig = { ...this.#connection(), max: MAX_CONNECTIONS, allowExitOnIdle: true };
    // It is one backend for all: what more connections would bring is waiting.
    if (this.#embedded !== null)
      Object.assign(config, { max: 2, connectionTimeoutMillis: 30_000, idleTimeoutMillis: 0 });
    const pool = new pg.Pool(config);
    const { logger } = this.#options;
    pool.on('error', (error) => logger.debug({ err: error }, 'an idle connection to the database ended'));
    // One that is lost between two statements of a transaction says so where nobody listens, which would end the process. Whoever has
    // it hears of the loss by the next statement.
    pool.on('connect', (client) => {
      this.#clients.add(client);
      client.on('error', (error) => logger.debug({ err: error }, 'a connection to the database was lost'));
    });
    pool.on('remove', (client) => this.#clients.delete(client));
    return pool;
  }
}

function beginOperation(): Operation {
  return { abort: () => {}, isOver: false, isCommitting: false };
}

/** Nobody waits for it any more: what it has under way fails. */
function abandon(operation: Operation): void {
  operation.isOver = true;
  operation.abort();
}
