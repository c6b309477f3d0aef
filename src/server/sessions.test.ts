import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EventSourceReader } from '../../test/event-source-reader.ts';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import { startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { ExpiryClock, JWT_SECRET, mintToken } from '../../test/tokens.ts';
import { makeWireQuote } from '../../test/wire-samples.ts';

const PORTFOLIO = 'subscription { portfolio { cash } }';
const NOTIFICATIONS = 'subscription { tradeNotifications { __typename } }';
const QUOTES = 'subscription { quoteUpdates(symbols: ["AAPL"]) { bid } }';

const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });

async function connect(tapeql: TestTapeql, token: string): Promise<RawWebSocket> {
  const socket = new RawWebSocket(tapeql.webSocketUrl);
  await socket.opened;
  socket.send({ type: 'connection_init', payload: bearer(token) });
  expect((await socket.next()).type).toBe('connection_ack');
  return socket;
}

/** What a subscription is ended with. */
async function readEnd(socket: RawWebSocket, id: string): Promise<unknown> {
  const { payload } = await socket.find((message) => message.id === id && message.type === 'error');
  return payload[0].extensions.code;
}

describe('a token that expires while connected', () => {
  const expiry = new ExpiryClock();
  let tapeql: TestTapeql;
  beforeAll(async () => {
    tapeql = await startTestTapeql({ env: { JWT_SECRET }, tuning: { clock: expiry.now } });
  });
  afterEach(() => tapeql.untilIdle());
  afterAll(() => tapeql?.[Symbol.asyncDispose]());

  it("ends the viewer's own with UNAUTHENTICATED; market data goes on", async () => {
    await using socket = await connect(tapeql, await mintToken({ exp: expiry.holdBefore() }));
    socket.subscribe('q', QUOTES);
    socket.subscribe('p', PORTFOLIO);
    socket.subscribe('n', NOTIFICATIONS);
    await tapeql.untilWatched(['AAPL']);
    await tapeql.untilOpen(3);
    expect((await socket.find(({ id }) => id === 'p')).payload.data).toEqual({ portfolio: { cash: '100000.00' } });
    expiry.pass();
    const ends = new Map<string, unknown>();
    while (ends.size < 2) {
      const { id, type, payload } = await socket.find((message) => message.type === 'error');
      expect(type).toBe('error');
      ends.set(id!, payload[0].extensions.code);
    }
    expect(ends).toEqual(
      new Map([
        ['p', 'UNAUTHENTICATED'],
        ['n', 'UNAUTHENTICATED'],
      ]),
    );
    tapeql.simulator.push([makeWireQuote('AAPL', { bp: 123 })]);
    await socket.find(({ id, payload }) => id === 'q' && payload?.data.quoteUpdates.bid === 123);
    // The connection is there, and nobody is signed in on it any more.
    socket.subscribe('again', PORTFOLIO);
    const { payload } = await socket.find(({ id }) => id === 'again');
    expect(payload.errors[0].extensions.code).toBe('UNAUTHENTICATED');
  });

  it('ends market data as well where anonymous clients may not read it, also over SSE', async () => {
    await using closed = await startTestTapeql({
      env: { JWT_SECRET, ANONYMOUS_MARKET_DATA: 'false' },
      tuning: { clock: expiry.now },
    });
    const token = await mintToken({ exp: expiry.holdBefore() });
    await using socket = await connect(closed, token);
    socket.subscribe('q', QUOTES);
    await using stream = await EventSourceReader.open(closed.endpoint, { query: QUOTES }, bearer(token));
    await using own = await EventSourceReader.open(closed.endpoint, { query: NOTIFICATIONS }, bearer(token));
    await closed.untilOpen(3);
    expiry.pass();
    expect(await readEnd(socket, 'q')).toBe('UNAUTHENTICATED');
    for (const reader of [stream, own]) {
      let event = await reader.next();
      while (event.data.errors === undefined) event = await reader.next();
      expect(event.data.errors[0].extensions.code).toBe('UNAUTHENTICATED');
    }
    await closed.untilOpen(0);
  });

  it('is renewed in place by a ping of the same user, whose streams go on', async () => {
    const exp = expiry.holdBefore();
    await using short = await connect(tapeql, await mintToken({ exp }));
    await using renewed = await connect(tapeql, await mintToken({ exp }));
    for (const socket of [short, renewed]) socket.subscribe('p', PORTFOLIO);
    await tapeql.untilOpen(2);
    const [other, newer] = [await mintToken({ sub: 'ben' }), await mintToken()];
    const answers: unknown[] = [];
    for (const token of [other, 'none', newer]) {
      renewed.send({ type: 'ping', payload: bearer(token) });
      answers.push((await renewed.find(({ type }) => type === 'pong')).payload);
    }
    expect(answers).toMatchObject([
      { renewed: false, code: 'UNAUTHENTICATED' },
      { renewed: false, code: 'UNAUTHENTICATED' },
      { renewed: true },
    ]);
    expect(JSON.stringify(answers)).not.toContain(newer);
    expiry.pass();
    expect(await readEnd(short, 'p')).toBe('UNAUTHENTICATED');
    // The same time has passed for both.
    renewed.subscribe('again', PORTFOLIO);
    expect((await renewed.find(({ id }) => id === 'again')).type).toBe('next');
    expect(renewed.received.filter(({ type }) => type === 'error')).toEqual([]);
  });

  it('is renewed by one that allows less: what it does not allow ends with FORBIDDEN', async () => {
    await using socket = await connect(tapeql, await mintToken());
    socket.subscribe('p', PORTFOLIO);
    socket.subscribe('q', QUOTES);
    await tapeql.untilOpen(2);
    socket.send({ type: 'ping', payload: bearer(await mintToken({ scope: 'market:read' })) });
    expect(await readEnd(socket, 'p')).toBe('FORBIDDEN');
    await tapeql.untilOpen(1);
  });

  it('on a connection where nobody is signed in renews nothing', async () => {
    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    socket.send({ type: 'ping', payload: bearer(await mintToken()) });
    expect((await socket.find(({ type }) => type === 'pong')).payload).toMatchObject({ renewed: false });
  });
});
