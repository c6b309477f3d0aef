import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { POSTGRES_CONFIG } from './embedded-postgres-config.ts';
import { readMigrations } from './migrate.ts';

/** Where `npm run build` leaves the prepared database. */
export const BUILD_FOLDER = fileURLToPath(new URL('../../build', import.meta.url));
const PREFIX = 'prepared-database-';

/**
 * The folder of the prepared database: an empty one with all tables, which is copied where an embedded database is used for the first
 * time. To create one takes seconds of CPU, a copy some 50 ms. Its name changes with everything that goes into it, so that one that
 * an older version has prepared is never taken.
 */
export async function findPreparedDatabase(
  buildFolder: string,
): Promise<{ readonly folder: string; readonly exists: boolean }> {
  const hash = createHash('sha256').update(await readPGliteVersion());
  hash.update(await readFile(new URL('create-database.ts', import.meta.url)));
  for (const line of POSTGRES_CONFIG) hash.update(line);
  for (const { name, text } of await readMigrations()) hash.update(name).update(text);
  const folder = path.join(buildFolder, PREFIX + hash.digest('hex').slice(0, 16));
  return { folder, exists: existsSync(path.join(folder, 'PG_VERSION')) };
}

/** The folders of databases that were prepared for other versions, or whose preparation was interrupted. */
export async function listOutdated(current: string): Promise<string[]> {
  const buildFolder = path.dirname(current);
  const names = await readdir(buildFolder).catch(() => []);
  return names
    .filter((name) => name.startsWith(PREFIX) && name !== path.basename(current))
    .map((name) => path.join(buildFolder, name));
}

/** Copies the prepared database into `folder`, which is there and empty. Returns false where none was prepared. */
export async function copyPreparedDatabase(buildFolder: string, folder: string): Promise<boolean> {
  const prepared = await findPreparedDatabase(buildFolder);
  if (!prepared.exists) return false;
  await cp(prepared.folder, folder, { recursive: true });
  return true;
}

async function readPGliteVersion(): Promise<string> {
  const manifest = new URL('../package.json', import.meta.resolve('@electric-sql/pglite'));
  return (JSON.parse(await readFile(manifest, 'utf8')) as { version: string }).version;
}
