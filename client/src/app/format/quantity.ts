import { UNKNOWN } from './price.ts';

const quantities = new Intl.NumberFormat('en-US', { maximumFractionDigits: 6 });
const volumes = new Intl.NumberFormat('en-US', {
  notation: 'compact',
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** Shares, fractions included: a number, or a decimal as the ledger has it, whose digits are all kept. */
export function formatQuantity(quantity: number | string | null | undefined): string {
  return quantity == null ? UNKNOWN : quantities.format(quantity as number | `${number}`);
}

/** "1.2M": how much was traded, at a glance. */
export function formatVolume(volume: number | null | undefined): string {
  if (volume == null) return UNKNOWN;
  return (volume < 1000 ? whole : volumes).format(volume);
}
