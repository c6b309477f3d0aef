import pg from 'pg';
import type { Timers } from '../market/timers.ts';
import { connectClient, cutOff, endClient, waitForAnswer } from './database-client.ts';
import { DatabaseReadOnlyError } from './database-faults.ts';

export type DatabaseProbeOptions = {
  readonly connection: pg.ClientConfig;
  /** To be awaited before each connection is made. */
  readonly ensure: () => Promise<void>;
  readonly deadlineMs: number;
  readonly timers: Timers;
};

/**
 * Finds out whether the database can be used, by a query that has to be answered in time. It has a connection of its own: that all of
 * the others are in use says nothing about the database.
 */
export class DatabaseProbe {
  readonly #options: DatabaseProbeOptions;
  #client: pg.Client | null = null;
  #isClosed = false;

  constructor(options: DatabaseProbeOptions) {
    this.#options = options;
  }

  /** Resolves where it answers and takes changes. @throws the reason why not */
  async ask(): Promise<void> {
    const { deadlineMs, timers } = this.#options;
    try {
      await waitForAnswer(this.#query(), { deadlineMs, timers, onLate: () => this.reset() });
    } catch (error) {
      this.reset();
      throw error;
    }
  }

  /** The next question is asked over a new connection: what is set for new ones alone is seen by it. */
  reset(): void {
    const client = this.#client;
    this.#client = null;
    if (client !== null) cutOff(client);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const client = this.#client;
    this.#client = null;
    if (client !== null) await endClient(client, this.#options.timers);
  }

  async #query(): Promise<void> {
    const client = this.#client ?? (await this.#connect());
    const { rows } = await client.query<{ readonly isReadOnly: boolean }>(
      `SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS "isReadOnly"`,
    );
    if (rows[0]?.isReadOnly !== false) throw new DatabaseReadOnlyError('The database is read-only.');
  }

  async #connect(): Promise<pg.Client> {
    await this.#options.ensure();
    // An earlier question, given up while it waited here, may have connected by now.
    this.reset();
    const client = new pg.Client(this.#options.connection);
    const lose = (): void => {
      if (this.#client === client) this.#client = null;
    };
    client.on('error', lose);
    client.on('end', lose);
    this.#client = client;
    await connectClient(client);
    if (this.#isClosed) cutOff(client);
    return client;
  }
}
