import type { OperationResult } from '@urql/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BreakableLink, openBreakableLink } from '../../testing/breakable-link.ts';
import { createManualClock } from '../../testing/manual-clock.ts';
import { type ScriptedServer, startScriptedServer } from '../../testing/scripted-server.ts';
import { until } from '../../testing/until.ts';
import { createTapeClient, type TapeClient } from './tape-client.ts';

const QUOTE = 'query Quote { quote(symbol: "AAPL") { price } }';
const PLACE = `mutation Place($id: String!) {
  placeOrder(input: { clientOrderId: $id, symbol: "AAPL", side: BUY, quantity: "1" }) { clientOrderId }
}`;
const UNKNOWN = 'mutation Both { placeOrder: __typename }';

let server: ScriptedServer;
let link: BreakableLink;
let clients: TapeClient[];

beforeEach(async () => {
  server = await startScriptedServer();
  link = await openBreakableLink(server.url);
  clients = [];
});

afterEach(async () => {
  for (const client of clients) await client.dispose();
  await link.close();
  await server.close();
});

function connect(options: Partial<Parameters<typeof createTapeClient>[0]> = {}): TapeClient {
  const client = createTapeClient({ url: link.url, backoff: { initialDelayMs: 2, maxDelayMs: 10 }, ...options });
  clients.push(client);
  return client;
}

function ask(client: TapeClient, document: string, variables = {}): { readonly result: OperationResult | null } {
  const asked: { result: OperationResult | null } = { result: null };
  const source = document.startsWith('query')
    ? client.query(document, variables)
    : client.mutation(document, variables);
  void source.toPromise().then((result) => (asked.result = result));
  return asked;
}

const waitingOf = (client: TapeClient): number => client.status.getSnapshot().waiting;

test('a query that is asked while the server is away is answered when it is back', async () => {
  const client = connect();
  link.bar('all');
  const asked = ask(client, QUOTE);
  await until(() => expect(waitingOf(client)).toBe(1));
  expect(asked.result).toBeNull();
  link.bar('nothing');
  await until(() => expect(asked.result?.data).toEqual({ quote: { __typename: 'Quote', price: 100 } }));
  expect(waitingOf(client)).toBe(0);
});

test('orders wait likewise, and leave in the order in which they were placed', async () => {
  const network = { isOnline: false, tell: () => {} };
  const sent: unknown[] = [];
  const client = connect({
    network: {
      isOnline: () => network.isOnline,
      watch: (listener) => {
        network.tell = listener;
        return () => {};
      },
    },
    // Seen here, for what travels by several connections may overtake each other.
    fetch: (input, init) => {
      sent.push(JSON.parse(init!.body as string).variables.id);
      return fetch(input, init);
    },
  });
  const asked = ['first', 'second', 'third'].map((id) => ask(client, PLACE, { id }));
  expect(waitingOf(client)).toBe(3);
  network.isOnline = true;
  network.tell();
  await until(() =>
    expect(asked.map(({ result }) => result?.data?.placeOrder.clientOrderId)).toEqual(['first', 'second', 'third']),
  );
  expect(sent).toEqual(['first', 'second', 'third']);
});

test.each([502, 503, 504, 'cut' as const])(
  'an order whose answer is lost (%s) is placed again: it is the same one',
  async (how) => {
    server.httpRefusals.push(how);
    const asked = ask(connect(), PLACE, { id: 'once' });
    await until(() => expect(asked.result?.data?.placeOrder.clientOrderId).toBe('once'));
    expect(server.received.map(({ variables }) => variables['id'])).toEqual(['once', 'once']);
  },
);

test('a mutation that may not be repeated is sent once, and its caller is told that the answer was lost', async () => {
  server.httpRefusals.push('cut');
  const asked = ask(connect(), UNKNOWN);
  await until(() => expect(asked.result?.error?.networkError).toBeDefined());
  expect(server.received).toHaveLength(1);
});

test('an order does not wait for ever: its caller is told, and whether it was sent', async () => {
  const clock = createManualClock();
  const client = connect({ clock, network: { isOnline: () => false, watch: () => () => {} } });
  const asked = ask(client, PLACE, { id: 'late' });
  await until(() => expect(waitingOf(client)).toBe(1));
  clock.advance(29_999);
  expect(asked.result).toBeNull();
  clock.advance(1);
  await until(() => expect(asked.result?.error?.networkError).toMatchObject({ name: 'OfflineError', isSent: false }));
  expect(waitingOf(client)).toBe(0);
  expect(server.received).toEqual([]);

  const cut = connect({ clock });
  server.httpRefusals.push('cut');
  const perhaps = ask(cut, PLACE, { id: 'perhaps' });
  await until(() => expect(waitingOf(cut)).toBe(1));
  link.bar('all');
  clock.advance(30_000);
  await until(() => expect(perhaps.result?.error?.networkError).toMatchObject({ name: 'OfflineError', isSent: true }));
});

test('what nobody waits for any more is not sent', async () => {
  const client = connect();
  link.bar('all');
  const { unsubscribe } = client.query(QUOTE, {}).subscribe(() => {});
  await until(() => expect(waitingOf(client)).toBe(1));
  unsubscribe();
  expect(waitingOf(client)).toBe(0);
  link.bar('nothing');
  const asked = ask(client, 'query Other { quote(symbol: "MSFT") { price } }');
  await until(() => expect(asked.result).not.toBeNull());
  expect(server.received.map(({ name }) => name)).toEqual(['Other']);
});

test('an answer that does not come in time is asked for again', async () => {
  const clock = createManualClock();
  const client = connect({
    clock,
    fetch: (input, init) =>
      server.received.length === 0 && !init?.signal?.aborted && silent
        ? new Promise((_resolve, reject) => {
            silent = false;
            init?.signal?.addEventListener('abort', () => reject(init.signal!.reason as Error));
          })
        : fetch(input, init),
  });
  let silent = true;
  const asked = ask(client, QUOTE);
  await until(() => expect(silent).toBe(false));
  clock.advance(15_000);
  await until(() => expect(waitingOf(client)).toBe(1));
  clock.advance(10);
  await until(() => expect(asked.result?.data).toBeDefined());
});

test('more than can be kept are refused at once', async () => {
  const clock = createManualClock();
  const client = connect({ clock, network: { isOnline: () => false, watch: () => () => {} } });
  const asked = Array.from({ length: 101 }, (_, index) => ask(client, PLACE, { id: String(index) }));
  await until(() => expect(asked.at(-1)?.result?.error?.networkError).toMatchObject({ isSent: false }));
  expect(waitingOf(client)).toBe(100);
  expect(asked.slice(0, 100).every(({ result }) => result === null)).toBe(true);
});
