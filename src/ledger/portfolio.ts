import type { Account, Holding } from './accounts.ts';
import {
  amountOf,
  averagePriceOf,
  type Decimal,
  decimalOfPrice,
  formatMoney,
  formatQuantity,
  percentOf,
  ZERO,
} from './decimal.ts';
import type { LedgerQuote } from './quotes.ts';

/** As the schema shows it: amounts are decimal texts. */
export type Position = {
  readonly symbol: string;
  readonly quantity: string;
  readonly averagePrice: string;
  readonly marketPrice: string | null;
  readonly marketValue: string;
  readonly unrealizedPnl: string;
  readonly unrealizedPnlPercent: number;
  readonly dayChange: string;
};

export type Portfolio = {
  readonly id: string;
  readonly totalValue: string;
  readonly cash: string;
  readonly equity: string;
  readonly dayChange: string;
  readonly dayChangePercent: number;
  readonly positions: readonly Position[];
  /** Unix ms. */
  readonly timestamp: number;
};

/** The prices of one quote, made decimal and written once for all who hold the symbol. */
export type Price = {
  readonly last: Decimal;
  /** Since the previous close, per share. */
  readonly change: Decimal;
  readonly text: string;
};

export function priceOf(quote: LedgerQuote): Price {
  const last = decimalOfPrice(quote.price);
  const { previousClose } = quote;
  const change = previousClose === null ? ZERO : last.minus(decimalOfPrice(previousClose));
  return { last, change, text: formatMoney(last) };
}

/** A holding at a price; what the sums are made of stays beside it. */
export type ValuedPosition = { readonly position: Position; readonly value: Decimal; readonly dayChange: Decimal };

/** Without a price a holding counts as what it has cost. `before`: the same holding at another price, of which the rest is taken. */
export function valuePosition(holding: Holding, price: Price | null, before?: ValuedPosition): ValuedPosition {
  const { quantity, cost } = holding;
  const value = price === null ? cost : amountOf(quantity, price.last);
  const dayChange = price === null ? ZERO : amountOf(quantity, price.change);
  const gain = value.minus(cost);
  return {
    value,
    dayChange,
    position: {
      symbol: holding.symbol,
      quantity: before?.position.quantity ?? formatQuantity(quantity),
      averagePrice: before?.position.averagePrice ?? formatMoney(averagePriceOf(cost, quantity)),
      marketPrice: price === null ? null : price.text,
      marketValue: formatMoney(value),
      unrealizedPnl: formatMoney(gain),
      unrealizedPnlPercent: percentOf(gain, cost),
      dayChange: formatMoney(dayChange),
    },
  };
}

/** `totalValue` is exactly `cash` and the positions' `marketValue` together. */
export function sumUp({ userId, cash }: Account, positions: readonly ValuedPosition[], timestamp: number): Portfolio {
  const equity = positions.reduce((sum, { value }) => sum.plus(value), ZERO);
  const dayChange = positions.reduce((sum, position) => sum.plus(position.dayChange), ZERO);
  const totalValue = cash.plus(equity);
  return {
    id: userId,
    totalValue: formatMoney(totalValue),
    cash: formatMoney(cash),
    equity: formatMoney(equity),
    dayChange: formatMoney(dayChange),
    dayChangePercent: percentOf(dayChange, totalValue.minus(dayChange)),
    positions: positions.map(({ position }) => position),
    timestamp,
  };
}

/** A whole account at once. */
export function valueAccount(
  account: Account,
  quoteOf: (symbol: string) => LedgerQuote | null,
  timestamp: number,
): Portfolio {
  const positions = account.holdings.map((holding) => {
    const quote = quoteOf(holding.symbol);
    return valuePosition(holding, quote === null ? null : priceOf(quote));
  });
  return sumUp(account, positions, timestamp);
}
