import { UNKNOWN } from './price.ts';

const dollars = new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD' });
const signedDollars = new Intl.NumberFormat('en-US', {
  style: 'currency',
  currency: 'USD',
  signDisplay: 'exceptZero',
});

/** An amount of the ledger, "$10,250.37". The text is formatted as it is: it never becomes a float. */
export function formatMoney(amount: string | null | undefined): string {
  return amount == null ? UNKNOWN : dollars.format(amount as `${number}`).replace('-', '−');
}

/** Signed, "+$12.30". */
export function formatSignedMoney(amount: string | null | undefined): string {
  return amount == null ? UNKNOWN : signedDollars.format(amount as `${number}`).replace('-', '−');
}
