import { expect } from 'vitest';
import { alpacaBroker } from '../src/ledger/alpaca-broker.ts';
import type { AlpacaLimits } from '../src/ledger/alpaca-patience.ts';
import { audit } from '../src/ledger/audit.ts';
import type { Order } from '../src/ledger/order.ts';
import { ALPACA_KEY, FakeAlpaca, type FakeOrder } from './alpaca.ts';
import { startLedger, type TestLedger, type TestLedgerOptions } from './ledger.ts';
import type { TestPostgres } from './postgres.ts';
import { until } from './until.ts';

/** What only time would bring about comes soon, but for the comparison by and by: what the stream tells has to suffice. */
const QUICK: Partial<AlpacaLimits> = {
  sendMs: 60_000,
  sendRetryMs: 5,
  rateWaitMs: 2_500,
  compareMs: 600_000,
  compareRetryMs: 10,
  // As often as a slow machine needs; a test of what happens where Alpaca has not decided in time says when that is.
  cancelLooksMs: [0, 5, 10, 20, 40, 80, ...Array.from({ length: 600 }, () => 100)],
  initialDelayMs: 5,
  maxDelayMs: 10,
};

/** Ledgers over one database of a real server, and the Alpaca account behind them. */
export class AlpacaBench {
  readonly alpaca: FakeAlpaca;
  readonly #url: string;
  #ledgers: TestLedger[] = [];
  #users = 0;

  private constructor(alpaca: FakeAlpaca, url: string) {
    this.alpaca = alpaca;
    this.#url = url;
  }

  static async start(postgres: TestPostgres): Promise<AlpacaBench> {
    return new AlpacaBench(await FakeAlpaca.start(), await postgres.createDatabase());
  }

  newUser(): string {
    return `user-${++this.#users}`;
  }

  /** A process of ours. AAPL is at 99.99 to 100.01. */
  async open(limits: Partial<AlpacaLimits> = {}, key: Partial<typeof ALPACA_KEY> = {}): Promise<TestLedger> {
    const { url } = this.alpaca;
    const all = { url, ...ALPACA_KEY, ...key, fetch, limits: { ...QUICK, ...limits } };
    return this.#open({ broker: alpacaBroker(all) });
  }

  /** One whose broker is the paper broker. */
  openPaper(): Promise<TestLedger> {
    return this.#open({});
  }

  async #open(options: TestLedgerOptions): Promise<TestLedger> {
    const ledger = await startLedger({ ...options, url: this.#url });
    ledger.market.set('AAPL', { price: 100, bid: 99.99, ask: 100.01, previousClose: 98 });
    await ledger.ledger.readAccount('somebody');
    this.#ledgers.push(ledger);
    return ledger;
  }

  /** The books are right, and no secret is in a log. */
  async close(): Promise<void> {
    const last = this.#ledgers.at(-1);
    if (last !== undefined) expect((await audit(last.database)).differences).toEqual([]);
    for (const ledger of this.#ledgers.toReversed()) await ledger.close();
    const logs = JSON.stringify(this.#ledgers.flatMap(({ records }) => records.map(describeRecord)));
    for (const secret of Object.values(ALPACA_KEY)) expect(logs).not.toContain(secret);
    this.#ledgers = [];
    await this.alpaca.close();
  }

  /** That of Alpaca which is this one of ours. */
  find(order: Order): FakeOrder {
    const found = this.alpaca.orders.filter((one) => one.client_order_id === `tapeql-${order.id}`);
    expect(found).toHaveLength(1);
    return found[0]!;
  }
}

/** An error with what it says and hides. */
function describeRecord({ fields, message }: { fields: object; message: string }): unknown {
  const texts = Object.values(fields).map((value) =>
    value instanceof Error ? [value.stack, String(value.cause), JSON.stringify(value)] : value,
  );
  return [message, texts];
}

/** Resolves once the newest order of a user is as `expected`. */
export async function untilOrder({ ledger }: TestLedger, user: string, expected: object): Promise<Order> {
  await until(async () => expect((await ledger.listOrders(user, null, 1))[0]).toMatchObject(expected));
  return (await ledger.listOrders(user, null, 1))[0]!;
}

/** What a user has, in few words. */
export async function readHoldings({ ledger }: TestLedger, user: string) {
  const { cash, holdings } = await ledger.readAccount(user);
  return { cash: cash.toFixed(), shares: holdings[0]?.quantity.toFixed() ?? '0' };
}
