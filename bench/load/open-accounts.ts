import { LISTINGS } from '../../src/feeds/simulator/listings.ts';
import { Accounts } from '../../src/ledger/accounts.ts';
import { Database } from '../../src/ledger/database.ts';
import { recordingLogger } from '../../test/recording-logger.ts';

export type OpenAccountsOptions = {
  /** `null`: the embedded database in `dataDir`. */
  readonly url: string | null;
  readonly dataDir: string;
  readonly openingCash: string;
  /** By user, the symbols of which shares are held. */
  readonly symbolsOf: ReadonlyMap<string, readonly string[]>;
};

const SHARES = [10, 25, 3, 140, 7];
const AT_A_TIME = 8;
const LISTED_PRICES = new Map(LISTINGS.map(({ symbol, price }) => [symbol, price]));

/** Accounts that hold something, opened by the ledger itself before the server under test uses their database. */
export async function openAccounts({ url, dataDir, openingCash, symbolsOf }: OpenAccountsOptions): Promise<void> {
  const database = new Database({ url, dataDir, logger: recordingLogger().logger });
  const accounts = new Accounts({
    ...{ database, openingCash, now: Date.now },
    openingPositionsOf: (user) =>
      symbolsOf.get(user)!.map((symbol, index) => ({
        symbol,
        quantity: String(SHARES[index % SHARES.length]),
        price: LISTED_PRICES.get(symbol)!.toFixed(2),
      })),
  });
  const users = symbolsOf.keys();
  const openInTurn = async (): Promise<void> => {
    for (const user of users) await accounts.open(user);
  };
  try {
    await Promise.all(Array.from({ length: AT_A_TIME }, openInTurn));
  } finally {
    await database.close();
  }
}
