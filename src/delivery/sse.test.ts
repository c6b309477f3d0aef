import { describe, expect, it } from 'vitest';
import { EventSourceReader } from '../../test/event-source-reader.ts';
import { startTestTapeql } from '../../test/tapeql.ts';
import { makeWireTrade } from '../../test/wire-samples.ts';

const TRADES = 'subscription { trades(symbols: ["AAPL"]) { sequence } }';

describe('server-sent events', () => {
  it('are pinged by a comment while there is nothing to tell', async () => {
    await using tapeql = await startTestTapeql({ tuning: { pingIntervalMs: 20 } });
    await using reader = await EventSourceReader.open(tapeql.endpoint, { query: TRADES });
    await expect.poll(() => reader.comments).toBeGreaterThan(3);
  });

  it('where the client accepts no stream, the answer is 406 and nothing stays open', async () => {
    await using tapeql = await startTestTapeql();
    const response = await fetch(tapeql.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ query: TRADES }),
    });
    expect(response.status).toBe(406);
    await response.text();
    await tapeql.untilIdle();
  });

  it('a refused subscription is a `next` with its errors, and `complete`', async () => {
    await using tapeql = await startTestTapeql();
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
    await using tapeql = await startTestTapeql({ tuning: { logBounds: bounds } });
    // Long results fill the buffers of the network sooner.
    const alias = 'x'.repeat(1000);
    const query = `subscription { trades(symbols: ["AAPL"]) { sequence ${alias}: cursor } }`;
    await using stopped = await EventSourceReader.open(tapeql.endpoint, { query });
    await using reading = await EventSourceReader.open(tapeql.endpoint, { query: TRADES });
    await tapeql.untilOpen(2);
    await tapeql.untilWatched(['AAPL']);
    stopped.response.pause();

    let sequence = 0;
    for (let isSlow = false; !isSlow && sequence < 15_000;) {
      tapeql.simulator.push(Array.from({ length: 100 }, () => makeWireTrade('AAPL')));
      for (let count = 0; count < 100; count++) {
        expect((await reading.next()).data.data.trades.sequence).toBe(++sequence);
      }
      const { hub } = await tapeql.readStats();
      expect(hub.bytesWaiting).toBeLessThanOrEqual(bounds.maxBytes);
      isSlow = hub.slowConsumers === 1;
    }
    expect((await tapeql.readStats())['hub']).toMatchObject({ slowConsumers: 1, mailboxes: 1, messagesWaiting: 0 });

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
