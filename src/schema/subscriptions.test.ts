import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWebSocketClient } from 'graphql-ws';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type GraphQLBody, startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { makeWireBar, makeWireQuote, makeWireTrade } from '../../test/wire-samples.ts';
import { encodeCursor } from '../market/log.ts';

type Result = GraphQLBody & { readonly extensions?: { readonly cursor?: string } };
type Stream = AsyncIterableIterator<Result>;

let tapeql: TestTapeql;
beforeAll(async () => {
  tapeql = await startTestTapeql();
});
afterAll(() => tapeql[Symbol.asyncDispose]());

const TRADES = `subscription ($symbols: [Symbol!]!, $after: Cursor) {
  trades(symbols: $symbols, after: $after) { id symbol price size sequence gapBefore cursor }
}`;
const QUOTES = `subscription ($symbols: [Symbol!]!, $maxRateHz: Float) {
  quoteUpdates(symbols: $symbols, maxRateHz: $maxRateHz) { symbol price bid bidSize ask askSize volume stale }
}`;

describe.each(['WebSocket', 'SSE'] as const)('over %s', (transport) => {
  const ends: (() => unknown)[] = [];
  let opened = 0;

  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
    opened = 0;
    await tapeql.untilIdle();
  });

  /** Subscribes by the transport's usual client. */
  function subscribe(query: string, variables: Record<string, unknown> = {}): Stream {
    const client =
      transport === 'WebSocket'
        ? createWebSocketClient({ url: tapeql.webSocketUrl, webSocketImpl: WebSocket, retryAttempts: 0 })
        : createSseClient({ url: tapeql.endpoint, retryAttempts: 0 });
    const stream = client.iterate({ query, variables }) as Stream;
    ends.push(async () => {
      await stream.return?.();
      await client.dispose();
    });
    return stream;
  }

  /** Subscribed, and nothing that happens from now on is missed. */
  async function open(query: string, variables: { symbols: string[] } & Record<string, unknown>): Promise<Stream> {
    const stream = subscribe(query, variables);
    await tapeql.untilOpen(++opened);
    await tapeql.untilWatched(variables.symbols);
    return stream;
  }

  it('quoteUpdates shows the current quote of each symbol first, then each change', async () => {
    const stream = await open(QUOTES, { symbols: ['AAPL', 'MSFT'] });
    const first = [await take(stream, 'quoteUpdates'), await take(stream, 'quoteUpdates')];
    expect(new Set(first.map(({ symbol }) => symbol))).toEqual(new Set(['AAPL', 'MSFT']));
    expect(first.every(({ price }) => price > 0)).toBe(true);

    tapeql.simulator.push([makeWireQuote('AAPL', { bp: 1234.5, bs: 7, ap: 1234.75, as: 9 })]);
    const quoted = await takeUntil(stream, 'quoteUpdates', ({ bid }) => bid === 1234.5);
    expect(quoted).toMatchObject({ symbol: 'AAPL', bidSize: 7, ask: 1234.75, askSize: 9, stale: false });

    tapeql.simulator.push([makeWireTrade('AAPL', { p: 1234.6, s: 250, ds: '250.5' })]);
    const traded = await takeUntil(stream, 'quoteUpdates', ({ price }) => price === 1234.6);
    expect(traded).toMatchObject({ symbol: 'AAPL', bid: 1234.5, stale: false });
  });

  it('quoteUpdates keeps to maxRateHz', async () => {
    const countDelivered = async (): Promise<number> => (await tapeql.readStats())['messages'].delivered;
    const before = await countDelivered();
    // Its second update is due when this test is long over.
    const limited = await open(QUOTES, { symbols: ['NVDA'], maxRateHz: 0.001 });
    await take(limited, 'quoteUpdates');
    const unlimited = await open(QUOTES, { symbols: ['NVDA'] });
    let ofUnlimited = 0;
    for (let p = 1; p <= 20; p += 1) {
      tapeql.simulator.push([makeWireTrade('NVDA', { p })]);
      await takeUntil(unlimited, 'quoteUpdates', ({ price }) => {
        ofUnlimited += 1;
        return price === p;
      });
    }
    expect(ofUnlimited).toBeGreaterThanOrEqual(20);
    expect((await countDelivered()) - before).toBe(ofUnlimited + 1);
  });

  it('the last value always arrives, whatever maxRateHz is', async () => {
    const stream = await open(QUOTES, { symbols: ['NVDA'], maxRateHz: 10 });
    await take(stream, 'quoteUpdates');
    for (let p = 1; p <= 20; p += 1) tapeql.simulator.push([makeWireTrade('NVDA', { p })]);
    tapeql.simulator.push([makeWireTrade('NVDA', { p: 99_999 })]);
    const last = await takeUntil(stream, 'quoteUpdates', ({ price }) => price === 99_999);
    expect(last).toMatchObject({ symbol: 'NVDA', stale: false });
  });

  it('trades brings every print once and in order, each with its cursor', async () => {
    const stream = await open(TRADES, { symbols: ['AAPL', 'MSFT'] });
    const prints = Array.from({ length: 200 }, (_, index) =>
      makeWireTrade(index % 3 === 0 ? 'MSFT' : 'AAPL', { p: 100 + index }),
    );
    for (let index = 0; index < prints.length; index += 20) tapeql.simulator.push(prints.slice(index, index + 20));
    const results = await takeResults(stream, prints.length);
    const trades = results.map(({ data }) => data.trades);
    expect(trades.map(({ price }) => price)).toEqual(prints.map(({ p }) => p));
    for (const symbol of ['AAPL', 'MSFT']) {
      const sequences = trades.filter((trade) => trade.symbol === symbol).map(({ sequence }) => sequence);
      expect(sequences).toEqual(sequences.map((_, index) => sequences[0] + index));
    }
    expect(results.map(({ extensions }) => extensions?.cursor)).toEqual(trades.map(({ cursor }) => cursor));
    expect(new Set(trades.map(({ cursor }) => cursor)).size).toBe(prints.length);
  });

  it('a result carries its cursor whatever was selected', async () => {
    const stream = await open('subscription ($symbols: [Symbol!]!) { trades(symbols: $symbols) { __typename } }', {
      symbols: ['AAPL'],
    });
    tapeql.simulator.push([makeWireTrade('AAPL')]);
    const [result] = await takeResults(stream, 1);
    expect(result).toEqual({
      data: { trades: { __typename: 'Trade' } },
      extensions: { cursor: expect.stringMatching(/^[\w-]+$/) },
    });
  });

  it('trades tells what the print says: exact size, conditions, venue, tape, times', async () => {
    const symbol = transport === 'WebSocket' ? 'KO' : 'PEP';
    const stream = await open(
      `subscription ($symbols: [Symbol!]!) { trades(symbols: $symbols) {
        id symbol price size notional exchange { id mic name } conditions { id name } tape offExchange timestamp receivedAt gapBefore
      } }`,
      { symbols: [symbol] },
    );
    const t = Date.now() - 5;
    tapeql.simulator.push([
      makeWireTrade(symbol, { i: 'x1', x: 4, trfi: 202, trft: t, p: 200.5, s: 0, ds: '0.25', c: [12, 37], t, z: 3 }),
      makeWireTrade(symbol, { i: 'x2', x: 12, p: 201, s: 40, ds: '40.0', z: 1 }),
    ]);
    const [first, second] = (await takeResults(stream, 2)).map(({ data }) => data.trades);
    expect(first).toMatchObject({
      symbol,
      price: 200.5,
      size: 0.25,
      notional: 50.125,
      exchange: { id: 4 },
      conditions: [
        { id: 12, name: 'Form T/Extended Hours' },
        { id: 37, name: 'Odd Lot Trade' },
      ],
      tape: 'C',
      offExchange: true,
      timestamp: new Date(t).toISOString(),
      gapBefore: false,
    });
    expect(Date.parse(first.receivedAt)).toBeGreaterThanOrEqual(t);
    expect(second).toMatchObject({ size: 40, conditions: [], tape: 'A', offExchange: false, exchange: { id: 12 } });
    expect(first.id).not.toBe(second.id);
  });

  it('trades resumes after a cursor without a gap and without a duplicate, while prints go on', async () => {
    const first = await open(TRADES, { symbols: ['AAPL', 'AMD'] });
    const prints = Array.from({ length: 300 }, (_, index) =>
      makeWireTrade(index % 2 === 0 ? 'AMD' : 'AAPL', { p: 1 + index }),
    );
    tapeql.simulator.push(prints.slice(0, 100));
    const seen = await takeResults(first, 40);
    const { cursor } = seen.at(-1)!.extensions!;
    tapeql.simulator.push(prints.slice(100, 150));
    const stream = subscribe(TRADES, { symbols: ['AMD', 'AAPL'], after: cursor });
    for (let index = 150; index < 300; index += 10) {
      tapeql.simulator.push(prints.slice(index, index + 10));
      await new Promise(setImmediate);
    }
    const resumed = await takeResults(stream, 260);
    expect(resumed.map(({ data }) => data.trades.price)).toEqual(prints.slice(40).map(({ p }) => p));
  });

  it('one cursor serves another set of symbols', async () => {
    const first = await open(TRADES, { symbols: ['AAPL', 'AMD'] });
    tapeql.simulator.push([makeWireTrade('AAPL', { p: 1 }), makeWireTrade('AMD', { p: 2 })]);
    const [cursor] = (await takeResults(first, 2)).map(({ extensions }) => extensions!.cursor);
    const stream = subscribe(TRADES, { symbols: ['AMD'], after: cursor });
    expect(await take(stream, 'trades')).toMatchObject({ symbol: 'AMD', price: 2 });
  });

  it.each([
    ['of a log that is lost', () => encodeCursor({ epoch: 'another', offset: Date.now() * 1024 })],
    ['that is too old', () => staleCursor()],
  ])('a cursor %s is told with HISTORY_EXPIRED and the oldest cursor that can be resumed from', async (_name, of) => {
    const stream = subscribe(TRADES, { symbols: ['AAPL'], after: await of() });
    const [error] = await fail(stream);
    expect(error!.extensions).toEqual({ code: 'HISTORY_EXPIRED', oldestCursor: expect.any(String) });
    const oldest = subscribe(TRADES, { symbols: ['AAPL'], after: error!.extensions['oldestCursor'] });
    await tapeql.untilOpen(opened + 1);
    await oldest.return?.();
  });

  async function staleCursor(): Promise<string> {
    const stream = await open(TRADES, { symbols: ['AAPL'] });
    tapeql.simulator.push([makeWireTrade('AAPL')]);
    const { cursor } = (await takeResults(stream, 1))[0]!.extensions!;
    const [epoch, offset] = Buffer.from(cursor!, 'base64url').toString().split(':');
    return encodeCursor({ epoch: epoch!, offset: Number(offset) - 600_000 * 1024 });
  }

  it.each(['garbage!', '', 'AAAA', Buffer.from('epoch:1e9').toString('base64url')])(
    'a cursor that is none (%j) is BAD_USER_INPUT',
    async (after) => {
      const [error] = await fail(subscribe(TRADES, { symbols: ['AAPL'], after }));
      expect(error!.extensions).toEqual({ code: 'BAD_USER_INPUT', argument: 'after' });
    },
  );

  it('bars brings those of its interval as they end, and resumes', async () => {
    const query = `subscription ($symbols: [Symbol!]!, $interval: BarInterval, $after: Cursor) {
      bars(symbols: $symbols, interval: $interval, after: $after) {
        symbol interval open high low close volume vwap start end gapBefore cursor
      }
    }`;
    const seconds = await open(query.replace('$interval: BarInterval', '$interval: BarInterval! = SECOND'), {
      symbols: ['AAPL'],
    });
    const minutes = await open(query.replace('$interval: BarInterval', '$interval: BarInterval!'), {
      symbols: ['AAPL'],
      interval: 'MINUTE',
    });
    const second = makeWireBar('AAPL', 'A', { v: 0, dv: '0.5' });
    const minute = makeWireBar('AAPL', 'AM', { c: 101 });
    tapeql.simulator.push([minute, second, makeWireBar('AAPL', 'AM', { c: 102 })]);
    const [result] = await takeResults(seconds, 1);
    expect(result!.data.bars).toEqual({
      symbol: 'AAPL',
      interval: 'SECOND',
      open: 100,
      high: 100.1,
      low: 99.95,
      close: 100.05,
      volume: 0.5,
      vwap: 100.02,
      start: new Date(second['s'] as number).toISOString(),
      end: new Date((second['s'] as number) + 1000).toISOString(),
      // Prints of it were logged before, perhaps, and nobody wanted it since.
      gapBefore: expect.any(Boolean),
      cursor: result!.extensions!.cursor,
    });
    const [first, again] = await takeResults(minutes, 2);
    expect(first!.data.bars).toMatchObject({ interval: 'MINUTE', close: 101 });
    expect(again!.data.bars).toMatchObject({ close: 102, start: first!.data.bars.start, gapBefore: false });

    const resumed = subscribe(query.replace('$interval: BarInterval', '$interval: BarInterval!'), {
      symbols: ['AAPL'],
      interval: 'MINUTE',
      after: first!.data.bars.cursor,
    });
    expect(await take(resumed, 'bars')).toMatchObject({ close: 102 });
  });

  it('bars of hours and days are for queries only', async () => {
    const [error] = await fail(subscribe('subscription { bars(symbols: ["AAPL"], interval: HOUR) { close } }'));
    expect(error!.extensions).toEqual({ code: 'BAD_USER_INPUT', argument: 'interval' });
  });

  it('marketStatus and serviceStatus show the current one first', async () => {
    const market = subscribe('subscription { marketStatus { isOpen session timestamp } }');
    expect(await take(market, 'marketStatus')).toMatchObject({ isOpen: true, session: 'REGULAR' });
    const service = subscribe(
      'subscription { serviceStatus { state reason feed feedConnected redisConnected timestamp } }',
    );
    expect(await takeUntil(service, 'serviceStatus', ({ feedConnected }) => feedConnected)).toEqual({
      state: 'OPERATIONAL',
      reason: null,
      feed: 'SIMULATED',
      feedConnected: true,
      redisConnected: null,
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
  });

  it('takes an empty list for a mistake, and 501 symbols for too many', async () => {
    for (const query of [QUOTES, TRADES]) {
      const [none] = await fail(subscribe(query, { symbols: [] }));
      expect(none!.extensions).toEqual({ code: 'BAD_USER_INPUT', argument: 'symbols' });
      const [many] = await fail(subscribe(query, { symbols: Array.from({ length: 501 }, (_, index) => `S${index}`) }));
      expect(many!.extensions).toEqual({ code: 'TOO_MANY_SYMBOLS', limit: 500 });
    }
  });

  it('takes maxRateHz only above 0 and up to 1000', async () => {
    for (const maxRateHz of [0, -1, 1000.5]) {
      const [error] = await fail(subscribe(QUOTES, { symbols: ['AAPL'], maxRateHz }));
      expect(error!.extensions).toEqual({ code: 'BAD_USER_INPUT', argument: 'maxRateHz' });
    }
  });
});

describe('over plain fetch', () => {
  it('an SSE subscription is answered at once, before there is anything to tell, and by GET as well', async () => {
    const query = 'subscription { trades(symbols: ["IBM"]) { price } }';
    const accept = { accept: 'text/event-stream' };
    const requests = [
      () => fetch(`${tapeql.endpoint}?query=${encodeURIComponent(query)}`, { headers: accept }),
      () =>
        fetch(tapeql.endpoint, {
          method: 'POST',
          headers: { ...accept, 'content-type': 'application/json' },
          body: JSON.stringify({ query }),
        }),
    ];
    for (const request of requests) {
      const response = await request();
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toMatch(/^text\/event-stream\b/);
      expect(response.headers.get('cache-control')).toMatch(/no-cache|no-store/);
      await tapeql.untilOpen(1);
      await tapeql.untilWatched(['IBM']);
      tapeql.simulator.push([makeWireTrade('IBM', { p: 321 })]);
      expect(await readUntil(response, '321')).toMatch(/^event: next\nid: [\w-]+\ndata: \{.*"price":321.*\}\n\n$/m);
      await tapeql.untilIdle();
    }
  });

  it('a client that goes away ends its subscription', async () => {
    const abort = new AbortController();
    const response = await fetch(tapeql.endpoint, {
      method: 'POST',
      headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify({ query: 'subscription { quoteUpdates(symbols: ["IBM"]) { price } }' }),
      signal: abort.signal,
    });
    expect(response.status).toBe(200);
    await tapeql.untilWatched(['IBM']);
    abort.abort();
    await tapeql.untilIdle();
    expect((await tapeql.readStats())['hub']).toMatchObject({ mailboxes: 0, channels: 0, symbolsWanted: 0 });
  });
});

/** Reads a stream until a text has come, and leaves. */
async function readUntil(response: Response, text: string): Promise<string> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let all = '';
  while (!all.includes(text) || !all.endsWith('\n\n')) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the stream ended after ${JSON.stringify(all)}`);
    all += value;
  }
  await reader.cancel();
  return all;
}

async function takeResults(stream: Stream, count: number): Promise<Result[]> {
  const results: Result[] = [];
  while (results.length < count) {
    const { done, value } = await stream.next();
    if (done) throw new Error(`the stream ended after ${results.length} results`);
    if (value.errors !== undefined) throw new Error(JSON.stringify(value.errors));
    results.push(value);
  }
  return results;
}

async function take(stream: Stream, field: string) {
  return (await takeResults(stream, 1))[0]!.data[field];
}

// oxlint-disable-next-line typescript/no-explicit-any -- each test knows what it selected
async function takeUntil(stream: Stream, field: string, matches: (value: any) => boolean) {
  for (;;) {
    const value = await take(stream, field);
    if (matches(value)) return value;
  }
}

/** The errors with which a subscription is refused: thrown by the WebSocket's client, a result on SSE. */
async function fail(stream: Stream): Promise<NonNullable<GraphQLBody['errors']>> {
  try {
    const { value } = await stream.next();
    return (value as Result).errors ?? [];
  } catch (error) {
    if (Array.isArray(error)) return error as NonNullable<GraphQLBody['errors']>;
    throw error;
  }
}
