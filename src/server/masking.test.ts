import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { postOperation } from '../../test/tapeql.ts';
import { unlimited } from '../../test/unlimited.ts';
import { DeliveryFigures } from '../delivery/figures.ts';
import { StateMailbox } from '../delivery/mailbox.ts';
import { TimerWheel } from '../delivery/timer-wheel.ts';
import { Turn } from '../delivery/turn.ts';
import { UnreadBytes } from '../delivery/unread-bytes.ts';
import { type Enveloped, WebSocketTransport } from '../delivery/websocket.ts';
import type { SchemaContext } from '../schema/context.ts';
import { schema } from '../schema/schema.ts';
import { createGraphQL, MAX_MESSAGE_BYTES } from './graphql.ts';

const SECRET = 'connect ECONNREFUSED redis://:hunter2@10.0.0.7';

function openMailbox(): StateMailbox<object> {
  return new StateMailbox({ minIntervalMs: 0, wheel: new TimerWheel(), onEnd: () => undefined });
}

/** Everything that the resolvers are given fails, each in its own way. */
const broken = {
  limits: { maxSymbols: 500 },
  anonymousMarketData: true,
  reads: {
    readQuotes: () => Promise.reject(new Error(SECRET)),
    readIndices: () => {
      // oxlint-disable-next-line typescript/only-throw-error -- a library may throw anything
      throw SECRET;
    },
  },
  status: { readServiceStatus: () => ({ state: SECRET }) },
  hub: {
    openQuotes: () => Promise.reject(new Error(SECRET)),
    openTrades: () => {
      const mailbox = openMailbox();
      mailbox.fail(new TypeError(SECRET));
      return mailbox;
    },
    openBars: () => {
      const mailbox = openMailbox();
      mailbox.put('', {
        get symbol() {
          setImmediate(() => void mailbox.return());
          throw new Error(SECRET);
        },
      });
      return mailbox;
    },
  },
} as unknown as SchemaContext;

const { logger, records } = recordingLogger();
const figures = new DeliveryFigures({ now: Date.now });
const turn = new Turn((payloads) => figures.countDelivered(payloads));
const graphql = createGraphQL({
  schema,
  context: broken,
  figures,
  turn,
  allowedOrigins: [],
  admission: unlimited.admission,
  sessions: unlimited.sessions,
  logger,
});
const webSockets = new WebSocketTransport({
  unread: new UnreadBytes(),
  path: '/graphql',
  getEnveloped: (context) => graphql.getEnveloped(context) as unknown as Enveloped,
  allowedOrigins: [],
  maxConnections: 10,
  ...unlimited.connections,
  maxSubscriptionsPerConnection: 10,
  maxMessageBytes: MAX_MESSAGE_BYTES,
  turn,
  logger,
});
const server = createServer((request, response) => void graphql(request, response));
server.on('upgrade', (request, socket, head) => webSockets.upgrade(request, socket, head));
let endpoint = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
});
afterAll(async () => {
  await webSockets.close();
  await new Promise((resolve) => server.close(resolve));
});

/** What the client is shown, as text. */
const TRANSPORTS: [string, (query: string) => Promise<string>][] = [
  ['HTTP', async (query) => JSON.stringify(await postOperation(endpoint, { query }))],
  [
    'SSE',
    async (query) => {
      const headers = { accept: 'text/event-stream', 'content-type': 'application/json' };
      return (await fetch(endpoint, { method: 'POST', headers, body: JSON.stringify({ query }) })).text();
    },
  ],
  [
    'WebSocket',
    async (query) => {
      await using socket = await RawWebSocket.connect(endpoint.replace('http', 'ws'));
      socket.subscribe('1', query);
      return JSON.stringify(await socket.next());
    },
  ],
];

const FAILURES: [string, string][] = [
  ['a source that rejects', '{ quote(symbol: "AAPL") { price } }'],
  ['a source that throws no error', '{ indices { price } }'],
  ['a value that its type does not have', '{ serviceStatus { state } }'],
  ['a subscription that cannot be opened', 'subscription { quoteUpdates(symbols: ["AAPL"]) { price } }'],
  ['a stream that fails', 'subscription { trades(symbols: ["AAPL"]) { price } }'],
  ['an event that fails', 'subscription { bars(symbols: ["AAPL"]) { symbol } }'],
];

it.each(
  FAILURES.flatMap(([what, query]) =>
    TRANSPORTS.filter(([name]) => name !== 'HTTP' || !query.startsWith('subscription')).map(
      ([name, run]) => [what, name, query, run] as const,
    ),
  ),
)('%s is masked over %s, and the log has the cause', async (_what, _name, query, run) => {
  records.length = 0;
  const shown = await run(query);
  expect(shown).toContain('"code":"INTERNAL_SERVER_ERROR"');
  expect(shown).toContain('"message":"Internal server error"');
  expect(shown).not.toContain('hunter2');
  expect(shown).not.toContain('stack');
  const errors = records.filter(({ level }) => level === 'error');
  expect(errors.map(({ fields }) => (fields as { err: Error }).err.message)).toEqual([expect.stringContaining(SECRET)]);
});
