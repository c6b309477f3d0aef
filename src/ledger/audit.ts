import { sql } from './drizzle.ts';
import type { Database } from './database.ts';

/** What an account holds of an asset, by its own row and by its movements; equal, or something is wrong. */
export type Difference = {
  readonly account: string;
  readonly asset: string;
  readonly balance: string;
  readonly movements: string;
};

export type AuditReport = {
  readonly accounts: number;
  readonly movements: number;
  readonly differences: readonly Difference[];
};

/** It reads all that was ever moved. */
const AUDIT_MS = 60_000;

/** Compares each balance with the sum of what has come and gone, in one statement: one state of the database. */
export async function audit(database: Database): Promise<AuditReport> {
  return database.use(async (queries) => {
    await queries.execute(sql`BEGIN READ ONLY`);
    await queries.execute(sql`SET LOCAL statement_timeout = ${sql.raw(String(AUDIT_MS))}`);
    const { rows } = await queries.execute<{
      accounts: string;
      movements: string;
      differences: Difference[] | null;
    }>(sql`
      WITH sides AS (
        SELECT target AS account, asset, amount FROM movements
        UNION ALL
        SELECT source, asset, -amount FROM movements
      ), moved AS (
        SELECT account, asset, sum(amount) AS total FROM sides WHERE account LIKE 'user:%' GROUP BY account, asset
      ), held AS (
        SELECT 'user:' || user_id AS account, 'USD' AS asset, cash AS total FROM accounts
        UNION ALL
        SELECT 'user:' || user_id, symbol, quantity FROM positions
      ), differing AS (
        SELECT account, asset, coalesce(held.total, 0)::text AS balance, coalesce(moved.total, 0)::text AS movements
        FROM held FULL JOIN moved USING (account, asset)
        WHERE coalesce(held.total, 0) <> coalesce(moved.total, 0)
      )
      SELECT
        (SELECT count(*) FROM accounts)::text AS accounts,
        (SELECT count(*) FROM movements)::text AS movements,
        (SELECT json_agg(differing ORDER BY account, asset) FROM differing) AS differences
    `);
    await queries.execute(sql`COMMIT`);
    const [report] = rows;
    return {
      accounts: Number(report!.accounts),
      movements: Number(report!.movements),
      differences: report!.differences ?? [],
    };
  }, AUDIT_MS);
}
