import { amountOf, type Decimal, decimal } from '../../src/ledger/decimal.ts';

/** An execution as its user was told of it. */
export type ToldExecution = {
  readonly orderId: string;
  readonly side: 'BUY' | 'SELL';
  readonly quantity: string;
  readonly price: string;
};

export type ToldTimes = {
  readonly notifiedAt: number;
  /** When a portfolio came first that holds it; `null`: none did. */
  readonly shownAt: number | null;
};

/**
 * What one user was told of an account: its executions, and its cash in each portfolio. The cash after each execution follows to
 * the cent from the one before, so that a portfolio tells by it which executions it holds, in whatever order the two come.
 */
export class AccountTrail {
  readonly #executions: { readonly at: number; readonly told: ToldExecution }[] = [];
  readonly #portfolios: { readonly at: number; readonly cash: string }[] = [];

  noteExecution(told: ToldExecution, at: number): void {
    this.#executions.push({ told, at });
  }

  noteCash(cash: string, at: number): void {
    this.#portfolios.push({ cash, at });
  }

  /** `unexplained`: portfolios, after the first, whose cash does not follow from the executions. */
  read(): { readonly times: ReadonlyMap<string, ToldTimes>; readonly unexplained: number } {
    const [first, ...others] = this.#portfolios;
    const balances: Decimal[] = first === undefined ? [] : [decimal(first.cash)];
    for (const { told } of first === undefined ? [] : this.#executions) {
      const amount = amountOf(decimal(told.quantity), decimal(told.price));
      const before = balances.at(-1)!;
      balances.push(told.side === 'BUY' ? before.minus(amount) : before.plus(amount));
    }
    const shownAt: number[] = [];
    let shown = 0;
    let unexplained = 0;
    for (const { cash, at } of others) {
      const place = balances.findIndex((balance, index) => index >= shown && balance.eq(cash));
      if (place === -1) {
        unexplained += 1;
        continue;
      }
      for (; shown < place; shown++) shownAt.push(at);
    }
    const times = this.#executions.map(
      ({ told, at }, index) => [told.orderId, { notifiedAt: at, shownAt: shownAt[index] ?? null }] as const,
    );
    return { times: new Map(times), unexplained };
  }
}
