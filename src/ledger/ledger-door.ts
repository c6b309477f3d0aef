import type { AlpacaOptions } from './alpaca-broker.ts';
import type { ApiKeys } from './api-keys.ts';
import type { Database, DatabaseOptions, DatabaseState } from './database.ts';
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
  Pick<DatabaseOptions, 'url' | 'dataDir' | 'embedded' | 'patience'> & {
    /** Who brings orders to a market; `null`: the paper broker. */
    readonly alpaca: AlpacaOptions | null;
  };

type Room = { readonly database: Database; readonly ledger: Ledger; readonly keys: ApiKeys };

/**
 * The ledger, behind a door: its code and its database are loaded when somebody asks for the first time, for they take memory
 * that a process without viewers does without, or by {@link start}.
 */
export class LedgerDoor implements LedgerAccess {
  readonly #options: LedgerDoorOptions;
  #opening: Promise<Room> | null = null;
  #room: Room | null = null;

  constructor(options: LedgerDoorOptions) {
    this.#options = options;
  }

  /** Begins to load it, so that the first viewer does not wait. Returns at once. */
  start(): void {
    this.#open().then(
      ({ database }) => database.start(),
      (error: unknown) => this.#options.logger.error({ err: error }, 'the ledger could not be loaded'),
    );
  }

  get databaseState(): DatabaseState {
    return this.#room?.database.state ?? (this.#opening === null ? 'unopened' : 'opening');
  }

  /** Whether the database can be used now, as far as is known; an embedded one that nobody has needed so far can. */
  get isConnected(): boolean {
    if (this.#room !== null) return this.#room.database.isConnected;
    return this.#opening === null && this.#options.url === null;
  }

  /** See {@link Database.hurry}. */
  hurry(): void {
    this.#room?.database.hurry();
  }

  async close(): Promise<void> {
    const room = await this.#opening?.catch(() => null);
    room?.database.hurry();
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
    const { url, dataDir, embedded, patience, alpaca, ...options } = this.#options;
    const [{ ApiKeys }, { Database }, { Ledger }] = await Promise.all([
      import('./api-keys.ts'),
      import('./database.ts'),
      import('./ledger.ts'),
    ]);
    const database = new Database({
      ...{ url, dataDir, logger: options.logger },
      ...(embedded !== undefined && { embedded }),
      ...(patience !== undefined && { patience }),
    });
    const broker = alpaca === null ? {} : { broker: (await import('./alpaca-broker.ts')).alpacaBroker(alpaca) };
    const ledger = new Ledger({ ...options, ...broker, database });
    this.#room = { database, ledger, keys: new ApiKeys(database) };
    return this.#room;
  }
}
