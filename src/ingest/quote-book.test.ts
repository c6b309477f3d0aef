import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LiveBar } from '../market/bar.ts';
import { tradeEligibility } from '../market/conditions.ts';
import type { BestBidOffer, IndexValue, Quote } from '../market/quote.ts';
import type { Trade } from '../market/trade.ts';
import { ReferenceBook } from '../market/reference-book.ts';
import { MarketHours } from './market-hours.ts';
import { QuoteFold } from './quote-book.ts';

/** A Friday, 09:30 in New York: the opening bell. */
const BELL = Date.UTC(2026, 10, 20, 14, 30);
const CLOSE = Date.UTC(2026, 10, 20, 21);
const hours = new MarketHours();

function fold(): QuoteFold {
  return new QuoteFold('AAPL', hours, new ReferenceBook());
}

function print(timestamp: number, price: number, size = 100, conditions: readonly number[] = []): Trade {
  return {
    kind: 'trade',
    id: 'x',
    symbol: 'AAPL',
    price,
    size,
    exchange: 12,
    conditions,
    tape: 'C',
    offExchange: false,
    timestamp,
    receivedAt: timestamp + 3,
  };
}

function bbo(timestamp: number, bid: number | null, ask: number | null): BestBidOffer {
  return {
    kind: 'bbo',
    symbol: 'AAPL',
    bid,
    bidSize: bid === null ? null : 100,
    ask,
    askSize: ask === null ? null : 200,
    timestamp,
    receivedAt: timestamp + 3,
  };
}

function bar(start: number, fields: Partial<LiveBar> = {}): LiveBar {
  return {
    kind: 'bar',
    interval: 'SECOND',
    symbol: 'AAPL',
    open: 1,
    high: 1,
    low: 1,
    close: 1,
    volume: 1,
    vwap: 1,
    start,
    end: start + 1_000,
    dayOpen: null,
    dayVolume: null,
    dayVwap: null,
    receivedAt: start + 1_003,
    ...fields,
  };
}

function value(timestamp: number, points: number): IndexValue {
  return { kind: 'index-value', symbol: 'AAPL', value: points, timestamp, receivedAt: timestamp + 3 };
}

function seed(timestamp: number, fields: Partial<Quote> = {}): Quote {
  return {
    symbol: 'AAPL',
    price: 50,
    change: null,
    changePercent: null,
    bid: 49,
    bidSize: 1,
    ask: 51,
    askSize: 2,
    open: 45,
    high: 60,
    low: 40,
    previousClose: 48,
    vwap: 50,
    volume: 1_000,
    timestamp,
    receivedAt: timestamp + 3,
    ...fields,
  };
}

describe('the last price', () => {
  test('is that of the newest eligible print, whatever the order of arrival', () => {
    const quote = fold();
    quote.foldTrade(print(BELL + 20, 101));
    expect(quote.foldTrade(print(BELL + 10, 99))).toBe(true);
    quote.foldTrade(print(BELL + 30, 7, 5, [37]));
    expect(quote.toQuote()).toMatchObject({ price: 101, volume: 205, timestamp: BELL + 30 });
  });

  test('of two prints at one time is that which came later', () => {
    const quote = fold();
    quote.foldTrade(print(BELL, 101));
    quote.foldTrade(print(BELL, 102));
    expect(quote.toQuote()!.price).toBe(102);
  });

  test('is set outside the regular session by prints marked so, which make no high and no low', () => {
    const quote = fold();
    quote.applySeed(null);
    quote.foldTrade(print(CLOSE - 1, 100));
    quote.foldTrade(print(CLOSE + 60_000, 120, 10, [12]));
    expect(quote.toQuote()).toMatchObject({ price: 120, high: 100, low: 100, volume: 110 });
  });

  test('is set by an out-of-sequence print only while the day has none', () => {
    const quote = fold();
    quote.foldTrade(print(BELL, 100, 10, [32]));
    expect(quote.toQuote()!.price).toBe(100);
    quote.foldTrade(print(BELL + 1, 101, 10, [32]));
    expect(quote.toQuote()!.price).toBe(100);
    quote.foldTrade(print(BELL - 1, 102));
    expect(quote.toQuote()!.price).toBe(102);
  });

  test('is unknown while nothing set it, and there is no quote then', () => {
    const quote = fold();
    quote.foldTrade(print(BELL, 100, 10, [37]));
    quote.foldBestBidOffer(bbo(BELL, 1, 2));
    expect(quote.toQuote()).toBeNull();
  });

  test('comes from bars where no prints do', () => {
    const quote = fold();
    quote.foldBar(bar(BELL, { open: 9, high: 12, low: 8, close: 11, dayVolume: 70, dayVwap: 10, dayOpen: 9 }));
    expect(quote.toQuote()).toMatchObject({ price: 11, volume: 70, vwap: 10, open: 9, timestamp: BELL + 999 });
    quote.foldTrade(print(BELL + 500, 10));
    quote.foldBar(bar(BELL + 1_000, { close: 13 }));
    expect(quote.toQuote()!.price).toBe(11);
  });
});

test('a bar that changes the figures of the day is the newest part of the quote', () => {
  const quote = fold();
  quote.foldTrade(print(BELL + 200, 100, 10));
  expect(quote.foldBar(bar(BELL, { dayVolume: 500, dayVwap: 99 }))).toBe(true);
  expect(quote.toQuote()).toMatchObject({ volume: 500, timestamp: BELL + 999, receivedAt: BELL + 1_003 });
  // One that comes after newer ticks is not.
  quote.foldBestBidOffer(bbo(BELL + 2_500, 99, 101));
  expect(quote.foldBar(bar(BELL + 1_000, { dayVolume: 600, dayVwap: 99 }))).toBe(true);
  expect(quote.toQuote()).toMatchObject({ volume: 600, timestamp: BELL + 2_500, receivedAt: BELL + 2_503 });
});

describe('an event', () => {
  test('that changes nothing says so', () => {
    const quote = fold();
    expect(quote.foldTrade(print(BELL, 100, 10, [15]))).toBe(false);
    quote.foldBestBidOffer(bbo(BELL + 5, 1, 2));
    expect(quote.foldBestBidOffer(bbo(BELL + 4, 3, 4))).toBe(false);
    expect(quote.foldBar(bar(BELL, { dayVolume: 5, dayVwap: 1 }))).toBe(true);
    quote.foldTrade(print(BELL + 2_000, 100));
    expect(quote.foldBar(bar(BELL, { dayVolume: 5, dayVwap: 1 }))).toBe(false);
  });

  test('of the day before does not enter the figures of the day', () => {
    const quote = fold();
    quote.foldTrade(print(BELL, 100));
    const friday = quote.toQuote();
    expect(quote.foldTrade(print(BELL - 86_400_000, 5))).toBe(false);
    expect(quote.foldBar(bar(BELL - 86_400_000, { dayVolume: 9 }))).toBe(false);
    expect(quote.foldIndexValue(value(BELL - 86_400_000, 9))).toBe(false);
    expect(quote.toQuote()).toEqual(friday);
  });

  test('that is dated a day after its arrival does not outdate all others', () => {
    const quote = fold();
    quote.foldTrade(print(BELL, 100));
    const ahead = BELL + 2 * 86_400_000;
    expect(quote.foldTrade({ ...print(ahead, 5), receivedAt: BELL })).toBe(false);
    expect(quote.foldBestBidOffer({ ...bbo(ahead, 5, 6), receivedAt: BELL })).toBe(false);
    expect(quote.foldBar({ ...bar(ahead), receivedAt: BELL })).toBe(false);
    expect(quote.foldIndexValue({ ...value(ahead, 5), receivedAt: BELL })).toBe(false);
    quote.foldTrade(print(BELL + 1, 101));
    expect(quote.toQuote()).toMatchObject({ price: 101, timestamp: BELL + 1, bid: null });
  });
});

test('crossed and one-sided markets are kept as they are', () => {
  const quote = fold();
  quote.foldTrade(print(BELL, 100));
  quote.foldBestBidOffer(bbo(BELL, 101, 99));
  expect(quote.toQuote()).toMatchObject({ bid: 101, ask: 99, bidSize: 100, askSize: 200 });
  quote.foldBestBidOffer(bbo(BELL + 1, null, 99));
  expect(quote.toQuote()).toMatchObject({ bid: null, bidSize: null, ask: 99 });
});

describe('a snapshot', () => {
  test('gives way to what is newer and replaces what is older', () => {
    const quote = fold();
    quote.foldTrade(print(BELL + 10, 70));
    quote.foldBestBidOffer(bbo(BELL + 10, 69, 71));
    quote.applySeed(seed(BELL + 5));
    expect(quote.toQuote()).toMatchObject({ price: 70, bid: 69, high: 70, low: 40, open: 45, previousClose: 48 });
    quote.applySeed(seed(BELL + 15));
    expect(quote.toQuote()).toMatchObject({ price: 50, bid: 49, change: 2, timestamp: BELL + 15 });
  });

  test('of yesterday brings a price and a close, not yesterday’s figures, once the upstream has cleared them', () => {
    const quote = fold();
    quote.foldBar(bar(BELL, { dayVolume: 10, dayVwap: 20, close: 20, high: 20, low: 20 }));
    quote.applySeed(seed(BELL - 86_400_000, { volume: 0, previousClose: 19, high: null, low: null, open: null }));
    expect(quote.toQuote()).toMatchObject({ price: 20, previousClose: 19, high: 20, volume: 10 });
  });

  test('is missing: high, low and average of the day are not known, and not made up', () => {
    const quote = fold();
    quote.foldTrade(print(BELL + 3_600_000, 100));
    expect(quote.toQuote()).toMatchObject({ price: 100, high: null, low: null, open: null, vwap: null, change: null });
    quote.applySeed(null);
    expect(quote.toQuote()).toMatchObject({ price: 100, high: 100, low: 100, open: 100, vwap: 100 });
  });
});

test('a new trade date empties the day; the official close, not the last extended trade, is the previous one', () => {
  const quote = fold();
  quote.applySeed(seed(BELL));
  quote.foldTrade(print(CLOSE - 1, 100));
  quote.foldTrade(print(CLOSE + 2_000, 102, 5_000, [8]));
  quote.foldTrade(print(CLOSE + 60_000, 120, 10, [12]));
  const monday = Date.UTC(2026, 10, 23, 9);
  expect(quote.rollTo(hours.dayOf(monday))).toBe(true);
  expect(quote.rollTo(hours.dayOf(monday))).toBe(false);
  const empty = { open: null, high: null, low: null, vwap: null, volume: 0 };
  expect(quote.toQuote()).toMatchObject({ price: 120, previousClose: 102, change: 18, ...empty });
  quote.foldTrade(print(monday + 1_000, 119, 10, [12]));
  expect(quote.toQuote()).toMatchObject({ price: 119, change: 17, volume: 10, vwap: 119 });
});

test('an index has a value, and a day of values', () => {
  const quote = fold();
  quote.applySeed(null);
  quote.foldIndexValue(value(BELL, 6_000));
  quote.foldIndexValue(value(BELL + 2, 6_010));
  quote.foldIndexValue(value(BELL + 1, 5_990));
  expect(quote.toQuote()).toMatchObject({ price: 6_010, open: 6_000, high: 6_010, low: 5_990, volume: 0, vwap: null });
});

/** A print that sets nothing, but says that prints come: the closes of bars then set nothing either. */
const NEUTRAL = print(BELL, 1, 1, [15]);

/** What the rules say, computed from all events at once: slow, and of another build than the fold. */
function recompute(events: readonly (Trade | BestBidOffer | LiveBar)[], start: Quote): Partial<Quote> {
  const trades = events.filter((event) => event.kind === 'trade');
  const bars = events.filter((event) => event.kind === 'bar' && event.dayVolume !== null) as LiveBar[];
  const may = (trade: Trade) => tradeEligibility(trade.conditions, false, true);
  let { price, bid, ask } = start;
  let [priceTime, bboTime] = [start.timestamp, start.timestamp];
  for (const event of events) {
    if (event.kind === 'trade' && may(event).last && event.timestamp >= priceTime) {
      price = event.price;
      priceTime = event.timestamp;
    }
    if (event.kind === 'bbo' && event.timestamp >= bboTime) {
      [bid, ask] = [event.bid, event.ask];
      bboTime = event.timestamp;
    }
  }
  const extremes = trades.filter((trade) => may(trade).highLow).map((trade) => trade.price);
  let base = { time: start.timestamp + 1, volume: start.volume };
  for (const { end, dayVolume } of bars) if (end >= base.time) base = { time: end, volume: dayVolume! };
  const counted = trades.filter((trade) => may(trade).volume && trade.timestamp >= base.time);
  return {
    price,
    bid,
    ask,
    high: Math.max(start.high!, ...extremes),
    low: Math.min(start.low!, ...extremes),
    volume: base.volume + counted.reduce((sum, { size }) => sum + size, 0),
  };
}

/** The time of the newest tick that may have changed the quote, and of the newest part with the bars, which may have. */
function boundTimestamp(events: readonly (Trade | BestBidOffer | LiveBar)[], start: Quote): [number, number] {
  const ticks = events.flatMap((event) => {
    if (event.kind === 'bbo') return [event.timestamp];
    if (event.kind === 'bar') return [];
    const { volume, highLow, last } = tradeEligibility(event.conditions, false, true);
    return volume || highLow || last ? [event.timestamp] : [];
  });
  const bars = events.flatMap((event) => (event.kind === 'bar' && event.dayVolume !== null ? [event.end - 1] : []));
  const newestTick = Math.max(start.timestamp, ...ticks);
  return [newestTick, Math.max(newestTick, ...bars)];
}

test('the fold of any events in any order agrees with a recomputation from all of them', () => {
  const time = fc.integer({ min: 0, max: 20_000 }).map((ms) => BELL + ms);
  const trade = fc
    .record({
      timestamp: time,
      price: fc.integer({ min: 1, max: 100 }),
      size: fc.integer({ min: 1, max: 500 }),
      conditions: fc.subarray([2, 10, 12, 14, 15, 32, 37, 41, 999], { maxLength: 2 }),
    })
    .map(({ timestamp, price, size, conditions }) => print(timestamp, price, size, conditions));
  const quote = fc
    .record({ timestamp: time, bid: fc.option(fc.nat(100)), ask: fc.option(fc.nat(100)) })
    .map(({ timestamp, bid, ask }) => bbo(timestamp, bid, ask));
  const second = fc
    .record({ second: fc.nat(20), dayVolume: fc.option(fc.nat(100_000)) })
    .map(({ second: index, dayVolume }) =>
      bar(BELL + index * 1_000, { dayVolume, dayVwap: dayVolume === null ? null : 50 }),
    );
  const events = fc.array(fc.oneof({ weight: 4, arbitrary: trade }, quote, second), { maxLength: 120 });
  fc.assert(
    fc.property(events, fc.nat(120), time, (all, seedAt, seedTime) => {
      const subject = fold();
      subject.foldTrade(NEUTRAL);
      const start = seed(seedTime);
      // Events before the seed's arrival are prints and quotes: its time lies among theirs.
      const early = all.slice(0, seedAt).filter((event) => event.kind !== 'bar');
      const late = all.slice(seedAt);
      const apply = (event: (typeof all)[number]): unknown => {
        if (event.kind === 'trade') return subject.foldTrade(event);
        return event.kind === 'bbo' ? subject.foldBestBidOffer(event) : subject.foldBar(event);
      };
      early.forEach(apply);
      subject.applySeed(start);
      late.forEach(apply);
      const quote = subject.toQuote();
      expect(quote).toMatchObject(recompute([...early, ...late], start));
      const [earliest, latest] = boundTimestamp([...early, ...late], start);
      expect(quote!.timestamp).toBeGreaterThanOrEqual(earliest);
      expect(quote!.timestamp).toBeLessThanOrEqual(latest);
    }),
    { numRuns: 400 },
  );
});
