import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import { fetchJson, type GraphQLBody, startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { makeWireTrade } from '../../test/wire-samples.ts';

let tapeql: TestTapeql;
beforeAll(async () => {
  tapeql = await startTestTapeql();
});
afterAll(() => tapeql[Symbol.asyncDispose]());

/** Whatever was sent: the server answers the next one, and has nothing to complain of in its log. */
afterEach(async () => {
  expect((await tapeql.query('{ serviceStatus { feed } }')).data).toEqual({ serviceStatus: { feed: 'SIMULATED' } });
  expect(tapeql.records.filter(({ level }) => level === 'error')).toEqual([]);
});

/** A GraphQL error's extensions, by way of HTTP and of the WebSocket. */
const TRANSPORTS: [string, (query: string, variables?: object) => Promise<GraphQLBody['errors']>][] = [
  ['HTTP', async (query, variables) => (await tapeql.query(query, variables)).errors],
  [
    'WebSocket',
    async (query, variables) => {
      await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
      socket.subscribe('1', query, variables);
      const { type, payload } = await socket.next();
      return type === 'error' ? payload : payload.errors;
    },
  ],
];

describe.each(TRANSPORTS)('over %s', (_name, run) => {
  it('an unknown symbol is no error', async () => {
    expect(
      await run(`{
        quote(symbol: "NOSUCHTHING") { price }
        recentTrades(symbol: "NOSUCHTHING") { price }
        bars(symbol: "NOSUCHTHING", interval: DAY, from: "2026-01-01T00:00:00Z") { close }
      }`),
    ).toBeUndefined();
  });

  it.each<[string, string, object | undefined, string]>([
    ['a symbol, written out', '{ quote(symbol: "A B") { price } }', undefined, 'symbol'],
    ['a symbol, as a variable', 'query ($of: Symbol!) { quote(symbol: $of) { price } }', { of: 'ü' }, 'symbol'],
    ['one of many symbols, written out', '{ quotes(symbols: ["AAPL", ""]) { price } }', undefined, 'symbols'],
    [
      'one of many symbols, as a variable',
      'query ($of: [Symbol!]!) { quotes(symbols: $of) { price } }',
      { of: ['AAPL', 'A'.repeat(33)] },
      'symbols',
    ],
    [
      'one of many symbols, as a variable within a list',
      'query ($of: Symbol!) { quotes(symbols: ["AAPL", $of]) { price } }',
      { of: '$$' },
      'symbols',
    ],
    ['a number for a symbol', 'query ($of: Symbol!) { quote(symbol: $of) { price } }', { of: 7 }, 'symbol'],
    ['null for a symbol', 'query ($of: Symbol!) { quote(symbol: $of) { price } }', { of: null }, 'symbol'],
    ['a variable that is missing', 'query ($of: Symbol!) { quote(symbol: $of) { price } }', {}, 'symbol'],
    [
      'a time without a zone',
      'query ($from: DateTime!) { bars(symbol: "AAPL", interval: DAY, from: $from) { close } }',
      { from: '2026-01-01T00:00:00' },
      'from',
    ],
    [
      'a time that does not exist',
      '{ bars(symbol: "AAPL", interval: DAY, from: "2026-13-01T00:00:00Z") { close } }',
      undefined,
      'from',
    ],
    [
      'an end before its begin',
      '{ bars(symbol: "AAPL", interval: DAY, from: "2026-02-01T00:00:00Z", to: "2026-01-01T00:00:00Z") { close } }',
      undefined,
      'to',
    ],
    [
      'an interval that does not exist',
      'query ($of: BarInterval!) { bars(symbol: "AAPL", interval: $of, from: "2026-01-01T00:00:00Z") { close } }',
      { of: 'WEEK' },
      'interval',
    ],
    [
      'first: 0',
      '{ bars(symbol: "AAPL", interval: DAY, from: "2026-01-01T00:00:00Z", first: 0) { close } }',
      undefined,
      'first',
    ],
    [
      'first: 5001',
      'query ($n: Int) { bars(symbol: "AAPL", interval: DAY, from: "2026-01-01T00:00:00Z", first: $n) { close } }',
      { n: 5001 },
      'first',
    ],
    ['last: -1', '{ recentTrades(symbol: "AAPL", last: -1) { price } }', undefined, 'last'],
    ['last: 1001', '{ recentTrades(symbol: "AAPL", last: 1001) { price } }', undefined, 'last'],
    ['last as a text', 'query ($n: Int) { recentTrades(symbol: "AAPL", last: $n) { price } }', { n: 'five' }, 'last'],
    [
      'last past 32 bits',
      'query ($n: Int) { recentTrades(symbol: "AAPL", last: $n) { price } }',
      { n: 2 ** 31 },
      'last',
    ],
  ])('%s is BAD_USER_INPUT and names its argument', async (_what, query, variables, argument) => {
    const [error, ...others] = (await run(query, variables)) ?? [];
    expect(others).toEqual([]);
    expect(error!.extensions).toEqual({ code: 'BAD_USER_INPUT', argument });
    expect(error!.message).toContain(`"${argument}"`);
  });

  it('501 symbols are TOO_MANY_SYMBOLS with the limit, 500 are not', async () => {
    const query = 'query ($symbols: [Symbol!]!) { quotes(symbols: $symbols) { price } }';
    const symbols = Array.from({ length: 501 }, (_, index) => `X${index}`);
    const [error] = (await run(query, { symbols })) ?? [];
    expect(error!.extensions).toEqual({ code: 'TOO_MANY_SYMBOLS', limit: 500 });
    expect(await run(query, { symbols: symbols.slice(1) })).toBeUndefined();
  });

  it('what it says of a wrong value is short, whatever was sent', async () => {
    const [error] =
      (await run('query ($of: Symbol!) { quote(symbol: $of) { price } }', { of: '<'.repeat(50_000) })) ?? [];
    expect(error!.extensions).toEqual({ code: 'BAD_USER_INPUT', argument: 'symbol' });
    expect(error!.message.length).toBeLessThan(400);
  });
});

describe('over HTTP', () => {
  const post = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(tapeql.endpoint, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });

  it.each([
    ['half of a JSON', '{"query": "{ serviceS'],
    ['a list', '[]'],
    ['a number', '1'],
    ['null', 'null'],
    ['nothing', ''],
    ['no query', '{}'],
    ['a query that is none', '{"query": {}}'],
    ['variables that are a list', '{"query": "{ __typename }", "variables": [1]}'],
    ['variables that are a text', '{"query": "{ __typename }", "variables": "none"}'],
    ['extensions that are a text', '{"query": "{ __typename }", "extensions": "none"}'],
    ['a parameter that nobody knows', '{"query": "{ __typename }", "really": true}'],
  ])('a body with %s is 400 with a code', async (_name, body) => {
    const response = await post(body, { accept: 'application/graphql-response+json' });
    const { errors } = (await response.json()) as GraphQLBody;
    expect([response.status, errors![0]!.extensions['code']]).toEqual([400, 'BAD_USER_INPUT']);
  });

  it('a query of 1 MB is refused with 413, before it is read to the end', async () => {
    const response = await post(JSON.stringify({ query: `{ __typename }${' '.repeat(1_000_000)}` }));
    expect(response.status).toBe(413);
    expect(((await response.json()) as GraphQLBody).errors![0]!.extensions).toEqual({ code: 'BAD_USER_INPUT' });
  });

  it('a mutation by GET, or another method, changes nothing', async () => {
    const mutation = encodeURIComponent('mutation { cancelOrder(id: "1") { id } }');
    const response = await fetch(`${tapeql.endpoint}?query=${mutation}`, { headers: { accept: 'application/json' } });
    expect(response.status).toBe(405);
    expect((await fetch(tapeql.endpoint, { method: 'DELETE' })).status).toBe(405);
  });

  it.each(['{ __typename', '{ nothing }', 'query A { __typename } query B { __typename }'])(
    'an operation that cannot be run (%s) is an error with a code',
    async (query) => {
      const { data, errors } = await tapeql.query(query);
      expect(data).toBeUndefined();
      expect(errors![0]!.extensions['code']).toMatch(/^(GRAPHQL_(PARSE|VALIDATION)_FAILED|BAD_USER_INPUT)$/);
    },
  );
});

describe('over the WebSocket', () => {
  it('a query of 1 MB ends the connection with 1009', async () => {
    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    socket.subscribe('1', `{ __typename }${' '.repeat(1_000_000)}`);
    expect((await socket.closed).code).toBe(1009);
  });
});

describe('from the upstream', () => {
  it('elements that are no events are dropped, and those beside them are delivered', async () => {
    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    socket.subscribe('t', 'subscription { trades(symbols: ["AAPL"]) { price } }');
    await tapeql.untilOpen(1);
    await tapeql.untilWatched(['AAPL']);
    const before = (await fetchJson(`${tapeql.url}/stats`))['feed'];
    tapeql.simulator.push([
      null,
      42,
      'T',
      {},
      [],
      { ev: 'T', sym: 'AAPL', p: 'a lot', s: 1 },
      makeWireTrade('AAPL', { p: -1 }),
      makeWireTrade('AAPL', { t: 'now' }),
      makeWireTrade('AAPL', { c: 'none' }),
      { ev: 'status', status: 'weather_report', message: 'sunny' },
      { ev: '__proto__', sym: 'AAPL' },
      makeWireTrade('AAPL', { p: 123 }),
    ]);
    expect((await socket.next()).payload).toMatchObject({ data: { trades: { price: 123 } } });
    const after = (await fetchJson(`${tapeql.url}/stats`))['feed'];
    expect(after['events'] - before['events']).toBe(1);
    expect(await socket.settle()).toEqual([]);
  });

  it('frames that are no JSON, or no text, change nothing', async () => {
    await using own = await startTestTapeql({
      simulator: {
        tape: true,
        eventsPerSecond: 2000,
        faults: { 'bad-json': 0.5, 'binary-frame': 0.5, 'malformed-element': 0.5 },
      },
    });
    await using socket = await RawWebSocket.connect(own.webSocketUrl);
    socket.subscribe('t', 'subscription { trades(symbols: ["AAPL", "NVDA", "TSLA", "SPY"]) { price } }');
    for (let count = 0; count < 20; count++) {
      expect((await socket.next()).payload.data.trades.price).toBeGreaterThan(0);
    }
    const { feed } = await own.readStats();
    expect(feed['badFrames'] ?? feed['stocks.badFrames']).toBeGreaterThan(0);
    expect(own.records.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
