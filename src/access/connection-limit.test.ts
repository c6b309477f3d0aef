import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { startIdentityProvider } from '../../test/tokens.ts';
import { until } from '../../test/until.ts';
import { createRedisCounts } from '../bus/redis-counts.ts';
import { ConnectionLimit, type Seat } from './connection-limit.ts';

/** Longer than any test runs. */
const NEVER_MS = 600_000;
const TOO_MANY = { code: 1013, reason: 'Too many connections' };

/** Whether a connection is still there a round trip after it was let in; one that is not was closed with 1013. */
async function isLetIn(socket: RawWebSocket): Promise<boolean> {
  try {
    await socket.opened;
    await socket.initialise();
    await socket.settle();
    return true;
  } catch {
    expect(await socket.closed).toEqual(TOO_MANY);
    return false;
  }
}

describe('a server with MAX_CONNECTIONS_PER_USER=2', () => {
  let tapeql: TestTapeql;
  beforeAll(async () => {
    const env = { MAX_CONNECTIONS_PER_USER: '2', TRUSTED_PROXIES: '1' };
    // None of those that wait for their acknowledgement is closed because it waits for long.
    tapeql = await startTestTapeql({ env, tuning: { initTimeoutMs: NEVER_MS } });
  });
  afterAll(() => tapeql[Symbol.asyncDispose]());

  const from = (address: string): RawWebSocket =>
    new RawWebSocket(tapeql.webSocketUrl, { headers: { 'x-forwarded-for': address } });

  it('closes the third of an address with 1013; another address, and one more when one has ended, are let in', async () => {
    const sockets = [from('192.0.2.1'), from('192.0.2.1')];
    expect(await Promise.all(sockets.map(isLetIn))).toEqual([true, true]);
    expect(await isLetIn(from('192.0.2.1'))).toBe(false);
    await using other = from('192.0.2.2');
    expect(await isLetIn(other)).toBe(true);
    for (const socket of sockets) await socket[Symbol.asyncDispose]();
    await expect
      .poll(async () => {
        await using again = from('192.0.2.1');
        return await isLetIn(again);
      })
      .toBe(true);
  });

  it('does not let wait more of an address for their acknowledgement than its bound', async () => {
    const sockets = Array.from({ length: 110 }, () => from('192.0.2.3'));
    // They are not upgraded.
    const refusals = sockets.map(({ opened }) => opened.then(() => new Promise<never>(() => {})));
    await expect(Promise.race(refusals)).rejects.toThrow('429');
    await using other = from('192.0.2.4');
    expect(await isLetIn(other)).toBe(true);
    for (const socket of sockets) await socket[Symbol.asyncDispose]();
  });
});

it('a connection that ends while its credentials are verified does not count for its user', async () => {
  await using provider = await startIdentityProvider();
  await provider.addKey('one', 'ES256');
  const answer = provider.hold();
  await using tapeql = await startTestTapeql({
    env: { JWT_JWKS_URL: provider.url, MAX_CONNECTIONS_PER_USER: '1' },
  });
  const payload = { authorization: `Bearer ${await provider.sign('one')}` };
  const leaving = new RawWebSocket(tapeql.webSocketUrl);
  await leaving.opened;
  leaving.send({ type: 'connection_init', payload });
  await until(() => expect(provider.asked).toBe(1));
  await leaving[Symbol.asyncDispose]();
  await until(async () => expect((await tapeql.readStats())['connections'].connections).toBe(0));
  answer();
  // Verified after the one that has left.
  await using staying = new RawWebSocket(tapeql.webSocketUrl);
  await staying.opened;
  staying.send({ type: 'connection_init', payload });
  expect(await staying.next()).toMatchObject({ type: 'connection_ack' });
});

describe('servers with a Redis', () => {
  let redis: TestRedis;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis?.stop());

  it('count the connections of an address together', async () => {
    const options = {
      env: { MAX_CONNECTIONS_PER_USER: '3', REDIS_URL: redis.url },
      tuning: { countsDeadlineMs: NEVER_MS },
    };
    await using stack = new AsyncDisposableStack();
    const [a, b] = await Promise.all([startTestTapeql(options), startTestTapeql(options)]);
    for (const tapeql of [a, b]) stack.use(tapeql);
    /** Whether one more is let in by what the server knows, and not ended when Redis has answered. */
    const hasRoom = async (): Promise<boolean> => {
      await using next = new RawWebSocket(b.webSocketUrl);
      return (await isLetIn(next)) && (await staysFor(next));
    };
    const [first, ...others] = [a, a, b].map(({ webSocketUrl }) => stack.use(new RawWebSocket(webSocketUrl)));
    for (const socket of [first!, ...others]) expect(await isLetIn(socket)).toBe(true);
    // A server that is not connected to Redis yet counts for itself, and states its connections a little later.
    await expect.poll(hasRoom).toBe(false);
    await first![Symbol.asyncDispose]();
    await expect.poll(hasRoom).toBe(true);
    for (const socket of others) expect(await staysFor(socket)).toBe(true);
  });

  /** What the other servers say is known after two round trips to Redis: well before several to the server. */
  async function staysFor(socket: RawWebSocket): Promise<boolean> {
    try {
      for (let round = 0; round < 20; round++) await socket.settle();
      return true;
    } catch {
      return false;
    }
  }

  async function openMember(processName: string, max: number, leaseMs: number) {
    const { logger } = recordingLogger();
    const counts = createRedisCounts({ url: redis.url, deadlineMs: NEVER_MS, logger });
    const limit = new ConnectionLimit({ max, shared: counts, processName, leaseMs, logger });
    /** Resolves with whether the seat was refused by then. */
    const take = async (user: string): Promise<{ seat: Seat | null; refused: boolean }> => {
      let refused = false;
      const seat = limit.take(user, () => (refused = true));
      // Behind what the taking has asked, and what that asked in turn.
      for (let round = 0; round < 12; round++)
        await counts.stateConnections('nobody', processName, 0).catch(() => undefined);
      return { seat, refused: refused || seat === null };
    };
    await expect
      .poll(() =>
        counts.stateConnections('nobody', processName, 0).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    return { limit, counts, take };
  }

  it('those of a process that died are forgotten with its lease', async () => {
    const [dying, other] = [await openMember('dying', 2, NEVER_MS), await openMember('other', 2, NEVER_MS)];
    await dying.take('ann');
    await dying.take('ann');
    expect(await other.take('ann')).toMatchObject({ refused: true });
    // It renews its lease no more, and takes nothing back: as kill -9.
    dying.limit.close();
    // What time would do: its lease ends.
    await dying.counts.noteProcess('dying', 1);
    await expect.poll(async () => (await other.take('ann')).refused).toBe(false);
    other.limit.close();
    await Promise.all([dying.counts.close(), other.counts.close()]);
  });

  it('are stated again when Redis has lost them', async () => {
    // A third of the lease after Redis has lost them, at the earliest.
    const leaseMs = 600;
    const [holder, other] = [await openMember('holder', 2, leaseMs), await openMember('another', 2, leaseMs)];
    await holder.take('ben');
    await holder.take('ben');
    await redis.restart();
    // Until it has been stated again, the other one lets him in.
    await expect
      .poll(async () => {
        const { seat, refused } = await other.take('ben');
        seat?.release();
        return refused;
      })
      .toBe(true);
    holder.limit.close();
    other.limit.close();
    await Promise.all([holder.counts.close(), other.counts.close()]);
  });
});
