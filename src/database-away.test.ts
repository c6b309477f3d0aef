import { once } from 'node:events';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDataDir } from '../test/ledger.ts';
import { startPostgres, type TestPostgres } from '../test/postgres.ts';
import { RawWebSocket } from '../test/raw-web-socket.ts';
import { fetchJson, type GraphQLBody, runMain, startMain, type TapeqlProcess } from '../test/tapeql.ts';
import { startTcpProxy } from '../test/tcp-proxy.ts';
import { JWT_SECRET, mintToken } from '../test/tokens.ts';
import { until } from '../test/until.ts';

const PLACE = `mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { id status } }`;
const HOLDING = '{ portfolio { positions { symbol quantity } } }';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

/** Ann, with one share of AAPL in each order, and somebody beside her who follows its price. */
async function openDesk({ url }: TapeqlProcess) {
  const authorization = `Bearer ${await mintToken()}`;
  const market = await RawWebSocket.connect(`${url}/graphql`.replace('http', 'ws'));
  market.subscribe('q', 'subscription { quoteUpdates(symbols: ["AAPL"]) { bid ask stale } }');
  await market.find(({ payload }) => payload?.data?.quoteUpdates.ask > 0 && !payload.data.quoteUpdates.stale);
  const ask = async (query: string, variables = {}): Promise<GraphQLBody> => {
    const headers = { 'content-type': 'application/json', authorization };
    const body = JSON.stringify({ query, variables });
    return (await (await fetch(`${url}/graphql`, { method: 'POST', headers, body })).json()) as GraphQLBody;
  };
  const readCount = async (): Promise<number> =>
    Number((await ask(HOLDING)).data?.portfolio.positions[0]?.quantity ?? Number.NaN);
  let orders = 0;
  return {
    readCount,
    place(clientOrderId = `order ${++orders}`): Promise<GraphQLBody> {
      return ask(PLACE, { input: { clientOrderId, symbol: 'AAPL', side: 'BUY', quantity: '1' } });
    },
    /** As a client does it: the same order until there is an answer. */
    async placeForSure(clientOrderId?: string): Promise<string> {
      return until(async () => {
        const { data, errors } = await this.place(clientOrderId);
        if (errors !== undefined) expectRefused({ errors });
        expect(data?.placeOrder.status).toBe('FILLED');
        return data.placeOrder.id as string;
      });
    },
    [Symbol.asyncDispose]: () => market[Symbol.asyncDispose](),
  };
}

function expectRefused({ errors }: GraphQLBody): void {
  const [{ extensions }] = errors as unknown as [{ extensions: object }];
  expect(extensions).toEqual({ code: 'UPSTREAM_UNAVAILABLE', retryAfterMs: expect.any(Number) });
}

/** Nothing came as a surprise. */
function expectNoFailure({ lines }: TapeqlProcess): void {
  expect(lines.filter((line) => /"level":"(error|fatal)"/.test(line))).toEqual([]);
}

/** A process whose database is reached through a network that may fall silent. */
async function startBehindProxy() {
  const url = new URL(await postgres.createDatabase());
  const proxy = await startTcpProxy(Number(url.port));
  url.port = String(proxy.port);
  const tapeql = await startMain({ PORT: '0', JWT_SECRET, DATABASE_URL: url.href });
  const desk = await openDesk(tapeql);
  await desk.placeForSure('first');
  const readHealth = () => fetchJson(`${tapeql.url}/health`);
  return {
    ...{ proxy, tapeql, desk, readHealth },
    async [Symbol.asyncDispose]() {
      await desk[Symbol.asyncDispose]();
      await tapeql[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

describe('a database that falls silent', () => {
  it('is told by /health, its orders are asked to come back, and all goes on when it speaks again', async () => {
    await using system = await startBehindProxy();
    const { proxy, tapeql, desk, readHealth } = system;
    proxy.silence();
    const placed = await Promise.all(Array.from({ length: 12 }, (_, index) => desk.place(`silent ${index}`)));
    placed.forEach(expectRefused);
    expect(await readHealth()).toMatchObject({ status: 'degraded', database: false });
    proxy.speak();
    await until(async () => expect(await readHealth()).toMatchObject({ status: 'healthy', database: true }));
    for (let index = 0; index < 12; index++) await desk.placeForSure(`silent ${index}`);
    expect(await desk.readCount()).toBe(13);
    expectNoFailure(tapeql);
  });

  it.each(['COMMIT', 'insert into "orders"'])(
    'right after %s: the order is not lost and not placed twice',
    async (text) => {
      await using system = await startBehindProxy();
      const { proxy, desk, tapeql } = system;
      proxy.silenceAfter(text);
      expectRefused(await desk.place('once'));
      proxy.speak();
      // The server holds the account for the process that it thinks is there, until it has heard nothing of it for ten seconds.
      const id = await desk.placeForSure('once');
      expect(await desk.placeForSure('once')).toBe(id);
      expect(await desk.readCount()).toBe(2);
      expectNoFailure(tapeql);
    },
  );

  it('does not keep the process from ending in order', async () => {
    await using system = await startBehindProxy();
    const { proxy, desk, tapeql, readHealth } = system;
    proxy.silence();
    const placed = desk.place('silent').catch(() => {});
    await until(async () => expect(await readHealth()).toMatchObject({ database: false }));
    tapeql.child.kill('SIGTERM');
    expect(await tapeql.exited).toEqual({ status: 0, signal: null, stderr: '' });
    await placed;
  });
});

describe('a database that is restarted', () => {
  it('in the middle of four transactions, five times: the process lives on, and no order is lost or placed twice', async () => {
    const url = await postgres.createDatabase();
    await using tapeql = await startMain({ PORT: '0', JWT_SECRET, DATABASE_URL: url });
    await using desk = await openDesk(tapeql);
    await desk.placeForSure('first');
    let placed = 1;
    for (let round = 1; round <= 5; round++) {
      let isAway = false;
      let filled = 0;
      const { promise: underWay, resolve: begin } = Promise.withResolvers<void>();
      const trade = async (trader: number): Promise<void> => {
        for (let order = 0; ; order++) {
          const clientOrderId = `${round} ${trader} ${order}`;
          const answer = await desk.place(clientOrderId);
          if (answer.errors !== undefined) expectRefused(answer);
          // What is not known is asked for again.
          await desk.placeForSure(clientOrderId);
          placed += 1;
          filled += 1;
          if (filled === 8) begin();
          if (isAway) return;
        }
      };
      const trading = Promise.all([1, 2, 3, 4].map(trade));
      trading.catch(begin);
      await underWay;
      await postgres.shutDown();
      isAway = true;
      await postgres.restart();
      await trading;
    }
    expect(await desk.readCount()).toBe(placed);
    expect(tapeql.child.exitCode).toBeNull();
    expectNoFailure(tapeql);
    const { lines, exited } = runMain({ DATABASE_URL: url }, ['audit']);
    expect(await exited).toMatchObject({ status: 0 });
    expect(lines.at(-1)).toContain('every balance is the sum of its movements');
  });

  it('is told to be away while it is read-only, as a standby is', async () => {
    const url = await postgres.createDatabase();
    await using tapeql = await startMain({ PORT: '0', JWT_SECRET, DATABASE_URL: url });
    await using desk = await openDesk(tapeql);
    await desk.placeForSure('first');
    const operator = new pg.Client(url);
    await operator.connect();
    const setReadOnly = async (value: string): Promise<void> => {
      await operator.query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`);
      await operator.query('SELECT pg_reload_conf()');
    };
    const readHealth = () => fetchJson(`${tapeql.url}/health`);
    await setReadOnly('on');
    try {
      await until(async () => expect(await readHealth()).toMatchObject({ status: 'degraded', database: false }));
      expectRefused(await desk.place('read-only'));
      expect(await desk.readCount()).toBe(1);
    } finally {
      await operator.query('SET default_transaction_read_only = off');
      await setReadOnly('off');
      await operator.end();
    }
    await desk.placeForSure('read-only');
    await until(async () => expect(await readHealth()).toMatchObject({ status: 'healthy', database: true }));
    expect(await desk.readCount()).toBe(2);
    expectNoFailure(tapeql);
  });
});

/** Two processes with one embedded database, which the first of them runs; each has placed an order. */
async function shareDatabase() {
  await using stack = new AsyncDisposableStack();
  const env = { PORT: '0', JWT_SECRET, DATA_DIR: await makeDataDir() };
  const owner = stack.use(await startMain(env));
  await stack.use(await openDesk(owner)).placeForSure('first');
  const other = stack.use(await startMain(env));
  const desk = stack.use(await openDesk(other));
  await desk.placeForSure('second');
  const opened = stack.move();
  return { owner, other, desk, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

it('two processes share the embedded database: the one that ran it is killed under orders, and the other goes on', async () => {
  await using shared = await shareDatabase();
  const { owner, other, desk } = shared;
  let isGone = false;
  const trade = async (trader: number): Promise<number> => {
    for (let placed = 1; ; placed++) {
      const answer = await desk.place(`${trader} ${placed}`);
      if (answer.errors !== undefined) expectRefused(answer);
      await desk.placeForSure(`${trader} ${placed}`);
      if (isGone) return placed;
    }
  };
  const trading = [1, 2, 3, 4].map(trade);
  await desk.placeForSure('third');
  const gone = once(owner.child, 'exit');
  owner.child.kill('SIGKILL');
  await gone;
  isGone = true;
  const counts = await Promise.all(trading);
  expect(await desk.readCount()).toBe(3 + counts.reduce((sum, count) => sum + count));
  expect(other.child.exitCode).toBeNull();
  expectNoFailure(other);
});

it('two processes share the embedded database: the one that runs it stands still, and the other says so and lives on', async () => {
  await using shared = await shareDatabase();
  const { owner, other, desk } = shared;
  const readHealth = () => fetchJson(`${other.url}/health`);
  owner.child.kill('SIGSTOP');
  expectRefused(await desk.place('third'));
  expect(await readHealth()).toMatchObject({ status: 'degraded', database: false });
  owner.child.kill('SIGCONT');
  await desk.placeForSure('third');
  await until(async () => expect(await readHealth()).toMatchObject({ status: 'healthy', database: true }));
  expect(await desk.readCount()).toBe(3);
  expectNoFailure(other);
});
