import { describe, expect, test } from 'vitest';
import { createCalendar } from '../../market/calendar.ts';
import { tradeEligibility } from '../../market/conditions.ts';
import { NewYorkSchedule } from './schedule.ts';
import { TapeRecorder } from '../../../test/tape-recorder.ts';
import type { RecordedPrint } from '../../../test/tape-recorder.ts';

const START = Date.parse('2026-11-20T15:00:00Z');
const SECOND = 1_000;
const MINUTE = 60_000;

/** What was counted over one NYSE stock on 2018-01-02 and 03 (sample data of the R package highfrequency). */
const COUNTED = {
  tradesPerSecond: 38_631.5 / 23_400,
  shareWithSameTime: 0.5426,
  interarrivalMs: { p75: 452, p90: 2_069, p99: 7_100 },
  activeSecondShare: 0.4163,
  roundedSizeQuantiles: { p50: 100, p90: 158, p99: 700 },
  subPennyShare: 0.1882,
  unchangedPriceShare: 0.6174,
};

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

function shareOf<T>(items: readonly T[], matches: (item: T) => boolean): number {
  return items.filter(matches).length / items.length;
}

describe('the same tape comes again', () => {
  test('from the same seed, in whatever steps time passes', () => {
    const whole = new TapeRecorder({ startAt: START, seed: 7 });
    whole.tape.advance(START + 70 * SECOND);
    const stepped = new TapeRecorder({ startAt: START, seed: 7 });
    for (let time = START; time <= START + 70 * SECOND; time += 37) stepped.tape.advance(time);
    stepped.tape.advance(START + 70 * SECOND);
    expect(whole.elements.length).toBeGreaterThan(10_000);
    expect(stepped.elements).toEqual(whole.elements);
  });

  test('but not from another seed', () => {
    const [one, other] = [1, 2].map((seed) => {
      const recorder = new TapeRecorder({ startAt: START, seed });
      recorder.tape.advance(START + 2 * SECOND);
      return recorder.elements;
    });
    expect(one).not.toEqual(other);
  });
});

describe('the shape of the tape', () => {
  // One symbol as busy as the one that was counted, among others.
  const recorder = new TapeRecorder({ startAt: START, symbols: 1, eventsPerSecond: 5, keepsElements: false });
  recorder.tape.advance(START + 6 * 3_600 * SECOND);
  const { prints } = recorder;
  const gaps = prints.slice(1).map((print, index) => print.time - prints[index]!.time);
  gaps.sort((one, other) => one - other);

  test('prints come as often as they are ordered', () => {
    const rate = prints.length / (6 * 3_600);
    expect(rate).toBeGreaterThan(1.8 * 0.9);
    expect(rate).toBeLessThan(1.8 * 1.1);
    expect(Math.abs(rate / COUNTED.tradesPerSecond - 1)).toBeLessThan(0.2);
  });

  test('they come in bursts', () => {
    expect(Math.abs(shareOf(gaps, (gap) => gap === 0) - COUNTED.shareWithSameTime)).toBeLessThan(0.05);
    expect(quantile(gaps, 0.5)).toBe(0);
    const { p75, p90, p99 } = COUNTED.interarrivalMs;
    expect(Math.abs(quantile(gaps, 0.75) / p75 - 1)).toBeLessThan(0.4);
    expect(Math.abs(quantile(gaps, 0.9) / p90 - 1)).toBeLessThan(0.3);
    expect(Math.abs(quantile(gaps, 0.99) / p99 - 1)).toBeLessThan(0.3);
    const seconds = new Set(prints.map(({ time }) => Math.floor(time / SECOND)));
    expect(Math.abs(seconds.size / (6 * 3_600) - COUNTED.activeSecondShare)).toBeLessThan(0.08);
  });

  test('two thirds of them are odd lots, and nearly half are off exchange, as today', () => {
    const odd = shareOf(prints, ({ conditions }) => conditions.includes(37));
    expect(odd).toBeGreaterThan(0.64);
    expect(odd).toBeLessThan(0.71);
    const off = shareOf(prints, ({ exchange }) => exchange === 4);
    expect(off).toBeGreaterThan(0.44);
    expect(off).toBeLessThan(0.51);
  });

  test('sizes of the others are round lots for the most part', () => {
    const lots = recorder.tape.market.instruments[0]!.roundLot / 100;
    const sizes = prints
      .filter(({ conditions }) => !conditions.includes(37))
      .map(({ micros }) => micros / 1e6 / lots)
      .sort((one, other) => one - other);
    const { p50, p99 } = COUNTED.roundedSizeQuantiles;
    expect(quantile(sizes, 0.5)).toBe(p50);
    expect(quantile(sizes, 0.99)).toBeGreaterThan(p99 / 2);
    expect(quantile(sizes, 0.99)).toBeLessThan(p99 * 4);
  });

  test('off-exchange prints divide the penny, others do not', () => {
    const subPenny = (price: number): boolean => Math.abs(price * 100 - Math.round(price * 100)) > 1e-6;
    expect(Math.abs(shareOf(prints, ({ price }) => subPenny(price)) - COUNTED.subPennyShare)).toBeLessThan(0.06);
    const onExchange = prints.filter(({ exchange }) => exchange !== 4);
    // Hidden orders at the midpoint of an odd spread trade at half a penny.
    expect(onExchange.every(({ price }) => !subPenny(price * 2))).toBe(true);
  });

  test('sweeps, trade-throughs and rare conditions have their shares', () => {
    const share = (id: number): number => shareOf(prints, ({ conditions }) => conditions.includes(id));
    expect(share(14)).toBeGreaterThan(0.25);
    expect(share(14)).toBeLessThan(0.4);
    expect(share(41)).toBeGreaterThan(0.25);
    expect(share(41)).toBeLessThan(0.4);
    expect(share(10)).toBeGreaterThan(0.002);
    expect(share(10)).toBeLessThan(0.007);
    expect(share(12)).toBe(0);
    expect(shareOf(prints, ({ conditions }) => conditions.length === 0)).toBeGreaterThan(0.1);
  });

  test('the price stays where it was more often than not, and never leaps', () => {
    const market = prints.filter(({ conditions }) => !conditions.some((id) => [2, 7, 20, 21, 29, 53].includes(id)));
    const moves = market.slice(1).map(({ price }, index) => Math.abs(price - market[index]!.price));
    expect(Math.abs(shareOf(moves, (move) => move < 0.005) - COUNTED.unchangedPriceShare)).toBeLessThan(0.12);
    expect(Math.max(...moves)).toBeLessThan(market[0]!.price * 0.01);
  });
});

describe('every print', () => {
  const recorder = new TapeRecorder({ startAt: START, symbols: 60, eventsPerSecond: 5_000, keepsElements: false });
  recorder.tape.advance(START + 40 * SECOND);
  const { prints } = recorder;

  test('on an exchange lies within the best bid and offer told before it', () => {
    const onExchange = prints.filter(({ exchange }) => exchange !== 4);
    expect(onExchange.length).toBeGreaterThan(10_000);
    expect(onExchange.filter(({ price, bid, ask }) => price < bid || price > ask)).toEqual([]);
    expect(prints.filter(({ bid, ask }) => bid >= ask)).toEqual([]);
  });

  test('off exchange lies there too, improved by fractions of a penny, unless it is of another time or bargain', () => {
    const ordinary = [14, 37, 41];
    const present = prints.filter(
      ({ exchange, conditions }) => exchange === 4 && conditions.every((id) => ordinary.includes(id)),
    );
    expect(present.length).toBeGreaterThan(10_000);
    expect(present.filter(({ price, bid, ask }) => price < bid || price > ask)).toEqual([]);
  });

  test('has a participant time at or before its own, and a facility where it is off exchange', () => {
    const wrong = prints.filter(({ time, participantTime, exchange, trf, trfTime }) => {
      if (participantTime > time || trf > 0 !== (exchange === 4)) return true;
      return trf > 0 && (trfTime < participantTime || trfTime > time);
    });
    expect(wrong).toEqual([]);
  });

  test('has an id of its own and a rising sequence number with holes', () => {
    const bySymbol = Map.groupBy(prints, ({ symbol }) => symbol);
    expect(bySymbol.size).toBe(60);
    for (const ofSymbol of bySymbol.values()) {
      expect(new Set(ofSymbol.map(({ id }) => id)).size).toBe(ofSymbol.length);
      const steps = ofSymbol.slice(1).map((print, index) => ({ print, before: ofSymbol[index]! }));
      expect(steps.filter(({ print, before }) => print.sequence <= before.sequence)).toEqual([]);
      expect(steps.filter(({ print, before }) => print.time < before.time)).toEqual([]);
      expect(steps.some(({ print, before }) => print.sequence > before.sequence + 1)).toBe(true);
    }
  });

  test('below a share has no whole share, and its exact size as a decimal', () => {
    const parts = prints.filter(({ micros }) => micros < 1e6);
    expect(parts.length / prints.length).toBeGreaterThan(0.02);
    expect(parts.every(({ conditions, exchange }) => conditions.includes(37) && exchange === 4)).toBe(true);
    expect(parts.every(({ micros }) => micros > 0)).toBe(true);
  });
});

describe('bars', () => {
  const recorder = new TapeRecorder({ startAt: START, symbols: 8, eventsPerSecond: 200 });
  recorder.tape.advance(START + 3 * MINUTE + 1);

  type Recomputed = { o: number; h: number; l: number; c: number; micros: number };

  /** By the vendor's rules: prices from trades that may set them, volume from all that count. */
  function recompute(prints: readonly RecordedPrint[]): Recomputed | null {
    const result: Recomputed = { o: 0, h: -Infinity, l: Infinity, c: 0, micros: 0 };
    for (const print of prints) {
      const { last, highLow, volume } = tradeEligibility(print.conditions);
      if (last && result.o === 0) result.o = print.price;
      if (last) result.c = print.price;
      if (highLow) result.h = Math.max(result.h, print.price);
      if (highLow) result.l = Math.min(result.l, print.price);
      if (volume) result.micros += print.micros;
    }
    return result.o === 0 ? null : result;
  }

  for (const [interval, length] of [
    ['A', SECOND],
    ['AM', MINUTE],
  ] as const) {
    test(`of ${length} ms agree with the prints, and there is none without an eligible trade`, () => {
      const told = recorder.parse(interval).filter(({ sym }) => !String(sym).startsWith('I:')) as unknown as {
        sym: string;
        s: number;
        e: number;
        dv: string;
        v: number;
      }[];
      const windowOf = (symbol: string, time: number): string => `${symbol} ${Math.floor(time / length) * length}`;
      const bars = Map.groupBy(told, ({ sym, s }) => windowOf(sym, s));
      const prints = Map.groupBy(recorder.prints, ({ symbol, time }) => windowOf(symbol, time));
      let compared = 0;
      for (const { symbol } of recorder.tape.market.instruments) {
        // The tape's own first print, before anybody listened, is not among the recorded ones.
        for (let start = START + length; start < START + 3 * MINUTE; start += length) {
          const expected = recompute(prints.get(windowOf(symbol, start)) ?? []);
          const found = bars.get(windowOf(symbol, start)) ?? [];
          if (expected === null) {
            expect(found).toEqual([]);
            continue;
          }
          const { o, h, l, c, micros } = expected;
          expect(found).toHaveLength(1);
          expect(found[0]).toMatchObject({ o, h, l, c, v: Math.floor(micros / 1e6), e: start + length });
          expect(Number(found[0]!.dv)).toBeCloseTo(micros / 1e6, 6);
          compared += 1;
        }
      }
      expect(compared).toBeGreaterThan(length === SECOND ? 100 : 10);
    });
  }

  test('carry the volume of the day so far, which never falls', () => {
    const bars = recorder.parse('A');
    for (const { symbol } of recorder.tape.market.instruments) {
      const volumes = bars.filter(({ sym }) => sym === symbol).map(({ av }) => Number(av));
      expect(volumes.toSorted((one, other) => one - other)).toEqual(volumes);
    }
  });

  test('of indices hold their values, which are weighted means of the members', () => {
    const values = recorder.parse('V').filter(({ T }) => T === 'I:SPX');
    expect(values.length).toBe(180);
    const minute = recorder.parse('AM').find(({ sym, s }) => sym === 'I:SPX' && s === START + MINUTE)!;
    const within = values
      .filter(({ t }) => Number(t) >= START + MINUTE && Number(t) < START + 2 * MINUTE)
      .map(({ val }) => Number(val));
    expect(minute).toMatchObject({ o: within[0], c: within.at(-1), h: Math.max(...within), l: Math.min(...within) });
    const index = recorder.tape.market.find('I:SPX')!;
    if (!('members' in index)) throw new Error('I:SPX is an index');
    const mean = index.members.reduce((sum, { instrument, weight }) => sum + instrument.fair * weight, 0);
    expect(index.compute()).toBeCloseTo(index.base * (mean / index.divisor), 1);
  });
});

describe('New York hours', () => {
  const schedule = () => new NewYorkSchedule(createCalendar());
  const at = (time: string): number => Date.parse(`2026-11-20T${time}-05:00`);

  function record(from: number, to: number): TapeRecorder {
    const recorder = new TapeRecorder({ startAt: from, symbols: 5, eventsPerSecond: 100, schedule: schedule() });
    recorder.tape.advance(to);
    return recorder;
  }

  test('open with a cross at the listing exchange, repeated as the official open a millisecond later', () => {
    const { prints, tape } = record(at('09:29:00'), at('09:30:10'));
    for (const { symbol, listing, officialOpen } of tape.market.instruments) {
      const cross = prints.find((print) => print.symbol === symbol && print.conditions[0] === 17)!;
      expect(cross.conditions).toEqual([17, 9, 41]);
      expect(cross.exchange).toBe({ A: 10, B: 11, C: 12 }[listing.tape]);
      const official = prints.find((print) => print.symbol === symbol && print.conditions[0] === 16)!;
      expect(official).toMatchObject({ conditions: [16], price: cross.price, micros: cross.micros });
      expect(official.time).toBe(cross.time + 1);
      expect(officialOpen).toBeGreaterThan(0);
    }
    const before = prints.filter(({ time }) => time < at('09:30:00'));
    expect(before.every(({ conditions }) => conditions.includes(12))).toBe(true);
    const after = prints.filter(({ time }) => time >= at('09:30:00'));
    expect(after.some(({ conditions }) => conditions.includes(12))).toBe(false);
    expect(after.length).toBeGreaterThan(before.length);
  });

  test('have bars before the open too, of prints that count for the day in volume alone', () => {
    const recorder = record(at('08:00:00'), at('08:30:00'));
    const bars = recorder.parse('AM');
    expect(bars.length).toBeGreaterThan(10);
    for (const bar of bars) expect(bar).toMatchObject({ op: 0, v: expect.any(Number), o: expect.any(Number) });
    for (const { day, officialOpen } of recorder.tape.market.instruments) {
      expect([day.exists, officialOpen]).toEqual([false, 0]);
      expect(day.micros).toBeGreaterThan(0);
    }
    expect(recorder.parse('V')).toEqual([]);
  });

  test('close with a cross that counts to the day but to no minute', () => {
    const recorder = record(at('15:59:00'), at('16:02:00'));
    const [instrument] = recorder.tape.market.instruments;
    const cross = recorder.prints.find(
      ({ symbol, conditions }) => symbol === instrument!.symbol && conditions[0] === 8,
    )!;
    expect(cross.conditions).toEqual([8, 9, 41]);
    expect(instrument!.day.close).toBe(cross.price);
    const later = recorder.prints.filter(
      ({ symbol, time, conditions }) =>
        symbol === instrument!.symbol && time >= at('16:00:00') && conditions.includes(12),
    );
    const minute = recorder.parse('AM').find(({ sym, s }) => sym === instrument!.symbol && s === at('16:00:00'));
    const volume = later.filter(({ time }) => time < at('16:01:00')).reduce((sum, { micros }) => sum + micros, 0);
    expect(minute === undefined ? volume : Number(minute['dv']) * 1e6).toBeCloseTo(volume, 0);
  });

  test('are quiet at night, at weekends and on holidays', () => {
    for (const [from, to] of [
      ['2026-11-20T20:30:00-05:00', '2026-11-20T21:30:00-05:00'],
      ['2026-11-21T12:00:00-05:00', '2026-11-21T13:00:00-05:00'],
      ['2026-11-26T12:00:00-05:00', '2026-11-26T13:00:00-05:00'],
      ['2026-11-27T17:30:00-05:00', '2026-11-27T18:00:00-05:00'],
    ] as const) {
      expect(record(Date.parse(from), Date.parse(to)).elements).toEqual([]);
    }
  });

  test('turn the day at 03:30 of the next trading day', () => {
    const recorder = record(at('15:58:00'), at('16:03:00'));
    const [instrument] = recorder.tape.market.instruments;
    const close = instrument!.day.close;
    recorder.tape.skipTo(Date.parse('2026-11-23T03:29:00-05:00'));
    expect(instrument!.day.close).toBe(close);
    recorder.tape.advance(Date.parse('2026-11-23T03:31:00-05:00'));
    expect(instrument!.day.exists).toBe(false);
    expect(instrument!.readPreviousDay()!.close).toBe(close);
    expect(instrument!.officialOpen).toBe(0);
  });
});

test('a market that never closes turns the day at midnight in New York', () => {
  const midnight = Date.parse('2026-11-21T00:00:00-05:00');
  const recorder = new TapeRecorder({ startAt: midnight - 30 * SECOND, symbols: 5, eventsPerSecond: 200 });
  recorder.tape.advance(midnight);
  const [instrument] = recorder.tape.market.instruments;
  const { close, micros } = instrument!.day;
  recorder.tape.advance(midnight + 30 * SECOND);
  expect(instrument!.readPreviousDay()).toMatchObject({ close, micros });
  expect(instrument!.day.micros).toBeLessThan(micros);
  expect(instrument!.officialOpen).toBe(instrument!.day.open);
});

test('a time in which nobody looked is leapt over', () => {
  const recorder = new TapeRecorder({ startAt: START });
  recorder.tape.advance(START + 1_500);
  recorder.tape.skipTo(START + 10 * MINUTE);
  expect(recorder.prints.filter(({ time }) => time > START + 3 * SECOND)).toEqual([]);
  recorder.tape.advance(START + 10 * MINUTE + 5 * SECOND);
  const later = recorder.prints.filter(({ time }) => time >= START + 10 * MINUTE);
  expect(later.length).toBeGreaterThan(100);
  const starts = recorder.parse('A').map(({ s }) => Number(s));
  expect(starts.toSorted((one, other) => one - other)).toEqual(starts);
});
