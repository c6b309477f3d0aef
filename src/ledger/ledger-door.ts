import { existsSync } from 'node:fs';
import path from 'node:path';
import type { AlpacaOptions } from './alpaca-broker.ts';
import type { ApiKeys } from './api-keys.ts';
import type { Database, DatabaseOptions } from './database.ts';
import type { Ledger, LedgerOptions } from './ledger.ts';

/** What the schema asks of the ledger. */
export type LedgerAccess = Pick<
  Ledger,
  | 'readPortfolio'
  | 'watchPortfolio'
  | 'placeOrder'
  | 'cancelOrder'
  | 'listOrders'
  | 'readLogEnd'
  | 'readNotifications'
  | 'listenForNews'
>;

export type LedgerDoorOptions = Omit<LedgerOptions, 'database' | 'broker'> &
  Pick<DatabaseOptions, 'url' | 'dataDir'> & {
    /** Who brings orders to a market; `null`: the paper broker. */
    readonly alpaca: AlpacaOptions | null;
  };

type Room = { readonly database: Database; readonly ledger: Ledger; readonly keys: ApiKeys };

/**
 * The ledger, behind a door: its code and its database are loaded when somebody asks for the first time, for they take some 50 MiB
 * that who serves market data alone does without. Where accounts are kept from before they are loaded at the start: orders may be
 * open.
 */
export class LedgerDoor implements LedgerAccess {
  readonly #options: LedgerDoorOptions;
  #opening: Promise<Room> | null = null;
  #room: Room | null = null;

  constructor(options: LedgerDoorOptions) {
    this.#options = options;
  }

  /** Returns at once. */
  start(): void {
    const { url, dataDir, logger } = this.#options;
    if (url === null && !existsSync(path.join(dataDir, 'ledger', 'PG_VERSION'))) return;
    this.#open().then(
      ({ database }) => database.start(),
      (error: unknown) => logger.error({ err: error }, 'the ledger could not be loaded'),
    );
  }

  /** Whether the database can be used now, as far as is known; one that waits to be started can. */
  get isConnected(): boolean {
    return this.#room === null ? this.#options.url === null : this.#room.database.isConnected;
  }

  async close(): Promise<void> {
    const room = await this.#opening?.catch(() => null);
    await room?.ledger.close();
    await room?.database.close();
  }

  /** Third parties' keys, which are kept in the same database. */
  async openKeys(): Promise<ApiKeys> {
    return (await this.#open()).keys;
  }

  readonly readPortfolio: LedgerAccess['readPortfolio'] = async (...args) =>
    (await this.#open()).ledger.readPortfolio(...args);
  readonly watchPortfolio: LedgerAccess['watchPortfolio'] = async (...args) =>
    (await this.#open()).ledger.watchPortfolio(...args);
  readonly placeOrder: LedgerAccess['placeOrder'] = async (...args) => (await this.#open()).ledger.placeOrder(...args);
  readonly cancelOrder: LedgerAccess['cancelOrder'] = async (...args) =>
    (await this.#open()).ledger.cancelOrder(...args);
  readonly listOrders: LedgerAccess['listOrders'] = async (...args) => (await this.#open()).ledger.listOrders(...args);
  readonly readLogEnd: LedgerAccess['readLogEnd'] = async (...args) => (await this.#open()).ledger.readLogEnd(...args);
  readonly readNotifications: LedgerAccess['readNotifications'] = async (...args) =>
    (await this.#open()).ledger.readNotifications(...args);
  readonly listenForNews: LedgerAccess['listenForNews'] = async (...args) =>
    (await this.#open()).ledger.listenForNews(...args);

  #open(): Promise<Room> {
    this.#opening ??= this.#load().catch((error: unknown) => {
      this.#opening = null;
      throw error;
    });
    return this.#opening;
  }

  async #load(): Promise<Room> {
    const { url, dataDir, alpaca, ...options } = this.#options;
    const [{ ApiKeys }, { Database }, { Ledger }] = await Promise.all([
      import('./api-keys.ts'),
      import('./database.ts'),
      import('./ledger.ts'),
    ]);
    const database = new Database({ url, dataDir, logger: options.logger });
    const broker = alpaca === null ? {} : { broker: (await import('./alpaca-broker.ts')).alpacaBroker(alpaca) };
    const ledger = new Ledger({ ...options, ...broker, database });
    this.#room = { database, ledger, keys: new ApiKeys(database) };
    return this.#room;
  }
}
