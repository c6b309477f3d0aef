import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

const FOLDER = path.join(import.meta.dirname, 'migrations');
/** Any number that nobody else locks by. */
const LOCK = 7_283_001;

/** The part of a client of Postgres that migrations need: without values, a text may hold several statements. */
export type MigrationClient = {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
};

export type Migration = { readonly name: string; readonly text: string };

/** The numbered files, in order. */
export async function readMigrations(): Promise<readonly Migration[]> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith('.sql')).toSorted();
  return Promise.all(names.map(async (name) => ({ name, text: await readFile(path.join(FOLDER, name), 'utf8') })));
}

/**
 * Brings the tables to what the code knows: runs those of the numbered files that this database has not seen, all in one
 * transaction. Of several processes that start at once one does it, and the others wait for it.
 */
export async function migrate(client: MigrationClient): Promise<readonly string[]> {
  const migrations = await readMigrations();
  // Where nothing is missing nothing is written either: a database that is read-only can be read.
  if ((await findMissing(client, migrations)).length === 0) return [];
  await client.query('BEGIN');
  try {
    // The tables may be large, and another process may be at it: the caller alone says how long that may take.
    await client.query('SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0');
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
    await client.query(
      'CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    const missing = await findMissing(client, migrations);
    for (const { name, text } of missing) {
      await client.query(text);
      await client.query('INSERT INTO migrations (name) VALUES ($1)', [name]);
    }
    await client.query('COMMIT');
    return missing.map(({ name }) => name);
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

async function findMissing(client: MigrationClient, migrations: readonly Migration[]): Promise<readonly Migration[]> {
  const { rows: tables } = await client.query("SELECT to_regclass('migrations') IS NOT NULL AS exists");
  if (!(tables as { exists: boolean }[])[0]!.exists) return migrations;
  const { rows } = await client.query('SELECT name FROM migrations');
  const applied = new Set((rows as { name: string }[]).map(({ name }) => name));
  return migrations.filter(({ name }) => !applied.has(name));
}
