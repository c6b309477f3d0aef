import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import { fetchJson, startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { makeWireQuote, makeWireTrade } from '../../test/wire-samples.ts';

let tapeql: TestTapeql;
beforeAll(async () => {
  tapeql = await startTestTapeql();
});
afterAll(() => tapeql[Symbol.asyncDispose]());

describe('quotes', () => {
  it('come in the order and length asked for, with null for what nobody knows', async () => {
    const { data, errors } = await tapeql.query(
      'query ($symbols: [Symbol!]!) { quotes(symbols: $symbols) { symbol price previousClose change changePercent stale } }',
      { symbols: ['MSFT', 'NOSUCHTHING', ' aapl ', 'MSFT'] },
    );
    expect(errors).toBeUndefined();
    expect(data.quotes.map((quote: { symbol: string } | null) => quote?.symbol)).toEqual([
      'MSFT',
      undefined,
      'AAPL',
      'MSFT',
    ]);
    const [{ price, previousClose, change, changePercent, stale }] = data.quotes;
    expect(change).toBeCloseTo(price - previousClose, 6);
    expect(changePercent).toBeCloseTo((change / previousClose) * 100, 6);
    expect(stale).toBe(false);
  });

  it('of no symbols are none', async () => {
    expect(await tapeql.query('{ quotes(symbols: []) { price } }')).toEqual({ data: { quotes: [] } });
  });

  it('follow the market while somebody watches, whoever asks', async () => {
    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    socket.subscribe('q', 'subscription { quoteUpdates(symbols: ["AAPL"]) { bid } }');
    await tapeql.untilWatched(['AAPL']);
    tapeql.simulator.push([makeWireQuote('AAPL', { bp: 77.25, ap: 77.5 })]);
    await socket.find(({ payload }) => payload?.data?.quoteUpdates?.bid === 77.25);
    expect(await tapeql.query('{ quote(symbol: "AAPL") { bid ask } }')).toEqual({
      data: { quote: { bid: 77.25, ask: 77.5 } },
    });
  });

  it('of many cold symbols cost one question to the upstream, also when many ask at once', async () => {
    const countAsked = (): number =>
      Object.entries(tapeql.simulator.readStats().requests)
        .filter(([path]) => path.includes('snapshot'))
        .reduce((sum, [, count]) => sum + count, 0);
    const before = countAsked();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => tapeql.query('{ quotes(symbols: ["ORCL", "IBM", "QCOM"]) { price } }')),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(countAsked()).toBe(before + 1);
  });
});

describe('instruments', () => {
  const search = (text: string, first = 20) =>
    tapeql.query(
      'query ($text: String!, $first: Int!) { instruments(search: $text, first: $first) { symbol name kind } }',
      {
        text,
        first,
      },
    );

  it('are found by symbol first, then by name, whatever the capitals', async () => {
    const { data } = await search('aapl');
    expect(data.instruments[0]).toEqual({ symbol: 'AAPL', name: expect.stringContaining('Apple'), kind: 'STOCK' });
    const byName = await search('apple');
    expect(byName.data.instruments).toContainEqual(data.instruments[0]);
    expect((await search('spx')).data.instruments[0]).toMatchObject({ symbol: 'I:SPX', kind: 'INDEX' });
    expect((await search('SPY')).data.instruments[0]).toMatchObject({ symbol: 'SPY', kind: 'ETF' });
  });

  it('are none where nothing is called so, and at most as many as asked for', async () => {
    expect(await search('no such thing')).toEqual({ data: { instruments: [] } });
    expect((await search('a', 3)).data.instruments).toHaveLength(3);
  });

  it.each([
    [' ', 20, 'search'],
    ['x'.repeat(65), 20, 'search'],
    ['a', 0, 'first'],
    ['a', 101, 'first'],
  ])('cannot be searched for by %j, first %i', async (text, first, argument) => {
    const { errors } = await search(text, first);
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', argument });
  });
});

it('indices are those of INDICES, in that order', async () => {
  const { data } = await tapeql.query('{ indices { symbol price volume bid } }');
  expect(data.indices.map(({ symbol }: { symbol: string }) => symbol)).toEqual(['I:SPX', 'I:COMP', 'I:DJI', 'I:VIX']);
  expect(data.indices.every((quote: { price: number; volume: number }) => quote.price > 0 && quote.volume === 0)).toBe(
    true,
  );
});

describe('bars', () => {
  const QUERY = `query ($interval: BarInterval!, $from: DateTime!, $to: DateTime, $first: Int) {
    bars(symbol: "AAPL", interval: $interval, from: $from, to: $to, first: $first) {
      symbol interval open high low close volume start end gapBefore cursor
    }
  }`;
  const to = new Date(Math.floor(Date.now() / 86_400_000) * 86_400_000);
  const before = (ms: number): string => new Date(to.getTime() - ms).toISOString();
  const HOUR_MS = 3_600_000;

  it.each([
    ['MINUTE', 60_000, HOUR_MS],
    ['HOUR', HOUR_MS, 24 * HOUR_MS],
    ['DAY', 24 * HOUR_MS, 14 * 24 * HOUR_MS],
  ])('of %s are whole, oldest first, and within the span', async (interval, lengthMs, spanMs) => {
    const { data, errors } = await tapeql.query(QUERY, { interval, from: before(spanMs), to: to.toISOString() });
    expect(errors).toBeUndefined();
    expect(data.bars.length).toBeGreaterThan(3);
    let last = to.getTime() - spanMs - 1;
    for (const bar of data.bars) {
      expect(bar).toMatchObject({ symbol: 'AAPL', interval, gapBefore: false, cursor: null });
      expect(Date.parse(bar.start)).toBeGreaterThan(last);
      expect(Date.parse(bar.start)).toBeLessThan(to.getTime());
      // A day begins at New York's midnight, and two of a year are an hour shorter or longer.
      if (interval !== 'DAY') expect(Date.parse(bar.end) - Date.parse(bar.start)).toBe(lengthMs);
      expect(bar.high).toBeGreaterThanOrEqual(Math.max(bar.open, bar.close));
      expect(bar.low).toBeLessThanOrEqual(Math.min(bar.open, bar.close));
      last = Date.parse(bar.start);
    }
  });

  it('are cut by `first` to the oldest ones', async () => {
    const whole = await tapeql.query(QUERY, { interval: 'MINUTE', from: before(HOUR_MS), to: to.toISOString() });
    const cut = await tapeql.query(QUERY, {
      interval: 'MINUTE',
      from: before(HOUR_MS),
      to: to.toISOString(),
      first: 2,
    });
    expect(cut.data.bars).toEqual(whole.data.bars.slice(0, 2));
  });
});

describe('recentTrades', () => {
  const QUERY = '{ recentTrades(symbol: "AMD", last: 3) { price sequence cursor } }';

  it('are the last prints, oldest first, and go on where the live ones begin', async () => {
    tapeql.simulator.push([1, 2, 3, 4].map((p) => makeWireTrade('AMD', { p })));
    const before = await tapeql.query(QUERY);
    expect(before.data.recentTrades.map(({ price }: { price: number }) => price)).toEqual([2, 3, 4]);

    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    socket.subscribe('t', 'subscription { trades(symbols: ["AMD"]) { price sequence cursor } }');
    await tapeql.untilOpen(1);
    await tapeql.untilWatched(['AMD']);
    tapeql.simulator.push([5, 6].map((p) => makeWireTrade('AMD', { p })));
    const live = [await socket.next(), await socket.next()].map(({ payload }) => payload.data.trades);
    const after = await tapeql.query(QUERY);
    expect(after.data.recentTrades.map(({ price }: { price: number }) => price)).toEqual([4, 5, 6]);
    expect(after.data.recentTrades.slice(1)).toEqual(live);
    const [older, newer] = after.data.recentTrades;
    expect(newer.sequence - older.sequence).toBe(1);
  });
});

it('marketStatus is that of the exchange, which is in session at any hour', async () => {
  const { data } = await tapeql.query('{ marketStatus { isOpen session nextOpen nextClose holiday timestamp } }');
  expect(data.marketStatus).toMatchObject({ isOpen: true, session: 'REGULAR', holiday: null });
});

describe('while the upstream is away', () => {
  it('what is known is served as stale, what is not is UPSTREAM_UNAVAILABLE with a time to come back', async () => {
    // It stands still but where the test moves it.
    let now = Date.now();
    await using own = await startTestTapeql({ tuning: { clock: () => now } });
    const ask = async () => (await own.query('{ quotes(symbols: ["AAPL"]) { symbol price stale } }')).data.quotes;
    await using socket = await RawWebSocket.connect(own.webSocketUrl);
    socket.subscribe('q', 'subscription { quoteUpdates(symbols: ["AAPL"]) { price } }');
    await own.untilWatched(['AAPL']);
    const [known] = await ask();
    expect(known).toEqual({ symbol: 'AAPL', price: expect.any(Number), stale: false });
    await own.simulator.close();
    await expect
      .poll(async () => (await own.query('{ serviceStatus { feedConnected } }')).data.serviceStatus.feedConnected)
      .toBe(false);
    // What was true a moment ago is as good as new for ten seconds; then, watched or not, it is called what it is.
    expect(await ask()).toEqual([known]);
    now += 11_000;
    // At once, for each waits until the upstream has been asked several times.
    const [stale, unknown, indices] = await Promise.all([
      ask(),
      own.query('{ quote(symbol: "MSFT") { price } }'),
      own.query('{ indices { symbol stale } }'),
    ]);
    expect(stale).toEqual([{ ...known, stale: true }]);
    expect(unknown.data).toEqual({ quote: null });
    expect(unknown.errors).toMatchObject([
      { path: ['quote'], extensions: { code: 'UPSTREAM_UNAVAILABLE', retryAfterMs: expect.any(Number) } },
    ]);
    await expect
      .poll(async () => (await own.query('{ serviceStatus { state feedConnected } }')).data.serviceStatus)
      .toEqual({ state: 'DEGRADED', feedConnected: false });
    expect(await fetchJson(`${own.url}/health`)).toMatchObject({ status: 'degraded', feed: false });
    expect(indices.data.indices.every(({ stale }: { stale: boolean }) => stale)).toBe(true);
  });

  it('subscribers are told, and the first print of each symbol after it has gapBefore where the history is closed to us', async () => {
    await using own = await startTestTapeql();
    await using socket = await RawWebSocket.connect(own.webSocketUrl);
    socket.subscribe('s', 'subscription { serviceStatus { state reason feedConnected } }');
    socket.subscribe('t', 'subscription { trades(symbols: ["AAPL", "MSFT"]) { symbol sequence gapBefore } }');
    await own.untilOpen(2);
    await own.untilWatched(['AAPL', 'MSFT']);
    own.simulator.push([makeWireTrade('AAPL'), makeWireTrade('MSFT')]);
    await expect.poll(() => stateOf(socket)).toMatchObject({ state: 'OPERATIONAL' });

    own.simulator.setFault('refuse-connections');
    // The plan does not include the history of prints.
    own.simulator.setFault('rest-path', '/v3/trades');
    own.simulator.setFault('rest-status', 403);
    own.simulator.dropConnections();
    await expect
      .poll(() => stateOf(socket))
      .toEqual({ state: 'DEGRADED', reason: expect.stringMatching(/stocks/), feedConnected: false });
    own.simulator.clearFault('refuse-connections');
    await expect.poll(() => stateOf(socket)).toEqual({ state: 'OPERATIONAL', reason: null, feedConnected: true });
    await own.untilWatched(['AAPL', 'MSFT']);
    own.simulator.push([makeWireTrade('AAPL'), makeWireTrade('AAPL'), makeWireTrade('MSFT')]);
    await expect
      .poll(() => socket.received.filter(({ id }) => id === 't').map(({ payload }) => payload.data.trades))
      .toEqual([
        { symbol: 'AAPL', sequence: 1, gapBefore: false },
        { symbol: 'MSFT', sequence: 1, gapBefore: false },
        { symbol: 'AAPL', sequence: 2, gapBefore: true },
        { symbol: 'AAPL', sequence: 3, gapBefore: false },
        { symbol: 'MSFT', sequence: 2, gapBefore: true },
      ]);
  });
});

describe('demand', () => {
  it('asks the upstream once for however many subscribers, and no more after the last one and its linger', async () => {
    await using own = await startTestTapeql();
    await using first = await RawWebSocket.connect(own.webSocketUrl);
    await using second = await RawWebSocket.connect(own.webSocketUrl);
    const asked: string[] = [];
    const ended: string[] = [];
    own.simulator.events.on('subscribed', ({ pairs }) => asked.push(...pairs.filter((pair) => pair.startsWith('T.'))));
    own.simulator.events.on('unsubscribed', ({ pairs }) =>
      ended.push(...pairs.filter((pair) => pair.startsWith('T.'))),
    );

    first.subscribe('1', 'subscription { quoteUpdates(symbols: ["AAPL", "MSFT"]) { price } }');
    await own.untilWatched(['AAPL', 'MSFT']);
    second.subscribe('1', 'subscription { trades(symbols: ["AAPL"]) { price } }');
    second.subscribe('2', 'subscription { bars(symbols: ["AAPL"]) { close } }');
    await own.untilOpen(3);
    expect(asked.toSorted()).toEqual(['T.AAPL', 'T.MSFT']);

    first.complete('1');
    second.complete('1');
    const left = own.simulator.waitFor('unsubscribed');
    expect((await left).pairs.every((pair) => pair.endsWith('.MSFT'))).toBe(true);
    expect(ended).toEqual(['T.MSFT']);
    second.complete('2');
    await own.untilIdle();
    expect(ended).toEqual(['T.MSFT', 'T.AAPL']);
    expect(asked.toSorted()).toEqual(['T.AAPL', 'T.MSFT']);
  });
});

function stateOf(socket: RawWebSocket) {
  return socket.received.findLast(({ id }) => id === 's')?.payload.data.serviceStatus;
}
