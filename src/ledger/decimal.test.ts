import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimal, percentOf } from './decimal.ts';

describe('a percentage', () => {
  it('is rounded once, to six decimals, of two that lie as near to the even one', () => {
    const percent = (part: string, whole: string): number => percentOf(decimal(part), decimal(whole));
    expect(percent('1', '3')).toBe(33.333333);
    expect(percent('-2', '3')).toBe(-66.666667);
    expect(percent('0.000000005', '1')).toBe(0);
    expect(percent('0.000000015', '1')).toBe(0.000002);
    expect(percent('0.0000000050000000000000000000001', '1')).toBe(0.000001);
    expect(percent('5', '0')).toBe(0);
  });

  it('of any two amounts is what whole numbers of any length make of it', () => {
    const cents = fc.oneof(
      fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }),
      fc.bigInt({ min: -1000n, max: 1000n }),
      // Whole numbers of units and a half, of which many lie between two.
      fc.bigInt({ min: -(10n ** 6n), max: 10n ** 6n }).map((count) => count * 5n ** 9n),
      fc.integer({ min: 0, max: 15 }).map((digits) => 10n ** BigInt(digits)),
    );
    fc.assert(
      fc.property(
        cents,
        cents.filter((whole) => whole > 0n),
        (part, whole) => {
          const scaled = part * 10n ** 8n;
          let quotient = scaled / whole;
          const rest = scaled % whole;
          const twice = 2n * (rest < 0n ? -rest : rest);
          if (twice > whole || (twice === whole && quotient % 2n !== 0n)) quotient += rest < 0n ? -1n : 1n;
          const exact = Number(`${quotient}e-6`) || 0;
          expect(percentOf(decimal(`${part}e-2`), decimal(`${whole}e-2`)) || 0).toBe(exact);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
