import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RawWebSocket } from '../test/raw-web-socket.ts';
import { startTestTapeql, type TestTapeql } from '../test/tapeql.ts';
import { makeWireTrade } from '../test/wire-samples.ts';

/** The whole system behind an exchange whose connection is cut while it prints. */
describe('prints of the time in which the upstream was away', () => {
  let tapeql: TestTapeql;
  let socket: RawWebSocket;
  beforeEach(async () => {
    tapeql = await startTestTapeql();
    socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    socket.subscribe('t', 'subscription { trades(symbols: ["AAPL"]) { price sequence gapBefore } }');
    await tapeql.untilWatched(['AAPL']);
    push(1);
    push(2);
    expect(await take(2)).toEqual(['1:1', '2:2']);
  });
  afterEach(async () => {
    await socket?.[Symbol.asyncDispose]();
    await tapeql?.[Symbol.asyncDispose]();
  });

  /** Sequence and price, which is the print's number; `!` for `gapBefore`. */
  async function take(count: number): Promise<string[]> {
    const taken: string[] = [];
    while (taken.length < count) {
      const { price, sequence, gapBefore } = (await socket.next()).payload.data.trades;
      taken.push(`${sequence}:${gapBefore ? '!' : ''}${price}`);
    }
    return taken;
  }
  const push = (...numbers: number[]): void =>
    tapeql.simulator.push(numbers.map((number) => makeWireTrade('AAPL', { p: number })));
  const isWatching = (pairs: readonly string[]): boolean => pairs.includes('T.AAPL');

  /** Cuts the connection, prints, and resolves when it is back. */
  async function interrupt(...missed: number[]): Promise<void> {
    const { simulator } = tapeql;
    const closed = simulator.waitFor('closed', ({ cluster }) => cluster === 'stocks');
    const back = simulator.waitFor('subscribed', ({ pairs }) => isWatching(pairs));
    simulator.dropConnections();
    await closed;
    push(...missed);
    await back;
  }

  it('are delivered once, in order, before what came since', async () => {
    await interrupt(3, 4, 5);
    push(6);
    expect(await take(4)).toEqual(['3:3', '4:4', '5:5', '6:6']);
    await interrupt(7);
    expect(await take(1)).toEqual(['7:7']);
    push(8);
    expect(await take(1)).toEqual(['8:8']);
    const { ingest } = await tapeql.readStats();
    expect(ingest).toMatchObject({ feedGaps: 2, gapsFilled: 2, gapsUnfilled: 0, printsFilled: 4, gapsTold: 0 });
  });

  it.each([403, 500])('are told by the next one where the history answers with %i', async (status) => {
    tapeql.simulator.setFault('rest-path', '/v3/trades');
    tapeql.simulator.setFault('rest-status', status);
    await interrupt(3, 4);
    push(5);
    push(6);
    expect(await take(2)).toEqual(['3:!5', '4:6']);
    const { ingest } = await tapeql.readStats();
    expect(ingest).toMatchObject({ feedGaps: 1, gapsFilled: 0, gapsUnfilled: 1, printsFilled: 0, gapsTold: 1 });
    expect(JSON.stringify(tapeql.records)).toContain('Missed prints could not be read');
  });
});
