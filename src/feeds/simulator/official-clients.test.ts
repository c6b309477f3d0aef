import * as massive from '@massive.com/client-js';
import type { IAggregateStockEvent, IQuoteStockEvent, ITradeStockEvent } from '@polygon.io/client-js';
import * as polygon from '@polygon.io/client-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSimulator } from './simulator.ts';
import type { Simulator } from './simulator.ts';

type StatusEvent = { ev: 'status'; status: string; message: string };
type StockEvent = StatusEvent | ({ ev: 'T' } & ITradeStockEvent) | ({ ev: 'Q' } & IQuoteStockEvent);
/** What the clients' socket helpers return: the `w3cwebsocket` of the package `websocket`, which brings no types. */
type HelperSocket = {
  onmessage: ((message: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(text: string): void;
  close(): void;
};

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({ symbols: 30, eventsPerSecond: 3_000, keys: { good: { maxConnections: 10 } } });
});
afterAll(() => simulator.close());

/** Every event that the socket gets, with a way to wait for some. */
function collect<E>(socket: HelperSocket): { events: E[]; until: (found: (events: E[]) => boolean) => Promise<void> } {
  const events: E[] = [];
  const waiting = new Set<() => void>();
  socket.onmessage = ({ data }) => {
    events.push(...(JSON.parse(String(data)) as E[]));
    for (const look of waiting) look();
  };
  const until = (found: (events: E[]) => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!found(events)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return { events, until };
}

describe.each([
  ['@polygon.io/client-js', polygon.getStocksWebsocket, polygon.polygonClient],
  ['@massive.com/client-js', massive.getStocksWebsocket, massive.MassiveClient],
] as const)('the socket of %s', (_name, getStocksWebsocket, createClient) => {
  test('connects, authenticates, subscribes and gets events', async () => {
    const socket = getStocksWebsocket('good', simulator.wsUrl) as unknown as HelperSocket;
    const { events, until } = collect<StockEvent>(socket);
    const isStatus = (event: StockEvent): event is StatusEvent => event.ev === 'status';
    await until(() => events.some((event) => isStatus(event) && event.status === 'auth_success'));
    expect(events.slice(0, 2)).toEqual([
      { ev: 'status', status: 'connected', message: 'Connected Successfully' },
      { ev: 'status', status: 'auth_success', message: 'authenticated' },
    ]);
    socket.send(JSON.stringify({ action: 'subscribe', params: 'T.*,Q.AAPL' }));
    await until(() => events.filter(({ ev }) => ev === 'T').length > 20 && events.some(({ ev }) => ev === 'Q'));
    expect(events.filter(isStatus).map(({ message }) => message)).toEqual(
      expect.arrayContaining(['subscribed to: T.*', 'subscribed to: Q.AAPL']),
    );
    const trade = events.find((event): event is { ev: 'T' } & ITradeStockEvent => event.ev === 'T')!;
    expect([typeof trade.sym, typeof trade.p, typeof trade.s, typeof trade.t]).toEqual([
      'string',
      'number',
      'number',
      'number',
    ]);
    const quote = events.find((event): event is { ev: 'Q' } & IQuoteStockEvent => event.ev === 'Q')!;
    expect(quote.sym).toBe('AAPL');
    expect(quote.ap).toBeGreaterThan(quote.bp);
    socket.close();
  });

  test('is refused with a bad key', async () => {
    const socket = getStocksWebsocket('bad', simulator.wsUrl) as unknown as HelperSocket;
    const closed = new Promise<number>((resolve) => (socket.onclose = ({ code }) => resolve(code)));
    const { events } = collect<StatusEvent>(socket);
    expect(await closed).toBe(1006);
    expect(events.map(({ status }) => status)).toEqual(['connected', 'auth_failed']);
  });

  test('hears indices and second bars through the whole client', async () => {
    const { websockets } = createClient('good', simulator.restUrl, simulator.wsUrl);
    const indices = websockets.indices() as unknown as HelperSocket;
    const stocks = websockets.stocks() as unknown as HelperSocket;
    const values = collect<{ ev: string; T?: string; val?: number; status?: string }>(indices);
    const bars = collect<{ ev: string; status?: string } & Partial<IAggregateStockEvent>>(stocks);
    await values.until((events) => events.some(({ status }) => status === 'auth_success'));
    await bars.until((events) => events.some(({ status }) => status === 'auth_success'));
    indices.send(JSON.stringify({ action: 'subscribe', params: 'V.I:SPX' }));
    stocks.send(JSON.stringify({ action: 'subscribe', params: 'A.*' }));
    await values.until((events) => events.some(({ ev, T, val }) => ev === 'V' && T === 'I:SPX' && val! > 1_000));
    await bars.until((events) => events.some(({ ev, o, h }) => ev === 'A' && h! >= o!));
    expect(values.events[0]).toMatchObject({ status: 'connected' });
    expect(bars.events.every(({ ev, sym }) => ev === 'status' || typeof sym === 'string')).toBe(true);
    indices.close();
    stocks.close();
  });
});

/** The names of the vendor's requests are the same in both clients; one passes lists of arguments, the other objects. */
const CLIENTS = [
  {
    name: '@polygon.io/client-js',
    connect: () => {
      const { rest } = polygon.polygonClient('good', simulator.restUrl);
      return {
        readStatus: () => rest.getMarketStatus(),
        readHolidays: () => rest.getMarketHolidays(),
        readSnapshots: () => rest.getStocksSnapshotTickers(['AAPL', 'MSFT']),
        readSnapshot: () => rest.getStocksSnapshotTicker('AAPL'),
        readUniversal: () =>
          rest.getSnapshots(undefined, undefined, undefined, undefined, undefined, undefined, 'AAPL,I:SPX'),
        readIndices: () => rest.getIndicesSnapshot('I:SPX,I:DJI'),
        readPrevious: () => rest.getPreviousStocksAggregates('AAPL'),
        readBars: (limit: number) =>
          rest.getStocksAggregates(
            'AAPL',
            1,
            polygon.GetStocksAggregatesTimespanEnum.Hour,
            '2026-01-05',
            '2026-01-06',
            true,
            polygon.GetStocksAggregatesSortEnum.Asc,
            limit,
          ),
        readTrades: () =>
          rest.getStocksTrades(
            'AAPL',
            undefined,
            '2020-01-01',
            undefined,
            undefined,
            undefined,
            polygon.GetStocksTradesOrderEnum.Asc,
            5,
          ),
        readLastTrade: () => rest.getLastStocksTrade('AAPL'),
        readLastQuote: () => rest.getLastStocksQuote('AAPL'),
        readTickers: () =>
          rest.listTickers(
            undefined,
            undefined,
            polygon.ListTickersMarketEnum.Stocks,
            undefined,
            undefined,
            undefined,
            undefined,
            undefined,
            true,
          ),
        readTicker: () => rest.getTicker('AAPL'),
        readConditions: () =>
          rest.listConditions(
            polygon.ListConditionsAssetClassEnum.Stocks,
            polygon.ListConditionsDataTypeEnum.Trade,
            undefined,
            undefined,
            undefined,
            1_000,
          ),
        readExchanges: () =>
          rest.listExchanges(polygon.ListExchangesAssetClassEnum.Stocks, polygon.ListExchangesLocaleEnum.Us),
      };
    },
    connectBadly: () => polygon.polygonClient('bad', simulator.restUrl).rest.getMarketStatus(),
  },
  {
    name: '@massive.com/client-js',
    connect: () => {
      const { rest } = massive.MassiveClient('good', simulator.restUrl);
      const stocksTicker = 'AAPL';
      return {
        readStatus: () => rest.getMarketStatus(),
        readHolidays: () => rest.getMarketHolidays(),
        readSnapshots: () => rest.getStocksSnapshotTickers({ tickers: ['AAPL', 'MSFT'] }),
        readSnapshot: () => rest.getStocksSnapshotTicker({ stocksTicker }),
        readUniversal: () => rest.getSnapshots({ tickerAnyOf: 'AAPL,I:SPX' }),
        readIndices: () => rest.getIndicesSnapshot({ tickerAnyOf: 'I:SPX,I:DJI' }),
        readPrevious: () => rest.getPreviousStocksAggregates({ stocksTicker }),
        readBars: (limit: number) =>
          rest.getStocksAggregates({
            stocksTicker,
            multiplier: 1,
            timespan: massive.GetStocksAggregatesTimespanEnum.Hour,
            from: '2026-01-05',
            to: '2026-01-06',
            sort: massive.GetStocksAggregatesSortEnum.Asc,
            limit,
          }),
        readTrades: () =>
          rest.getStocksTrades({
            stockTicker: 'AAPL',
            timestampGte: '2020-01-01',
            order: massive.GetStocksTradesOrderEnum.Asc,
            limit: 5,
          }),
        readLastTrade: () => rest.getLastStocksTrade({ stocksTicker }),
        readLastQuote: () => rest.getLastStocksQuote({ stocksTicker }),
        readTickers: () => rest.listTickers({ market: massive.ListTickersMarketEnum.Stocks, active: true }),
        readTicker: () => rest.getTicker({ ticker: 'AAPL' }),
        readConditions: () =>
          rest.listConditions({
            assetClass: massive.ListConditionsAssetClassEnum.Stocks,
            dataType: massive.ListConditionsDataTypeEnum.Trade,
            limit: 1_000,
          }),
        readExchanges: () =>
          rest.listExchanges({
            assetClass: massive.ListExchangesAssetClassEnum.Stocks,
            locale: massive.ListExchangesLocaleEnum.Us,
          }),
      };
    },
    connectBadly: () => massive.MassiveClient('bad', simulator.restUrl).rest.getMarketStatus(),
  },
];

describe.each(CLIENTS)('the REST of $name', ({ connect, connectBadly }) => {
  test('reads the market status and the holidays', async () => {
    const client = connect();
    expect(await client.readStatus()).toMatchObject({ market: 'open', exchanges: { nyse: 'open' } });
    expect(await client.readHolidays()).toEqual([]);
  });

  test('reads snapshots', async () => {
    const client = connect();
    const { tickers } = await client.readSnapshots();
    expect(tickers!.map(({ ticker }) => ticker)).toEqual(['AAPL', 'MSFT']);
    const { ticker } = await client.readSnapshot();
    expect(ticker).toMatchObject({
      ticker: 'AAPL',
      day: { c: expect.any(Number) },
      prevDay: { c: expect.any(Number) },
    });
    const { results } = await client.readUniversal();
    expect(results!.map((result) => result.ticker)).toEqual(['AAPL', 'I:SPX']);
    const { results: indices } = await client.readIndices();
    expect(indices!.map(({ value }) => typeof value)).toEqual(['number', 'number']);
  });

  test('reads bars, in one page and the first of several', async () => {
    const client = connect();
    const { results } = await client.readPrevious();
    expect(results).toHaveLength(1);
    const { results: hours, next_url: none } = await client.readBars(50_000);
    expect(hours).toHaveLength(48);
    expect(none).toBeUndefined();
    const page = await client.readBars(120);
    expect(page.results!.length).toBeLessThan(48);
    expect(page.next_url).toContain(simulator.restUrl);
  });

  test('reads trades, the last trade and the last quote', async () => {
    const client = connect();
    const { results } = await client.readTrades();
    expect(results).toHaveLength(5);
    expect((await client.readLastTrade()).results).toMatchObject({ T: 'AAPL', p: expect.any(Number) });
    expect((await client.readLastQuote()).results).toMatchObject({ T: 'AAPL', P: expect.any(Number) });
  });

  test('reads tickers, conditions and exchanges', async () => {
    const client = connect();
    expect((await client.readTickers()).results).toHaveLength(30);
    expect((await client.readTicker()).results).toMatchObject({ ticker: 'AAPL', name: 'Apple Inc.' });
    expect((await client.readConditions()).results!.length).toBeGreaterThan(50);
    expect((await client.readExchanges()).results!.length).toBeGreaterThan(20);
  });

  test('is refused with a bad key', async () => {
    await expect(connectBadly()).rejects.toMatchObject({
      response: { status: 401, data: { status: 'ERROR', error: 'Unknown API Key' } },
    });
  });
});

test('following pages need the key again, which the pagination of the official client adds', async () => {
  const { rest } = massive.MassiveClient('good', simulator.restUrl, simulator.wsUrl, { pagination: true });
  const { results } = await rest.getStocksAggregates({
    stocksTicker: 'AAPL',
    multiplier: 1,
    timespan: massive.GetStocksAggregatesTimespanEnum.Hour,
    from: '2026-01-05',
    to: '2026-01-06',
    limit: 600,
  });
  // It puts later pages before earlier ones; that is its own doing.
  expect(new Set(results!.map(({ t }) => t)).size).toBe(48);
});
