import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openBreakableLink } from '../../testing/breakable-link.ts';
import { type RealServer, startRealServer } from '../../testing/real-server.ts';
import { readGap } from './resumption.ts';
import { QuoteUpdates, Trades } from './operations.ts';
import { createTapeClient } from './tape-client.ts';
import { until } from '../../testing/until.ts';

const QUICK = { initialDelayMs: 10, maxDelayMs: 100 };
const SYMBOLS = ['AAPL', 'MSFT', 'NVDA', 'TSLA'];

let server: RealServer;

beforeAll(async () => {
  server = await startRealServer();
});

afterAll(() => server.kill());

test('reads quotes by subscription and by query, which asks the server each time', async () => {
  const fetches = vi.fn(fetch);
  const client = createTapeClient({ url: server.url, fetch: fetches });
  const seen = new Set<string>();
  const { unsubscribe } = client
    .subscription(QuoteUpdates, { symbols: SYMBOLS })
    .subscribe(({ data }) => data && seen.add(data.quoteUpdates.symbol));
  await until(() => expect([...seen].toSorted()).toEqual(SYMBOLS));
  expect(client.status.getSnapshot()).toMatchObject({ state: 'live', failures: 0, cause: null, waiting: 0 });
  unsubscribe();

  for (let asked = 1; asked <= 2; asked++) {
    const { data, error } = await client.query('query { quote(symbol: "AAPL") { symbol price } }', {}).toPromise();
    expect(error).toBeUndefined();
    expect(data).toMatchObject({ quote: { symbol: 'AAPL', price: expect.any(Number) } });
    expect(fetches).toHaveBeenCalledTimes(asked);
  }
  await client.dispose();
});

test('every print arrives once and in order over a link that breaks again and again', async () => {
  const link = await openBreakableLink(server.url);
  const client = createTapeClient({ url: link.url, backoff: QUICK });
  const sequences = new Map<string, number[]>();
  let gaps = 0;
  let prints = 0;
  client.subscription(Trades, { symbols: SYMBOLS }).subscribe((result) => {
    if (readGap(result) !== null) gaps++;
    if (!result.data) return;
    const { symbol, sequence } = result.data.trades;
    prints++;
    sequences.set(symbol, [...(sequences.get(symbol) ?? []), sequence]);
  });
  for (let cuts = 0; cuts < 5; cuts++) {
    const before = prints;
    await until(() => expect(prints).toBeGreaterThan(before + 5));
    link.cut();
    await until(() => expect(client.status.getSnapshot().state).not.toBe('live'));
  }
  const before = prints;
  await until(() => expect(prints).toBeGreaterThan(before + 5));
  await client.dispose();
  await link.close();

  for (const [symbol, received] of sequences) {
    const first = received[0]!;
    expect({ symbol, received }).toEqual({ symbol, received: received.map((_, index) => first + index) });
  }
  expect(gaps).toBe(0);
});
