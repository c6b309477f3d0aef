import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventSourceReader } from '../../test/event-source-reader.ts';
import { ManualTimers } from '../../test/manual-time.ts';
import { startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { JWT_SECRET, mintToken } from '../../test/tokens.ts';
import { until } from '../../test/until.ts';
import { makeWireTrade } from '../../test/wire-samples.ts';

const TRADES = 'subscription { trades(symbols: ["AAPL"]) { sequence } }';

describe('server-sent events', () => {
  const timers = new ManualTimers();
  let tapeql: TestTapeql;
  beforeAll(async () => {
    tapeql = await startTestTapeql({ tuning: { connectionTimers: timers, pingIntervalMs: 1000 } });
  });
  afterAll(() => tapeql[Symbol.asyncDispose]());

  it('are pinged by a comment while there is nothing to tell', async () => {
    await using reader = await EventSourceReader.open(tapeql.endpoint, { query: TRADES });
    await tapeql.untilOpen(1);
    for (let pings = 0; pings < 4; pings++) {
      expect(reader.comments).toBe(pings);
      timers.advance(1000);
      await expect.poll(() => reader.comments).toBe(pings + 1);
    }
  });

  it('where the client accepts no stream, the answer is 406 and nothing stays open', async () => {
    const response = await fetch(tapeql.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ query: TRADES }),
    });
    expect(response.status).toBe(406);
    await response.text();
    await tapeql.untilIdle();
  });

  it('a subscription whose connection ends while it is being opened is closed', async () => {
    await using own = await startTestTapeql({ env: { JWT_SECRET } });
    const headers = {
      accept: 'text/event-stream',
      'content-type': 'application/json',
      authorization: `Bearer ${await mintToken({ sub: 'ann' })}`,
    };
    const subscribe = (signal: AbortSignal): Promise<Response> => {
      const body = JSON.stringify({ query: 'subscription { tradeNotifications { __typename } }' });
      return fetch(own.endpoint, { method: 'POST', headers, body, signal });
    };
    // It waits for the database, which is opened for it.
    const leaving = new AbortController();
    const left = subscribe(leaving.signal);
    left.catch(() => undefined);
    await until(async () => expect((await own.readStats())['database'].state).not.toBe('unopened'));
    leaving.abort();
    // On a slow machine it may have been opened before this test saw that.
    await left.catch(() => undefined);
    // Another one, which is opened after it.
    const staying = new AbortController();
    await subscribe(staying.signal);
    await own.untilOpen(1);
    staying.abort();
    await own.untilOpen(0);
  });

  it('a refused subscription is a `next` with its errors, and `complete`', async () => {
    const response = await fetch(tapeql.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: 'subscription { trades(symbols: []) { price } }' }),
    });
    expect(response.status).toBe(200);
    const text = await response.text();
    expect(text).toMatch(/event: next\ndata: \{"errors":\[\{.*"code":"BAD_USER_INPUT".*\}\]\}\n\n/);
    expect(text).toMatch(/event: complete\ndata:\n\n$/);
  });

  it('a reader that stops costs no more than its bound, and is told SLOW_CONSUMER when it reads again', async () => {
    const bounds = { maxBytes: 64 * 1024, stallMs: 50 };
    await using own = await startTestTapeql({ tuning: { logBounds: bounds } });
    // Long results fill the buffers of the network sooner.
    const alias = 'x'.repeat(20_000);
    const query = `subscription { trades(symbols: ["AAPL"]) { sequence ${alias}: cursor } }`;
    await using stopped = await EventSourceReader.open(own.endpoint, { query });
    await using reading = await EventSourceReader.open(own.endpoint, { query: TRADES });
    await own.untilOpen(2);
    await own.untilWatched(['AAPL']);
    stopped.response.pause();

    let sequence = 0;
    for (let isSlow = false; !isSlow && sequence < 15_000;) {
      own.simulator.push(Array.from({ length: 100 }, () => makeWireTrade('AAPL')));
      for (let count = 0; count < 100; count++) {
        expect((await reading.next()).data.data.trades.sequence).toBe(++sequence);
      }
      const { hub } = await own.readStats();
      expect(hub.bytesWaiting).toBeLessThanOrEqual(bounds.maxBytes);
      isSlow = hub.slowConsumers === 1;
    }
    expect((await own.readStats())['hub']).toMatchObject({ slowConsumers: 1, mailboxes: 1, messagesWaiting: 0 });

    stopped.response.resume();
    let last = '';
    for (let expected = 1; ; expected++) {
      const { id, data } = await stopped.next();
      if (data.errors !== undefined) {
        expect(data.errors[0].extensions).toEqual({ code: 'SLOW_CONSUMER', cursor: last });
        break;
      }
      expect(data.data.trades.sequence).toBe(expected);
      last = id;
    }
    expect(await stopped.next()).toEqual({ event: 'complete', id: '', data: null });
  });
});
