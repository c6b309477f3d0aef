import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type TestPostgres } from '../../test/postgres.ts';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import { startRedis } from '../../test/redis.ts';
import { type GraphQLBody, runMain, startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { JWT_SECRET, mintToken } from '../../test/tokens.ts';
import { until } from '../../test/until.ts';

let postgres: TestPostgres;
beforeAll(async () => void (postgres = await startPostgres()));
afterAll(() => postgres?.stop());

async function ask(tapeql: TestTapeql, token: string) {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  const init = { method: 'POST', headers, body: '{"query":"{ viewer { id } marketStatus { isOpen } }"}' };
  const answer = await fetch(tapeql.endpoint, init);
  const { data, errors } = (await answer.json()) as GraphQLBody;
  return { status: answer.status, viewer: data?.viewer?.id ?? null, ...errors?.[0]?.extensions };
}

async function connect(tapeql: TestTapeql, token: string): Promise<number | 'let in'> {
  await using socket = new RawWebSocket(tapeql.webSocketUrl);
  await socket.opened;
  socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  // Awaited here: on return the connection is ended.
  return await socket.next().then(
    () => 'let in' as const,
    async () => (await socket.closed).code,
  );
}

const UNREADABLE = { viewer: null, code: 'UPSTREAM_UNAVAILABLE', retryAfterMs: expect.any(Number) };
const tuning = { databasePatience: { openingMs: 100 } };

describe('where Postgres is away', () => {
  it('from the start, a token that may have been revoked is refused until that can be read', async () => {
    const env = { JWT_SECRET, DATABASE_URL: await postgres.createDatabase() };
    expect(await runMain(env, ['keys', 'revoke-token', 'revoked']).exited).toMatchObject({ status: 0 });
    const [revoked, good] = [await mintToken({ jti: 'revoked' }), await mintToken({ jti: 'good' })];
    await postgres.kill();
    await using tapeql = await startTestTapeql({ env, tuning });
    for (const token of [revoked, good]) {
      expect(await ask(tapeql, token)).toMatchObject(UNREADABLE);
      expect(await connect(tapeql, token)).toBe(1013);
    }
    // This one cannot be revoked.
    expect(await ask(tapeql, await mintToken())).toMatchObject({ status: 200, viewer: 'ann' });

    await postgres.restart();
    await until(async () => expect(await ask(tapeql, good)).toMatchObject({ status: 200, viewer: 'ann' }));
    expect(await ask(tapeql, revoked)).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
    expect(await connect(tapeql, good)).toBe('let in');
  });

  it('later, what was read last is enough until its grace is over, and no longer', async () => {
    const env = { JWT_SECRET, DATABASE_URL: await postgres.createDatabase() };
    await using patient = await startTestTapeql({ env, tuning });
    await using strict = await startTestTapeql({ env, tuning: { ...tuning, revocationGraceMs: 3_000 } });
    const known = await mintToken({ jti: 'known' });
    for (const tapeql of [patient, strict]) {
      await until(async () => expect(await ask(tapeql, known)).toMatchObject({ viewer: 'ann' }));
    }
    await using open = new RawWebSocket(strict.webSocketUrl);
    await open.opened;
    open.send({ type: 'connection_init', payload: { authorization: `Bearer ${known}` } });
    await open.next();
    await postgres.kill();

    expect(await ask(patient, await mintToken({ jti: 'new' }))).toMatchObject({ viewer: 'ann' });
    expect(await ask(patient, known)).toMatchObject({ viewer: 'ann' });
    await until(async () => expect(await ask(strict, await mintToken({ jti: 'new' }))).toMatchObject(UNREADABLE));
    // Also one that was verified a moment ago.
    expect(await ask(strict, known)).toMatchObject(UNREADABLE);
    open.subscribe('1', 'query { viewer { id } }');
    expect((await open.next()).payload.data).toEqual({ viewer: { id: 'ann' } });
    const told = strict.records.filter(({ message }) => message.startsWith('what is revoked cannot be read'));
    expect(told).toHaveLength(1);

    await postgres.restart();
    await until(async () => expect(await ask(strict, known)).toMatchObject({ viewer: 'ann' }));
  });

  it('what is revoked on the channel is kept as soon as it is back', async () => {
    await using redis = await startRedis();
    const env = { JWT_SECRET, DATABASE_URL: await postgres.createDatabase(), REDIS_URL: redis.url };
    const token = await mintToken({ jti: 'told' });
    {
      await using tapeql = await startTestTapeql({ env, tuning });
      await until(async () => expect(await ask(tapeql, token)).toMatchObject({ viewer: 'ann' }));
      await postgres.kill();
      const publisher = new Redis(redis.url);
      await publisher.publish('access:revocations', JSON.stringify({ token: 'x'.repeat(5_000) }));
      await publisher.publish('access:revocations', JSON.stringify({ token: 'told' }));
      await publisher.quit();
      await until(async () => expect(await ask(tapeql, token)).toMatchObject({ status: 401 }));
      await until(() =>
        expect(tapeql.records.some(({ message }) => message.startsWith('what is revoked cannot be'))).toBe(true),
      );
      await postgres.restart();
      await using later = await startTestTapeql({ env: { ...env, REDIS_URL: '' }, tuning });
      await until(async () => expect(await ask(later, token)).toMatchObject({ status: 401 }));
    }
  });
});
