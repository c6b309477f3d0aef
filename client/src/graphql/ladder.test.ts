import type { AnyVariables, DocumentInput, OperationResult } from '@urql/core';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Barred, type BreakableLink, openBreakableLink } from '../../testing/breakable-link.ts';
import { type ScriptedServer, startScriptedServer } from '../../testing/scripted-server.ts';
import { until } from '../../testing/until.ts';
import { MarketStatusChanges, QuoteUpdates, Trades } from './operations.ts';
import { readGap } from './resumption.ts';
import { createTapeClient, type TapeClient, type TapeClientOptions } from './tape-client.ts';

const AAPL = { symbols: ['AAPL'] };
const QUICK = {
  backoff: { initialDelayMs: 1, maxDelayMs: 5 },
  streamProbeMs: 20,
  pollIntervalMs: 5,
} as const satisfies Partial<TapeClientOptions>;

let server: ScriptedServer;
let link: BreakableLink;
let client: TapeClient;

beforeEach(async () => {
  server = await startScriptedServer();
  link = await openBreakableLink(server.url);
  client = createTapeClient({ url: link.url, ...QUICK });
});

afterEach(async () => {
  await client.dispose();
  await link.close();
  await server.close();
});

const readState = (): string => client.status.getSnapshot().state;
const reach = (state: string): Promise<void> => until(() => expect(readState()).toBe(state));

function read<Data, Variables extends AnyVariables>(document: DocumentInput<Data, Variables>, variables: Variables) {
  const results: OperationResult<Data, Variables>[] = [];
  const { unsubscribe } = client.subscription(document, variables).subscribe((result) => results.push(result));
  return { results, stop: unsubscribe };
}

function readTrades() {
  const { results, stop } = read(Trades, AAPL);
  return {
    results,
    stop,
    sequences: () => results.flatMap(({ data }) => (data ? [data.trades.sequence] : [])),
  };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test('where no WebSocket comes through, event streams stand in after ten attempts, and each print comes once', async () => {
  const { results, sequences } = readTrades();
  await until(() => expect(server.countRunning()).toBe(1));
  server.publish(3);
  await until(() => expect(sequences()).toEqual(upTo(3)));

  const states: string[] = [];
  client.status.subscribe(() => states.push(readState()));
  link.bar('sockets');
  server.publish(2);
  await reach('degraded');
  expect(states[0]).toBe('resuming');
  expect(client.status.getSnapshot().failures).toBeGreaterThanOrEqual(10);
  expect(server.received.at(-1)).toMatchObject({ by: 'stream', resumeFrom: 'c3' });
  server.publish(2);
  await until(() => expect(sequences()).toEqual(upTo(7)));

  link.bar('nothing');
  await reach('live');
  await until(() => expect(server.received.at(-1)).toMatchObject({ by: 'socket', resumeFrom: 'c7' }));
  server.publish();
  await until(() => expect(sequences()).toEqual(upTo(8)));
  await until(() => expect(server.countRunning()).toBe(1));
  expect(results.filter(readGap)).toEqual([]);
});

test('where no stream comes through either, queries stand in; it climbs back by each step', async () => {
  const quotes = read(QuoteUpdates, AAPL);
  const { results, sequences } = readTrades();
  await until(() => expect(server.countRunning()).toBe(2));
  server.publish(3);
  await until(() => expect(sequences()).toEqual(upTo(3)));

  link.bar('sockets and streams');
  server.publish(2);
  await reach('polling');
  await until(() => expect(sequences()).toEqual(upTo(5)));
  server.publish(2);
  await until(() => expect(sequences()).toEqual(upTo(7)));

  link.bar('sockets');
  await reach('degraded');
  server.publish(2);
  await until(() => expect(sequences()).toEqual(upTo(9)));
  // The one that was tried has shown that they come through: the others follow.
  await until(() => expect(server.countRunning()).toBe(2));
  server.quote(101);
  await until(() => expect(quotes.results.at(-1)?.data?.quoteUpdates.price).toBe(101));

  link.bar('nothing');
  await reach('live');
  server.publish();
  await until(() => expect(sequences()).toEqual(upTo(10)));
  expect(results.filter(readGap)).toEqual([]);
});

test('a log that begins while only queries come through begins with what is printed from then on', async () => {
  server.publish(5);
  link.bar('sockets and streams');
  const { results, sequences } = readTrades();
  await until(() => expect(server.received.filter(({ by }) => by === 'query').length).toBeGreaterThan(1));
  server.publish(2);
  await until(() => expect(sequences()).toEqual([6, 7]));
  link.bar('nothing');
  await reach('live');
  server.publish();
  await until(() => expect(sequences()).toEqual([6, 7, 8]));
  expect(results.filter(readGap)).toEqual([]);
});

test('more prints than a query reaches back to are told as a gap', async () => {
  const { results, sequences } = readTrades();
  await until(() => expect(server.countRunning()).toBe(1));
  server.publish();
  await until(() => expect(sequences()).toEqual([1]));
  link.bar('all');
  await reach('offline');
  server.publish(600);
  link.bar('sockets and streams');
  await until(() => expect(sequences()).toHaveLength(501));
  expect(sequences().slice(0, 2)).toEqual([1, 102]);
  expect(results.flatMap((result, index) => (readGap(result) === null ? [] : [index]))).toEqual([1]);
});

test('a state is asked for, and told where it differs', async () => {
  link.bar('sockets and streams');
  const quotes = read(QuoteUpdates, AAPL);
  const market = read(MarketStatusChanges, {});
  await until(() => expect(market.results.map(({ data }) => data?.marketStatus.session)).toEqual(['REGULAR']));
  const prices = () => quotes.results.map(({ data }) => data?.quoteUpdates.price);
  await until(() => expect(prices()).toEqual([100]));
  server.quote(101);
  await until(() => expect(prices()).toEqual([100, 101]));
  link.bar('nothing');
  await until(() => expect(prices()).toEqual([100, 101, 101]));
});

test('of more subscriptions than a browser has connections the logs are streamed, and the others polled', async () => {
  await client.dispose();
  client = createTapeClient({ url: link.url, ...QUICK, maxStreams: 1 });
  link.bar('sockets');
  const quotes = read(QuoteUpdates, AAPL);
  const { sequences, stop } = readTrades();
  await reach('degraded');
  const countOf = (wanted: string) => server.received.filter(({ by, name }) => `${by} ${name}` === wanted).length;
  await until(() => expect(countOf('query PollQuoteUpdates')).toBeGreaterThan(0));
  await until(() => expect(countOf('stream Trades')).toBe(1));
  server.publish();
  await until(() => expect(sequences()).toEqual([1]));
  // Whose place is free is another's.
  stop();
  await until(() => expect(countOf('stream QuoteUpdates')).toBeGreaterThan(0));
  server.quote(102);
  await until(() => expect(quotes.results.at(-1)?.data?.quoteUpdates.price).toBe(102));
  expect(countOf('query PollTrades')).toBe(0);
});

test('what the server refuses ends with its error by streams and by queries as well', async () => {
  for (const barred of ['sockets', 'sockets and streams'] as const) {
    link.bar(barred);
    const { results } = read('subscription { marketStatus { nothing } }', {});
    await until(() => expect(results).toMatchObject([{ hasNext: false }]));
    expect(results[0]?.error?.message).toContain('Cannot query field "nothing"');
  }
});

test('a slow reader and a history that is gone are resumed by streams as they are by a socket', async () => {
  link.bar('sockets');
  const { results, sequences } = readTrades();
  await reach('degraded');
  server.publish(2);
  await until(() => expect(sequences()).toEqual([1, 2]));
  server.endTrades({ code: 'SLOW_CONSUMER', cursor: 'c2' });
  server.publish();
  await until(() => expect(sequences()).toEqual([1, 2, 3]));
  server.failures.push({ code: 'HISTORY_EXPIRED', oldestCursor: 'c40' });
  server.endTrades({ code: 'SLOW_CONSUMER', cursor: 'c3' });
  await until(() => expect(server.received.at(-1)?.resumeFrom).toBeUndefined());
  await until(() => expect(server.countRunning()).toBe(1));
  server.publish();
  await until(() => expect(sequences()).toEqual([1, 2, 3, 4]));
  expect(results.map(readGap)).toEqual([null, null, null, { after: 'c3', oldestCursor: 'c40' }]);
});

test('whatever comes through, and however often that changes, each print comes once and in order', async () => {
  const steps = fc.array(
    fc.record({
      barred: fc.constantFrom<Barred>('nothing', 'sockets', 'streams', 'sockets and streams', 'all'),
      isCut: fc.boolean(),
      before: fc.nat(3),
      after: fc.nat(3),
      /** How many prints to wait for: what comes next strikes while it settles, or later. */
      awaited: fc.nat(2),
    }),
    { minLength: 1, maxLength: 6 },
  );
  let newest = 0;
  const publish = (count: number): void => {
    server.publish(count);
    newest += count;
  };
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      link.bar('nothing');
      const { results, sequences, stop } = readTrades();
      // It begins at the socket, whatever the one before it has left.
      await until(() => expect([server.countRunning(), server.received.at(-1)?.by]).toEqual([1, 'socket']));
      publish(1);
      await until(() => expect(sequences()).toHaveLength(1));
      for (const { barred, isCut, before, after, awaited } of script) {
        publish(before);
        link.bar(barred);
        if (isCut) link.cut();
        publish(after);
        const had = sequences().length;
        const wanted = barred === 'all' ? had : Math.min(had + awaited, newest - sequences()[0]! + 1);
        await until(() => expect(sequences().length).toBeGreaterThanOrEqual(wanted));
      }
      link.bar('nothing');
      await until(() => expect(sequences().at(-1)).toBe(newest));
      const first = sequences()[0]!;
      expect(sequences()).toEqual(Array.from({ length: newest - first + 1 }, (_, index) => first + index));
      // One that changed its way before its first print may have missed some before that.
      expect(results.slice(1).filter(readGap)).toEqual([]);
      stop();
      await until(() => expect(server.countRunning()).toBe(0));
    }),
    { numRuns: 15 },
  );
});
