import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLedger, type TestLedger } from '../../test/ledger.ts';
import { startPostgres, type TestPostgres } from '../../test/postgres.ts';
import { until } from '../../test/until.ts';
import { audit } from './audit.ts';

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

/** A session beside the ledger's, as an operator has it. */
async function connect(url: string) {
  const client = new pg.Client(url);
  await client.connect();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

/** A ledger in which ann has an account, and an operator's session to its database. */
async function openLedger(options: Parameters<typeof startLedger>[0] = {}) {
  const url = await postgres.createDatabase();
  const ledger = await startLedger({ url, ...options });
  ledger.market.set('AAPL', { bid: 100, ask: 100 });
  await ledger.place('ann', {});
  return { url, ledger };
}

/** Each order ends with this error of the server, `times` times. */
async function failOrders(operator: pg.Client, code: string, times = 1_000_000): Promise<void> {
  await operator.query(`
    CREATE SEQUENCE IF NOT EXISTS attempts;
    ALTER SEQUENCE attempts RESTART;
    CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('attempts') <= ${times} THEN RAISE EXCEPTION 'made up by a test' USING ERRCODE = '${code}'; END IF;
      RETURN NEW;
    END $$;
    CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION fail()`);
}

async function expectClean({ database }: TestLedger): Promise<void> {
  expect((await audit(database)).differences).toEqual([]);
}

describe('an error of the database', () => {
  it.each([
    ['08006', 'connection failure', 'unreachable'],
    ['25006', 'read-only transaction', 'unusable'],
    ['25P03', 'idle in a transaction', 'open'],
    ['28000', 'the role is not let in', 'unusable'],
    ['40001', 'serialization failure', 'open'],
    ['40003', 'completion unknown', 'open'],
    ['40P01', 'deadlock', 'open'],
    ['42501', 'no privilege', 'unusable'],
    ['53100', 'disk full', 'unusable'],
    ['53200', 'out of memory', 'unusable'],
    ['53300', 'too many connections', 'unusable'],
    ['55P03', 'lock not available', 'open'],
    ['57014', 'statement timed out', 'open'],
    ['57P01', 'shut down', 'unreachable'],
    ['57P03', 'starting up', 'unreachable'],
    ['58030', 'input or output failed', 'unusable'],
    ['XX001', 'data corrupted', 'unusable'],
  ])('%s (%s) is UPSTREAM_UNAVAILABLE, and the database is then %s', async (code, _name, state) => {
    const { url, ledger } = await openLedger();
    await using opened = ledger;
    await using operator = await connect(url);
    await failOrders(operator, code);
    const refused = await opened.place('ann', {}).catch((error: unknown) => error);
    // Where it is away, a look may have found it there again by now.
    const states = opened.records.map(({ message }) => message);
    expect(refused).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', details: { retryAfterMs: expect.any(Number) } });
    expect(states.includes('the database cannot be reached')).toBe(state === 'unreachable');
    expect(states.includes('the database cannot be used')).toBe(state === 'unusable');
    await operator.query('DROP TRIGGER fail ON orders');
    expect(await opened.place('ann', {})).toMatchObject({ status: 'FILLED' });
    expect(opened.database.state).toBe('open');
    await expectClean(opened);
  });

  it.each([
    ['22003', 'a number out of range'],
    ['23505', 'a duplicate'],
    ['42601', 'a statement that is wrong'],
    ['42P01', 'a table that is missing'],
  ])('%s (%s) is our own mistake', async (code) => {
    const { url, ledger } = await openLedger();
    await using opened = ledger;
    await using operator = await connect(url);
    await failOrders(operator, code);
    const refused = (await opened.place('ann', {}).catch((error: unknown) => error)) as Error;
    expect(refused.name).not.toBe('ClientError');
    expect(opened.database.state).toBe('open');
    await operator.query('DROP TRIGGER fail ON orders');
    expect(await opened.place('ann', {})).toMatchObject({ status: 'FILLED' });
  });

  it.each(['40001', '40P01'])('%s, which undoes a transaction in favour of another, is tried again', async (code) => {
    const { url, ledger } = await openLedger();
    await using opened = ledger;
    await using operator = await connect(url);
    await failOrders(operator, code, 3);
    expect(await opened.place('ann', {})).toMatchObject({ status: 'FILLED' });
    expect((await opened.ledger.readAccount('ann')).holdings[0]!.quantity.toFixed()).toBe('2');
    await expectClean(opened);
  });
});

it('a database that is read-only can be read, is told to be unusable, and takes orders again when it does', async () => {
  const { url, ledger } = await openLedger();
  await using opened = ledger;
  await using operator = await connect(url.replace(/[^/]+$/, 'postgres'));
  const setReadOnly = async (value: string): Promise<void> => {
    await operator.query(`ALTER DATABASE ${url.split('/').at(-1)} SET default_transaction_read_only = ${value}`);
    // What is set is for new sessions.
    await operator.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${url.split('/').at(-1)}'`,
    );
  };
  await setReadOnly('on');
  await until(() => expect(opened.database).toMatchObject({ state: 'unusable', isConnected: false }));
  await expect(opened.place('ann', {})).rejects.toMatchObject({
    code: 'UPSTREAM_UNAVAILABLE',
    details: { retryAfterMs: 5000 },
  });
  // Also by a process that has not seen ann before.
  await using reader = await startLedger({ url });
  expect((await reader.ledger.readAccount('ann')).holdings).toHaveLength(1);
  await setReadOnly('off');
  await until(async () => expect(await opened.place('ann', {})).toMatchObject({ status: 'FILLED' }));
  expect(opened.database.state).toBe('open');
});

it('an account that a stuck session has locked refuses its orders, others are filled, and a third refusal is told', async () => {
  // The server gives the wait for a lock up after 3/5 of it.
  const { url, ledger } = await openLedger({ patience: { operationMs: 3_000 } });
  await using opened = ledger;
  await opened.place('bob', {});
  await using operator = await connect(url);
  await operator.query('BEGIN');
  await operator.query(`SELECT * FROM accounts WHERE user_id = 'ann' FOR UPDATE`);
  const refusal = { code: 'UPSTREAM_UNAVAILABLE', details: { retryAfterMs: 1000 } };
  const ticket = { clientOrderId: 'stuck' };
  await expect(opened.place('ann', ticket)).rejects.toMatchObject(refusal);
  expect(await opened.place('bob', {})).toMatchObject({ status: 'FILLED' });
  expect(opened.database.state).toBe('open');
  for (let round = 1; round <= 3; round++) await expect(opened.place('ann', ticket)).rejects.toMatchObject(refusal);
  expect(opened.database.state).toBe('unusable');
  await operator.query('ROLLBACK');
  expect(await opened.place('ann', ticket)).toMatchObject({ status: 'FILLED' });
  expect(opened.database.state).toBe('open');
  expect((await opened.ledger.readAccount('ann')).holdings[0]!.quantity.toFixed()).toBe('2');
});

it('a server without a free connection refuses orders, and is told to be unusable', async () => {
  const url = await postgres.createDatabase();
  await using operator = await connect(url);
  await operator.query(`CREATE ROLE few LOGIN CONNECTION LIMIT 0; GRANT ALL ON SCHEMA public TO few`);
  await using ledger = await startLedger({ url: url.replace('postgres@', 'few@') });
  ledger.market.set('AAPL', { bid: 100, ask: 100 });
  await expect(ledger.place('ann', {})).rejects.toMatchObject({ code: 'UPSTREAM_UNAVAILABLE' });
  expect(ledger.database).toMatchObject({ isConnected: false });
  await operator.query('ALTER ROLE few CONNECTION LIMIT -1');
  await until(async () => expect(await ledger.place('ann', {})).toMatchObject({ status: 'FILLED' }));
  expect(ledger.database.state).toBe('open');
});

it('a statement that takes too long is given up by the server, and its transaction undone', async () => {
  const { url, ledger } = await openLedger({ patience: { operationMs: 3_000 } });
  await using opened = ledger;
  await using operator = await connect(url);
  await operator.query(`
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$;
    CREATE TRIGGER wait BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION wait()`);
  await expect(opened.place('ann', {})).rejects.toMatchObject({
    code: 'UPSTREAM_UNAVAILABLE',
    details: { retryAfterMs: 1000 },
  });
  await operator.query('DROP TRIGGER wait ON orders');
  expect(await opened.place('ann', {})).toMatchObject({ status: 'FILLED' });
  await expectClean(opened);
});

it('the end of a transaction that is not heard of is not known, and the same order again is the same order', async () => {
  const { url, ledger } = await openLedger();
  await using opened = ledger;
  await using operator = await connect(url);
  // A trigger that is deferred runs with the commit.
  await operator.query(`
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'made up by a test' USING ERRCODE = '40003';
    END $$;
    CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION fail()`);
  const ticket = { clientOrderId: 'unknown' };
  await expect(opened.place('ann', ticket)).rejects.toMatchObject({
    code: 'UPSTREAM_UNAVAILABLE',
    message: expect.stringContaining('It is not known whether the change was made: send it again.'),
  });
  await operator.query('DROP TRIGGER fail ON orders');
  const { id } = await opened.place('ann', ticket);
  expect(await opened.place('ann', ticket)).toMatchObject({ id });
  await expectClean(opened);
});
