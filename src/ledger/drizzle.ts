import { createRequire } from 'node:module';
import type * as Core from 'drizzle-orm';
import type * as Driver from 'drizzle-orm/node-postgres';
import type * as Columns from 'drizzle-orm/pg-core';

/*
 * The parts of Drizzle that the ledger uses, loaded as CommonJS. For each ES module that it loads, Node 26 parses the package.json
 * that belongs to it; Drizzle's has 179 kB and more than a hundred modules are loaded, which took 0.5 s of CPU and 100 MiB
 * (findings/drizzle-orm-esm-start.sh). Loaded by `require` the same code takes 0.1 s.
 */
const require = createRequire(import.meta.url);
const core = require('drizzle-orm') as typeof Core;
const columns = require('drizzle-orm/pg-core') as typeof Columns;
const driver = require('drizzle-orm/node-postgres') as typeof Driver;

export type { NodePgDatabase } from 'drizzle-orm/node-postgres';

export const { and, asc, desc, eq, getTableColumns, getTableName, gt, inArray, is, isNull, lt, sql } = core;
export const { bigint, bigserial, check, index, jsonb, numeric, pgTable, PgTable, primaryKey } = columns;
export const { text, timestamp, uniqueIndex, uuid } = columns;
export const { drizzle } = driver;
