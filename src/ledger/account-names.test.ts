import { readFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startLedger } from '../../test/ledger.ts';
import { startPostgres, type TestPostgres } from '../../test/postgres.ts';
import { audit } from './audit.ts';

const MIGRATIONS = path.join(import.meta.dirname, 'migrations');
/** What a database has that was last used before users and keys got separate names. */
const EARLIER = ['0001-ledger.sql', '0002-identity.sql', '0003-brokers.sql'];
const [KEY, LOOKALIKE, SHARED] = ['key:00000000000000aa', 'key:00000000000000bb', 'key:00000000000000cc'];

let postgres: TestPostgres;
beforeAll(async () => void (postgres = await startPostgres()));
afterAll(() => postgres?.stop());

it('every account of a database of before is found again: users keep theirs, and keys theirs', async () => {
  const url = await postgres.createDatabase();
  const client = new pg.Client(url);
  await client.connect();
  await client.query('CREATE TABLE migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())');
  for (const name of EARLIER) {
    await client.query(await readFile(path.join(MIGRATIONS, name), 'utf8'));
    await client.query('INSERT INTO migrations (name) VALUES ($1)', [name]);
  }
  await client.query(
    `INSERT INTO api_keys (id, name, hash, scopes, user_id) VALUES
       ('00000000000000aa', 'its own account', 'a', '{}', NULL),
       ('00000000000000dd', 'the account of a user', 'd', '{}', $1),
       ('00000000000000ee', 'the account of another key', 'e', '{}', $2),
       ('00000000000000ff', 'the account of a user without one', 'f', '{}', $3)`,
    [LOOKALIKE, KEY, SHARED],
  );
  // A user's name that looks like a key's account, one that looks like what the former becomes, and ordinary ones.
  const cashOf = {
    ann: '1',
    'key:ann': '2',
    [KEY]: '3',
    [LOOKALIKE]: '4',
    [`user:${LOOKALIKE}`]: '5',
    'user:ann': '6',
  };
  for (const [user, cash] of Object.entries(cashOf)) {
    await client.query('INSERT INTO accounts (user_id, log_id, cash, notified) VALUES ($1, $2, $3, 1)', [
      user,
      `log of ${user}`,
      cash,
    ]);
    const order = `INSERT INTO orders (id, user_id, client_order_id, symbol, side, type, quantity, filled_quantity, status, created_at, updated_at)
      VALUES (gen_random_uuid(), $1, 'first', 'AAPL', 'BUY', 'MARKET', $2, $2, 'FILLED', now(), now()) RETURNING id`;
    const { rows } = await client.query<{ id: string }>(order, [user, cash]);
    await client.query(
      `INSERT INTO executions (id, order_id, user_id, symbol, side, quantity, price, amount, executed_at)
       VALUES (gen_random_uuid(), $1, $2, 'AAPL', 'BUY', $3, 1, $3, now())`,
      [rows[0]!.id, user, cash],
    );
    await client.query("INSERT INTO positions VALUES ($1, 'AAPL', $2, $2)", [user, cash]);
    await client.query("INSERT INTO notifications VALUES ($1, 1, '{}', now(), now())", [user]);
    await client.query(
      `INSERT INTO movements (asset, amount, source, target, moved_at) VALUES
         ('USD', $2::numeric * 2, 'house:funding', 'user:' || $1, now()),
         ('USD', $2, 'user:' || $1, 'house:market', now()),
         ('AAPL', $2, 'house:market', 'user:' || $1, now())`,
      [user, cash],
    );
  }

  await using ledger = await startLedger({ url });
  const named = { ...cashOf, [`user:${LOOKALIKE}`]: '4', [`user:user:${LOOKALIKE}`]: '5' };
  delete named[LOOKALIKE];
  for (const [user, cash] of Object.entries(named)) {
    const account = await ledger.ledger.readAccount(user);
    expect([user, account.cash.toFixed(), account.holdings.map(({ quantity }) => quantity.toFixed())]).toEqual([
      user,
      cash,
      [cash],
    ]);
    const orders = await ledger.ledger.listOrders(user, null, 10);
    expect(orders.map(({ quantity }) => quantity.toFixed())).toEqual([cash]);
    expect(await ledger.ledger.readNotifications(user, 0, 10)).toHaveLength(1);
  }
  expect(await audit(ledger.database)).toMatchObject({ accounts: 6, differences: [] });
  const { rows: keys } = await client.query('SELECT id, user_id FROM api_keys ORDER BY id');
  expect(keys.map(({ user_id }) => user_id)).toEqual([null, `user:${LOOKALIKE}`, KEY, `user:${SHARED}`]);
  const { rows: executed } = await client.query('SELECT user_id FROM executions ORDER BY user_id COLLATE "C"');
  expect(executed.map(({ user_id }) => user_id as string)).toEqual(Object.keys(named).toSorted());
  await client.end();
});
