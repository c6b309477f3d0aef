import { expect, test } from 'vitest';
import { MarketHours } from './market-hours.ts';

const at = (text: string): number => Date.parse(text);

test('a print counts for the trade date of the calendar, and is regular between the bells', () => {
  const hours = new MarketHours();
  const friday = ['2026-11-20T08:59:59-05:00', '2026-11-20T09:30:00-05:00', '2026-11-20T16:00:00-05:00'];
  expect(friday.map((text) => [hours.dayOf(at(text)), hours.isRegular(at(text))])).toEqual([
    [20261120, false],
    [20261120, true],
    [20261120, false],
  ]);
  expect(hours.dayOf(at('2026-11-22T12:00:00-05:00'))).toBe(20261120);
  expect(hours.dayOf(at('2026-11-23T04:00:00-05:00'))).toBe(20261123);
});

test('times that alternate over a boundary are told apart', () => {
  const hours = new MarketHours();
  const bell = at('2026-11-20T09:30:00-05:00');
  const regular = [bell - 1, bell, bell - 2, bell + 1, bell - 86_400_000, bell].map((time) => hours.isRegular(time));
  expect(regular).toEqual([false, true, false, true, true, true]);
});

test('a holiday that the upstream announces moves the close', () => {
  const hours = new MarketHours();
  const two = at('2026-11-20T14:00:00-05:00');
  expect(hours.isRegular(two)).toBe(true);
  const open = at('2026-11-20T09:30:00-05:00');
  hours.setHolidays([{ date: '2026-11-20', name: 'Storm', status: 'early-close', open, close: open + 3_600_000 }]);
  expect(hours.isRegular(two)).toBe(false);
});

test('a market that never closes has the dates of New York for trade dates, each a regular session', () => {
  const hours = new MarketHours();
  hours.setAlwaysOpen(true);
  hours.setAlwaysOpen(true);
  const saturday = at('2026-11-21T00:00:00-05:00');
  expect([hours.dayOf(saturday - 1), hours.dayOf(saturday)]).toEqual([20261120, 20261121]);
  expect(hours.isRegular(saturday)).toBe(true);
});
