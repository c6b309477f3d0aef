import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChartTime, formatStart } from './chart-time.ts';

const HOUR = 3_600_000;

describe('times of a chart', () => {
  let zone: string | undefined;
  beforeEach(() => {
    zone = process.env['TZ'];
    process.env['TZ'] = 'Europe/Berlin';
  });
  afterEach(() => {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  });

  it("stand on the reader's clock", () => {
    const start = Date.parse('2026-11-20T14:30:00Z');
    expect(new ChartTime('MINUTE', start).toChart(start)).toBe(Date.parse('2026-11-20T15:30:00Z') / 1000);
  });

  it('grow evenly where the clock is set back: an hour that comes twice is two', () => {
    const before = Date.parse('2026-10-25T00:00:00Z');
    const time = new ChartTime('HOUR', before + 5 * HOUR);
    const times = [0, 1, 2, 3].map((hours) => time.toChart(before + hours * HOUR));
    expect(times.map((each) => each - times[0]!)).toEqual([0, 3600, 7200, 10_800]);
  });

  it('of a day are its date at the exchange', () => {
    const midnight = Date.parse('2026-11-20T05:00:00Z');
    const time = new ChartTime('DAY', midnight);
    expect(time.toChart(midnight)).toBe(Date.parse('2026-11-20') / 1000);
    expect(time.format(time.toChart(midnight))).toBe('20 Nov 2026');
    expect(formatStart('DAY', midnight)).toBe('20 Nov 2026');
    // In summer the exchange's midnight is an hour earlier.
    const summer = Date.parse('2026-07-01T04:00:00Z');
    expect(time.format(time.toChart(summer))).toBe('1 Jul 2026');
    expect(time.formatMark(time.toChart(summer), 'month')).toBe('Jul');
  });
});
