import { type AnyVariables, Client, type DocumentInput, type OperationResult } from '@urql/core';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createManualClock } from '../../testing/manual-clock.ts';
import { type ScriptedServer, startScriptedServer } from '../../testing/scripted-server.ts';
import { Credentials } from './credentials.ts';
import { createWebSocketTransport, type WebSocketTransport } from './web-socket-transport.ts';
import { QuoteUpdates, Trades } from './operations.ts';
import { liveSubscriptionExchange } from './live-subscription-exchange.ts';
import { readGap } from './resumption.ts';
import { until } from '../../testing/until.ts';

const QUICK = { initialDelayMs: 5, maxDelayMs: 20 };
const AAPL = { symbols: ['AAPL'] };

let server: ScriptedServer;
let transport: WebSocketTransport;
let client: Client;

beforeEach(async () => {
  server = await startScriptedServer();
  const url = server.url.replace('http', 'ws');
  transport = createWebSocketTransport({ url, credentials: new Credentials(null), backoff: QUICK, stableAfterMs: 0 });
  client = new Client({ url: server.url, exchanges: [liveSubscriptionExchange({ transport, backoff: QUICK })] });
});

afterEach(async () => {
  await transport.dispose();
  await server.close();
});

function read<Data, Variables extends AnyVariables>(document: DocumentInput<Data, Variables>, variables: Variables) {
  const results: OperationResult<Data, Variables>[] = [];
  const { unsubscribe } = client.subscription(document, variables).subscribe((result) => results.push(result));
  return { results, stop: unsubscribe };
}

/** Trades are read from live: what is published before the subscription runs is not for it. */
async function readTrades(variables: { symbols: string[]; after?: string } = AAPL) {
  const { results, stop } = read(Trades, variables);
  await until(() => expect(server.countRunning()).toBe(1));
  return {
    results,
    stop,
    sequences: () => results.flatMap(({ data }) => (data ? [data.trades.sequence] : [])),
  };
}

test('a log goes on after an interruption with neither a gap nor a duplicate', async () => {
  const { results, sequences } = await readTrades();
  for (let cuts = 1; cuts <= 5; cuts++) {
    server.publish(3);
    await until(() => expect(sequences()).toContain(server.received.length * 5 - 2));
    server.cut();
    server.publish(2);
    await until(() => expect(server.received).toHaveLength(cuts + 1));
    await until(() => expect(sequences()).toContain(cuts * 5));
  }
  expect(sequences()).toEqual(Array.from({ length: 25 }, (_, index) => index + 1));
  expect(server.received.at(-1)).toEqual({
    by: 'socket',
    name: 'Trades',
    variables: { symbols: ['AAPL'], after: null },
    resumeFrom: 'c23',
  });
  expect(results.filter(readGap)).toEqual([]);
});

test('a log that was given a place begins there, and goes on from where it got to', async () => {
  server.publish(10);
  const { sequences } = await readTrades({ ...AAPL, after: 'c7' });
  await until(() => expect(sequences()).toEqual([8, 9, 10]));
  server.cut();
  await until(() =>
    expect(server.received.at(-1)).toMatchObject({ variables: { ...AAPL, after: null }, resumeFrom: 'c10' }),
  );
});

test('a reader ended as too slow resumes from what it was sent last', async () => {
  const { results, sequences } = await readTrades();
  server.publish(4);
  await until(() => expect(sequences()).toHaveLength(4));
  server.endTrades({ code: 'SLOW_CONSUMER', cursor: 'c4' });
  server.publish(2);
  await until(() => expect(sequences()).toEqual([1, 2, 3, 4, 5, 6]));
  expect(results.every(({ error }) => error === undefined)).toBe(true);
  expect(results.filter(readGap)).toEqual([]);
});

test('a log whose history is gone goes on live, and its first result tells of the gap', async () => {
  const { results, sequences } = await readTrades();
  server.publish(2);
  await until(() => expect(sequences()).toEqual([1, 2]));
  server.publish(0);
  server.failures.push({ code: 'HISTORY_EXPIRED', oldestCursor: 'c40' });
  server.cut();
  await until(() => expect(server.received).toHaveLength(3));
  await until(() => expect(server.countRunning()).toBe(1));
  expect(server.received.at(-1)?.variables).toEqual({ symbols: ['AAPL'], after: null });
  server.publish(2);
  await until(() => expect(sequences()).toEqual([1, 2, 3, 4]));
  expect(results.map(readGap)).toEqual([null, null, { after: 'c2', oldestCursor: 'c40' }, null]);
  expect(results.every(({ error }) => error === undefined)).toBe(true);
});

test('a log goes on whatever its document has: no variable for a cursor, no fields by which to know an entry', async () => {
  const { results } = read<{ trades: { price: number } }, AnyVariables>(
    'subscription { trades(symbols: ["AAPL"]) { price } }',
    {},
  );
  await until(() => expect(server.countRunning()).toBe(1));
  server.publish();
  await until(() => expect(results).toHaveLength(1));
  server.cut();
  server.publish(2);
  await until(() => expect(results).toHaveLength(3));
  expect(server.received.at(-1)?.resumeFrom).toBe('c1');
  expect(results.map(readGap)).toEqual([null, null, null]);
});

test('a place that is written into a document is where it begins, and no more', async () => {
  server.publish(3);
  const { results } = read<{ trades: { sequence: number } }, AnyVariables>(
    'subscription { trades(symbols: ["AAPL"], after: "c1") { sequence } }',
    {},
  );
  await until(() => expect(results).toHaveLength(2));
  server.cut();
  server.publish();
  await until(() => expect(results.map(({ data }) => data?.trades.sequence)).toEqual([2, 3, 4]));
});

test('a log that broke before its first result tells that it may have missed some', async () => {
  const { results } = await readTrades();
  server.cut();
  server.publish();
  await until(() => expect(server.received).toHaveLength(2));
  await until(() => expect(server.countRunning()).toBe(1));
  server.publish();
  await until(() => expect(results).toHaveLength(1));
  expect(results.map(readGap)).toEqual([{ after: null, oldestCursor: null }]);
});

test('a state begins anew with the current one', async () => {
  const { results } = read(QuoteUpdates, AAPL);
  await until(() => expect(results).toHaveLength(1));
  server.cut();
  await until(() => expect(results).toHaveLength(2));
  server.quote(101);
  await until(() => expect(results.map(({ data }) => data?.quoteUpdates.price)).toEqual([100, 100, 101]));
});

test.each(['RATE_LIMITED', 'UPSTREAM_UNAVAILABLE', 'SERVICE_PAUSED'])(
  'what is refused for now (%s) shows its error and is tried again',
  async (code) => {
    server.failures.push({ code, retryAfterMs: 10 }, { code });
    const { results, sequences } = await readTrades();
    expect(results.map(({ error }) => error?.graphQLErrors[0]?.extensions['code'])).toEqual([code, code]);
    server.publish();
    await until(() => expect(sequences()).toEqual([1]));
    expect(results.at(-1)?.error).toBeUndefined();
    expect(results.filter(readGap)).toEqual([]);
    expect(server.received).toHaveLength(3);
  },
);

test('what is refused for good ends with its error', async () => {
  server.failures.push({ code: 'TOO_MANY_SYMBOLS', limit: 500 });
  const { results } = read(Trades, AAPL);
  await until(() => expect(results).toHaveLength(1));
  expect(results[0]).toMatchObject({ hasNext: false, data: undefined });
  expect(results[0]?.error?.graphQLErrors[0]?.extensions).toEqual({ code: 'TOO_MANY_SYMBOLS', limit: 500 });
});

test('a document that the server cannot read ends with its errors', async () => {
  const { results } = read('subscription { nothing }', {});
  await until(() => expect(results).toHaveLength(1));
  expect(results[0]).toMatchObject({ hasNext: false });
  expect(results[0]?.error?.message).toContain('Cannot query field "nothing"');
});

test('a connection refused for good tells so, and what ran on it goes on when it is tried again', async () => {
  server.refusals.push(4403);
  const { results } = read(QuoteUpdates, AAPL);
  await until(() => expect(results).toHaveLength(1));
  expect(results[0]).toMatchObject({ hasNext: true, error: { networkError: { code: 4403 } } });
  transport.retryNow();
  await until(() => expect(results.at(-1)?.data?.quoteUpdates.price).toBe(100));
  expect(server.countConnections()).toBe(2);
});

test("one event's error and extensions are not carried over to the next", async () => {
  const { results } = read(QuoteUpdates, AAPL);
  await until(() => expect(results).toHaveLength(1));
  server.quote(null);
  await until(() => expect(results).toHaveLength(2));
  expect(results[1]).toMatchObject({ data: null, hasNext: true });
  expect(results[1]?.error?.message).toContain('Cannot return null for non-nullable field Quote.price');
  server.quote(102);
  await until(() => expect(results).toHaveLength(3));
  expect(results[2]).toMatchObject({ data: { quoteUpdates: { price: 102 } } });
  expect(results[2]?.error).toBeUndefined();
});

test('an operation that the server completes is over, and can be started again', async () => {
  const first = await readTrades();
  server.endTrades('complete');
  await until(() => expect(transport.getState().status).toBe('idle'));
  const second = await readTrades();
  server.publish();
  await until(() => expect(second.sequences()).toEqual([1]));
  expect(first.sequences()).toEqual([]);
});

test('who leaves ends the operation on the server, and a retry that waits', async () => {
  const clock = createManualClock();
  client = new Client({ url: server.url, exchanges: [liveSubscriptionExchange({ transport, backoff: QUICK, clock })] });
  const { stop } = await readTrades();
  const { results, stop: stopQuotes } = read(QuoteUpdates, AAPL);
  await until(() => expect(results).toHaveLength(1));
  stop();
  await until(() => expect(server.countRunning()).toBe(1));

  server.failures.push({ code: 'RATE_LIMITED', retryAfterMs: 20 });
  const limited = read(Trades, AAPL);
  await until(() => expect(limited.results).toHaveLength(1));
  expect(clock.readWaits()).toHaveLength(1);
  limited.stop();
  expect(clock.readWaits()).toEqual([]);
  const sent = server.received.length;
  server.quote(101);
  await until(() => expect(results).toHaveLength(2));
  stopQuotes();
  await until(() => expect(transport.getState().status).toBe('idle'));
  expect(server.received).toHaveLength(sent);
});

test('whatever happens, a log is whole and in order, or the reader is told where it is not', async () => {
  const faults = {
    cut: () => server.cut(),
    'go away': () => server.closeConnections(1001),
    fail: () => server.closeConnections(4500),
    'end the slow reader': () => server.endTrades({ code: 'SLOW_CONSUMER' }),
    'refuse for now': () => {
      server.failures.push({ code: 'SERVICE_PAUSED', retryAfterMs: 1 });
      server.cut();
    },
    'forget all': () => server.forget(newest),
  };
  const steps = fc.array(
    fc.record({
      fault: fc.constantFrom(...(Object.keys(faults) as (keyof typeof faults)[])),
      before: fc.nat(3),
      after: fc.nat(3),
      isAwaited: fc.boolean(),
    }),
    { minLength: 1, maxLength: 8 },
  );
  let newest = 0;
  const publish = (count: number): void => {
    server.publish(count);
    newest += count;
  };

  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      const { results, sequences, stop } = await readTrades();
      const first = newest + 1;
      for (const { fault, before, after, isAwaited } of script) {
        publish(before);
        if (isAwaited) await until(() => expect(transport.getState().status).toBe('live'));
        faults[fault]();
        publish(after);
      }
      // A reader that begins anew from live hears of nothing before, so that something must go on happening.
      await until(() => {
        publish(1);
        expect(sequences().at(-1)).toBeGreaterThan(newest - 20);
      });
      stop();
      await until(() => expect(server.countRunning()).toBe(0));

      let expected = first;
      for (const result of results) {
        if (!result.data) continue;
        const { sequence } = result.data.trades;
        if (readGap(result) === null) expect(sequence).toBe(expected);
        else expect(sequence).toBeGreaterThanOrEqual(expected);
        expected = sequence + 1;
      }
    }),
    { numRuns: 25 },
  );
});
