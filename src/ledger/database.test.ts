import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDataDir, PATIENT, startLedger } from '../../test/ledger.ts';
import { ManualTimers } from '../../test/manual-time.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { startPostgres, type TestPostgres } from '../../test/postgres.ts';
import { listenSilently } from '../../test/silent-server.ts';
import { startTcpProxy } from '../../test/tcp-proxy.ts';
import { until } from '../../test/until.ts';
import { audit } from './audit.ts';
import { Database } from './database.ts';
import { EmbeddedPostgres } from './embedded-postgres.ts';
import { getTableColumns, getTableName, is, PgTable, sql } from './drizzle.ts';
import * as tables from './tables.ts';

const PROCESS = path.resolve(import.meta.dirname, '../../test/ledger-process.ts');

/** A process of its own that opens the ledger, places orders when it is told to, and tells what has come of each. */
async function forkLedger(options: { url: string | null; dataDir: string }) {
  const child = fork(PROCESS, [JSON.stringify(options)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  await once(child, 'message');
  type Answer = { readonly question: number; readonly id: string; readonly status: string };
  const asked: ((answer: Answer) => void)[] = [];
  child.on('message', (answer) => asked[(answer as Answer).question]!(answer as Answer));
  return {
    place(user: string): Promise<Answer> {
      return new Promise((resolve) => child.send({ question: asked.push(resolve) - 1, user }));
    },
    async kill(): Promise<void> {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

describe('a database on a server', () => {
  let postgres: TestPostgres;
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());

  it('is brought up to date once, by whichever of several processes', async () => {
    const url = await postgres.createDatabase();
    const ledgers = await Promise.all(Array.from({ length: 5 }, () => startLedger({ url })));
    await Promise.all(ledgers.map(({ ledger }) => ledger.readAccount('ann')));
    const told = ledgers.flatMap(({ records }) =>
      records.filter(({ message }) => message.includes('brought up to date')),
    );
    expect(told).toHaveLength(1);
    for (const ledger of ledgers) await ledger.close();
  });

  it('has the tables and columns that the code knows', async () => {
    const url = await postgres.createDatabase();
    const ledger = await startLedger({ url });
    await ledger.ledger.readAccount('ann');
    await ledger.close();
    const client = new pg.Client(url);
    await client.connect();
    const { rows } = await client.query<{ column: string }>(
      `SELECT format('%s.%s %s', table_name, column_name, is_nullable) AS column FROM information_schema.columns
       WHERE table_schema = 'public' AND table_name <> 'migrations'`,
    );
    await client.end();
    const known = Object.values(tables).flatMap((table) =>
      is(table, PgTable)
        ? Object.values(getTableColumns(table)).map(
            (column) => `${getTableName(table)}.${column.name} ${column.notNull ? 'NO' : 'YES'}`,
          )
        : [],
    );
    expect(rows.map(({ column }) => column).toSorted()).toEqual(known.toSorted());
  });

  it('is told to be away while it is, and serves again by itself', async () => {
    const ledger = await startLedger({ url: await postgres.createDatabase() });
    ledger.market.set('AAPL', { ask: 10 });
    expect(ledger.database.isConnected).toBe(false);
    await ledger.place('ann', {});
    expect(ledger.database.isConnected).toBe(true);
    await postgres.kill();
    await expect(ledger.place('ann', {})).rejects.toMatchObject({
      code: 'UPSTREAM_UNAVAILABLE',
      details: { retryAfterMs: 1000 },
    });
    expect(ledger.database.isConnected).toBe(false);
    await postgres.restart();
    await until(() => expect(ledger.database.isConnected).toBe(true));
    await ledger.place('ann', {});
    expect((await ledger.ledger.readAccount('ann')).holdings).toMatchObject([{ symbol: 'AAPL' }]);
    await ledger.close();
  });

  it('that is lost in the middle of a transaction fails that transaction, and nothing else', async () => {
    await using ledger = await startLedger({ url: await postgres.createDatabase() });
    const [begun, lost] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const transaction = ledger.database.transact(async (queries) => {
      await queries.execute(sql`SELECT 1`);
      begun.resolve();
      await lost.promise;
      await queries.execute(sql`SELECT 1`);
    });
    transaction.catch(() => {});
    await begun.promise;
    await postgres.kill();
    await until(() =>
      expect(ledger.records.map(({ message }) => message)).toContain('a connection to the database was lost'),
    );
    lost.resolve();
    await expect(transaction).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
    await postgres.restart();
  });

  it('gives the role of who works open orders to one, and to another when that one is gone', async () => {
    const url = await postgres.createDatabase();
    const { logger } = recordingLogger();
    const [one, other] = [1, 2].map(() => new Database({ url, dataDir: '/nowhere', logger })) as [Database, Database];
    const release = await one.takeRole(() => undefined);
    expect(release).not.toBeNull();
    expect(await other.takeRole(() => undefined)).toBeNull();
    await release!();
    const taken = await other.takeRole(() => undefined);
    expect(taken).not.toBeNull();
    await taken!();
    await one.close();
    await other.close();
  });
});

it('whoever works open orders hears that the role is lost where the server falls silent', async () => {
  await using postgres = await startPostgres();
  const url = new URL(await postgres.createDatabase());
  await using proxy = await startTcpProxy(Number(url.port));
  url.port = String(proxy.port);
  const timers = new ManualTimers();
  const { logger } = recordingLogger();
  const database = new Database({ url: url.href, dataDir: '/nowhere', timers, logger });
  const { promise: lost, resolve: onLost } = Promise.withResolvers<void>();
  expect(await database.takeRole(onLost)).not.toBeNull();
  proxy.silence();
  timers.advance(3_000);
  timers.advance(5_000);
  await lost;
  const closing = database.close();
  await until(() => expect(timers.delays).toContain(1_000));
  timers.advance(1_000);
  await closing;
});

describe('the embedded database', () => {
  it('is not opened before it is needed', async () => {
    const dataDir = await makeDataDir();
    const ledger = await startLedger({ dataDir });
    expect(ledger.database).toMatchObject({ state: 'unopened', isConnected: true });
    expect(readdirSync(dataDir)).toEqual([]);
    await ledger.close();
  });

  it('is a copy of the prepared one, with all tables', async () => {
    await using ledger = await startLedger();
    await ledger.ledger.readAccount('ann');
    expect(ledger.database.state).toBe('open');
    const told = ledger.records.map(({ message }) => message).filter((message) => message.includes('database'));
    expect(told).toEqual(['the database is connected']);
    expect(ledger.records.map(({ message }) => message)).not.toContainEqual(expect.stringContaining('up to date'));
  });

  it('is created where none was prepared, which is told', async () => {
    const { logger, records } = recordingLogger();
    const dataDir = await makeDataDir();
    const embedded = new EmbeddedPostgres({ dataDir, buildFolder: await makeDataDir(), logger });
    const database = new Database({ url: null, dataDir, embedded, patience: PATIENT, logger });
    expect(await audit(database)).toMatchObject({ accounts: 0 });
    expect(records.map(({ message }) => message)).toEqual([
      expect.stringContaining('the embedded database is being created'),
      'the database is connected',
    ]);
    await database.close();
    await embedded.close();
  });

  it('asks whoever comes while it is being opened to come back, and is closed all the same', async () => {
    const dataDir = await makeDataDir();
    await using silent = await listenSilently(path.join(dataDir, '.s.PGSQL.5432'));
    const { logger } = recordingLogger();
    const timers = new ManualTimers();
    const database = new Database({ url: null, dataDir, timers, logger });
    const asked = database.use(() => Promise.resolve());
    asked.catch(() => {});
    await silent.called;
    expect(database).toMatchObject({ state: 'opening', isConnected: false });
    timers.advance(5_000);
    await expect(asked).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', details: { retryAfterMs: 1000 } });
    expect(database).toMatchObject({ state: 'opening', isConnected: false });
    const closing = database.close();
    await until(() => expect(timers.delays).toContain(1_000));
    timers.advance(1_000);
    await closing;
  });

  it('serves several processes at once, and goes on when the one that ran it is killed', async () => {
    const dataDir = await makeDataDir();
    const [first, second] = [await forkLedger({ url: null, dataDir }), await forkLedger({ url: null, dataDir })];
    const placed = await Promise.all(
      Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? first : second).place('ann')),
    );
    expect(placed.every(({ status }) => status === 'FILLED')).toBe(true);
    await first.kill();
    expect((await second.place('ann')).status).toBe('FILLED');
    await second.kill();
    await using ledger = await startLedger({ dataDir });
    expect((await ledger.ledger.readAccount('ann')).holdings[0]!.quantity.toFixed()).toBe('11');
    expect((await audit(ledger.database)).differences).toEqual([]);
  });
});

describe.each(['the embedded database', 'a PostgreSQL server'])(
  'kill -9 right after an acknowledged order, over %s',
  (kind) => {
    it('loses nothing of it: order, position, cash and notification', async () => {
      await using postgres = kind === 'a PostgreSQL server' ? await startPostgres() : null;
      const options = { url: (await postgres?.createDatabase()) ?? null, dataDir: await makeDataDir() };
      const orders: string[] = [];
      for (let round = 1; round <= 3; round++) {
        const ledger = await forkLedger(options);
        const { id, status } = await ledger.place('ann');
        await ledger.kill();
        orders.unshift(id);
        expect(status).toBe('FILLED');
        await using restarted = await startLedger(options);
        const kept = await restarted.ledger.listOrders('ann', null, 10);
        expect(kept.map((order) => order.id)).toEqual(orders);
        const account = await restarted.ledger.readAccount('ann');
        expect(account.cash.toFixed()).toBe(String(100_000 - 100 * round));
        expect(account.holdings[0]!.quantity.toFixed()).toBe(String(round));
        const notifications = await restarted.ledger.readNotifications('ann', 0, 10);
        expect(notifications.map(({ orderId }) => orderId)).toEqual(orders.toReversed());
        expect((await audit(restarted.database)).differences).toEqual([]);
      }
    });
  },
);
