import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import { EventSourceReader } from '../../test/event-source-reader.ts';
import { startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { makeWireBar, makeWireTrade } from '../../test/wire-samples.ts';
import { until } from '../../test/until.ts';
import { decodeCursor, encodeCursor, OFFSETS_PER_MS } from '../market/log.ts';
import { placeAfterEdge } from './resume.ts';

/** By which the one process here is both writer and reader. */
let tapeql: TestTapeql;
beforeAll(async () => {
  tapeql = await startTestTapeql();
});
afterAll(() => tapeql[Symbol.asyncDispose]());

const TRADES = 'subscription ($after: Cursor) { trades(symbols: ["AAPL", "MSFT"], after: $after) { price } }';
const STATUS = 'subscription { serviceStatus { state } }';

/** Logs, by a document whose field has the name that the readers below look at; and how far ahead a cursor is. */
const FUTURES: [what: string, query: string, aheadMs: number][] = [
  ['trades, in two minutes', TRADES, 120_000],
  ['trades, in a year', TRADES, 365 * 24 * 3_600_000],
  [
    'bars of a minute, in an hour',
    'subscription ($after: Cursor) { trades: bars(symbols: ["AAPL"], interval: MINUTE, after: $after) { price: close } }',
    3_600_000,
  ],
  [
    'bars of a second, in an hour',
    'subscription ($after: Cursor) { trades: bars(symbols: ["AAPL"], interval: SECOND, after: $after) { price: close } }',
    3_600_000,
  ],
];

type Asking = {
  readonly query?: string;
  readonly variables?: object;
  readonly extensions?: unknown;
  readonly lastEventId?: string;
};
type Outcome = { readonly prices: number[] } | { readonly code: string; readonly argument?: string };

/** Each transport in its own words: what is asked for, until so many results have come or it is refused. */
const TRANSPORTS = {
  async WebSocket({ query = TRADES, variables, extensions }: Asking, count: number): Promise<Outcome> {
    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    socket.send({ id: '1', type: 'subscribe', payload: { query, variables, extensions } });
    const prices: number[] = [];
    while (prices.length < count) {
      const { payload } = await socket.next();
      const error = payload.errors?.[0] ?? payload[0];
      if (error !== undefined) return error.extensions;
      prices.push(payload.data.trades?.price ?? 0);
    }
    return { prices };
  },
  async SSE({ query = TRADES, variables, extensions, lastEventId }: Asking, count: number): Promise<Outcome> {
    await using reader = await EventSourceReader.open(
      tapeql.endpoint,
      { query, variables, extensions },
      lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
    );
    const prices: number[] = [];
    while (prices.length < count) {
      const { data } = await reader.next();
      if (data.errors !== undefined) return data.errors[0].extensions;
      prices.push(data.data.trades?.price ?? 0);
    }
    return { prices };
  },
};

/** The cursors of prints 1, 2, 3… of a log that somebody goes on to watch. */
let cursors: string[];
let watcher: RawWebSocket;
beforeEach(async () => {
  watcher = await RawWebSocket.connect(tapeql.webSocketUrl);
  watcher.subscribe('w', TRADES);
  await tapeql.untilOpen(1);
  await tapeql.untilWatched(['AAPL', 'MSFT']);
  tapeql.simulator.push([1, 2, 3, 4].map((p) => makeWireTrade(p % 2 === 0 ? 'MSFT' : 'AAPL', { p })));
  cursors = [''];
  while (cursors.length < 5) cursors.push((await watcher.next()).payload.extensions.cursor);
});
afterEach(async () => {
  await watcher[Symbol.asyncDispose]();
  await tapeql.untilIdle();
});

describe.each(Object.entries(TRANSPORTS))('over %s a log is resumed', (_transport, ask) => {
  it('by `extensions.resumeFrom`, with no change of the document', async () => {
    expect(await ask({ extensions: { resumeFrom: cursors[1] } }, 3)).toEqual({ prices: [2, 3, 4] });
  });

  it('by `after` rather than by `extensions.resumeFrom`', async () => {
    const asking = { variables: { after: cursors[2] }, extensions: { resumeFrom: cursors[1] } };
    expect(await ask(asking, 2)).toEqual({ prices: [3, 4] });
  });

  it.each(['garbage!', '', 7, { cursor: 'x' }])('not by garbage (%j): that is BAD_USER_INPUT', async (resumeFrom) => {
    const refused = { code: 'BAD_USER_INPUT', argument: 'extensions.resumeFrom' };
    expect(await ask({ extensions: { resumeFrom } }, 1)).toEqual(refused);
    expect(await ask({ variables: { after: cursors[1] }, extensions: { resumeFrom } }, 1)).toEqual(refused);
  });

  it('from live where the place is null', async () => {
    const asked = ask({ variables: { after: null }, extensions: { resumeFrom: null } }, 1);
    await tapeql.untilOpen(2);
    tapeql.simulator.push([makeWireTrade('AAPL', { p: 5 })]);
    expect(await asked).toEqual({ prices: [5] });
  });

  it('not where it is a state: a place says nothing of it', async () => {
    for (const resumeFrom of [cursors[1], 'garbage!']) {
      expect(await ask({ query: STATUS, extensions: { resumeFrom } }, 1)).toEqual({ prices: [0] });
    }
  });

  it('not from a log that is lost: that is HISTORY_EXPIRED, with a cursor that can be resumed from', async () => {
    const lost = encodeCursor({ epoch: 'another', offset: 1 });
    const refused = await ask({ extensions: { resumeFrom: lost } }, 1);
    expect(refused).toEqual({ code: 'HISTORY_EXPIRED', oldestCursor: expect.any(String) });
    const { oldestCursor } = refused as unknown as { oldestCursor: string };
    const outcome = (await ask({ extensions: { resumeFrom: oldestCursor } }, 4)) as { prices: number[] };
    expect(outcome.prices).toHaveLength(4);
  });

  it.each(FUTURES)('not from the future: %s, that is HISTORY_EXPIRED at once', async (_what, query, aheadMs) => {
    const { epoch } = decodeCursor(cursors[1]!)!;
    const future = encodeCursor({ epoch, offset: (Date.now() + aheadMs) * OFFSETS_PER_MS });
    for (const asking of [{ variables: { after: future } }, { extensions: { resumeFrom: future } }]) {
      const refused = await ask({ query, ...asking }, 1);
      expect(refused).toEqual({ code: 'HISTORY_EXPIRED', oldestCursor: expect.any(String) });
      const { oldestCursor } = refused as unknown as { oldestCursor: string };
      expect(decodeCursor(oldestCursor)!.offset).toBeLessThan(decodeCursor(cursors[1]!)!.offset);
    }
  });

  it('from a place that the log reaches only later', async () => {
    const { epoch } = decodeCursor(cursors[4]!)!;
    const place = (Date.now() + 500) * OFFSETS_PER_MS;
    const asked = ask({ extensions: { resumeFrom: encodeCursor({ epoch, offset: place }) } }, 1);
    await tapeql.untilOpen(2);
    let printed = 0;
    // Those that come sooner are before that place. Each has a price of its own.
    await until(() => {
      tapeql.simulator.push([makeWireTrade('AAPL', { p: 5 + ++printed / 1000 })]);
      const cursor = watcher.received.findLast(({ payload }) => payload?.extensions !== undefined)!.payload.extensions
        .cursor;
      expect(decodeCursor(cursor)!.offset).toBeGreaterThan(place);
    });
    const first = watcher.received.find(({ payload }) => {
      return payload?.extensions !== undefined && decodeCursor(payload.extensions.cursor)!.offset > place;
    })!;
    expect(await asked).toEqual({ prices: [first.payload.data.trades.price] });
  });

  it('also of bars, by the same cursor', async () => {
    watcher.subscribe('b', 'subscription { bars(symbols: ["AAPL"], interval: MINUTE) { close } }');
    await tapeql.untilOpen(2);
    tapeql.simulator.push([1, 2].map((c) => makeWireBar('AAPL', 'AM', { c, o: c, h: c, l: c })));
    const { payload } = await watcher.find(({ id }) => id === 'b');
    await watcher.find(({ id }) => id === 'b');
    // By a document whose field has the name that the readers above look at.
    const query = 'subscription { trades: bars(symbols: ["AAPL"], interval: MINUTE) { price: close } }';
    expect(await ask({ query, extensions: { resumeFrom: payload.extensions.cursor } }, 1)).toEqual({ prices: [2] });
  });
});

describe('over SSE', () => {
  const { SSE: ask } = TRANSPORTS;

  it('each event of a log has its cursor as id, and Last-Event-ID resumes from it', async () => {
    await using reader = await EventSourceReader.open(tapeql.endpoint, {
      query: TRADES,
      extensions: { resumeFrom: cursors[1] },
    });
    for (const cursor of cursors.slice(2)) {
      const { event, id, data } = await reader.next();
      expect({ event, id, cursor: data.extensions.cursor }).toEqual({ event: 'next', id: cursor, cursor });
    }
    expect(await ask({ lastEventId: cursors[3]! }, 1)).toEqual({ prices: [4] });
  });

  it.each(FUTURES)('not by a Last-Event-ID from the future: %s', async (_what, query, aheadMs) => {
    const { epoch } = decodeCursor(cursors[1]!)!;
    const lastEventId = encodeCursor({ epoch, offset: (Date.now() + aheadMs) * OFFSETS_PER_MS });
    const refused = { code: 'HISTORY_EXPIRED', oldestCursor: expect.any(String) };
    expect(await ask({ query, lastEventId }, 1)).toEqual(refused);
  });

  it('Last-Event-ID stands behind `after` and `extensions.resumeFrom`, and garbage in it is BAD_USER_INPUT', async () => {
    const lastEventId = cursors[3]!;
    expect(await ask({ lastEventId, extensions: { resumeFrom: cursors[2] } }, 2)).toEqual({ prices: [3, 4] });
    expect(await ask({ lastEventId, variables: { after: cursors[1] } }, 3)).toEqual({ prices: [2, 3, 4] });
    expect(await ask({ lastEventId: 'garbage!' }, 1)).toEqual({ code: 'BAD_USER_INPUT', argument: 'Last-Event-ID' });
    expect(await ask({ query: STATUS, lastEventId: 'garbage!' }, 1)).toEqual({ prices: [0] });
  });

  it('who is cut off before the first result resumes from where the log began for it', async () => {
    const reader = await EventSourceReader.open(tapeql.endpoint, { query: TRADES });
    const { lastEventId } = reader;
    expect(lastEventId).toMatch(/^[\w-]+$/);
    await tapeql.untilOpen(2);
    await reader[Symbol.asyncDispose]();
    tapeql.simulator.push([makeWireTrade('MSFT', { p: 6 }), makeWireTrade('AAPL', { p: 7 })]);
    await watcher.find(({ payload }) => payload.data.trades.price === 7);
    expect(await ask({ lastEventId }, 2)).toEqual({ prices: [6, 7] });
  });

  it('a state has no ids', async () => {
    await using reader = await EventSourceReader.open(tapeql.endpoint, { query: STATUS });
    expect(await reader.next()).toMatchObject({ event: 'next', id: '' });
    expect(reader.lastEventId).toBe('');
  });
});

it('the header of a WebSocket’s upgrade is no place of its operations', async () => {
  const headers = { 'last-event-id': 'garbage!', get: 'x' };
  await using socket = await RawWebSocket.connect(tapeql.webSocketUrl, { headers });
  socket.subscribe('1', TRADES, { after: cursors[3] });
  expect((await socket.next()).payload.data).toEqual({ trades: { price: 4 } });
});

describe('where a reader goes on whose place is no longer held', () => {
  const span = { oldestMs: 1_000_000, nowMs: 1_300_000 };

  it('is the edge of the log where that moves with the time', () => {
    expect(placeAfterEdge(990_000 * OFFSETS_PER_MS, span)).toBe(990_000 * OFFSETS_PER_MS);
  });

  it('is some way beyond it where the log is cut by its size, so that it is still there when the reader comes', () => {
    expect(placeAfterEdge(1_220_000 * OFFSETS_PER_MS, span)).toBe(1_230_000 * OFFSETS_PER_MS);
    expect(placeAfterEdge(1_300_001 * OFFSETS_PER_MS, span)).toBe(1_300_001 * OFFSETS_PER_MS);
  });
});
