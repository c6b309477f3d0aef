import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { EventSourceReader } from '../../test/event-source-reader.ts';
import { startPostgres } from '../../test/postgres.ts';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import { startRedis } from '../../test/redis.ts';
import { type GraphQLBody, runMain, startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { JWT_SECRET, mintToken } from '../../test/tokens.ts';
import { type KeyRegister, manageKeys } from './manage-keys.ts';

const PORTFOLIO = 'subscription { portfolio { cash } }';

function nameFolder(): string {
  const folder = path.join(tmpdir(), `tapeql-keys-${randomUUID().slice(0, 8)}`);
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs `npm run keys -- …`. */
async function keys(env: Record<string, string>, ...args: string[]) {
  const { lines, exited } = runMain(env, ['keys', ...args]);
  const { status, stderr } = await exited;
  return { status, text: lines.join('\n'), stderr };
}

async function ask(tapeql: TestTapeql, key: string, query: string) {
  const headers = { 'content-type': 'application/json', 'x-api-key': key };
  const response = await fetch(tapeql.endpoint, { method: 'POST', headers, body: JSON.stringify({ query }) });
  const { data, errors } = (await response.json()) as GraphQLBody;
  return { status: response.status, data, code: errors?.[0]?.extensions['code'] ?? null };
}

async function connect(tapeql: TestTapeql, payload: object): Promise<RawWebSocket> {
  const socket = new RawWebSocket(tapeql.webSocketUrl);
  await socket.opened;
  socket.send({ type: 'connection_init', payload });
  expect((await socket.next()).type).toBe('connection_ack');
  return socket;
}

async function readEnd(socket: RawWebSocket, id: string): Promise<unknown> {
  return (await socket.find((message) => message.id === id && message.type === 'error')).payload[0].extensions.code;
}

describe('npm run keys', () => {
  it('creates a key beside a system that runs, lists it, and revokes it: its streams end, and it is refused', async () => {
    const env = { DATA_DIR: nameFolder() };
    await using tapeql = await startTestTapeql({ env });
    const created = await keys(env, 'create', '--name', 'Acme charts', '--scopes', 'market:read,portfolio:read');
    const key = created.text;
    expect(key).toMatch(/^tapeql_[0-9a-f]{16}_[\w-]{43}$/);
    const id = key.split('_')[1]!;
    expect(await ask(tapeql, key, '{ viewer { id name scopes } }')).toMatchObject({
      data: { viewer: { id: `key:${id}`, name: 'Acme charts', scopes: ['market:read', 'portfolio:read'] } },
    });
    expect(await ask(tapeql, key, 'mutation { cancelOrder(id: "1") { id } }')).toMatchObject({ code: 'FORBIDDEN' });
    expect(await ask(tapeql, `${key.slice(0, -1)}-`, '{ viewer { id } }')).toMatchObject({ status: 401 });

    const listed = await keys(env, 'list');
    expect(listed.text).toContain(`${id}  `);
    expect(listed.text).toContain('Acme charts');
    expect(listed.text).not.toContain(key.split('_').slice(2).join('_'));

    await using socket = await connect(tapeql, { 'x-api-key': key });
    socket.subscribe('p', PORTFOLIO);
    await using stream = await EventSourceReader.open(tapeql.endpoint, { query: PORTFOLIO }, { 'x-api-key': key });
    await stream.next();
    expect(await keys(env, 'revoke', id)).toMatchObject({ status: 0, text: `${id} is revoked.` });
    expect(await readEnd(socket, 'p')).toBe('UNAUTHENTICATED');
    expect((await stream.next()).data.errors[0].extensions.code).toBe('UNAUTHENTICATED');
    expect(await ask(tapeql, key, '{ viewer { id } }')).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
    expect((await keys(env, 'list')).text).toContain('revoked ');
    expect(JSON.stringify(tapeql.records)).not.toContain(key.slice(-43));
  });

  it('a token cannot name the account of a key, whatever its "sub" is', async () => {
    const env = { DATA_DIR: nameFolder(), JWT_SECRET };
    await using tapeql = await startTestTapeql({ env });
    const key = (await keys(env, 'create', '--name', 'Acme', '--scopes', 'portfolio:read,trade')).text;
    const account = `key:${key.split('_')[1]}`;
    const other = (await keys(env, 'create', '--name', 'Its heir', '--scopes', 'portfolio:read', '--user', account))
      .text;
    const order =
      'mutation { placeOrder(input: { clientOrderId: "1", symbol: "AAPL", side: BUY, quantity: "1" }) { id } }';
    expect(await ask(tapeql, key, order)).toMatchObject({ code: null });
    const readOrders = '{ viewer { id } portfolio { id } orders { edges { node { clientOrderId } } } }';
    const ofKey = { viewer: { id: account }, orders: { edges: [{ node: { clientOrderId: '1' } }] } };
    expect(await ask(tapeql, key, readOrders)).toMatchObject({ data: ofKey });
    expect(await ask(tapeql, other, readOrders)).toMatchObject({ data: ofKey });
    const seen = new Set<string>();
    for (const sub of [account, `user:${account}`, `user:user:${account}`, `key:${account}`, account.toUpperCase()]) {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${await mintToken({ sub })}` };
      const init = { method: 'POST', headers, body: JSON.stringify({ query: readOrders }) };
      const { data } = (await (await fetch(tapeql.endpoint, init)).json()) as GraphQLBody;
      expect(data.orders.edges).toEqual([]);
      seen.add(data.viewer.id as string);
    }
    expect(seen.size).toBe(5);
    expect(seen).not.toContain(account);
  });

  it('says what is wrong on stderr, with status 1', async () => {
    const { status, text, stderr } = await keys({ DATA_DIR: nameFolder() });
    expect(status).toBe(1);
    expect(text).toBe('');
    expect(stderr).toContain('What is to be done?');
  });

  it.each([
    [[], 'What is to be done?'],
    [['create'], '--name is needed'],
    [['create', '--name', 'x', '--scopes', 'all'], 'There is no scope "all"'],
    [['create', '--colour', 'red'], '--colour'],
    [['create', '--name', 'x', '--user', 'a\nb'], '--user is a user of up to 256 characters'],
    [['revoke'], '"revoke" is no command'],
    [['revoke-token', 'x'.repeat(257)], 'A "jti" has up to 256 characters'],
    [['destroy', 'it'], '"destroy it" is no command'],
  ])('%j: says what is wrong', async (args, problem) => {
    // It is wrong before any key is touched.
    const { text, isWrong } = await manageKeys(args, null as unknown as KeyRegister);
    expect(isWrong).toBe(true);
    expect(text).toContain(problem);
    expect(text).toContain('npm run keys -- create --name NAME');
  });
});

describe('over several systems', () => {
  it('a token that is revoked on the channel, or from the command line, ends on all of them, and stays refused', async () => {
    await using redis = await startRedis();
    await using postgres = await startPostgres();
    const env = { JWT_SECRET, REDIS_URL: redis.url, DATABASE_URL: await postgres.createDatabase() };
    await using stack = new AsyncDisposableStack();
    const [one, other] = await Promise.all([startTestTapeql({ env }), startTestTapeql({ env })]);
    for (const tapeql of [one, other]) stack.use(tapeql);
    const tokens = [await mintToken({ jti: 'told' }), await mintToken({ jti: 'written' })];
    const sockets: RawWebSocket[] = [];
    for (const tapeql of [one, other]) {
      for (const token of tokens) {
        const socket = await connect(tapeql, { authorization: `Bearer ${token}` });
        socket.subscribe('p', PORTFOLIO);
        await socket.find(({ id }) => id === 'p');
        sockets.push(socket);
      }
    }
    const publisher = new Redis(redis.url);
    await publisher.publish('access:revocations', JSON.stringify({ token: 'told' }));
    await publisher.quit();
    for (const socket of [sockets[0]!, sockets[2]!]) expect(await readEnd(socket, 'p')).toBe('UNAUTHENTICATED');
    expect((await keys(env, 'revoke-token', 'written')).status).toBe(0);
    for (const socket of [sockets[1]!, sockets[3]!]) expect(await readEnd(socket, 'p')).toBe('UNAUTHENTICATED');
    for (const socket of sockets) await socket[Symbol.asyncDispose]();
    // One that starts later knows it as well.
    await using late = await startTestTapeql({ env });
    for (const token of tokens) {
      const response = await fetch(late.endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ query: '{ viewer { id } }' }),
      });
      expect(response.status).toBe(401);
    }
  });
});
