import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { FeedEvent } from '../feed.ts';
import { FrameDecoder } from './frames.ts';

const NOW = Date.UTC(2026, 10, 20, 15, 0, 0);

/** What one frame of these elements becomes, and what was counted. */
function decode(...elements: unknown[]) {
  const decoder = new FrameDecoder();
  const frame = decoder.decode(JSON.stringify(elements), NOW);
  return { ...frame, stats: decoder.readStats() };
}

const eventOf = (element: object) => decode(element).events[0];

const TRADE = { ev: 'T', sym: 'AAPL', i: '5096', x: 11, p: 161.87, s: 300, t: 1651684192462, q: 4009402, z: 3 };
const QUOTE = { ev: 'Q', sym: 'AAPL', bx: 15, ax: 12, bp: 297.83, ap: 297.86, bs: 80, as: 40, t: 1781622375952, z: 3 };
const BAR = {
  ev: 'A',
  sym: 'SPCE',
  v: 200,
  av: 8642007,
  op: 25.66,
  vw: 25.3981,
  o: 25.39,
  c: 25.4,
  h: 25.41,
  l: 25.38,
  a: 25.3714,
  z: 50,
  s: 1610144868000,
  e: 1610144869000,
};

// The recorded samples below are of a time after NOW.
const LATER = Date.UTC(2026, 11, 31);

describe('a trade', () => {
  it('off exchange, as the live wire sends it: exact size, no conditions, the facility in its id', () => {
    const wire =
      '[{"ev":"T","sym":"AAPL","i":"143541","x":4,"p":297.845,"s":40,"t":1781622376036,"pt":1781622376029,' +
      '"q":4938312,"z":3,"trfi":202,"trft":1781622376036,"ds":"40.0"}]';
    expect(new FrameDecoder().decode(wire, LATER).events).toEqual([
      {
        kind: 'trade',
        id: '4-202-143541',
        symbol: 'AAPL',
        price: 297.845,
        size: 40,
        exchange: 4,
        conditions: [],
        tape: 'C',
        offExchange: true,
        timestamp: 1781622376036,
        receivedAt: LATER,
      },
    ]);
  });

  it('on an exchange, as recordings from before the exact sizes have it', () => {
    expect(eventOf({ ...TRADE, c: [14, 41] })).toMatchObject({
      id: '11-5096',
      size: 300,
      conditions: [14, 41],
      offExchange: false,
    });
  });

  it.each([
    ['0.105', 0, 0.105],
    ['40.0', 40, 40],
    [undefined, 40, 40],
    [undefined, 0, 0],
    [null, 7, 7],
  ])('of size ds %j and s %j is of %d shares', (ds, s, size) => {
    expect(eventOf({ ...TRADE, ds, s })).toMatchObject({ size });
  });

  it.each([
    [undefined, []],
    [null, []],
    [0, []],
    [[], []],
    [[0], []],
    [37, [37]],
    [[37], [37]],
    [
      [14, 41, 999],
      [14, 41, 999],
    ],
  ])('with conditions %j has %j', (c, conditions) => {
    expect(eventOf({ ...TRADE, c })).toMatchObject({ conditions });
  });

  it('has its time in milliseconds, whatever the unit on the wire', () => {
    const time = fc.integer({ min: 946_684_800_000, max: NOW });
    const decoder = new FrameDecoder();
    fc.assert(
      fc.property(time, fc.oneof(fc.constant(0), fc.nat(998)), (ms, rest) => {
        // As text, as the wire has it: nanoseconds pass 2^53 and are rounded by JSON.parse.
        for (const t of [`${ms}`, `${ms}${`${rest}`.padStart(3, '0')}`, `${ms}${`${rest}`.padStart(3, '0')}000`]) {
          const frame = JSON.stringify([TRADE]).replace(`${TRADE.t}`, t);
          expect(decoder.decode(frame, NOW).events[0]).toMatchObject({ timestamp: ms });
        }
      }),
    );
  });

  it('keeps an id that is a number', () => {
    expect(eventOf({ ...TRADE, i: 5096 })).toMatchObject({ id: '11-5096' });
  });

  it.each([
    [1, 'A'],
    [2, 'B'],
    [3, 'C'],
    [undefined, null],
    [9, null],
  ])('of tape %j is of %j', (z, tape) => {
    expect(eventOf({ ...TRADE, z })).toMatchObject({ tape });
  });

  it('of an exchange that no table knows passes through', () => {
    expect(eventOf({ ...TRADE, x: 77 })).toMatchObject({ exchange: 77, id: '77-5096' });
  });

  it.each([
    ['symbol', { sym: undefined }],
    ['symbol', { sym: 7 }],
    ['symbol', { sym: 'not a symbol' }],
    ['symbol', { sym: '' }],
    ['symbol', { sym: 'A'.repeat(33) }],
    ['price', { p: 0 }],
    ['price', { p: -1 }],
    ['price', { p: '161.87' }],
    ['price', { p: null }],
    ['size', { s: -1 }],
    ['size', { s: undefined }],
    ['size', { s: '300' }],
    ['size', { ds: '-1' }],
    ['size', { ds: 'x' }],
    ['size', { ds: '' }],
    ['size', { ds: 40 }],
    ['time', { t: undefined }],
    ['time', { t: 0 }],
    ['time', { t: 1651684192 }],
    ['time', { t: NOW + 25 * 3_600_000 }],
    ['time', { t: '1651684192462' }],
    ['exchange', { x: undefined }],
    ['exchange', { x: 1.5 }],
    ['exchange', { x: -4 }],
    ['id', { i: undefined }],
    ['id', { i: '' }],
    ['id', { i: 'x'.repeat(65) }],
    ['id', { i: {} }],
    ['conditions', { c: 'I' }],
    ['conditions', { c: [1.5] }],
    ['conditions', { c: [[]] }],
    ['conditions', { c: 0.5 }],
  ])('that fails by its %s (%j) is dropped and counted, and its neighbours are kept', (cause, wrong) => {
    const { events, stats } = decode(TRADE, { ...TRADE, ...wrong }, QUOTE_OF_2022);
    expect(events.map(({ kind }) => kind)).toEqual(['trade', 'bbo']);
    expect(stats).toMatchObject({ frames: 1, events: 2, badFrames: 0, [`dropped.${cause}`]: 1 });
  });

  it('of an infinite price is dropped', () => {
    const decoder = new FrameDecoder();
    expect(decoder.decode(JSON.stringify([TRADE]).replace('161.87', '1e999'), NOW).events).toEqual([]);
    expect(decoder.readStats()['dropped.price']).toBe(1);
  });
});

const QUOTE_OF_2022 = { ...QUOTE, t: TRADE.t };

describe('a quote', () => {
  it('has prices, and sizes in shares', () => {
    expect(eventOf(QUOTE_OF_2022)).toEqual({
      kind: 'bbo',
      symbol: 'AAPL',
      bid: 297.83,
      bidSize: 80,
      ask: 297.86,
      askSize: 40,
      timestamp: TRADE.t,
      receivedAt: NOW,
    });
  });

  it.each([0, undefined, null])('has no side where its price is %j', (none) => {
    expect(eventOf({ ...QUOTE_OF_2022, bp: none })).toMatchObject({
      bid: null,
      bidSize: null,
      ask: 297.86,
      askSize: 40,
    });
    expect(eventOf({ ...QUOTE_OF_2022, ap: none })).toMatchObject({
      bid: 297.83,
      bidSize: 80,
      ask: null,
      askSize: null,
    });
  });

  it('may be locked or crossed', () => {
    expect(eventOf({ ...QUOTE_OF_2022, bp: 300 })).toMatchObject({ bid: 300, ask: 297.86 });
  });

  it.each([7, [7], undefined])('takes its own condition in any form (%j)', (c) => {
    expect(eventOf({ ...QUOTE_OF_2022, c, i: [604] })).toMatchObject({ kind: 'bbo' });
  });

  it.each([
    ['price', { bp: -1 }],
    ['price', { ap: '297.86' }],
    ['size', { bs: -80 }],
    ['size', { as: undefined }],
    ['time', { t: null }],
    ['symbol', { sym: null }],
  ])('that fails by its %s (%j) is dropped and counted', (cause, wrong) => {
    const { events, stats } = decode({ ...QUOTE_OF_2022, ...wrong });
    expect(events).toEqual([]);
    expect(stats[`dropped.${cause}`]).toBe(1);
  });
});

describe('a bar', () => {
  it('of a second', () => {
    expect(eventOf(BAR)).toEqual({
      kind: 'bar',
      symbol: 'SPCE',
      interval: 'SECOND',
      open: 25.39,
      high: 25.41,
      low: 25.38,
      close: 25.4,
      volume: 200,
      vwap: 25.3981,
      start: 1610144868000,
      end: 1610144869000,
      dayOpen: 25.66,
      dayVolume: 8642007,
      dayVwap: 25.3714,
      receivedAt: NOW,
    });
  });

  it('of a minute, with exact volumes and a size that is no integer', () => {
    expect(eventOf({ ...BAR, ev: 'AM', dv: '200.5', dav: '8642007.038360', z: 12.5 })).toMatchObject({
      interval: 'MINUTE',
      volume: 200.5,
      dayVolume: 8642007.03836,
      end: BAR.s + 60_000,
    });
  });

  it('before the open has no opening price', () => {
    expect(eventOf({ ...BAR, op: 0 })).toMatchObject({ dayOpen: null });
    expect(eventOf({ ...BAR, op: undefined, av: undefined, a: undefined, vw: 0 })).toMatchObject({
      dayOpen: null,
      dayVolume: null,
      dayVwap: null,
      vwap: null,
    });
  });

  it('of an index has no volume, and ends where its interval does', () => {
    const s = 1678220675805;
    const wire = { ev: 'AM', sym: 'I:SPX', op: 3985.67, o: 3985.67, c: 3985.67, h: 3985.67, l: 3985.67, s, e: s };
    expect(eventOf(wire)).toMatchObject({ symbol: 'I:SPX', volume: 0, vwap: null, start: s, end: s + 60_000 });
  });

  it.each([
    ['price', { o: 0 }],
    ['price', { h: undefined }],
    ['price', { l: 'x' }],
    ['price', { c: -1 }],
    ['time', { s: undefined }],
    ['size', { v: -1 }],
    ['size', { v: undefined }],
    ['symbol', { sym: 'a b' }],
  ])('that fails by its %s (%j) is dropped and counted', (cause, wrong) => {
    const { events, stats } = decode({ ...BAR, ...wrong });
    expect(events).toEqual([]);
    expect(stats[`dropped.${cause}`]).toBe(1);
  });
});

describe('the value of an index', () => {
  const VALUE = { ev: 'V', val: 3988.5, T: 'I:SPX', t: 1678220098130 };

  it('has its symbol under a name of its own', () => {
    expect(eventOf(VALUE)).toEqual({
      kind: 'index-value',
      symbol: 'I:SPX',
      value: 3988.5,
      timestamp: 1678220098130,
      receivedAt: NOW,
    });
  });

  it.each([
    ['symbol', { T: undefined, sym: 'I:SPX' }],
    ['price', { val: null }],
    ['time', { t: 'now' }],
  ])('that fails by its %s is dropped and counted', (cause, wrong) => {
    expect(decode({ ...VALUE, ...wrong }).stats[`dropped.${cause}`]).toBe(1);
  });
});

describe('a frame', () => {
  it('keeps the order of the wire, and statuses apart', () => {
    const { events, statuses } = decode(
      TRADE,
      { ev: 'status', status: 'success', message: 'subscribed to: T.AAPL' },
      QUOTE_OF_2022,
      { ...TRADE, sym: 'msft' },
      { ev: 'status' },
    );
    expect(events.map(({ symbol, kind }) => `${kind} ${symbol}`)).toEqual(['trade AAPL', 'bbo AAPL', 'trade MSFT']);
    expect(statuses).toEqual([
      { status: 'success', message: 'subscribed to: T.AAPL' },
      { status: '', message: '' },
    ]);
  });

  it('cuts a status of excessive length', () => {
    expect(decode({ ev: 'status', status: 'error', message: 'x'.repeat(1e6) }).statuses[0]!.message).toHaveLength(512);
  });

  test.each(['', 'null', '{}', '"[]"', '7', '[', '[{"ev":"T"', '{"ev":"status","status":"connected"}', '\u0000'])(
    'that is no JSON array (%j) is counted and survived',
    (text) => {
      const decoder = new FrameDecoder();
      expect(decoder.decode(text, NOW)).toEqual({ events: [], statuses: [] });
      expect(decoder.decode(JSON.stringify([TRADE]), NOW).events).toHaveLength(1);
      expect(decoder.readStats()).toMatchObject({ frames: 2, events: 1, badFrames: 1 });
    },
  );

  it('that is binary is counted', () => {
    const decoder = new FrameDecoder();
    decoder.countBinaryFrame();
    expect(decoder.readStats()).toMatchObject({ frames: 1, badFrames: 1 });
  });

  it('may hold kinds that are not ours: each is counted by name', () => {
    const { events, stats } = decode(
      { ev: 'LULD', T: 'MSFT', h: 492.99, l: 446.04, i: [16], z: 3, t: 1764086430905642800, q: 5925769 },
      { ev: 'NOI', T: 'NTEST.Q', t: 1601318039223013600, at: 930, a: 'M', i: 44, x: 10, o: 480, p: 440, b: 25.03 },
      { ev: 'FMV', fmv: 189.22, sym: 'AAPL', t: 1678220098130 },
      { ev: 'LV', val: 189.22, sym: 'AAPL', t: 1678220098130 },
      { ev: 'LV', val: 189.23, sym: 'AAPL', t: 1678220098131 },
      { ev: 'a name with blanks' },
      { ev: 7 },
      {},
      [],
      TRADE,
    );
    expect(events).toHaveLength(1);
    expect(stats).toMatchObject({
      'ignored.LULD': 1,
      'ignored.NOI': 1,
      'ignored.FMV': 1,
      'ignored.LV': 2,
      'ignored.other': 4,
    });
  });

  it('cannot make the names of unknown kinds grow without bound', () => {
    const { stats } = decode(...Array.from({ length: 1000 }, (_, n) => ({ ev: `K${n}` })));
    expect(Object.keys(stats).filter((name) => name.startsWith('ignored.'))).toHaveLength(33);
    expect(stats['ignored.other']).toBe(968);
  });

  it('cannot make the memory of symbols grow without bound', () => {
    const decoder = new FrameDecoder();
    const symbols = Array.from({ length: 40_000 }, (_, n) => ({ ...TRADE, sym: `S${n}` }));
    expect(decoder.decode(JSON.stringify(symbols), NOW).events.at(-1)!.symbol).toBe('S39999');
    expect(decoder.readStats()['rememberedSymbols']).toBeLessThanOrEqual(32_768);
    expect(decoder.decode(JSON.stringify([TRADE]), NOW).events[0]!.symbol).toBe('AAPL');
  });

  it('is never lost by what else is in it', () => {
    const names = ['ev', 'sym', 'T', 'x', 'i', 'p', 's', 'ds', 'c', 't', 'bp', 'ap', 'o', 'val', 'status', '__proto__'];
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom('T', 'Q', 'A', 'AM', 'V', 'status', 'AAPL', 0, 37, NOW),
    );
    const garbage = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.dictionary(fc.constantFrom(...names), value),
      fc
        .tuple(fc.constantFrom(TRADE, QUOTE_OF_2022, BAR), fc.dictionary(fc.constantFrom(...names), value))
        .map(([good, wrong]) => ({ ...good, ...wrong })),
    );
    const marked = { ...TRADE, sym: 'MARK' };
    fc.assert(
      fc.property(fc.array(garbage, { maxLength: 8 }), fc.nat(8), (elements, at) => {
        const decoder = new FrameDecoder();
        const { events } = decoder.decode(JSON.stringify(elements.toSpliced(at, 0, marked)), NOW);
        expect(events.filter(({ symbol }) => symbol === 'MARK')).toHaveLength(1);
        expect(events.filter((event) => !holds(event))).toEqual([]);
        const { frames, badFrames } = decoder.readStats();
        expect({ frames, badFrames }).toEqual({ frames: 1, badFrames: 0 });
      }),
      { numRuns: 500 },
    );
  });

  it('may be any text', () => {
    const decoder = new FrameDecoder();
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(decoder.decode(text, NOW).events.filter((event) => !holds(event))).toEqual([]);
      }),
    );
  });
});

/** Whether the rest of the program may rely on it. */
function holds(event: FeedEvent): boolean {
  const numbers = Object.values(event).filter((value) => typeof value === 'number');
  if (!/^[A-Z0-9.\-:/]{1,32}$/.test(event.symbol) || !numbers.every((number) => number >= 0 && number < Infinity)) {
    return false;
  }
  switch (event.kind) {
    case 'trade':
      return event.price > 0 && event.id !== '' && event.conditions.every(Number.isInteger);
    case 'bbo':
      return (event.bid === null) === (event.bidSize === null) && (event.ask === null) === (event.askSize === null);
    case 'bar':
      return Math.min(event.open, event.high, event.low, event.close) > 0 && event.end > event.start;
    case 'index-value':
      return event.value > 0;
  }
}

describe('every event', () => {
  const symbol = fc.stringMatching(/^[A-Z]{1,5}(\.[A-Z])?$/);
  const index = symbol.map((root) => `I:${root}`);
  const price = fc.integer({ min: 1, max: 1e9 }).map((n) => n / 10_000);
  const shares = fc.integer({ min: 0, max: 1e12 }).map((n) => n / 1e6);
  const time = fc.integer({ min: 946_684_800_000, max: NOW });
  const receivedAt = fc.constant(NOW);
  const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });

  const trade = fc
    .record({
      kind: fc.constant('trade' as const),
      id: fc.constant(''),
      symbol,
      price,
      size: shares,
      exchange: fc.integer({ min: 0, max: 400 }),
      conditions: fc.array(fc.integer({ min: 1, max: 99 }), { maxLength: 4 }),
      tape: fc.constantFrom('A' as const, 'B' as const, 'C' as const, null),
      offExchange: fc.constant(false),
      timestamp: time,
      receivedAt,
    })
    .chain((event) =>
      fc.tuple(fc.constantFrom(201, 202, 203), fc.stringMatching(/^\d{1,12}$/)).map(([facility, id]) => {
        const offExchange = event.exchange === 4;
        return { ...event, offExchange, id: offExchange ? `4-${facility}-${id}` : `${event.exchange}-${id}` };
      }),
    );
  const quote = fc
    .record({
      kind: fc.constant('bbo' as const),
      symbol,
      bid: nullable(price),
      bidSize: fc.nat(),
      ask: nullable(price),
      askSize: fc.nat(),
      timestamp: time,
      receivedAt,
    })
    .map((event) => ({
      ...event,
      bidSize: event.bid === null ? null : event.bidSize,
      askSize: event.ask === null ? null : event.askSize,
    }));
  const bar = fc
    .record({
      kind: fc.constant('bar' as const),
      symbol,
      interval: fc.constantFrom('SECOND' as const, 'MINUTE' as const),
      open: price,
      high: price,
      low: price,
      close: price,
      volume: shares,
      vwap: nullable(price),
      start: time,
      end: fc.constant(0),
      dayOpen: nullable(price),
      dayVolume: nullable(shares),
      dayVwap: nullable(price),
      receivedAt,
    })
    .map((event) => ({ ...event, end: event.start + (event.interval === 'SECOND' ? 1000 : 60_000) }));
  const value = fc.record({
    kind: fc.constant('index-value' as const),
    symbol: index,
    value: price,
    timestamp: time,
    receivedAt,
  });

  it('comes back as it was sent', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(trade, quote, bar, value)), (events) => {
        const text = JSON.stringify(events.map(encode));
        expect(new FrameDecoder().decode(text, NOW).events).toEqual(events);
      }),
    );
  });
});

/** The inverse of the decoder, written by the protocol. */
function encode(event: FeedEvent): object {
  const optional = (number: number | null) => number ?? undefined;
  const decimal = (number: number | null) => (number === null ? undefined : number.toFixed(6));
  switch (event.kind) {
    case 'trade': {
      const [x, ...rest] = event.id.split('-');
      const [trfi, i] = rest.length === 2 ? [Number(rest[0]), rest[1]] : [undefined, rest[0]];
      return {
        ev: 'T',
        sym: event.symbol,
        x: Number(x),
        i,
        trfi,
        p: event.price,
        s: Math.trunc(event.size),
        ds: decimal(event.size),
        c: event.conditions.length === 0 ? undefined : event.conditions,
        t: event.timestamp,
        z: event.tape === null ? undefined : 'ABC'.indexOf(event.tape) + 1,
      };
    }
    case 'bbo':
      return {
        ev: 'Q',
        sym: event.symbol,
        bp: event.bid ?? 0,
        bs: event.bidSize ?? 0,
        ap: event.ask ?? 0,
        as: event.askSize ?? 0,
        t: event.timestamp,
      };
    case 'bar':
      return {
        ev: event.interval === 'SECOND' ? 'A' : 'AM',
        sym: event.symbol,
        v: Math.trunc(event.volume),
        dv: decimal(event.volume),
        dav: decimal(event.dayVolume),
        op: event.dayOpen ?? 0,
        vw: optional(event.vwap),
        o: event.open,
        h: event.high,
        l: event.low,
        c: event.close,
        a: optional(event.dayVwap),
        s: event.start,
        e: event.end,
      };
    case 'index-value':
      return { ev: 'V', T: event.symbol, val: event.value, t: event.timestamp };
  }
}
