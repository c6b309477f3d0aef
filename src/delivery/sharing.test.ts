import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EventSourceReader } from '../../test/event-source-reader.ts';
import { type Message, RawWebSocket } from '../../test/raw-web-socket.ts';
import { startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { makeWireTrade } from '../../test/wire-samples.ts';

let tapeql: TestTapeql;
let socket: RawWebSocket;
let before = { executions: 0, deliveries: 0 };
beforeAll(async () => {
  tapeql = await startTestTapeql();
});
afterAll(() => tapeql[Symbol.asyncDispose]());
beforeEach(async () => {
  socket = await RawWebSocket.connect(tapeql.webSocketUrl);
  before = await readFigures();
});
afterEach(async () => {
  await socket[Symbol.asyncDispose]();
  await tapeql.untilIdle();
});

/** Executions and deliveries of `trades` so far, as an operator reads them. */
async function readFigures(): Promise<{ executions: number; deliveries: number }> {
  const page = await (await fetch(`${tapeql.url}/metrics`)).text();
  const read = (name: string): number =>
    Number(new RegExp(`^tapeql_${name}_total\\{field="trades"\\} (\\d+)$`, 'm').exec(page)?.[1] ?? 0);
  return { executions: read('executions'), deliveries: read('deliveries') };
}

type Operation = { query: string; variables?: object; operationName?: string };

/** What this test has cost. */
async function readCost(): Promise<{ executions: number; deliveries: number }> {
  const { executions, deliveries } = await readFigures();
  return { executions: executions - before.executions, deliveries: deliveries - before.deliveries };
}

/** Has all run beside each other, pushes one print of AAPL, and tells what each got for it and what that cost. */
async function deliverOne(operations: readonly Operation[]) {
  for (const [index, payload] of operations.entries()) {
    socket.send({ id: String(index), type: 'subscribe', payload });
  }
  await tapeql.untilOpen(operations.length);
  await tapeql.untilWatched(['AAPL']);
  tapeql.simulator.push([makeWireTrade('AAPL', { p: 7 })]);
  const results = new Map<string, Message>();
  while (results.size < operations.length) {
    const message = await socket.next();
    expect(message.type).toBe('next');
    results.set(message.id!, message);
  }
  return { results: operations.map((_, index) => results.get(String(index))!.payload.data), ...(await readCost()) };
}

const ONE = 'subscription { trades(symbols: ["AAPL"]) { price exchange { name } } }';
const WITH_FRAGMENT = `subscription { trades(symbols: ["AAPL"]) { price ...Where } } fragment Where on Trade { tape }`;

describe('one execution is shared by operations', () => {
  it.each<[string, Operation, Operation]>([
    ['that are the same', { query: ONE }, { query: ONE }],
    ['of other symbols', { query: ONE }, { query: ONE.replace('["AAPL"]', '["MSFT", "AAPL", "IBM"]') }],
    [
      'whose symbols are a variable',
      { query: ONE },
      {
        query: ONE.replace('subscription', 'subscription ($s: [Symbol!]!)').replace('["AAPL"]', '$s'),
        variables: { s: ['aapl'] },
      },
    ],
    [
      'whose variables have other names, other types and defaults',
      {
        query: ONE.replace('subscription', 'subscription ($s: [Symbol!]!)').replace('["AAPL"]', '$s'),
        variables: { s: ['AAPL'] },
      },
      { query: ONE.replace('["AAPL"]', '$of').replace('subscription', 'subscription ($of: [Symbol!]! = ["AAPL"])') },
    ],
    ['of other names', { query: ONE }, { query: ONE.replace('subscription', 'subscription Prices') }],
    [
      'of a document with several',
      { query: ONE },
      {
        query: `subscription Other { serviceStatus { state } } ${ONE.replace('n {', 'n Two {')}`,
        operationName: 'Two',
      },
    ],
    ['in another layout', { query: ONE }, { query: `# comment\n${ONE.replaceAll(' ', ' \n\t,')}` }],
    [
      'whose fragments stand elsewhere',
      { query: WITH_FRAGMENT },
      { query: WITH_FRAGMENT.replace(/^(.*)(fragment.*)$/, '$2 $1') },
    ],
    [
      'of a document with fragments of another operation',
      { query: WITH_FRAGMENT },
      {
        query: `query Q { recentTrades(symbol: "AAPL") { ...Unused } } fragment Unused on Trade { id } ${WITH_FRAGMENT.replace('subscription', 'subscription S')}`,
        operationName: 'S',
      },
    ],
    [
      'with the same value of what is asked below',
      {
        query: ONE.replace('n {', 'n ($c: Boolean!) {').replace('exchange', 'exchange @include(if: $c)'),
        variables: { c: true },
      },
      {
        query: ONE.replace('n {', 'n Named ($c: Boolean!) {').replace('exchange', 'exchange @include(if: $c)'),
        variables: { c: true },
      },
    ],
  ])('%s', async (_what, first, second) => {
    const { results, executions, deliveries } = await deliverOne([first, second]);
    expect(results[0].trades.price).toBe(7);
    expect(results[1]).toEqual(results[0]);
    expect({ executions, deliveries }).toEqual({ executions: 1, deliveries: 2 });
  });

  it('where each socket has several of them, with ids and symbols of its own that overlap', async () => {
    const symbols = ['AAPL', 'MSFT', 'IBM', 'NVDA'];
    const sockets = [socket];
    while (sockets.length < 6) sockets.push(await RawWebSocket.connect(tapeql.webSocketUrl));
    const watched = new Map<string, string[]>();
    for (const [index, one] of sockets.entries()) {
      for (let count = 0; count < 5; count++) {
        // 1 to 4 of them, beginning at another.
        const own = Array.from({ length: 1 + ((index + count) % 4) }, (_, at) => symbols[(index + at) % 4]!);
        const id = `${index} ${'é"\\'.repeat(count)}`;
        watched.set(id, own);
        one.subscribe(id, 'subscription ($s: [Symbol!]!) { trades(symbols: $s) { symbol price } }', { s: own });
      }
    }
    await tapeql.untilOpen(30);
    await tapeql.untilWatched(symbols);
    const prints = Array.from({ length: 40 }, (_, index) => ({ symbol: symbols[(index * 7) % 4]!, price: index + 1 }));
    tapeql.simulator.push(prints.map(({ symbol, price }) => makeWireTrade(symbol, { p: price })));

    for (const [id, own] of watched) {
      const reader = sockets[Number(id.split(' ')[0])]!;
      const expected = prints.filter(({ symbol }) => own.includes(symbol));
      const got = (): Message[] => reader.received.filter((message) => message.id === id);
      await expect.poll(() => got().length).toBe(expected.length);
      expect(got().map(({ payload }) => payload.data.trades)).toEqual(expected);
    }
    const wanted = (symbol: string): number => [...watched.values()].filter((own) => own.includes(symbol)).length;
    expect(await readCost()).toEqual({
      executions: prints.length,
      deliveries: prints.reduce((sum, { symbol }) => sum + wanted(symbol), 0),
    });
    for (const one of sockets.slice(1)) await one[Symbol.asyncDispose]();
  });

  it('over WebSocket and SSE: the same bytes', async () => {
    socket.subscribe('ws', ONE);
    const frames: string[] = [];
    socket.socket.on('message', (data: Buffer) => frames.push(data.toString()));
    await using reader = await EventSourceReader.open(tapeql.endpoint, { query: ONE.replace('{', 'Other {') });
    let events = '';
    reader.response.on('data', (text: string) => (events += text));
    await tapeql.untilOpen(2);
    await tapeql.untilWatched(['AAPL']);
    tapeql.simulator.push([makeWireTrade('AAPL', { p: 1.5 }), makeWireTrade('AAPL', { p: 2.5 })]);
    await reader.next();
    await reader.next();
    await socket.next();
    await socket.next();
    expect(await readCost()).toEqual({ executions: 2, deliveries: 4 });
    const payloads = frames.map((frame) => frame.slice('{"id":"ws","type":"next","payload":'.length, -1));
    expect(payloads[1]).toMatch(/^\{"data":\{"trades":\{"price":2\.5,.*,"extensions":\{"cursor":"[\w-]+"\}\}$/);
    expect(events.match(/^data: .*$/gm)).toEqual(payloads.map((payload) => `data: ${payload}`));
  });
});

describe('no execution is shared by operations', () => {
  it.each<[string, Operation, Operation]>([
    ['with an alias', { query: ONE }, { query: ONE.replace('price', 'p: price') }],
    ['with an alias of the root field', { query: ONE }, { query: ONE.replace('trades', 't: trades') }],
    ['that select something else', { query: ONE }, { query: ONE.replace('price', 'price size') }],
    ['that select it in another order', { query: ONE }, { query: ONE.replace('price exchange', 'exchange') }],
    [
      'whose fragments of one name differ',
      { query: WITH_FRAGMENT },
      { query: WITH_FRAGMENT.replace('{ tape }', '{ size }') },
    ],
    [
      'whose variables below the root differ',
      {
        query: ONE.replace('n {', 'n ($c: Boolean!) {').replace('exchange', 'exchange @include(if: $c)'),
        variables: { c: true },
      },
      {
        query: ONE.replace('n {', 'n ($c: Boolean!) {').replace('exchange', 'exchange @include(if: $c)'),
        variables: { c: false },
      },
    ],
    [
      'whose defaults of variables below the root differ',
      { query: ONE.replace('n {', 'n ($c: Boolean! = true) {').replace('exchange', 'exchange @skip(if: $c)') },
      { query: ONE.replace('n {', 'n ($c: Boolean! = false) {').replace('exchange', 'exchange @skip(if: $c)') },
    ],
  ])('%s', async (_what, first, second) => {
    const { results, executions, deliveries } = await deliverOne([first, second]);
    expect(results[1]).not.toEqual(results[0]);
    expect({ executions, deliveries }).toEqual({ executions: 2, deliveries: 2 });
  });
});
