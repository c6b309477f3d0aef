import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkDraft, type OrderDraft, parseDecimal } from './order-draft.ts';

const DRAFT: OrderDraft = { side: 'BUY', type: 'LIMIT', quantity: '10', limitPrice: '180.25' };

const check = (draft: Partial<OrderDraft>) => checkDraft({ ...DRAFT, ...draft });

describe('a draft', () => {
  it('that is whole becomes an order, in the digits that were typed', () => {
    expect(check({})).toEqual({
      problems: { quantity: null, limitPrice: null },
      order: { side: 'BUY', type: 'LIMIT', quantity: '10', limitPrice: '180.25' },
    });
    expect(check({ quantity: ' 1,234.100000 ', limitPrice: '.1' }).order).toMatchObject({
      quantity: '1234.1',
      limitPrice: '0.1',
    });
  });

  it.each([
    ['', 'Enter a quantity.'],
    ['  ', 'Enter a quantity.'],
    ['ten', 'Use digits and a decimal point, such as 12.5.'],
    ['1e3', 'Use digits and a decimal point, such as 12.5.'],
    ['-5', 'Use digits and a decimal point, such as 12.5.'],
    ['1,5', 'Use digits and a decimal point, such as 12.5.'],
    ['0', 'This must be more than 0.'],
    ['0.0000001', 'This can have six decimals at most.'],
    ['1000000000.1', 'This can be 1,000,000,000 at most.'],
  ])('with a quantity of "%s" is told: %s', (quantity, problem) => {
    expect(check({ quantity })).toEqual({ problems: { quantity: problem, limitPrice: null }, order: null });
  });

  it.each([
    ['', 'Enter a limit price.'],
    ['0', 'This must be more than 0.'],
    ['1.00001', 'This can have four decimals at most.'],
    ['1000000000', 'This can be 999,999,999 at most.'],
  ])('with a limit of "%s" is told: %s', (limitPrice, problem) => {
    expect(check({ limitPrice })).toEqual({ problems: { quantity: null, limitPrice: problem }, order: null });
  });

  it('of a market order has no limit, whatever stands in its field', () => {
    expect(check({ type: 'MARKET', limitPrice: 'nonsense' })).toEqual({
      problems: { quantity: null, limitPrice: null },
      order: { side: 'BUY', type: 'MARKET', quantity: '10', limitPrice: null },
    });
  });

  it('that passes is in the form that the server takes', () => {
    const digits = fc.stringMatching(/^[0-9.,]{0,14}$/);
    fc.assert(
      fc.property(digits, digits, (quantity, limitPrice) => {
        const { order } = check({ quantity, limitPrice });
        if (order === null) return;
        expect(order.quantity).toMatch(/^\d{1,10}(\.\d{1,6})?$/);
        expect(order.limitPrice).toMatch(/^\d{1,9}(\.\d{1,4})?$/);
      }),
      { numRuns: 2000 },
    );
  });
});

it('commas group thousands, and mean nothing else', () => {
  expect(parseDecimal('12,345,678.5')?.toFixed()).toBe('12345678.5');
  expect(parseDecimal('5.')?.toFixed()).toBe('5');
  for (const text of ['1,23', '12,3456', ',123', '1.2.3', '.', '1 000']) expect(parseDecimal(text)).toBeNull();
});
