import Big from 'big.js';
import type { OrderSide, OrderStatus } from '../../gql/graphql.ts';
import type { CheckedOrder } from './order-draft.ts';

/** What a new order can use: open orders keep theirs back, as the server counts it. */
export type Means = { readonly cash: Big; readonly shares: Big };

type Holdings = {
  readonly cash: string;
  readonly positions: readonly { readonly symbol: string; readonly quantity: string }[];
};

type KnownOrder = {
  readonly symbol: string;
  readonly side: OrderSide;
  readonly status: OrderStatus;
  readonly quantity: string;
  readonly filledQuantity: string;
  readonly limitPrice?: string | null;
};

/** The market as far as it matters here; a side that nobody is on is missing. */
export type Market = {
  readonly price: number;
  readonly bid?: number | null | undefined;
  readonly ask?: number | null | undefined;
};

export type Estimate = {
  /** Per share. */
  readonly price: Big;
  /** What cash moves by, as the ledger rounds it. */
  readonly amount: Big;
  /** Free cash afterwards. */
  readonly cashAfter: Big;
  /** Whether the market meets the order now, so that it is filled at once. */
  readonly isMet: boolean;
  /** What is missing for it: cash of a buy, shares of a sale. */
  readonly shortage: Big | null;
};

export function isOpen({ status }: { readonly status: OrderStatus }): boolean {
  return status === 'PENDING' || status === 'PARTIALLY_FILLED';
}

/** What is free for an order in `symbol`. */
export function countMeans(holdings: Holdings, orders: readonly KnownOrder[], symbol: string): Means {
  let cash = new Big(holdings.cash);
  let shares = new Big(holdings.positions.find((position) => position.symbol === symbol)?.quantity ?? 0);
  for (const order of orders) {
    if (!isOpen(order)) continue;
    const left = new Big(order.quantity).minus(order.filledQuantity);
    if (order.side === 'BUY') cash = cash.minus(amountOf(left, new Big(order.limitPrice ?? 0)));
    else if (order.symbol === symbol) shares = shares.minus(left);
  }
  return { cash, shares };
}

/** What an order would cost or bring; `null` where its price is not known. */
export function estimateOrder(order: CheckedOrder, market: Market | undefined, means: Means): Estimate | null {
  const limit = order.limitPrice === null ? null : new Big(order.limitPrice);
  const opposite = readOpposite(order.side, market);
  const isMet =
    opposite !== null && (limit === null || (order.side === 'BUY' ? opposite.lte(limit) : opposite.gte(limit)));
  // An order that the market meets is filled at the market's price, be its limit ever so generous.
  const price = isMet ? opposite : limit;
  if (price === null) return null;
  const quantity = new Big(order.quantity);
  const amount = amountOf(quantity, price);
  const isBuy = order.side === 'BUY';
  const left = isBuy ? means.cash.minus(amount) : means.shares.minus(quantity);
  return {
    ...{ price, amount, isMet },
    cashAfter: isBuy ? left : means.cash.plus(amount),
    shortage: left.lt(0) ? left.abs() : null,
  };
}

/** The most shares that the means allow, a part of them: whole ones of a buy, for who buys means a number. `null`: no price. */
export function countShares(
  part: number,
  order: Pick<CheckedOrder, 'side' | 'limitPrice'>,
  market: Market | undefined,
  means: Means,
): string | null {
  if (order.side === 'SELL') {
    // What is sold wholly is sold to the last fraction; a part of it is cut to what an order may have.
    return floorAtZero(means.shares.times(part).round(6, Big.roundDown)).toFixed();
  }
  const price = order.limitPrice === null ? readOpposite('BUY', market) : new Big(order.limitPrice);
  if (price === null || price.lte(0)) return null;
  return floorAtZero(means.cash.times(part).div(price).round(0, Big.roundDown)).toFixed();
}

function readOpposite(side: OrderSide, market: Market | undefined): Big | null {
  const price = side === 'BUY' ? market?.ask : market?.bid;
  // The decimal number that the price was before it became a double.
  return price == null || price <= 0 ? null : new Big(String(price));
}

/** As the ledger moves cash: to four decimals, half-even. */
function amountOf(quantity: Big, price: Big): Big {
  return quantity.times(price).round(4, Big.roundHalfEven);
}

function floorAtZero(value: Big): Big {
  return value.lt(0) ? new Big(0) : value;
}
