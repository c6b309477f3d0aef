import { describe, expect, it } from 'vitest';
import { BarSeries, type Candle, type Tick } from './bar-series.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

function candle(minute: number, fields: Partial<Candle> = {}): Candle {
  const start = minute * MINUTE;
  return { start, end: start + MINUTE, open: 10, high: 12, low: 9, close: 11, volume: 100, ...fields };
}

function tick(minute: number, fields: Partial<Tick> = {}): Tick {
  return { time: minute * MINUTE, price: 11, dayVolume: 1000, dayOpen: 5, dayHigh: 20, dayLow: 4, ...fields };
}

const starts = (series: BarSeries): number[] => series.candles.map(({ start }) => start / MINUTE);

describe('a series of candles', () => {
  it('is in order of time, whatever the order in which they come', () => {
    const series = new BarSeries('MINUTE');
    series.putAll([candle(3), candle(4), candle(1), candle(2), candle(4)], 'past');
    expect(starts(series)).toEqual([1, 2, 3, 4]);
    expect(series.first?.start).toBe(MINUTE);
    expect(series.last?.start).toBe(4 * MINUTE);
    expect(series.placeOf(2 * MINUTE)).toBe(1);
    expect(series.placeOf(5 * MINUTE)).toBe(4);
  });

  it('takes the later word on a window, but not the lesser one', () => {
    const series = new BarSeries('MINUTE');
    series.put(candle(1, { close: 10 }), 'past');
    series.put(candle(1, { close: 10.5 }), 'past');
    expect(series.last?.close).toBe(10.5);
    series.put(candle(1, { close: 11 }), 'final');
    series.put(candle(1, { close: 10 }), 'past');
    expect(series.last?.close).toBe(11);
    series.put(candle(1, { close: 11.5 }), 'final');
    expect(series.last?.close).toBe(11.5);
  });

  it('says what is to be drawn: the tail where it changed there, all where the past did', () => {
    const series = new BarSeries('MINUTE');
    expect(series.takeChange()).toEqual({ kind: 'none' });
    series.putAll([candle(2), candle(3)], 'final');
    series.takeChange();
    series.put(candle(4), 'final');
    series.put(candle(3, { close: 9 }), 'final');
    const change = series.takeChange();
    expect(change.kind === 'tail' && change.candles.map(({ start }) => start / MINUTE)).toEqual([3, 4]);
    expect(series.takeChange()).toEqual({ kind: 'none' });
    series.put(candle(1), 'past');
    series.put(candle(4, { close: 9 }), 'final');
    expect(series.takeChange()).toEqual({ kind: 'all' });
  });

  it('lets quotes form the candle of a minute that is not over, and the log have the last word', () => {
    const series = new BarSeries('MINUTE');
    series.put(candle(1), 'past');
    series.form(tick(1.2, { dayVolume: 1000 }));
    series.form(tick(1.4, { price: 13, dayVolume: 1040 }));
    expect(series.last).toMatchObject({ open: 10, high: 13, low: 9, close: 13, volume: 140 });
    series.form(tick(2.1, { price: 8, dayVolume: 1050 }));
    series.form(tick(2.2, { price: 7, dayVolume: 1060 }));
    expect(starts(series)).toEqual([1, 2]);
    expect(series.last).toMatchObject({ open: 8, high: 8, low: 7, close: 7, volume: 20, end: 3 * MINUTE });
    series.put(candle(2), 'final');
    series.form(tick(2.9, { price: 1, dayVolume: 1070 }));
    expect(series.last).toMatchObject(candle(2));
  });

  it('a minute without a trade has no candle, whatever the quotes', () => {
    const series = new BarSeries('MINUTE');
    series.put(candle(1), 'past');
    series.form(tick(1.5));
    series.form(tick(2.5));
    expect(starts(series)).toEqual([1]);
    series.form(tick(2.6, { price: 12 }));
    expect(starts(series)).toEqual([1]);
    series.form(tick(2.7, { price: 12, dayVolume: 1001 }));
    expect(starts(series)).toEqual([1, 2]);

    const late = new BarSeries('MINUTE');
    late.put(candle(1), 'past');
    late.form(tick(2.5, { price: 12 }));
    expect(starts(late)).toEqual([1, 2]);
  });

  it('an index has no volume: its candles follow its value', () => {
    const series = new BarSeries('HOUR');
    series.put({ ...candle(0), end: 60 * MINUTE }, 'past');
    series.form(tick(61, { price: 11, dayVolume: 0 }));
    expect(starts(series)).toEqual([0]);
    series.form(tick(62, { price: 12, dayVolume: 0 }));
    expect(starts(series)).toEqual([0, 60]);
  });

  it('a quote of before the last candle changes nothing, nor does one that says nothing new', () => {
    const series = new BarSeries('MINUTE');
    series.put(candle(3), 'past');
    series.takeChange();
    series.form(tick(1, { price: 99 }));
    series.form(tick(3.5, { price: 11 }));
    expect(series.takeChange()).toEqual({ kind: 'none' });
  });

  it('takes the day from the quote itself, and asks the history for the next one', () => {
    const series = new BarSeries('DAY');
    series.put({ ...candle(0), end: DAY }, 'past');
    expect(series.form(tick(60, { price: 12, dayVolume: 500 }))).toBe(true);
    expect(series.last).toMatchObject({ open: 5, high: 20, low: 4, close: 12, volume: 500 });
    expect(series.form({ ...tick(0), time: DAY + 1 })).toBe(false);
    expect(series.candles).toHaveLength(1);
  });

  it('seconds are given by the log alone', () => {
    const series = new BarSeries('SECOND');
    series.put({ ...candle(0), end: 1000 }, 'past');
    series.form({ ...tick(0), price: 50 });
    series.form({ ...tick(0), time: 5000, dayVolume: 9000 });
    expect(series.candles).toEqual([expect.objectContaining({ high: 12 })]);
  });
});
