import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LogRecord, recordingLogger } from '../../../test/recording-logger.ts';
import { ScriptedRest } from '../../../test/scripted-rest.ts';
import { TRADE_CONDITIONS } from '../../market/conditions.ts';
import type { Logger } from '../../market/logger.ts';
import { SourceUnavailableError } from '../../market/source.ts';
import type { RestLimits } from './rest-client.ts';
import { createPolygonRest, type PolygonRestOptions } from './rest.ts';

const KEY = 'secret-key-4711';
const NOW = Date.UTC(2026, 10, 20, 20, 0, 0);
const NOW_NS = `${NOW}000000`;

let upstream: ScriptedRest;
let logger: Logger;
let records: LogRecord[];

beforeEach(async () => {
  upstream = await ScriptedRest.start();
  ({ logger, records } = recordingLogger());
});

afterEach(async () => {
  await upstream[Symbol.asyncDispose]();
  const said = JSON.stringify([records, upstream.requests.map(({ url }) => url)]);
  if (said.includes(KEY)) throw new Error('the key was logged, or put into a URL');
});

/** Short waits between tries; a try itself has longer than a test, so that none ends by its deadline unseen. */
const QUICK: Partial<RestLimits> = { initialDelayMs: 1, maxDelayMs: 2, timeoutMs: 60_000 };

function open(options: Partial<PolygonRestOptions> = {}) {
  return createPolygonRest({
    baseUrl: upstream.origin,
    apiKey: KEY,
    logger,
    limits: QUICK,
    clock: () => NOW,
    ...options,
  });
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it did not fail'),
    (error: unknown) => {
      expect(error).toBeInstanceOf(SourceUnavailableError);
      expect(JSON.stringify([(error as Error).message, String((error as Error).cause)])).not.toContain(KEY);
      return error as SourceUnavailableError;
    },
  );

const SNAPSHOT = {
  ticker: 'AAPL',
  updated: Number(NOW_NS) - 5e9,
  day: { o: 20.64, h: 20.7, l: 20.506, c: 20.5, v: 37216, vw: 20.616, dv: '37216.25' },
  min: { av: 37216, t: NOW - 60_000, n: 1, o: 20.506, h: 20.506, l: 20.506, c: 20.49, v: 5000, vw: 20.5105 },
  prevDay: { o: 20.79, h: 21, l: 20.5, c: 20.63, v: 292738, vw: 20.6939 },
  lastTrade: { c: [14, 41], i: '71675577320245', p: 20.51, s: 2416, ds: '2416.0', t: Number(NOW_NS) - 2e9, x: 4 },
  lastQuote: { p: 20.5, s: 13, P: 20.6, S: 22, t: Number(NOW_NS) - 1e9 },
};

describe('quotes of stocks', () => {
  it('come from the snapshot', async () => {
    upstream.answerInTurn({ body: { status: 'OK', count: 1, tickers: [SNAPSHOT] } });
    const quotes = await open().readQuotes(['AAPL', 'NOSUCH']);
    expect(upstream.requests).toEqual([
      { url: '/v2/snapshot/locale/us/markets/stocks/tickers?tickers=AAPL,NOSUCH', authorization: `Bearer ${KEY}` },
    ]);
    expect([...quotes]).toEqual([
      [
        'AAPL',
        {
          symbol: 'AAPL',
          price: 20.51,
          change: -0.12,
          changePercent: -0.581677,
          bid: 20.5,
          bidSize: 13,
          ask: 20.6,
          askSize: 22,
          open: 20.64,
          high: 20.7,
          low: 20.506,
          previousClose: 20.63,
          vwap: 20.616,
          volume: 37216.25,
          timestamp: NOW - 1000,
          receivedAt: NOW,
        },
      ],
    ]);
  });

  const priceOf = async (change: object, options: Partial<PolygonRestOptions> = {}) => {
    upstream.answerInTurn({ body: { tickers: [{ ...SNAPSHOT, ...change }] } });
    return (await open(options).readQuotes(['AAPL'])).get('AAPL')?.price;
  };
  const ZEROS = { o: 0, h: 0, l: 0, c: 0, v: 0, vw: 0 };

  it('have the price of the last trade that may set it, else the newest bar, else the previous close', async () => {
    expect(await priceOf({})).toBe(20.51);
    expect(await priceOf({ lastTrade: { ...SNAPSHOT.lastTrade, c: [37] } })).toBe(20.5);
    expect(await priceOf({ lastTrade: undefined })).toBe(20.5);
    expect(await priceOf({ lastTrade: undefined, day: ZEROS })).toBe(20.49);
    expect(await priceOf({ lastTrade: undefined, day: ZEROS, min: ZEROS })).toBe(20.63);
    expect(await priceOf({ lastTrade: undefined, day: null, min: 7, prevDay: 'x' })).toBeUndefined();
  });

  it('take a Form T trade for the last one outside the regular session only', async () => {
    const lastTrade = { ...SNAPSHOT.lastTrade, c: [12] };
    expect(await priceOf({ lastTrade })).toBe(20.5);
    const asked: number[] = [];
    const isExtendedHours = (time: number) => asked.push(time) > 0;
    expect(await priceOf({ lastTrade }, { isExtendedHours })).toBe(20.51);
    expect(asked).toEqual([NOW - 2000]);
  });

  it('have no figures of a day that has not begun', async () => {
    upstream.answerInTurn({
      body: { tickers: [{ ticker: 'AAPL', day: ZEROS, min: ZEROS, prevDay: SNAPSHOT.prevDay, updated: 0 }] },
    });
    expect((await open().readQuotes(['AAPL'])).get('AAPL')).toMatchObject({
      price: 20.63,
      change: 0,
      open: null,
      high: null,
      low: null,
      vwap: null,
      volume: 0,
      bid: null,
      bidSize: null,
      ask: null,
      askSize: null,
      timestamp: NOW,
    });
  });

  it('are asked for in batches, each symbol once', async () => {
    upstream.answer = (url) => ({
      body: {
        tickers: url.searchParams
          .get('tickers')!
          .split(',')
          .map((ticker) => ({ ...SNAPSHOT, ticker })),
      },
    });
    const symbols = Array.from({ length: 600 }, (_, n) => `SYM${n}`);
    const quotes = await open().readQuotes([...symbols, ...symbols, 'not a symbol']);
    expect(quotes.size).toBe(600);
    expect(upstream.requests).toHaveLength(3);
  });

  it('are not asked for where there are none', async () => {
    expect(await open().readQuotes([])).toEqual(new Map());
    expect(upstream.requests).toEqual([]);
  });

  it('of bad elements are left out and counted, and so is what nobody asked for', async () => {
    const rest = open();
    const bad = [null, 7, [], {}, { ticker: 'not a symbol' }, { ticker: 'MSFT' }, { ...SNAPSHOT, ticker: 7 }];
    upstream.answerInTurn({ body: { tickers: [...bad, SNAPSHOT, { ...SNAPSHOT, ticker: 'IBM' }] } });
    expect([...(await rest.readQuotes(['AAPL', 'MSFT'])).keys()]).toEqual(['AAPL']);
    expect(rest.readStats()['badElements']).toBe(7);
  });

  it.each([null, [], 7, 'x', {}, { tickers: null }, { tickers: { AAPL: 1 } }])('are none in %j', async (body) => {
    upstream.answerInTurn({ text: JSON.stringify(body) });
    expect(await open().readQuotes(['AAPL'])).toEqual(new Map());
  });
});

const INDEX = {
  ticker: 'I:SPX',
  type: 'indices',
  value: 3988.5,
  last_updated: Number(NOW_NS) - 3e9,
  session: { change: 1, open: 3980, high: 3990, low: 3970, close: 3988, previous_close: 3978.5, price: 3988.4 },
};

describe('quotes of indices', () => {
  it('come from the universal snapshot, beside those of stocks', async () => {
    upstream.answer = (url) =>
      url.pathname === '/v3/snapshot'
        ? { body: { results: [INDEX, { error: 'NOT_FOUND', message: 'Ticker not found.', ticker: 'I:NONE' }] } }
        : { body: { tickers: [SNAPSHOT] } };
    const rest = open();
    const quotes = await rest.readQuotes(['I:SPX', 'AAPL', 'I:NONE']);
    expect([...quotes.keys()].sort()).toEqual(['AAPL', 'I:SPX']);
    expect(quotes.get('I:SPX')).toEqual({
      symbol: 'I:SPX',
      price: 3988.5,
      change: 10,
      changePercent: 0.251351,
      bid: null,
      bidSize: null,
      ask: null,
      askSize: null,
      open: 3980,
      high: 3990,
      low: 3970,
      previousClose: 3978.5,
      vwap: null,
      volume: 0,
      timestamp: NOW - 3000,
      receivedAt: NOW,
    });
    expect(upstream.requests.map(({ url }) => url)).toContain('/v3/snapshot?ticker.any_of=I%3ASPX,I%3ANONE&limit=250');
    expect(rest.readStats()['badElements']).toBe(0);
  });

  it.each([
    [{ value: undefined }, 3988.4],
    [{ value: null, session: { ...INDEX.session, price: 0 } }, 3988],
    [{ value: 0, session: { previous_close: 3978.5 } }, 3978.5],
    [{ value: 0, session: null }, undefined],
  ])('have the next best price where %j', async (change, price) => {
    upstream.answerInTurn({ body: { results: [{ ...INDEX, ...change }] } });
    expect((await open().readQuotes(['I:SPX'])).get('I:SPX')?.price).toBe(price);
  });

  it('that the plan does not include are not known of, and the stocks are answered', async () => {
    upstream.answer = (url) =>
      url.pathname === '/v3/snapshot'
        ? { status: 403, body: { status: 'NOT_AUTHORIZED', message: 'You are not entitled to this data.' } }
        : { body: { tickers: [SNAPSHOT] } };
    expect([...(await open().readQuotes(['I:SPX', 'AAPL'])).keys()]).toEqual(['AAPL']);
    const error = await failureOf(open().readQuotes(['I:SPX']));
    expect(error.message).toContain('not entitled');
  });

  it('that fail for now fail the whole', async () => {
    upstream.answer = (url) => (url.pathname === '/v3/snapshot' ? { status: 500 } : { body: { tickers: [SNAPSHOT] } });
    const error = await failureOf(open().readQuotes(['I:SPX', 'AAPL']));
    expect(error.retryAfterMs).toBeGreaterThan(0);
  });
});

const AGGREGATE = { o: 115.55, h: 117.59, l: 114.13, c: 115.97, v: 131704427, vw: 116.3058, t: NOW, n: 3 };

describe('the previous close', () => {
  it('is the bar of that day in New York', async () => {
    // 2020-11-10 16:00 in New York.
    upstream.answerInTurn({ body: { results: [{ T: 'AAPL', ...AGGREGATE, t: 1605042000000 }] } });
    expect(await open().readPreviousClose('BRK.B')).toEqual({
      symbol: 'BRK.B',
      interval: 'DAY',
      open: 115.55,
      high: 117.59,
      low: 114.13,
      close: 115.97,
      volume: 131704427,
      vwap: 116.3058,
      start: Date.parse('2020-11-10T00:00:00-05:00'),
      end: Date.parse('2020-11-11T00:00:00-05:00'),
    });
    expect(upstream.requests[0]!.url).toBe('/v2/aggs/ticker/BRK.B/prev?adjusted=true');
  });

  it.each([{ body: { results: [] } }, { body: {} }, { status: 404, body: { status: 'NOT_FOUND' } }])(
    'of an unknown symbol is none (%j)',
    async (reply) => {
      upstream.answerInTurn(reply);
      expect(await open().readPreviousClose('NOSUCH')).toBeNull();
    },
  );
});

describe('bars', () => {
  const from = NOW - 3_600_000;
  const at = (minute: number) => ({ ...AGGREGATE, t: from + minute * 60_000 });
  const startsOf = (bars: readonly { start: number }[]) => bars.map(({ start }) => (start - from) / 60_000);

  it('are those that begin in the range, oldest first, cut to the limit', async () => {
    upstream.answerInTurn({
      body: { results: [at(-1), at(2), at(0), at(1), at(1), at(60), { ...at(3), o: 0 }, null] },
    });
    const rest = open();
    const query = { symbol: 'AAPL', interval: 'MINUTE', from, to: NOW, limit: 10 } as const;
    const bars = await rest.readBars(query);
    expect(startsOf(bars)).toEqual([0, 1, 2]);
    expect(bars[0]).toMatchObject({ interval: 'MINUTE', end: from + 60_000, volume: 131704427, vwap: 116.3058 });
    expect(rest.readStats()['badElements']).toBe(2);
    expect(startsOf(await rest.readBars({ ...query, limit: 2 }))).toEqual([0, 1]);
    const url = new URL(upstream.requests[0]!.url, upstream.origin);
    expect(url.pathname).toBe(`/v2/aggs/ticker/AAPL/range/1/minute/${from}/${NOW - 1}`);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({ adjusted: 'true', sort: 'asc' });
  });

  it.each([
    ['SECOND', 'second', 101],
    ['HOUR', 'hour', 6060],
    ['DAY', 'day', 101],
  ] as const)('of a %s ask for enough of what they are made of', async (interval, timespan, limit) => {
    upstream.answerInTurn({ body: { results: [AGGREGATE] } });
    const bars = await open().readBars({ symbol: 'I:SPX', interval, from: Date.UTC(2020), to: NOW + 1, limit: 100 });
    expect(bars).toHaveLength(1);
    expect(upstream.requests[0]!.url).toBe(
      `/v2/aggs/ticker/I%3ASPX/range/1/${timespan}/${Date.UTC(2020)}/${NOW}?adjusted=true&sort=asc&limit=${limit}`,
    );
  });

  it('are asked for from the beginning of all history at the earliest', async () => {
    upstream.answerInTurn({ body: { results: [AGGREGATE] } });
    const query = { symbol: 'AAPL', interval: 'DAY', limit: 1 } as const;
    expect(await open().readBars({ ...query, from: 0, to: NOW + 1 })).toHaveLength(1);
    expect(upstream.requests[0]!.url).toContain(`/${Date.UTC(2000)}/`);
    expect(await open().readBars({ ...query, from: 0, to: 1000 })).toEqual([]);
    expect(upstream.requests).toHaveLength(1);
  });

  it('of an index have no volume', async () => {
    upstream.answerInTurn({ body: { results: [{ ...at(0), v: undefined, vw: undefined }] } });
    const bars = await open().readBars({ symbol: 'I:SPX', interval: 'MINUTE', from, to: NOW, limit: 1 });
    expect(bars).toMatchObject([{ volume: 0, vwap: null }]);
  });

  it('are collected over pages, each with the key, and no more pages than needed', async () => {
    upstream.answer = (url) => {
      const page = Number(url.searchParams.get('cursor') ?? 0);
      return {
        body: { results: [at(page * 2), at(page * 2 + 1)], next_url: `${upstream.origin}/more?cursor=${page + 1}` },
      };
    };
    const bars = await open().readBars({ symbol: 'AAPL', interval: 'MINUTE', from, to: NOW, limit: 5 });
    expect(startsOf(bars)).toEqual([0, 1, 2, 3, 4]);
    expect(upstream.requests.map(({ authorization }) => authorization)).toEqual(Array(3).fill(`Bearer ${KEY}`));
    expect(upstream.requests[2]!.url).toBe('/more?cursor=2');
  });

  it.each([
    { to: from, limit: 5 },
    { to: NOW, limit: 0 },
  ])('are none in an empty range (%j)', async (range) => {
    expect(await open().readBars({ symbol: 'AAPL', interval: 'MINUTE', from, ...range })).toEqual([]);
    expect(upstream.requests).toEqual([]);
  });
});

const PRINT = {
  conditions: [14, 37],
  exchange: 4,
  id: '143541',
  participant_timestamp: Number(NOW_NS),
  price: 297.845,
  sequence_number: 7,
  sip_timestamp: Number(NOW_NS),
  size: 0,
  decimal_size: '0.105',
  tape: 3,
  trf_id: 202,
};

describe('trades', () => {
  it('have the id and the shape of live ones', async () => {
    upstream.answerInTurn({
      body: { results: [PRINT, { ...PRINT, exchange: 11, trf_id: undefined, conditions: undefined }] },
    });
    const trades = await open().readTrades({ symbol: 'AAPL', from: NOW - 1000, to: NOW, limit: 10 });
    expect(trades).toEqual([
      {
        kind: 'trade',
        id: '4-202-143541',
        symbol: 'AAPL',
        price: 297.845,
        size: 0.105,
        exchange: 4,
        conditions: [14, 37],
        tape: 'C',
        offExchange: true,
        timestamp: NOW,
        receivedAt: NOW,
      },
      expect.objectContaining({ id: '11-143541', conditions: [], offExchange: false }),
    ]);
    const { searchParams, pathname } = new URL(upstream.requests[0]!.url, upstream.origin);
    expect(pathname).toBe('/v3/trades/AAPL');
    expect(Object.fromEntries(searchParams)).toEqual({
      order: 'asc',
      sort: 'timestamp',
      limit: '10',
      'timestamp.gte': `${NOW - 1000}000000`,
      'timestamp.lt': NOW_NS,
    });
  });

  it('without a beginning are the last ones, oldest first', async () => {
    upstream.answer = (url) => {
      const page = Number(url.searchParams.get('cursor') ?? 0);
      const prints = [0, 1].map((n) => ({ ...PRINT, id: String(9 - page * 2 - n) }));
      return { body: { results: prints, next_url: `${upstream.origin}/v3/trades/AAPL?cursor=${page + 1}` } };
    };
    const trades = await open().readTrades({ symbol: 'AAPL', limit: 3 });
    expect(trades.map(({ id }) => id)).toEqual(['4-202-7', '4-202-8', '4-202-9']);
    expect(new URL(upstream.requests[0]!.url, upstream.origin).searchParams.get('order')).toBe('desc');
    expect(upstream.requests).toHaveLength(2);
  });

  it('that do not hold are left out and counted', async () => {
    const rest = open();
    const bad = [
      { price: 0 },
      { decimal_size: '-1' },
      { sip_timestamp: 1 },
      { exchange: 'D' },
      { id: null },
      { conditions: 'I' },
    ];
    upstream.answerInTurn({ body: { results: [...bad.map((wrong) => ({ ...PRINT, ...wrong })), PRINT] } });
    expect(await rest.readTrades({ symbol: 'AAPL', limit: 10 })).toHaveLength(1);
    expect(rest.readStats()['badElements']).toBe(6);
  });

  it('are none for an index, for an unknown symbol and where none are asked for', async () => {
    upstream.answerInTurn({ status: 404 });
    expect(await open().readTrades({ symbol: 'I:SPX', limit: 10 })).toEqual([]);
    expect(await open().readTrades({ symbol: 'AAPL', limit: 0 })).toEqual([]);
    expect(upstream.requests).toEqual([]);
    expect(await open().readTrades({ symbol: 'NOSUCH', limit: 10 })).toEqual([]);
  });
});

describe('the market', () => {
  const STATUS = {
    market: 'extended-hours',
    earlyHours: false,
    afterHours: true,
    serverTime: '2020-11-10T17:37:37-05:00',
  };

  it('tells its status, with the time of its own zone', async () => {
    upstream.answerInTurn({ body: STATUS }, { body: { ...STATUS, market: 'open', continuous: true } });
    const rest = open();
    expect(await rest.readMarketStatus()).toEqual({
      market: 'extended-hours',
      earlyHours: false,
      afterHours: true,
      serverTime: Date.UTC(2020, 10, 10, 22, 37, 37),
      alwaysOpen: false,
    });
    expect(await rest.readMarketStatus()).toMatchObject({ market: 'open', alwaysOpen: true });
  });

  it.each([{}, { ...STATUS, market: 'maybe' }, { ...STATUS, serverTime: 'now' }, null])(
    'that cannot be understood is unavailable (%j)',
    async (body) => {
      upstream.answerInTurn({ text: JSON.stringify(body) });
      const error = await failureOf(open().readMarketStatus());
      expect(error.message).toBe("the upstream's market status cannot be understood");
    },
  );

  it('announces its holidays, each day once', async () => {
    const row = { date: '2026-11-26', exchange: 'NYSE', name: 'Thanksgiving', status: 'closed' };
    const early = {
      date: '2026-11-27',
      name: 'Thanksgiving',
      status: 'early-close',
      open: '2026-11-27T14:30:00.000Z',
      close: '2026-11-27T18:00:00.000Z',
    };
    const rest = open();
    upstream.answerInTurn({
      body: [
        { ...early, exchange: 'NASDAQ' },
        { ...early, exchange: 'NYSE' },
        row,
        { ...row, exchange: 'NASDAQ', name: 'Thanksgiving Day' },
        { ...row, exchange: 'OTC', date: '2026-12-01' },
        { ...row, date: 'soon' },
        { ...row, date: '2026-13-01' },
        { ...row, status: 'late' },
        { ...row, name: null },
        { ...early, exchange: 'NYSE', close: undefined },
        7,
      ],
    });
    expect(await rest.readHolidays()).toEqual([
      { date: '2026-11-26', name: 'Thanksgiving', status: 'closed', open: null, close: null },
      {
        date: '2026-11-27',
        name: 'Thanksgiving',
        status: 'early-close',
        open: Date.UTC(2026, 10, 27, 14, 30),
        close: Date.UTC(2026, 10, 27, 18, 0),
      },
    ]);
    expect(rest.readStats()['badElements']).toBe(6);
  });
});

describe('reference data', () => {
  it('of conditions is merged over the built-in table', async () => {
    const rules = { updates_high_low: false, updates_open_close: true, updates_volume: false };
    const fresh = {
      id: 90,
      name: 'Overnight',
      sip_mapping: { CTA: 'y', UTP: 7 },
      update_rules: { consolidated: rules, market_center: { ...rules, updates_volume: true } },
      legacy: true,
    };
    upstream.answer = (url) =>
      url.pathname === '/more'
        ? { body: { results: [{ id: 37, name: 'Odd Lot', update_rules: null }] } }
        : {
            body: {
              results: [fresh, { id: 'x' }, { id: 91, name: '' }, { id: -1, name: 'x' }],
              next_url: `${upstream.origin}/more`,
            },
          };
    const rest = open();
    const table = TRADE_CONDITIONS.merge(await rest.readConditions());
    expect(table.find(90)).toEqual({
      id: 90,
      name: 'Overnight',
      cta: 'y',
      utp: null,
      consolidated: { last: true, highLow: false, volume: false },
      marketCenter: { last: true, highLow: false, volume: true },
      legacy: true,
    });
    expect(table.judge([90])).toEqual({ last: true, highLow: false, volume: false });
    expect(table.judge([37])).toEqual({ last: true, highLow: true, volume: true });
    expect(table.judge([2])).toEqual({ last: false, highLow: false, volume: true });
    expect(rest.readStats()['badElements']).toBe(3);
  });

  it('of instruments asks for the very symbol beside the search, and leaves out what no feed carries', async () => {
    const row = (ticker: string, name: string, type: string, market = 'stocks') => ({ ticker, name, type, market });
    upstream.answer = (url) => {
      const ticker = url.searchParams.get('ticker');
      if (ticker === 'F') return { body: { results: [row('F', 'Ford Motor', 'CS')] } };
      if (ticker === 'I:F') return { body: { status: 'OK' } };
      const others = [row('XF', 'x', 'CS', 'fx'), row('KIMpL', 'Kimco', 'PFD'), { ticker: 7 }, null];
      return { body: { results: [row('AF.WS', 'Af warrant', 'WARRANT'), row('FF', 'Fund', 'ETF'), ...others] } };
    };
    expect(await open().searchInstruments({ search: 'F', limit: 10 })).toEqual([
      { symbol: 'F', name: 'Ford Motor', kind: 'STOCK' },
      { symbol: 'FF', name: 'Fund', kind: 'ETF' },
      { symbol: 'AF.WS', name: 'Af warrant', kind: 'OTHER' },
    ]);
    expect(await open().searchInstruments({ search: 'F', limit: 1 })).toHaveLength(1);
  });

  it('of exchanges is as the upstream has it', async () => {
    const row = { id: 22, type: 'exchange', name: '24X National Exchange', mic: '24EQ', participant_id: 'G' };
    upstream.answerInTurn({ body: { results: [row, { id: 5, name: 'UTP' }, { id: 1.5, name: 'x' }, { id: 6 }] } });
    expect(await open().readExchanges()).toEqual([
      { id: 22, name: '24X National Exchange', mic: '24EQ', participant: 'G' },
      { id: 5, name: 'UTP', mic: null, participant: null },
    ]);
  });
});
