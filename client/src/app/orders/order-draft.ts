import Big from 'big.js';
import type { OrderSide, OrderType } from '../../gql/graphql.ts';

/** What stands in the ticket's fields, as it was typed. */
export type OrderDraft = {
  readonly side: OrderSide;
  readonly type: OrderType;
  readonly quantity: string;
  readonly limitPrice: string;
};

/** What is wrong with a field, as a sentence for its reader. */
export type DraftProblems = { readonly quantity: string | null; readonly limitPrice: string | null };

/** A draft that the server takes: decimal texts as it wants them. */
export type CheckedOrder = {
  readonly side: OrderSide;
  readonly type: OrderType;
  readonly quantity: string;
  readonly limitPrice: string | null;
};

export type CheckedDraft = { readonly problems: DraftProblems; readonly order: CheckedOrder | null };

type Bounds = { readonly what: string; readonly max: Big; readonly maxText: string; readonly decimals: number };

/** The server's own bounds: what passes here is not refused there for its form. */
const QUANTITY: Bounds = { what: 'a quantity', max: new Big('1000000000'), maxText: '1,000,000,000', decimals: 6 };
const PRICE: Bounds = { what: 'a limit price', max: new Big('999999999.9999'), maxText: '999,999,999', decimals: 4 };

/** Never through a double: `0.1` that was typed is 0.1 that is sent. */
export function checkDraft({ side, type, quantity, limitPrice }: OrderDraft): CheckedDraft {
  const shares = checkDecimal(quantity, QUANTITY);
  const limit = type === 'LIMIT' ? checkDecimal(limitPrice, PRICE) : null;
  const problems = { quantity: shares.problem, limitPrice: limit?.problem ?? null };
  if (shares.value === null || (limit !== null && limit.value === null)) return { problems, order: null };
  return { problems, order: { side, type, quantity: shares.value, limitPrice: limit?.value ?? null } };
}

type CheckedDecimal =
  | { readonly value: string; readonly problem: null }
  | { readonly value: null; readonly problem: string };

function checkDecimal(text: string, { what, max, maxText, decimals }: Bounds): CheckedDecimal {
  const refuse = (problem: string): CheckedDecimal => ({ value: null, problem });
  if (text.trim() === '') return refuse(`Enter ${what}.`);
  const value = parseDecimal(text);
  if (value === null) return refuse('Use digits and a decimal point, such as 12.5.');
  if (value.lte(0)) return refuse('This must be more than 0.');
  if (value.gt(max)) return refuse(`This can be ${maxText} at most.`);
  if (!value.round(decimals, Big.roundDown).eq(value)) {
    return refuse(`This can have ${decimals === 4 ? 'four' : 'six'} decimals at most.`);
  }
  return { value: value.toFixed(), problem: null };
}

const PLAIN = /^(?:\d+\.?\d*|\.\d+)$/;
const GROUPED = /^\d{1,3}(?:,\d{3})+(?:\.\d*)?$/;

/**
 * What somebody who types a number means by it; `null`: none. Commas group thousands where they stand as such, as in prices that
 * are pasted: `1,5` may be meant as one and a half, and is not guessed at.
 */
export function parseDecimal(text: string): Big | null {
  const trimmed = text.trim();
  if (PLAIN.test(trimmed)) return new Big(trimmed.replace(/\.$/, ''));
  return GROUPED.test(trimmed) ? new Big(trimmed.replaceAll(',', '').replace(/\.$/, '')) : null;
}
