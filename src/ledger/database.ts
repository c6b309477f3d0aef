import pg from 'pg';
import { ClientError } from '../errors.ts';
import type { Logger } from '../market/logger.ts';
import { systemTimers, type Timers, waitAtMost } from '../market/timers.ts';
import { drizzle, type NodePgDatabase, sql } from './drizzle.ts';
import { EmbeddedPostgres, EmbeddedPostgresError } from './embedded-postgres.ts';
import { migrate } from './migrate.ts';

export type Queries = NodePgDatabase;
export type Transaction = Parameters<Parameters<Queries['transaction']>[0]>[0];

export type DatabaseOptions = {
  /** `postgres://…`; `null`: an embedded Postgres in `dataDir`. */
  readonly url: string | null;
  readonly dataDir: string;
  /** The embedded one, where somebody has created it already, who closes it as well. */
  readonly embedded?: EmbeddedPostgres;
  /** How long whoever uses it waits until it is open. Default 5 s. */
  readonly openingWaitMs?: number;
  /** Default: the machine's. */
  readonly timers?: Timers;
  readonly logger: Logger;
};

/** `unopened`: nobody has needed it so far. `opening`: it is being created, started or brought up to date. */
export type DatabaseState = 'unopened' | 'opening' | 'open' | 'unreachable';

const MAX_CONNECTIONS = 10;
const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
/** How often an unreachable database is tried again, and a reachable one is looked at. */
const CHECK_MS = 3_000;
const RETRY_AFTER_MS = 1_000;
const OPENING_WAIT_MS = 5_000;
/** How long the end waits for what is under way. */
const CLOSE_DEADLINE_MS = 1_000;
/** What the role of the one process that works open orders is locked by. */
const WORK_LOCK = 7_283_002;

/**
 * The ledger's database. Nothing is opened before it is needed: the embedded one takes memory, which a process without accounts
 * does without. Its tables are there when the first query runs.
 */
export class Database {
  readonly #options: DatabaseOptions;
  readonly #timers: Timers;
  readonly #embedded: EmbeddedPostgres | null;
  readonly #pool: pg.Pool;
  readonly #queries: Queries;
  #opening: Promise<void> | null = null;
  #state: DatabaseState = 'unopened';
  /** Calls the next look off; `null`: nobody looks. */
  #stopLooking: (() => void) | null = null;
  #check: Promise<void> | null = null;
  #isClosed = false;
  readonly #onOpen: (() => void)[] = [];

  constructor(options: DatabaseOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
    this.#embedded = options.url === null ? (options.embedded ?? new EmbeddedPostgres(options)) : null;
    this.#pool = this.#createPool();
    this.#pool.on('error', (error) => options.logger.debug({ err: error }, 'an idle connection to the database ended'));
    this.#queries = drizzle(this.#pool);
  }

  get state(): DatabaseState {
    return this.#state;
  }

  /** Whether it can be used now, as far as is known. The embedded one can before it is opened: it is opened by its first use. */
  get isConnected(): boolean {
    return this.#state === 'open' || (this.#state === 'unopened' && this.#embedded !== null);
  }

  /** Calls `listener` once, when the database is used first. */
  onOpen(listener: () => void): void {
    this.#onOpen.push(listener);
  }

  /** Begins to open it, and finds out from then on whether it can be reached. Returns at once. */
  start(): void {
    this.#lookAfter();
  }

  /**
   * Runs `work` on the tables.
   * @throws {ClientError} UPSTREAM_UNAVAILABLE where the database cannot be reached, or is not open after `openingWaitMs`
   */
  async use<T>(work: (queries: Queries) => Promise<T>): Promise<T> {
    try {
      await this.#waitUntilOpen();
      return await work(this.#queries);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      this.#note(false, error);
      throw new ClientError(
        'UPSTREAM_UNAVAILABLE',
        'Accounts cannot be reached now.',
        { retryAfterMs: RETRY_AFTER_MS },
        error,
      );
    }
  }

  /** All of `work` or none of it. */
  transact<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.use((queries) => queries.transaction(work));
  }

  /**
   * Asks for the role of the one process that works open orders: `null` where another has it. It is lost with the connection that
   * holds it, of which `onLost` is told, and which the database notices by itself.
   */
  async takeRole(onLost: () => void): Promise<(() => Promise<void>) | null> {
    return this.use(async () => {
      if (this.#embedded !== null) {
        if (!this.#embedded.isOwner) return null;
        // Where the thread is, there is the role.
        return async () => {};
      }
      const client = new pg.Client(this.#connection());
      let isHeld = true;
      const lose = (): void => {
        if (!isHeld) return;
        isHeld = false;
        onLost();
      };
      client.on('error', lose);
      client.on('end', lose);
      const release = async (): Promise<void> => {
        isHeld = false;
        await client.end();
      };
      try {
        await client.connect();
        const { rows } = await client.query<{ held: boolean }>('SELECT pg_try_advisory_lock($1) AS held', [WORK_LOCK]);
        if (rows[0]?.held === true) return release;
      } catch (error) {
        await release().catch(() => {});
        throw error;
      }
      await release();
      return null;
    });
  }

  /** Ends what is under way, and in any case within some seconds. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopLooking?.();
    const underWay = Promise.allSettled([this.#check, this.#opening, this.#pool.end()]);
    const closeOwn = (): Promise<void> | undefined =>
      this.#options.embedded === undefined ? this.#embedded?.close() : undefined;
    // One that is still being opened has nothing to lose, and the others wait for it.
    if (this.#state !== 'open') await closeOwn();
    await waitAtMost(CLOSE_DEADLINE_MS, this.#timers, underWay);
    await closeOwn();
  }

  /** Until it is open, but not for ever: who asks is told to come back. */
  async #waitUntilOpen(): Promise<void> {
    if (this.#state === 'open') return;
    if (await waitAtMost(this.#options.openingWaitMs ?? OPENING_WAIT_MS, this.#timers, this.#open())) return;
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
    const client = await this.#pool.connect();
    try {
      const applied = await migrate(client);
      if (applied.length > 0)
        this.#options.logger.info({ applied }, 'the tables of the ledger were brought up to date');
    } finally {
      client.release();
    }
    this.#note(true, null);
    this.#lookAfter();
    for (const listener of this.#onOpen.splice(0)) listener();
  }

  /** Finds out from now on whether it can be reached, also where nobody uses it. */
  #lookAfter(): void {
    if (this.#stopLooking !== null || this.#isClosed) return;
    const look = (): void => {
      this.#stopLooking = this.#timers.after(CHECK_MS, look);
      this.#check ??= this.use((queries) => queries.execute(sql`SELECT 1`))
        .then(
          () => this.#note(true, null),
          (error: unknown) => this.#note(false, error),
        )
        .finally(() => (this.#check = null));
    };
    look();
  }

  #note(isConnected: boolean, error: unknown): void {
    const state = isConnected ? 'open' : 'unreachable';
    if (this.#state === state || this.#isClosed) return;
    // To take long at opening is no failure yet.
    if (!isConnected && this.#state === 'opening' && this.#opening !== null) return;
    this.#state = state;
    if (isConnected) this.#options.logger.info({}, 'the database is connected');
    else this.#options.logger.warn({ err: error }, 'the database cannot be reached');
  }

  #connection(): pg.ClientConfig {
    const common = { connectionTimeoutMillis: CONNECT_TIMEOUT_MS, application_name: 'tapeql', keepAlive: true };
    if (this.#embedded === null) {
      return { ...common, connectionString: this.#options.url!, statement_timeout: STATEMENT_TIMEOUT_MS };
    }
    return { ...common, ...this.#embedded.address, user: 'postgres', database: 'postgres', ssl: false };
  }

  #createPool(): pg.Pool {
    const embedded = this.#embedded;
    const config: pg.PoolConfig = { ...this.#connection(), max: MAX_CONNECTIONS, allowExitOnIdle: true };
    // It is one backend for all: what more connections would bring is waiting.
    if (embedded !== null) Object.assign(config, { max: 2, connectionTimeoutMillis: 30_000, idleTimeoutMillis: 0 });
    const pool = new pg.Pool(config);
    // One that is lost between two statements of a transaction says so where nobody listens, which would end the process. Whoever has
    // it hears of the loss by the next statement.
    pool.on('connect', (client) => {
      client.on('error', (error) =>
        this.#options.logger.debug({ err: error }, 'a connection to the database was lost'),
      );
    });
    if (embedded === null) return pool;
    const connect = pool.connect.bind(pool) as (done?: ConnectCallback) => Promise<pg.PoolClient>;
    return Object.assign(pool, {
      connect(done?: ConnectCallback) {
        if (done === undefined) return embedded.ensure().then(() => connect());
        // What the pool itself calls, for a single query.
        embedded.ensure().then(
          () => void connect(done),
          (error: Error) => done(error),
        );
        return undefined;
      },
    });
  }
}

type ConnectCallback = (error: Error, client?: pg.PoolClient) => void;

/** Classes of SQLSTATE: connection lost, too many connections, shut down or starting up. */
const AWAY = /^(08|53|57P)/;
const SYSTEM_ERRORS = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'EAGAIN'],
]);

/** What the driver says in words alone. */
const LOST_CONNECTION =
  /^(Connection terminated|timeout exceeded when trying to connect|Client was closed|Client has encountered a connection error)/;

function isUnreachable(error: unknown): boolean {
  // What Drizzle throws has what the driver threw as its cause.
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ClientError) return false;
    if (cause instanceof EmbeddedPostgresError) return true;
    if (cause instanceof AggregateError && cause.errors.some(isUnreachable)) return true;
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    if (SYSTEM_ERRORS.has(code) || AWAY.test(code)) return true;
    if (LOST_CONNECTION.test(cause.message)) return true;
  }
  return false;
}
