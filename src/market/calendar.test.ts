import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCalendar, resolveMarketStatus } from './calendar.ts';
import type { MarketHoliday, UpstreamMarketStatus } from './market-status.ts';

const calendar = createCalendar();
const DAY_MS = 86_400_000;

/** Every date of a year. */
function listDates(year: number): string[] {
  const dates = [];
  for (let time = Date.UTC(year, 0, 1); time < Date.UTC(year + 1, 0, 1); time += DAY_MS) {
    dates.push(new Date(time).toISOString().slice(0, 10));
  }
  return dates;
}

function isWeekday(date: string): boolean {
  return ![0, 6].includes(new Date(`${date}T00:00:00Z`).getUTCDay());
}

/** The status at noon in New York, on either side of a change of clocks. */
function statusAtNoon(date: string): ReturnType<typeof calendar.statusAt> {
  return calendar.statusAt(Date.parse(`${date}T16:30:00Z`));
}

describe('the closures and early closes of 2025 to 2027, as the exchange published them', () => {
  const CLOSED: Record<string, string> = {
    '2025-01-01': "New Year's Day",
    '2025-01-09': 'National Day of Mourning',
    '2025-01-20': 'Martin Luther King Jr. Day',
    '2025-02-17': "Washington's Birthday",
    '2025-04-18': 'Good Friday',
    '2025-05-26': 'Memorial Day',
    '2025-06-19': 'Juneteenth',
    '2025-07-04': 'Independence Day',
    '2025-09-01': 'Labor Day',
    '2025-11-27': 'Thanksgiving',
    '2025-12-25': 'Christmas',
    '2026-01-01': "New Year's Day",
    '2026-01-19': 'Martin Luther King Jr. Day',
    '2026-02-16': "Washington's Birthday",
    '2026-04-03': 'Good Friday',
    '2026-05-25': 'Memorial Day',
    '2026-06-19': 'Juneteenth',
    '2026-07-03': 'Independence Day',
    '2026-09-07': 'Labor Day',
    '2026-11-26': 'Thanksgiving',
    '2026-12-25': 'Christmas',
    '2027-01-01': "New Year's Day",
    '2027-01-18': 'Martin Luther King Jr. Day',
    '2027-02-15': "Washington's Birthday",
    '2027-03-26': 'Good Friday',
    '2027-05-31': 'Memorial Day',
    '2027-06-18': 'Juneteenth',
    '2027-07-05': 'Independence Day',
    '2027-09-06': 'Labor Day',
    '2027-11-25': 'Thanksgiving',
    '2027-12-24': 'Christmas',
  };
  const EARLY: Record<string, string> = {
    '2025-07-03': 'Independence Day',
    '2025-11-28': 'Thanksgiving',
    '2025-12-24': 'Christmas',
    '2026-11-27': 'Thanksgiving',
    '2026-12-24': 'Christmas',
    '2027-11-26': 'Thanksgiving',
  };

  it.each([
    [2025, 250],
    [2026, 251],
    [2027, 251],
  ])('%d has %d trading days', (year, count) => {
    expect(listDates(year).filter((date) => calendar.isTradingDay(date))).toHaveLength(count);
  });

  it.each([2025, 2026, 2027])('in %d closes on these weekdays and no others, for these reasons', (year) => {
    const closed = listDates(year).filter((date) => isWeekday(date) && !calendar.isTradingDay(date));
    expect(closed).toEqual(Object.keys(CLOSED).filter((date) => date.startsWith(`${year}`)));
    for (const date of closed) {
      expect(calendar.regularHours(date)).toBeNull();
      expect(statusAtNoon(date)).toMatchObject({ isOpen: false, session: 'CLOSED', holiday: CLOSED[date] });
    }
  });

  it.each([2025, 2026, 2027])('in %d closes at 13:00 on these days and at 16:00 on all others', (year) => {
    const early = [];
    for (const date of listDates(year)) {
      const hours = calendar.regularHours(date);
      if (hours === null) continue;
      const length = (hours.close - hours.open) / 3_600_000;
      if (length === 3.5) early.push(date);
      else expect(length).toBe(6.5);
      expect(statusAtNoon(date)).toMatchObject({ isOpen: true, holiday: EARLY[date] ?? null });
    }
    expect(early).toEqual(Object.keys(EARLY).filter((date) => date.startsWith(`${year}`)));
  });

  it('knows by the rules of 2028: no closure for a New Year on a Saturday, early closes on 07-03 and 11-24', () => {
    expect(calendar.isTradingDay('2027-12-31')).toBe(true);
    expect(calendar.isTradingDay('2028-01-03')).toBe(true);
    const early = listDates(2028).filter((date) => {
      const hours = calendar.regularHours(date);
      return hours !== null && hours.close - hours.open < 6 * 3_600_000;
    });
    expect(early).toEqual(['2028-07-03', '2028-11-24']);
  });

  it('closes on Monday for a holiday on a Sunday', () => {
    expect(statusAtNoon('2022-06-20').holiday).toBe('Juneteenth');
    expect(statusAtNoon('2022-12-26').holiday).toBe('Christmas');
    expect(statusAtNoon('2023-01-02').holiday).toBe("New Year's Day");
  });
});

describe('sessions', () => {
  /** [first moment, session, trade date]; each holds until the next one's first moment. */
  function expectBorders(borders: readonly (readonly [string, string, string])[]): void {
    for (const [index, [time, session, tradeDate]] of borders.entries()) {
      const start = Date.parse(time);
      expect(calendar.sessionAt(start), time).toMatchObject({ session, tradeDate, start });
      const next = borders[index + 1];
      if (next === undefined) continue;
      const end = Date.parse(next[0]);
      expect(calendar.sessionAt(end - 1), `1 ms before ${next[0]}`).toMatchObject({ session, tradeDate, start, end });
      expect(calendar.tradeDateOf(end - 1)).toBe(tradeDate);
    }
  }

  it('of a full day begin and end to the millisecond', () => {
    expectBorders([
      ['2026-11-16T09:00:00Z', 'PRE_MARKET', '2026-11-16'],
      ['2026-11-16T14:30:00Z', 'REGULAR', '2026-11-16'],
      ['2026-11-16T21:00:00Z', 'AFTER_HOURS', '2026-11-16'],
      ['2026-11-17T01:00:00Z', 'CLOSED', '2026-11-16'],
      ['2026-11-17T09:00:00Z', 'PRE_MARKET', '2026-11-17'],
    ]);
  });

  it('of an early close end at 13:00 and 17:00, and the weekend follows', () => {
    expectBorders([
      ['2026-11-27T09:00:00Z', 'PRE_MARKET', '2026-11-27'],
      ['2026-11-27T14:30:00Z', 'REGULAR', '2026-11-27'],
      ['2026-11-27T18:00:00Z', 'AFTER_HOURS', '2026-11-27'],
      ['2026-11-27T22:00:00Z', 'CLOSED', '2026-11-27'],
      ['2026-11-30T09:00:00Z', 'PRE_MARKET', '2026-11-30'],
    ]);
  });

  it('keep New York hours when clocks go forward and back', () => {
    expectBorders([
      ['2026-03-06T14:30:00Z', 'REGULAR', '2026-03-06'],
      ['2026-03-06T21:00:00Z', 'AFTER_HOURS', '2026-03-06'],
      ['2026-03-07T01:00:00Z', 'CLOSED', '2026-03-06'],
      ['2026-03-09T08:00:00Z', 'PRE_MARKET', '2026-03-09'],
      ['2026-03-09T13:30:00Z', 'REGULAR', '2026-03-09'],
    ]);
    expectBorders([
      ['2026-10-30T13:30:00Z', 'REGULAR', '2026-10-30'],
      ['2026-10-30T20:00:00Z', 'AFTER_HOURS', '2026-10-30'],
      ['2026-10-31T00:00:00Z', 'CLOSED', '2026-10-30'],
      ['2026-11-02T09:00:00Z', 'PRE_MARKET', '2026-11-02'],
      ['2026-11-02T14:30:00Z', 'REGULAR', '2026-11-02'],
    ]);
  });

  it('run overnight from Sunday 2026-12-06 at 21:00, and prints from then on count for the next trade date', () => {
    expectBorders([
      ['2026-12-05T01:00:00Z', 'CLOSED', '2026-12-04'],
      ['2026-12-07T02:00:00Z', 'OVERNIGHT', '2026-12-07'],
      ['2026-12-07T09:00:00Z', 'PRE_MARKET', '2026-12-07'],
      ['2026-12-07T14:30:00Z', 'REGULAR', '2026-12-07'],
      ['2026-12-07T21:00:00Z', 'AFTER_HOURS', '2026-12-07'],
      ['2026-12-08T01:00:00Z', 'CLOSED', '2026-12-07'],
      ['2026-12-08T02:00:00Z', 'OVERNIGHT', '2026-12-08'],
      ['2026-12-08T09:00:00Z', 'PRE_MARKET', '2026-12-08'],
    ]);
  });

  it('end the week on Friday at 20:00 and begin it on Sunday at 21:00, over a change of clocks too', () => {
    expectBorders([
      ['2027-03-13T01:00:00Z', 'CLOSED', '2027-03-12'],
      ['2027-03-15T01:00:00Z', 'OVERNIGHT', '2027-03-15'],
      ['2027-03-15T08:00:00Z', 'PRE_MARKET', '2027-03-15'],
    ]);
    expectBorders([
      ['2027-11-06T00:00:00Z', 'CLOSED', '2027-11-05'],
      ['2027-11-08T02:00:00Z', 'OVERNIGHT', '2027-11-08'],
      ['2027-11-08T09:00:00Z', 'PRE_MARKET', '2027-11-08'],
    ]);
  });

  it('skip the night that leads into a holiday and resume on its evening', () => {
    expectBorders([
      ['2026-12-24T18:00:00Z', 'AFTER_HOURS', '2026-12-24'],
      ['2026-12-24T22:00:00Z', 'CLOSED', '2026-12-24'],
      ['2026-12-28T02:00:00Z', 'OVERNIGHT', '2026-12-28'],
    ]);
    expectBorders([
      ['2027-01-16T01:00:00Z', 'CLOSED', '2027-01-15'],
      ['2027-01-19T02:00:00Z', 'OVERNIGHT', '2027-01-19'],
    ]);
  });

  const anyTime = fc.integer({ min: Date.UTC(1971, 0, 1), max: Date.UTC(2199, 0, 1) });

  it('tile the time line: each ends where the next begins', () => {
    fc.assert(
      fc.property(anyTime, (time) => {
        const span = createCalendar().sessionAt(time);
        expect(span.start).toBeLessThanOrEqual(time);
        expect(span.end).toBeGreaterThan(time);
        const next = calendar.sessionAt(span.end);
        expect(next.start).toBe(span.end);
        expect(next.session).not.toBe(span.session);
        expect(next.tradeDate >= span.tradeDate).toBe(true);
        expect(calendar.sessionAt(span.start - 1).end).toBe(span.start);
        expect(calendar.sessionAt(time)).toEqual(span);
      }),
    );
  });

  it('tile the years 2026 and 2027 one by one, from session to session', () => {
    let span = calendar.sessionAt(Date.UTC(2026, 0, 2, 12));
    const counts: Record<string, number> = {};
    while (span.end < Date.UTC(2028, 0, 1)) {
      counts[span.session] = (counts[span.session] ?? 0) + 1;
      const next = calendar.sessionAt(span.end);
      expect(next.start).toBe(span.end);
      span = next;
    }
    expect(counts.REGULAR).toBe(502);
  });
});

describe('the status', () => {
  it('names the next opening and the next close', () => {
    const friday = Date.parse('2026-11-20T15:00:00Z');
    expect(calendar.statusAt(friday)).toEqual({
      isOpen: true,
      session: 'REGULAR',
      nextOpen: Date.parse('2026-11-23T14:30:00Z'),
      nextClose: Date.parse('2026-11-20T21:00:00Z'),
      holiday: null,
      timestamp: friday,
    });
    const saturday = Date.parse('2026-11-21T15:00:00Z');
    expect(calendar.statusAt(saturday)).toMatchObject({
      isOpen: false,
      session: 'CLOSED',
      nextOpen: Date.parse('2026-11-23T14:30:00Z'),
      nextClose: Date.parse('2026-11-23T21:00:00Z'),
    });
  });

  it('at the bell belongs to what begins', () => {
    const open = Date.parse('2026-11-20T14:30:00Z');
    const close = Date.parse('2026-11-20T21:00:00Z');
    expect(calendar.statusAt(open - 1)).toMatchObject({ isOpen: false, nextOpen: open, nextClose: close });
    expect(calendar.statusAt(open)).toMatchObject({ isOpen: true, nextOpen: open + 3 * DAY_MS, nextClose: close });
    expect(calendar.statusAt(close)).toMatchObject({ isOpen: false, nextClose: close + 3 * DAY_MS });
  });

  it('has a next opening that is one, and a next close that is one', () => {
    const anyTime = fc.integer({ min: Date.UTC(1971, 0, 1), max: Date.UTC(2199, 0, 1) });
    fc.assert(
      fc.property(anyTime, (time) => {
        const { isOpen, session, nextOpen, nextClose } = calendar.statusAt(time);
        expect(isOpen).toBe(session === 'REGULAR');
        expect(nextOpen).toBeGreaterThan(time);
        expect(nextClose).toBeGreaterThan(time);
        expect(calendar.sessionAt(nextOpen!)).toMatchObject({ session: 'REGULAR', start: nextOpen });
        expect(calendar.sessionAt(nextClose! - 1)).toMatchObject({ session: 'REGULAR', end: nextClose });
        expect(isOpen ? nextClose! < nextOpen! : nextOpen! < nextClose!).toBe(true);
      }),
    );
  });
});

describe('dates', () => {
  it('lead from trading day to trading day over weekends and holidays', () => {
    expect(calendar.nextTradingDay('2026-11-25')).toBe('2026-11-27');
    expect(calendar.nextTradingDay('2026-11-27')).toBe('2026-11-30');
    expect(calendar.previousTradingDay('2026-11-30')).toBe('2026-11-27');
    expect(calendar.previousTradingDay('2027-01-04')).toBe('2026-12-31');
  });

  it.each(['', '2026-02-30', '2026-2-3', '1969-12-31', 'today', '2026-01-01T00:00:00Z'])('refuse %j', (date) => {
    expect(() => calendar.isTradingDay(date)).toThrow(RangeError);
  });

  it.each([NaN, Infinity, -1e15, 8.64e15])('refuse the time %d', (time) => {
    expect(() => calendar.sessionAt(time)).toThrow(RangeError);
    expect(() => calendar.statusAt(time)).toThrow(RangeError);
  });

  it('are answered for more years than are kept', () => {
    for (let year = 1998; year < 2198; year += 1) {
      const count = listDates(year).filter((date) => calendar.isTradingDay(date)).length;
      expect(count).toBeGreaterThanOrEqual(249);
      expect(count).toBeLessThanOrEqual(253);
    }
  });
});

describe('an announcement', () => {
  const storm: MarketHoliday = { date: '2026-11-18', name: 'Storm', status: 'closed', open: null, close: null };
  const early = (open: string | null, close: string | null): MarketHoliday => ({
    date: '2026-11-18',
    name: 'Storm',
    status: 'early-close',
    open: open === null ? null : Date.parse(open),
    close: close === null ? null : Date.parse(close),
  });

  it('closes a day that the rules know nothing of', () => {
    const announced = createCalendar({ overrides: [storm] });
    expect(announced.isTradingDay('2026-11-18')).toBe(false);
    const noon = Date.parse('2026-11-18T17:00:00Z');
    expect(announced.statusAt(noon)).toMatchObject({
      session: 'CLOSED',
      holiday: 'Storm',
      nextOpen: Date.parse('2026-11-19T14:30:00Z'),
    });
    expect(announced.tradeDateOf(noon)).toBe('2026-11-17');
  });

  it('shortens a day; the after-hours session keeps its four hours, but ends at 20:00', () => {
    const announced = createCalendar({ overrides: [early('2026-11-18T14:30:00Z', '2026-11-18T19:00:00Z')] });
    expect(announced.regularHours('2026-11-18')!.close).toBe(Date.parse('2026-11-18T19:00:00Z'));
    expect(announced.sessionAt(Date.parse('2026-11-18T20:00:00Z'))).toMatchObject({
      session: 'AFTER_HOURS',
      end: Date.parse('2026-11-18T23:00:00Z'),
    });
  });

  it('delays an opening; the pre-market session lasts until then', () => {
    const announced = createCalendar({ overrides: [early('2026-11-18T16:00:00Z', '2026-11-18T21:00:00Z')] });
    expect(announced.sessionAt(Date.parse('2026-11-18T15:00:00Z'))).toMatchObject({
      session: 'PRE_MARKET',
      end: Date.parse('2026-11-18T16:00:00Z'),
    });
  });

  it.each([
    ['missing', early(null, null)],
    ['in the wrong order', early('2026-11-18T18:00:00Z', '2026-11-18T15:00:00Z')],
    ['of another day', early('2026-11-17T14:30:00Z', '2026-11-17T18:00:00Z')],
    ['NaN', { ...early(null, null), close: NaN }],
  ])('with hours that are %s closes at 13:00', (_, holiday) => {
    const announced = createCalendar({ overrides: [holiday] });
    expect(announced.regularHours('2026-11-18')).toEqual({
      open: Date.parse('2026-11-18T14:30:00Z'),
      close: Date.parse('2026-11-18T18:00:00Z'),
    });
  });
});

describe("the upstream's word", () => {
  const now = Date.parse('2026-11-20T15:00:00Z');
  const evening = Date.parse('2026-11-20T22:00:00Z');
  const upstream = (fields: Partial<UpstreamMarketStatus>): UpstreamMarketStatus => ({
    market: 'open',
    earlyHours: false,
    afterHours: false,
    serverTime: now,
    alwaysOpen: false,
    ...fields,
  });
  const friday = { open: Date.parse('2026-11-20T14:30:00Z'), close: Date.parse('2026-11-20T21:00:00Z') };
  const monday = { open: Date.parse('2026-11-23T14:30:00Z'), close: Date.parse('2026-11-23T21:00:00Z') };

  it('changes nothing where there is none, where it agrees, or where it is older than two minutes', () => {
    const expected = calendar.statusAt(now);
    expect(resolveMarketStatus(calendar, null, now)).toEqual(expected);
    expect(resolveMarketStatus(calendar, upstream({}), now)).toEqual(expected);
    const closed = upstream({ market: 'closed' });
    expect(resolveMarketStatus(calendar, { ...closed, serverTime: now - 120_001 }, now)).toEqual(expected);
    expect(resolveMarketStatus(calendar, { ...closed, serverTime: now - 120_000 }, now).isOpen).toBe(false);
  });

  it('closes a session that the calendar believes in: its close is the next one’s', () => {
    expect(resolveMarketStatus(calendar, upstream({ market: 'closed' }), now)).toEqual({
      isOpen: false,
      session: 'CLOSED',
      nextOpen: monday.open,
      nextClose: monday.close,
      holiday: null,
      timestamp: now,
    });
  });

  it('ends a session early, or delays its opening', () => {
    const over = upstream({ market: 'extended-hours', afterHours: true });
    expect(resolveMarketStatus(calendar, over, now)).toMatchObject({
      isOpen: false,
      session: 'AFTER_HOURS',
      nextOpen: monday.open,
      nextClose: monday.close,
    });
    const late = upstream({ market: 'extended-hours', earlyHours: true });
    expect(resolveMarketStatus(calendar, late, now)).toMatchObject({
      isOpen: false,
      session: 'PRE_MARKET',
      nextOpen: null,
      nextClose: friday.close,
    });
  });

  it('opens a session that the calendar knows nothing of: its end is unknown', () => {
    expect(resolveMarketStatus(calendar, upstream({ serverTime: evening }), evening)).toEqual({
      isOpen: true,
      session: 'REGULAR',
      nextOpen: monday.open,
      nextClose: null,
      holiday: null,
      timestamp: evening,
    });
  });

  it.each([
    ['early', { earlyHours: true }, 'PRE_MARKET'],
    ['late', { afterHours: true }, 'AFTER_HOURS'],
    ['neither', {}, 'OVERNIGHT'],
  ] as const)('opens extended hours on a day without: %s', (_, flags, session) => {
    const saturday = now + DAY_MS;
    const word = upstream({ market: 'extended-hours', serverTime: saturday, ...flags });
    expect(resolveMarketStatus(calendar, word, saturday)).toMatchObject({
      session,
      isOpen: false,
      nextOpen: monday.open,
    });
  });

  it('closes extended hours', () => {
    const word = upstream({ market: 'closed', serverTime: evening });
    expect(resolveMarketStatus(calendar, word, evening)).toMatchObject({ session: 'CLOSED', nextOpen: monday.open });
  });

  it('given just before the bell does not keep the market open after it', () => {
    const word = upstream({ serverTime: friday.close - 1_000 });
    expect(resolveMarketStatus(calendar, word, friday.close)).toMatchObject({ isOpen: false, session: 'AFTER_HOURS' });
  });

  it('that the market never closes holds whatever its age', () => {
    const word = upstream({ alwaysOpen: true, serverTime: 0 });
    expect(resolveMarketStatus(calendar, word, evening)).toEqual({
      isOpen: true,
      session: 'REGULAR',
      nextOpen: null,
      nextClose: null,
      holiday: null,
      timestamp: evening,
    });
  });
});
