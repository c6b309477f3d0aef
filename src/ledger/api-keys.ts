import { asc, eq, isNull, and, sql } from './drizzle.ts';
import type { Database } from './database.ts';
import { apiKeys, revokedTokens } from './tables.ts';

/** A key as it is kept. */
export type KeptKey = {
  readonly id: string;
  readonly name: string;
  readonly hash: string;
  readonly scopes: readonly string[];
  readonly userId: string | null;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
};

/** Third parties' keys, and which credentials were revoked. */
export class ApiKeys {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async create(key: Pick<KeptKey, 'id' | 'name' | 'hash' | 'scopes' | 'userId'>): Promise<void> {
    await this.#database.use((queries) => queries.insert(apiKeys).values({ ...key, scopes: [...key.scopes] }));
  }

  /** Oldest first. */
  list(): Promise<KeptKey[]> {
    return this.#database.use((queries) =>
      queries.select().from(apiKeys).orderBy(asc(apiKeys.createdAt), asc(apiKeys.id)),
    );
  }

  async find(id: string): Promise<KeptKey | null> {
    const [row] = await this.#database.use((queries) => queries.select().from(apiKeys).where(eq(apiKeys.id, id)));
    return row ?? null;
  }

  /** Whether there is such a key; one that was revoked stays so. */
  async revoke(id: string): Promise<boolean> {
    await this.#database.use((queries) =>
      queries
        .update(apiKeys)
        .set({ revokedAt: sql`now()` })
        .where(and(eq(apiKeys.id, id), isNull(apiKeys.revokedAt))),
    );
    return (await this.find(id)) !== null;
  }

  async revokeToken(id: string): Promise<void> {
    await this.#database.use((queries) => queries.insert(revokedTokens).values({ id }).onConflictDoNothing());
  }

  /** `token:` and a `jti`, or `key:` and an id. */
  async noteRevoked(credential: string): Promise<void> {
    const [kind, id] = [credential.slice(0, credential.indexOf(':')), credential.slice(credential.indexOf(':') + 1)];
    if (kind === 'token') await this.revokeToken(id);
    else await this.revoke(id);
  }

  /** What was revoked at this time or later, `null`: ever; and when the newest of it was. */
  async readRevoked(since: Date | null): Promise<{ credentials: string[]; newest: Date | null }> {
    const from = since ?? new Date(0);
    const { rows } = await this.#database.use((queries) =>
      queries.execute<{ credential: string; revoked_at: string | Date }>(sql`
        SELECT 'key:' || id AS credential, revoked_at FROM ${apiKeys} WHERE revoked_at >= ${from.toISOString()}
        UNION ALL
        SELECT 'token:' || id, revoked_at FROM ${revokedTokens} WHERE revoked_at >= ${from.toISOString()}
        ORDER BY 2`),
    );
    const newest = rows.at(-1)?.revoked_at;
    return {
      credentials: rows.map(({ credential }) => credential),
      newest: newest === undefined ? null : new Date(newest),
    };
  }
}
