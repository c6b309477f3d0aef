import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { POSTGRES_CONFIG } from './embedded-postgres-config.ts';
import { migrate } from './migrate.ts';
import { BUILD_FOLDER, findPreparedDatabase, listOutdated } from './prepared-database.ts';

/*
 * Also a program of its own, `node create-database.ts FOLDER`: to create a database takes some 450 MiB, most of which a process that
 * goes on would keep.
 */

/** With all tables, in a folder that is there and empty. */
async function createDatabase(folder: string): Promise<void> {
  const database = await PGlite.create({ dataDir: folder, postgresqlconf: POSTGRES_CONFIG });
  await migrate({
    async query(text, values) {
      // Only a text without values may hold several statements.
      if (values !== undefined) return database.query(text, [...values]);
      return { rows: (await database.exec(text)).at(-1)?.rows ?? [] };
    },
  });
  // Nothing creates further databases from them, and two thirds of the files that each first use would copy are theirs.
  for (const template of ['template0', 'template1']) {
    await database.exec(`ALTER DATABASE ${template} IS_TEMPLATE false`);
    await database.exec(`DROP DATABASE ${template}`);
  }
  await database.close();
}

/** Prepares the database that is copied at a first use, unless it is there already. */
export async function prepareDatabase(): Promise<void> {
  const { folder, exists } = await findPreparedDatabase(BUILD_FOLDER);
  for (const outdated of await listOutdated(folder)) await rm(outdated, { recursive: true, force: true });
  if (exists) return;
  await mkdir(path.dirname(folder), { recursive: true });
  // Beside its place until it is whole: nobody copies half of one.
  const unfinished = await mkdtemp(`${folder}.unfinished-`);
  await createDatabase(unfinished);
  await makeReadable(unfinished);
  await rename(unfinished, folder).catch(async (error: unknown) => {
    // Another process was quicker.
    await rm(unfinished, { recursive: true, force: true });
    if (!(await findPreparedDatabase(BUILD_FOLDER)).exists) throw error;
  });
}

/** For all users: in an image it is made by root, and copied by whoever the container runs as. */
async function makeReadable(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    await chmod(path.join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
  }
}

if (import.meta.main) await createDatabase(process.argv[2]!);
