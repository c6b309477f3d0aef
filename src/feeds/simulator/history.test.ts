import { describe, expect, test } from 'vitest';
import { createCalendar } from '../../market/calendar.ts';
import type { PastBar } from './bar-window.ts';
import { History } from './history.ts';
import type { Character } from './instrument.ts';
import { ContinuousSchedule, NewYorkSchedule } from './schedule.ts';
import type { Schedule } from './schedule.ts';

const BUSY: Character = {
  index: 0,
  symbol: 'BUSY',
  basePrice: 120,
  ticksPerUnit: 100,
  dailyVolatility: 0.02,
  tradesPerSecond: 10,
  sharesPerTrade: 80,
};
const QUIET: Character = { ...BUSY, symbol: 'QUIET', tradesPerSecond: 0.005 };

const newYork = (): Schedule => new NewYorkSchedule(createCalendar());

describe.each([
  ['of a market that never closes', () => new ContinuousSchedule()],
  ['in New York hours', newYork],
] as const)('the past %s', (_name, makeSchedule) => {
  test('is the same whenever it is asked for, and another for another seed or symbol', () => {
    const schedule = makeSchedule();
    const day = schedule.dayOf('2026-11-18')!;
    const bars = (seed: number, character = BUSY): PastBar[] =>
      new History(seed, schedule).minutesOf(character, day, Infinity);
    const known = new History(1, schedule);
    known.dayBarOf(BUSY, schedule.dayBefore(day));
    expect(known.minutesOf(BUSY, day, Infinity)).toEqual(bars(1));
    expect(bars(2)).not.toEqual(bars(1));
    expect(bars(1, { ...BUSY, symbol: 'OTHER' })).not.toEqual(bars(1));
  });

  test('has minutes that make sense and sum up to the day', () => {
    const schedule = makeSchedule();
    const history = new History(1, schedule);
    const day = schedule.dayOf('2026-11-18')!;
    const bars = history.minutesOf(BUSY, day, Infinity);
    for (const bar of bars) {
      expect(bar.low).toBeLessThanOrEqual(Math.min(bar.open, bar.close));
      expect(bar.high).toBeGreaterThanOrEqual(Math.max(bar.open, bar.close));
      expect(bar.notional / (bar.micros / 1e6)).toBeGreaterThanOrEqual(bar.low - 1e-9);
      expect(bar.notional / (bar.micros / 1e6)).toBeLessThanOrEqual(bar.high + 1e-9);
      expect(bar.start % 60_000).toBe(0);
    }
    const regular = bars.filter(({ start }) => start >= day.opensAt && start < day.closesAt);
    const sum = history.dayBarOf(BUSY, day)!;
    expect(sum).toMatchObject({
      start: day.midnight,
      open: regular[0]!.open,
      close: regular.at(-1)!.close,
      high: Math.max(...regular.map(({ high }) => high)),
      low: Math.min(...regular.map(({ low }) => low)),
      micros: bars.reduce((total, { micros }) => total + micros, 0),
      count: bars.reduce((total, { count }) => total + count, 0),
    });
    expect(sum.close).toBe(history.closeOf(BUSY, day));
  });

  test('stops where the tape begins, with the price that it has reached', () => {
    const schedule = makeSchedule();
    const history = new History(1, schedule);
    const day = schedule.dayOf('2026-11-18')!;
    const until = day.opensAt + 3_600_000;
    const bars: PastBar[] = [];
    const price = history.walk(BUSY, day, until, (bar) => bars.push({ ...bar }));
    expect(bars.at(-1)!.start).toBe(until - 60_000);
    expect(bars.at(-1)!.close).toBe(price);
    expect(history.minutesOf(BUSY, day, Infinity).slice(0, bars.length)).toEqual(bars);
  });

  test('of a thinly traded symbol lacks minutes', () => {
    const schedule = makeSchedule();
    const history = new History(1, schedule);
    const day = schedule.dayOf('2026-11-18')!;
    const share = history.minutesOf(QUIET, day, Infinity).length / history.minutesOf(BUSY, day, Infinity).length;
    expect(share).toBeGreaterThan(0.01);
    expect(share).toBeLessThan(0.3);
  });

  test('moves by the volatility of the symbol, and stays around its price', () => {
    const schedule = makeSchedule();
    const history = new History(1, schedule);
    const closes: number[] = [];
    let day = schedule.dayOf('2026-11-18')!;
    for (let count = 0; count < 400; count += 1, day = schedule.dayBefore(day)) closes.push(history.closeOf(BUSY, day));
    const returns = closes.slice(1).map((close, index) => Math.log(closes[index]! / close));
    const deviation = Math.sqrt(returns.reduce((sum, step) => sum + step * step, 0) / returns.length);
    expect(deviation).toBeGreaterThan(0.01);
    expect(deviation).toBeLessThan(0.03);
    expect(Math.min(...closes)).toBeGreaterThan(60);
    expect(Math.max(...closes)).toBeLessThan(240);
  });
});

describe('trading days', () => {
  test('of New York skip weekends and holidays, and end early before Christmas', () => {
    const schedule = newYork();
    expect(schedule.dayOf('2026-11-26')).toBeNull();
    expect(schedule.dayBefore(schedule.dayOf('2026-11-30')!).date).toBe('2026-11-27');
    expect(schedule.dayAt(Date.parse('2026-11-23T03:29:00-05:00')).date).toBe('2026-11-20');
    expect(schedule.dayAt(Date.parse('2026-11-23T03:31:00-05:00')).date).toBe('2026-11-23');
    const early = schedule.dayOf('2026-12-24')!;
    expect(early.closesAt - early.opensAt).toBe(3.5 * 3_600_000);
    expect(early.endsAt - early.closesAt).toBe(4 * 3_600_000);
    expect(() => schedule.dayOf('2026-02-30')).toThrow(RangeError);
  });

  test('of a market that never closes join each other, also where the clocks change', () => {
    const schedule = new ContinuousSchedule();
    const day = schedule.dayOf('2026-11-01');
    expect(day.endsAt - day.startsAt).toBe(25 * 3_600_000);
    expect(schedule.dayAt(day.startsAt - 1)).toEqual(schedule.dayBefore(day));
    expect(schedule.dayAt(day.endsAt - 1)).toEqual(day);
  });
});
