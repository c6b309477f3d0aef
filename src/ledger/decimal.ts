import Big from 'big.js';

/** An exact decimal number: money, quantities and prices of the ledger are never doubles. */
export type Decimal = Big;

/** Cash is kept to four decimals, half-even: of an amount that lies between two, the even one. */
const MONEY_DECIMALS = 4;
/** Long enough for a price, or an average of prices, of any listed share. */
const PRICE_DECIMALS = 8;

/** A share of something is told in percent with six decimals: what is divided further is only rounded away. */
const Ratio = Big();
Ratio.DP = 8;
Ratio.RM = Big.roundHalfEven;
/** Of a share below this, in units of its last decimal, what doubles make is off by less than half of the guard. */
const MAX_FAST_UNITS = 1e9;
const GUARD = 1e-6;

export const ZERO: Decimal = new Big(0);

/** From a decimal text, such as the database gives. @throws where it is none */
export function decimal(text: string): Decimal {
  return new Big(text);
}

/** The decimal number that a price was before it became a double: the shortest one that is read back as the same double. */
export function decimalOfPrice(price: number): Decimal {
  return new Big(String(price));
}

export function roundMoney(value: Decimal): Decimal {
  return value.round(MONEY_DECIMALS, Big.roundHalfEven);
}

/** `quantity × price`, as cash moves by it. */
export function amountOf(quantity: Decimal, price: Decimal): Decimal {
  return roundMoney(quantity.times(price));
}

/** `part` of `whole`, in percent, to six decimals half-even; 0 of nothing. */
export function percentOf(part: Decimal, whole: Decimal): number {
  if (whole.eq(0)) return 0;
  // The same with doubles, in a tenth of the time, wherever their error cannot matter: not next to what lies between two.
  const units = (Number(part) / Number(whole)) * 1e8;
  const nearest = Math.round(units);
  if (Math.abs(units) < MAX_FAST_UNITS && Math.abs(units - nearest) < 0.5 - GUARD) return nearest / 1e6;
  return Number(new Ratio(part).div(whole).times(100));
}

export function averagePriceOf(amount: Decimal, quantity: Decimal): Decimal {
  return quantity.eq(0) ? ZERO : amount.div(quantity).round(PRICE_DECIMALS, Big.roundHalfEven);
}

/** `whole × part / parts`, as money. */
export function shareOf(whole: Decimal, part: Decimal, parts: Decimal): Decimal {
  // Multiplied first: a division that does not come out even is cut at the end only.
  return part.eq(parts) ? whole : whole.times(part).div(parts).round(MONEY_DECIMALS, Big.roundHalfEven);
}

/** Money and prices have cents at least: `100000.00`, `12.3456`. */
export function formatMoney(value: Decimal): string {
  const text = value.toFixed();
  const point = text.indexOf('.');
  const decimals = point === -1 ? 0 : text.length - point - 1;
  return decimals < 2 ? value.toFixed(2) : text;
}

/** No more digits than it has: `10`, `0.5`. */
export function formatQuantity(value: Decimal): string {
  return value.toFixed();
}
