import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { formatDay, newYorkDayOf } from '../../market/calendar-time.ts';
import { TRADE_CONDITIONS, tradeEligibility } from '../../market/conditions.ts';
import { RawClient } from '../../../test/raw-exchange-client.ts';
import { startSimulator } from './simulator.ts';
import type { Simulator, SimulatorOptions } from './simulator.ts';

type Json = Record<string, unknown>;

const NOW = Date.parse('2026-11-20T15:30:20.500Z');
const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function start(options: SimulatorOptions): Promise<Simulator> {
  const simulator = await startSimulator(options);
  open.push(simulator);
  return simulator;
}

async function get(simulator: Simulator, path: string, key = 'key'): Promise<{ status: number; body: Json }> {
  const response = await fetch(simulator.restUrl + path, { headers: { authorization: `Bearer ${key}` } });
  return { status: response.status, body: (await response.json()) as Json };
}

// The clock stands still: what is asked twice is answered twice alike.
let still: Simulator;
beforeAll(async () => {
  still = await startSimulator({ symbols: 40, eventsPerSecond: 1_000, clock: { now: () => NOW }, seed: 3 });
});
afterAll(() => still.close());

const ask = async (path: string): Promise<Json> => (await get(still, path)).body;
const results = async (path: string): Promise<Json[]> => (await ask(path))['results'] as Json[];

describe('a request', () => {
  test('needs a key, in the header or in the query', async () => {
    expect((await fetch(`${still.restUrl}/v1/marketstatus/now?apiKey=key`)).status).toBe(200);
    const response = await fetch(`${still.restUrl}/v1/marketstatus/now`);
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({
      status: 'ERROR',
      request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      error: 'API Key was not provided',
    });
  });

  test('with an unknown key, beyond the plan or beyond its rate is refused', async () => {
    const simulator = await start({
      tape: false,
      symbols: 5,
      // So that the minute does not end meanwhile.
      clock: { now: () => NOW },
      keys: { slow: { requestsPerMinute: 2 }, no: { rest: false } },
    });
    expect(await get(simulator, '/v1/marketstatus/now', 'bad')).toMatchObject({
      status: 401,
      body: { status: 'ERROR', error: 'Unknown API Key' },
    });
    expect(await get(simulator, '/v1/marketstatus/now', 'no')).toMatchObject({
      status: 403,
      body: { status: 'NOT_AUTHORIZED', message: expect.stringMatching(/^You are not entitled to this data\. /) },
    });
    for (const status of [200, 200, 429]) {
      expect((await get(simulator, '/v1/marketstatus/now', 'slow')).status).toBe(status);
    }
  });

  test('for what is not there is answered with 404, and other methods with 405', async () => {
    for (const path of ['/', '/v9/nothing', '/v2/last/trade/NOPE', '/v3/reference/tickers/NOPE']) {
      expect(await get(still, path), path).toMatchObject({ status: 404, body: { status: 'NOT_FOUND' } });
    }
    expect((await get(still, '/v2/snapshot/locale/us/markets/stocks/tickers/NOPE')).status).toBe(404);
    expect((await fetch(`${still.restUrl}/v1/marketstatus/now?apiKey=k`, { method: 'POST' })).status).toBe(405);
  });

  test('that makes no sense is answered with 400', async () => {
    const range = '/v2/aggs/ticker/AAPL/range';
    for (const path of [
      `${range}/0/minute/2026-11-19/2026-11-20`,
      `${range}/1/fortnight/2026-11-19/2026-11-20`,
      `${range}/1/minute/yesterday/2026-11-20`,
      `${range}/1/minute/2026-11-20/2026-11-19`,
      `${range}/1/minute/2026-11-19/2026-11-20?limit=50001`,
      `${range}/1/minute/2026-11-19/2026-11-20?sort=up`,
      `${range}/1/minute/2026-11-19/2026-11-20?cursor=nonsense`,
      '/v3/trades/AAPL?timestamp.gte=soon',
      '/v3/trades/AAPL?timestamp=2026-02-30',
      '/v1/open-close/AAPL/2026-13-01',
      '/v2/last/trade/%E0%A4%A',
      `/v3/snapshot?ticker.any_of=${Array.from({ length: 251 }, (_, index) => `S${index}`).join(',')}`,
    ]) {
      expect(await get(still, path), path).toMatchObject({ status: 400, body: { status: 'ERROR' } });
    }
  });

  test('is counted by path', async () => {
    await ask('/v2/last/nbbo/AAPL?x=1');
    expect(still.readStats().requests['/v2/last/nbbo/AAPL']).toBeGreaterThan(0);
  });
});

describe('snapshots', () => {
  test('of the whole market hold every stock, and of some only those that are known', async () => {
    const path = '/v2/snapshot/locale/us/markets/stocks/tickers';
    expect(await ask(path)).toMatchObject({ status: 'OK', count: 40 });
    const { count, tickers } = await ask(`${path}?tickers=AAPL,NOPE,MSFT`);
    expect(count).toBe(2);
    expect((tickers as Json[]).map(({ ticker }) => ticker)).toEqual(['AAPL', 'MSFT']);
  });

  test('agree with the last trade, the last quote, the bars and the previous day', async () => {
    for (const symbol of ['SPY', 'AAPL', 'UNH']) {
      const { ticker } = (await ask(`/v2/snapshot/locale/us/markets/stocks/tickers/${symbol}`)) as {
        ticker: Record<string, Json>;
      };
      const trade = (await ask(`/v2/last/trade/${symbol}`))['results'] as Json;
      const quote = (await ask(`/v2/last/nbbo/${symbol}`))['results'] as Json;
      const [previous] = await results(`/v2/aggs/ticker/${symbol}/prev`);
      const [minute] = await results(
        `/v2/aggs/ticker/${symbol}/range/1/minute/2026-11-20/2026-11-20?sort=desc&limit=1`,
      );
      const [day] = await results(`/v2/aggs/ticker/${symbol}/range/1/day/2026-11-20/2026-11-20`);
      const { i, p, s, ds, t, x } = trade;
      expect(ticker['lastTrade']).toMatchObject({ i, p, s, ds, t, x });
      expect(ticker['lastQuote']).toEqual({
        p: quote['p'],
        s: quote['s'],
        P: quote['P'],
        S: quote['S'],
        t: quote['t'],
      });
      for (const [part, bar] of [
        ['prevDay', previous],
        ['min', minute],
        ['day', day],
      ] as const) {
        const { o, h, l, c, v, vw } = bar!;
        expect(ticker[part], part).toMatchObject({ o, h, l, c, v, vw });
      }
      expect(ticker['min']!['t']).toBe(minute!['t']);
      expect(ticker['todaysChange']).toBeCloseTo(Number(p) - Number(previous!['c']), 4);
    }
  });

  test('of both kinds come together, an unknown ticker as an element that says so', async () => {
    const [stock, index, unknown] = await results('/v3/snapshot?ticker.any_of=AAPL,I:SPX,NOPE');
    expect(stock).toMatchObject({
      ticker: 'AAPL',
      type: 'stocks',
      market_status: 'open',
      last_trade: { timeframe: 'REAL-TIME' },
      last_quote: { bid: expect.any(Number), ask: expect.any(Number) },
      session: { previous_close: expect.any(Number), decimal_volume: expect.any(String) },
      last_minute: { vwap: expect.any(Number) },
    });
    expect(index).toMatchObject({ ticker: 'I:SPX', type: 'indices', value: expect.any(Number) });
    expect(unknown).toEqual({ error: 'NOT_FOUND', message: 'Ticker not found.', ticker: 'NOPE' });
    const [sameIndex] = await results('/v3/snapshot/indices?ticker.any_of=I:SPX');
    expect(sameIndex).toEqual(index);
    const { value, session } = index as { value: number; session: Record<string, number> };
    expect(session['change']).toBeCloseTo(value - session['previous_close']!, 2);
  });

  test('of all come in pages, whose address is absolute and holds no key', async () => {
    const seen: string[] = [];
    let url: string | null = `${still.restUrl}/v3/snapshot?type=stocks&limit=15`;
    for (let page = 0; url !== null && page < 10; page += 1) {
      expect(url.startsWith(still.restUrl)).toBe(true);
      expect(url).not.toContain('apiKey');
      const body = await ask(url.slice(still.restUrl.length));
      seen.push(...(body['results'] as { ticker: string }[]).map(({ ticker }) => ticker));
      url = (body['next_url'] as string | undefined) ?? null;
    }
    expect(seen).toHaveLength(40);
    expect(seen.toSorted()).toEqual(seen);
    expect(await results('/v3/snapshot?ticker.gte=I:&ticker.lt=I:Z&limit=250&type=indices')).toHaveLength(7);
    expect(await results('/v3/snapshot?ticker.gt=I:SOX&ticker.lte=I:SPX&type=indices')).toHaveLength(1);
    expect(await results('/v3/snapshot?ticker=AAPL')).toHaveLength(1);
  });

  test('of movers are ranked', async () => {
    for (const [direction, sign] of [
      ['gainers', -1],
      ['losers', 1],
    ] as const) {
      const { tickers } = await ask(`/v2/snapshot/locale/us/markets/stocks/${direction}`);
      const changes = (tickers as { todaysChangePerc: number }[]).map(({ todaysChangePerc }) => todaysChangePerc);
      expect(changes).toHaveLength(20);
      expect(changes.toSorted((one, other) => sign * (one - other))).toEqual(changes);
    }
  });
});

describe('bars', () => {
  const path = (span: string, from: string | number, to: string | number, symbol = 'AAPL'): string =>
    `/v2/aggs/ticker/${symbol}/range/${span}/${from}/${to}`;

  test('of a minute, an hour and a day agree, in the generated past and across its end', async () => {
    for (const [symbol, date] of [
      ['AAPL', '2026-11-18'],
      ['AAPL', '2026-11-20'],
      ['UNH', '2026-11-20'],
      ['I:SPX', '2026-11-19'],
    ] as const) {
      const minutes = await results(`${path('1/minute', date, date, symbol)}?limit=50000`);
      expect(minutes.length).toBeGreaterThan(500);
      for (const span of ['1/hour', '1/day']) {
        const bars = await results(path(span, date, date, symbol));
        for (const bar of bars) {
          const length = span === '1/hour' ? 3_600_000 : 86_400_000;
          const within = minutes.filter(
            ({ t }) => Number(t) >= Number(bar['t']) && Number(t) < Number(bar['t']) + length,
          );
          expect(bar).toMatchObject({
            o: within[0]!['o'],
            c: within.at(-1)!['c'],
            h: Math.max(...within.map(({ h }) => Number(h))),
            l: Math.min(...within.map(({ l }) => Number(l))),
          });
          if (symbol === 'I:SPX') expect(Object.keys(bar)).toEqual(['o', 'c', 'h', 'l', 't']);
        }
      }
    }
  });

  test('of days go back two years, join each other and the previous close', async () => {
    const days = await results(`${path('1/day', '2020-01-01', '2026-11-20')}?limit=5000`);
    expect(days.length).toBeGreaterThan(700);
    for (const [index, day] of days.slice(1).entries()) {
      const { o, h, l, c, v, t } = day as Record<string, number>;
      expect(o).toBe(days[index]!['c']);
      expect(t).toBeGreaterThan(Number(days[index]!['t']));
      expect(Math.min(o!, c!)).toBeGreaterThanOrEqual(l!);
      expect(Math.max(o!, c!)).toBeLessThanOrEqual(h!);
      expect(v).toBeGreaterThan(0);
    }
    const [previous] = await results('/v2/aggs/ticker/AAPL/prev');
    const { T, ...bar } = previous!;
    expect(T).toBe('AAPL');
    expect(bar).toEqual(days.at(-2));
    const [first] = await results('/v2/aggs/ticker/AAPL/range/1/day/2026-11-18/2026-11-18');
    expect(await ask('/v1/open-close/AAPL/2026-11-18')).toMatchObject({
      status: 'OK',
      from: '2026-11-18',
      symbol: 'AAPL',
      open: first!['o'],
      high: first!['h'],
      low: first!['l'],
      close: first!['c'],
      volume: first!['v'],
    });
    expect(await ask('/v1/open-close/I:SPX/2026-11-18')).toMatchObject({ symbol: 'I:SPX', close: expect.any(Number) });
    const grouped = await results('/v2/aggs/grouped/locale/us/market/stocks/2026-11-18');
    expect(grouped).toHaveLength(40);
    expect(grouped.find(({ T: symbol }) => symbol === 'AAPL')).toMatchObject({ o: first!['o'], c: first!['c'] });
  });

  test('come in pages in either order', async () => {
    const whole = await results(`${path('5/minute', '2026-11-19', '2026-11-19')}?limit=50000`);
    expect(whole).toHaveLength(288);
    for (const sort of ['asc', 'desc']) {
      const pages: Json[] = [];
      let next: string | undefined = `${path('5/minute', '2026-11-19', '2026-11-19')}?limit=500&sort=${sort}`;
      let count = 0;
      while (next !== undefined) {
        const body: Json = await ask(next);
        pages.push(...(body['results'] as Json[]));
        next = (body['next_url'] as string | undefined)?.slice(still.restUrl.length);
        count += 1;
      }
      expect(count).toBeGreaterThan(2);
      expect(sort === 'asc' ? pages : pages.reverse()).toEqual(whole);
    }
  });

  test('of weeks, months, quarters and years begin where those do', async () => {
    const starts = async (span: string): Promise<string[]> =>
      (await results(path(span, '2025-11-20', '2026-11-20'))).map(({ t }) => formatDay(newYorkDayOf(Number(t))));
    expect((await starts('1/week')).at(-1)).toBe('2026-11-15');
    expect(await starts('1/month')).toContain('2026-11-01');
    expect((await starts('1/quarter')).at(-1)).toBe('2026-10-01');
    expect(await starts('1/year')).toEqual(['2025-01-01', '2026-01-01']);
  });

  test('of seconds are those of the prints that are remembered', async () => {
    const trades = await results('/v3/trades/SPY?limit=50000&order=asc');
    const bars = await results(`${path('1/second', NOW - 3_600_000, NOW, 'SPY')}?limit=50000`);
    expect(bars.length).toBeGreaterThan(10);
    for (const { t, o, h, l, c, v, n } of bars) {
      const within = trades.filter(({ sip_timestamp: at }) => Math.floor(Number(at) / 1e9) * 1_000 === t);
      const judge = (trade: Json) => tradeEligibility((trade['conditions'] as number[] | undefined) ?? []);
      const priced = within.filter((trade) => judge(trade).last).map(({ price }) => Number(price));
      const extremes = within.filter((trade) => judge(trade).highLow).map(({ price }) => Number(price));
      expect({ o, h, l, c, n }).toEqual({
        o: priced[0],
        c: priced.at(-1),
        h: Math.max(...extremes),
        l: Math.min(...extremes),
        n: within.length,
      });
      expect(v).toBeCloseTo(
        within.reduce((sum, trade) => sum + Number(trade['decimal_size']), 0),
        5,
      );
    }
    const latest = await results(`${path('1/second', NOW - 3_600_000, NOW, 'SPY')}?sort=desc&limit=1`);
    expect(latest).toEqual([bars.at(-1)]);
    const values = await results(`${path('1/second', NOW - 3_600_000, NOW, 'I:SPX')}?limit=50000`);
    expect(values.length).toBeGreaterThan(10);
    expect(values.map(({ t }) => t)).toEqual(values.map((_, index) => Number(values[0]!['t']) + index * 1_000));
  });

  test('of an unknown symbol or of times without any are an empty answer', async () => {
    for (const empty of [
      path('1/minute', '2026-11-19', '2026-11-20', 'NOPE'),
      path('1/day', '2010-01-01', '2010-12-31'),
      path('1/day', '2027-01-01', '2027-12-31'),
      '/v2/aggs/ticker/NOPE/prev',
    ]) {
      const body = await ask(empty);
      expect(body).toMatchObject({ status: 'OK', resultsCount: 0, queryCount: 0 });
      expect(body).not.toHaveProperty('results');
    }
  });
});

describe('trades', () => {
  test('are found by time, in either order, in pages', async () => {
    const all = await results('/v3/trades/SPY?limit=50000');
    expect(all.length).toBeGreaterThan(100);
    const times = all.map(({ sip_timestamp: at }) => Number(at));
    expect(times.toSorted((one, other) => other - one)).toEqual(times);
    expect(await results('/v3/trades/SPY?limit=50000&order=asc')).toEqual(all.toReversed());

    for (const order of ['asc', 'desc']) {
      const pages: Json[] = [];
      let next: string | undefined = `/v3/trades/SPY?limit=37&order=${order}`;
      while (next !== undefined) {
        const body: Json = await ask(next);
        pages.push(...(body['results'] as Json[]));
        next = (body['next_url'] as string | undefined)?.slice(still.restUrl.length);
      }
      expect(order === 'desc' ? pages : pages.reverse()).toEqual(all);
    }

    const middle = BigInt(Math.floor(times[Math.floor(times.length / 2)]! / 1e6)) * 1_000_000n;
    const since = await results(`/v3/trades/SPY?timestamp.gte=${middle}&order=asc&limit=50000`);
    const before = await results(`/v3/trades/SPY?timestamp.lt=${middle}&limit=50000`);
    expect(since.length).toBeGreaterThan(0);
    expect(before.length).toBeGreaterThan(0);
    expect([...since.toReversed(), ...before]).toEqual(all);
    const last = times[0]!;
    expect(await results(`/v3/trades/SPY?timestamp.gt=${last}`)).toEqual([]);
    expect((await results(`/v3/trades/SPY?timestamp.lte=${last}&limit=1`))[0]).toEqual(all[0]);
    expect(await results('/v3/trades/SPY?timestamp=2026-11-20&limit=50000')).toEqual(all);
    expect(await results('/v3/trades/SPY?timestamp.gt=2026-11-20T16:00:00Z')).toEqual([]);
    expect(await results('/v3/trades/NOPE')).toEqual([]);
  });

  test('have the fields of the vendor', async () => {
    const trades = await results('/v3/trades/SPY?limit=1000');
    for (const trade of trades) {
      expect(trade).toMatchObject({
        decimal_size: expect.stringMatching(/^\d+\.\d+$/),
        exchange: expect.any(Number),
        id: expect.any(String),
        price: expect.any(Number),
        sequence_number: expect.any(Number),
        tape: 2,
      });
      expect(Number(trade['participant_timestamp'])).toBeLessThanOrEqual(Number(trade['sip_timestamp']));
      expect('trf_id' in trade).toBe(trade['exchange'] === 4);
    }
  });

  test('agree with the socket, one for one', async () => {
    const simulator = await start({ symbols: 5, eventsPerSecond: 3_000 });
    const client = await RawClient.login(`${simulator.wsUrl}/stocks`);
    open.push(client);
    await client.subscribe('T.SPY', 'AM.SPY', 'A.SPY');
    await client.untilCount(300, ({ ev }) => ev === 'T');
    await client.untilElement(({ ev }) => ev === 'A');
    const heard = client.elements.filter(({ ev }) => ev === 'T') as unknown as Record<string, number>[];
    const first = heard[0]!;
    const { body } = await get(
      simulator,
      `/v3/trades/SPY?timestamp.gte=${BigInt(first['t']!) * 1_000_000n}&order=asc&limit=50000`,
    );
    const told = (body['results'] as Record<string, number>[]).filter(
      ({ sequence_number: sequence }) => sequence! >= first['q']! && sequence! <= heard.at(-1)!['q']!,
    );
    expect(
      told.map((trade) => ({
        i: trade['id'],
        x: trade['exchange'],
        p: trade['price'],
        s: trade['size'],
        ds: trade['decimal_size'],
        c: trade['conditions'],
        t: Math.floor(trade['sip_timestamp']! / 1e6),
        pt: Math.floor(trade['participant_timestamp']! / 1e6),
        q: trade['sequence_number'],
        z: trade['tape'],
        trfi: trade['trf_id'],
        trft: trade['trf_timestamp'] === undefined ? undefined : Math.floor(trade['trf_timestamp'] / 1e6),
      })),
    ).toEqual(
      heard.map(({ i, x, p, s, ds, c, t, pt, q, z, trfi, trft }) => ({ i, x, p, s, ds, c, t, pt, q, z, trfi, trft })),
    );
    const bar = (await client.untilElement(({ ev }) => ev === 'A')) as unknown as Record<string, number>;
    const [second] = (await get(simulator, `/v2/aggs/ticker/SPY/range/1/second/${bar['s']}/${bar['s']! + 999}`)).body[
      'results'
    ] as Json[];
    const { o, h, l, c, vw } = bar;
    expect(second).toMatchObject({ o, h, l, c, vw, t: bar['s'], v: Number(bar['dv']) });
  });

  test('that were pushed by hand are on record too', async () => {
    const simulator = await start({ symbols: 5, tape: false, clock: { now: () => NOW } });
    const trade = { ev: 'T', sym: 'AAPL', i: 'x1', x: 4, p: 321.5, s: 0, ds: '0.25', c: [37], t: NOW - 10, q: 9, z: 3 };
    simulator.push([
      { ...trade, c: undefined, s: 300, ds: undefined, p: 320, i: 7 },
      { ...trade, trfi: 202, trft: NOW - 11, pt: NOW - 12 },
      { ev: 'Q', sym: 'AAPL', bp: 321, ap: 322, bs: 40, as: 80, bx: 11, ax: 12, t: NOW - 5, q: 10, z: 3 },
      { ev: 'Q', sym: 'AAPL', bp: 'none' },
      { ev: 'T', sym: 'AAPL', p: -1, t: NOW },
    ]);
    const { body } = await get(simulator, '/v3/trades/AAPL?limit=2');
    expect(body['results']).toMatchObject([
      { id: 'x1', price: 321.5, decimal_size: '0.25', size: 0, conditions: [37], trf_id: 202 },
      { id: '7', price: 320, decimal_size: '300.0' },
    ]);
    expect((await get(simulator, '/v2/snapshot/locale/us/markets/stocks/tickers/AAPL')).body['ticker']).toMatchObject({
      day: { c: 320 },
      lastTrade: { p: 321.5, i: 'x1' },
      lastQuote: { p: 321, s: 40, P: 322, S: 80 },
    });
  });

  test('have the current quote beside them', async () => {
    const [quote] = await results('/v3/quotes/AAPL');
    const last = (await ask('/v2/last/nbbo/AAPL'))['results'] as Json;
    expect(quote).toMatchObject({ bid_price: last['p'], ask_price: last['P'], sip_timestamp: last['t'] });
    expect(await results('/v3/quotes/AAPL?timestamp.lt=1')).toEqual([]);
    expect(await results('/v3/quotes/NOPE')).toEqual([]);
  });
});

describe('market status', () => {
  test('of the market that never closes is open, and says that it is continuous', async () => {
    expect(await ask('/v1/marketstatus/now')).toMatchObject({
      market: 'open',
      continuous: true,
      earlyHours: false,
      afterHours: false,
      exchanges: { nasdaq: 'open', nyse: 'open', otc: 'open' },
      serverTime: '2026-11-20T10:30:20-05:00',
    });
    expect(await ask('/v1/marketstatus/upcoming')).toEqual([]);
  });

  test.each([
    ['2026-11-20T15:00:00Z', 'open', false, false],
    ['2026-11-20T12:00:00Z', 'extended-hours', true, false],
    ['2026-11-20T22:00:00Z', 'extended-hours', false, true],
    ['2026-11-21T15:00:00Z', 'closed', false, false],
    ['2026-11-26T15:00:00Z', 'closed', false, false],
  ])('in New York hours at %s is %s', async (time, market, earlyHours, afterHours) => {
    const simulator = await start({ symbols: 3, newYorkHours: true, clock: { now: () => Date.parse(time) } });
    const { body } = await get(simulator, '/v1/marketstatus/now');
    expect(body).toMatchObject({ market, earlyHours, afterHours, continuous: false });
    const { body: holidays } = await get(simulator, '/v1/marketstatus/upcoming');
    expect(holidays).toContainEqual({
      date: '2026-11-27',
      exchange: 'NYSE',
      name: expect.any(String),
      status: 'early-close',
      open: '2026-11-27T14:30:00.000Z',
      close: '2026-11-27T18:00:00.000Z',
    });
    expect(holidays).toContainEqual({ date: '2026-12-25', exchange: 'NASDAQ', name: 'Christmas', status: 'closed' });
    const { body: snapshot } = await get(simulator, '/v3/snapshot?ticker.any_of=SPY');
    const status = market === 'open' ? 'open' : earlyHours ? 'early_trading' : afterHours ? 'late_trading' : 'closed';
    expect((snapshot['results'] as Json[])[0]).toMatchObject({ market_status: status });
  });

  test('in New York hours has a past of trading days alone', async () => {
    const simulator = await start({ symbols: 3, newYorkHours: true, clock: { now: () => NOW } });
    const { body } = await get(simulator, '/v2/aggs/ticker/SPY/range/1/day/2026-10-01/2026-11-19');
    const days = (body['results'] as { t: number }[]).map(({ t }) => new Date(t).getUTCDay());
    expect(days).toHaveLength(36);
    expect(days.every((day) => day >= 1 && day <= 5)).toBe(true);
    expect((await get(simulator, '/v1/open-close/SPY/2026-11-14')).status).toBe(404);
    const { body: previous } = await get(simulator, '/v1/open-close/SPY/2026-11-19');
    expect(previous).toMatchObject({ preMarket: expect.any(Number), afterHours: expect.any(Number) });
  });
});

describe('reference data', () => {
  test('holds more than 500 real stocks and funds and the indices', async () => {
    const simulator = await start({ tape: false });
    const { body } = await get(simulator, '/v3/reference/tickers?market=stocks&active=true&limit=1000');
    expect(body['count']).toBeGreaterThanOrEqual(500);
    const symbols = (body['results'] as Json[]).map(({ ticker }) => ticker);
    expect(new Set(symbols).size).toBe(symbols.length);
    expect(symbols).toEqual(expect.arrayContaining(['AAPL', 'MSFT', 'NVDA', 'SPY', 'BRK.B']));
    const { body: indices } = await get(simulator, '/v3/reference/tickers?market=indices');
    expect((indices['results'] as Json[]).map(({ ticker }) => ticker)).toEqual(
      expect.arrayContaining(['I:SPX', 'I:COMP', 'I:DJI', 'I:VIX']),
    );
  });

  test('of tickers can be filtered, and comes in pages', async () => {
    expect(await results('/v3/reference/tickers?search=apple')).toMatchObject([{ ticker: 'AAPL', name: 'Apple Inc.' }]);
    expect(await results('/v3/reference/tickers?ticker=SPY')).toMatchObject([
      { type: 'ETF', primary_exchange: 'ARCX' },
    ]);
    expect(await results('/v3/reference/tickers?active=false')).toEqual([]);
    const first = await ask('/v3/reference/tickers?type=CS&limit=10&order=desc');
    const second = await ask((first['next_url'] as string).slice(still.restUrl.length));
    const [last] = (first['results'] as { ticker: string }[]).slice(-1);
    const [next] = second['results'] as { ticker: string }[];
    expect(next!.ticker < last!.ticker).toBe(true);
    expect((await ask('/v3/reference/tickers/SOFI'))['results']).toMatchObject({ ticker: 'SOFI', round_lot: 100 });
    expect((await ask('/v3/reference/tickers/I:SPX'))['results']).toMatchObject({ market: 'indices' });
  });

  test('of conditions has the rules of the table', async () => {
    const listed = await results('/v3/reference/conditions?asset_class=stocks&data_type=trade&limit=1000');
    expect(listed).toHaveLength([...TRADE_CONDITIONS].length - 1);
    for (const { id, name, update_rules: rules } of listed) {
      const condition = TRADE_CONDITIONS.find(Number(id))!;
      expect(name).toBe(condition.name);
      if (condition.consolidated === null) expect(rules).toBeUndefined();
      else {
        expect((rules as { consolidated: Json }).consolidated).toEqual({
          updates_high_low: condition.consolidated.highLow,
          updates_open_close: condition.consolidated.last,
          updates_volume: condition.consolidated.volume,
        });
      }
    }
    expect(await results('/v3/reference/conditions')).toHaveLength(10);
    expect(await results('/v3/reference/conditions?id=37')).toMatchObject([
      { id: 37, sip_mapping: { CTA: 'I', UTP: 'I' } },
    ]);
    expect(await results('/v3/reference/conditions?asset_class=options')).toEqual([]);
  });

  test('of exchanges has four rows of FINRA', async () => {
    const exchanges = await results('/v3/reference/exchanges?asset_class=stocks&locale=us');
    expect(exchanges.filter(({ id, type }) => id === 4 && type === 'TRF')).toHaveLength(4);
    expect(exchanges.find(({ id }) => id === 10)).toMatchObject({ mic: 'XNYS', participant_id: 'N', type: 'exchange' });
    expect(await results('/v3/reference/exchanges?asset_class=options')).toEqual([]);
  });
});
