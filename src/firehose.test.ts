import { describe, expect, it } from 'vitest';
import { RawWebSocket } from '../test/raw-web-socket.ts';
import { startTestTapeql } from '../test/tapeql.ts';
import { makeWireQuote, makeWireTrade } from '../test/wire-samples.ts';

const STOPPED = 4;
const PRINTS_PER_BATCH = 250;
/** So many more messages than the kernel's buffers of one connection hold. */
const MAX_BATCHES = 200;
const BOUND_BYTES = 256 * 1024;
const BYTES_PER_QUOTE = 320;
/** A print of about a kibibyte. */
const WIDE = Array.from({ length: 40 }, (_, index) => `a_name_of_its_own_${index}: notional`).join(' ');

// The figures at the full rate: bench/firehose.ts.
describe('readers that stop under a firehose', () => {
  it('cost no more than their bounds, are ended with the cursor they were sent last, and hold up nobody', async () => {
    // Those that stop answer no ping: it is not for this that they are to be ended.
    await using tapeql = await startTestTapeql({ tuning: { pingIntervalMs: 600_000, logBounds: { stallMs: 100 } } });
    await using reader = await RawWebSocket.connect(tapeql.webSocketUrl);
    reader.subscribe('t', 'subscription { trades(symbols: ["AAPL"]) { sequence } }');
    const stopped: RawWebSocket[] = [];
    await using stack = new AsyncDisposableStack();
    for (let count = 0; count < STOPPED; count += 1) {
      const socket = stack.use(await RawWebSocket.connect(tapeql.webSocketUrl));
      socket.subscribe('t', `subscription { trades(symbols: ["AAPL"]) { sequence ${WIDE} } }`);
      socket.subscribe('q', 'subscription { quoteUpdates(symbols: ["AAPL", "MSFT"]) { symbol bid } }');
      stopped.push(socket);
    }
    await tapeql.untilOpen(1 + 2 * STOPPED);
    await tapeql.untilWatched(['AAPL', 'MSFT']);
    for (const { tcp } of stopped) tcp.pause();

    let mostWaiting = 0;
    let hub = (await tapeql.readStats())['hub'];
    for (let batch = 0, sequence = 0; hub.slowConsumers < STOPPED && batch < MAX_BATCHES; batch += 1) {
      tapeql.simulator.push([
        makeWireQuote('MSFT', { bp: 100 + batch }),
        ...Array.from({ length: PRINTS_PER_BATCH }, () => makeWireTrade('AAPL')),
      ]);
      for (let print = 0; print < PRINTS_PER_BATCH; print += 1) {
        expect((await reader.next()).payload.data.trades.sequence).toBe((sequence += 1));
      }
      ({ hub } = await tapeql.readStats());
      mostWaiting = Math.max(mostWaiting, hub.bytesWaiting);
    }
    expect(hub.slowConsumers).toBe(STOPPED);
    expect(mostWaiting).toBeGreaterThan(0);
    expect(mostWaiting).toBeLessThanOrEqual(STOPPED * (BOUND_BYTES + 2 * BYTES_PER_QUOTE));
    // What is left are the newest quotes of two symbols for each.
    expect(hub.messagesWaiting).toBeLessThanOrEqual(2 * STOPPED);

    for (const socket of stopped) {
      socket.tcp.resume();
      const { payload } = await socket.find(({ id, type }) => id === 't' && type === 'error');
      const prints = socket.received.filter(({ id, type }) => id === 't' && type === 'next');
      const sequences = prints.map((message) => message.payload.data.trades.sequence);
      expect(sequences).toEqual(sequences.map((_, index) => index + 1));
      expect(payload[0].extensions).toEqual({
        code: 'SLOW_CONSUMER',
        cursor: prints.at(-1)!.payload.extensions.cursor,
      });
    }
  });
});
