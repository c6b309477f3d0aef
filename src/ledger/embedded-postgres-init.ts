import { PGlite } from '@electric-sql/pglite';
import { POSTGRES_CONFIG } from './embedded-postgres-config.ts';

/**
 * A program of its own: `node embedded-postgres-init.ts FOLDER` makes an empty database there, and ends. That takes some 450 MiB, of
 * which the process that uses the database would keep most.
 */
const [folder] = process.argv.slice(2);
const database = await PGlite.create({ dataDir: folder!, postgresqlconf: POSTGRES_CONFIG });
await database.close();
