import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { makeDataDir } from '../test/ledger.ts';
import { listenSilently } from '../test/silent-server.ts';
import { fetchJson, postOperation, startMain, startTestTapeql } from '../test/tapeql.ts';
import { JWT_SECRET, mintToken } from '../test/tokens.ts';
import { until } from '../test/until.ts';

test('while the embedded database opens, /health and /stats say so, and queries and subscriptions are asked to come back', async () => {
  const dataDir = await makeDataDir();
  await using silent = await listenSilently(path.join(dataDir, '.s.PGSQL.5432'));
  await using tapeql = await startTestTapeql({
    env: { DATA_DIR: dataDir, JWT_SECRET },
    tuning: { opensDatabaseAtStart: true, databasePatience: { openingMs: 1 } },
  });
  await silent.called;
  expect(await fetchJson(`${tapeql.url}/health`)).toMatchObject({ status: 'degraded', database: false });
  expect((await tapeql.readStats())['database']).toEqual({ state: 'opening' });
  const authorization = `Bearer ${await mintToken()}`;
  const ask = async (operation: string, accept: string): Promise<string> => {
    const headers = { 'content-type': 'application/json', accept, authorization };
    const body = JSON.stringify({ query: `${operation} { portfolio { totalValue } }` });
    return (await fetch(tapeql.endpoint, { method: 'POST', headers, body })).text();
  };
  const refusal = '"extensions":{"code":"UPSTREAM_UNAVAILABLE","retryAfterMs":1000}';
  expect(await ask('query', 'application/json')).toContain(refusal);
  expect(await ask('subscription', 'text/event-stream')).toContain(refusal);
});

test('a database that nobody needs is not opened, and nothing is wrong with that', async () => {
  await using tapeql = await startTestTapeql();
  expect(await fetchJson(`${tapeql.url}/health`)).toMatchObject({ database: true });
  expect((await tapeql.readStats())['database']).toEqual({ state: 'unopened' });
});

test('SIGTERM while the embedded database opens ends the process in order', async () => {
  const dataDir = await makeDataDir();
  await mkdir(dataDir, { recursive: true });
  await using silent = await listenSilently(path.join(dataDir, '.s.PGSQL.5432'));
  await using tapeql = await startMain({ PORT: '0', DATA_DIR: dataDir });
  await silent.called;
  tapeql.child.kill('SIGTERM');
  expect(await tapeql.exited).toMatchObject({ status: 0, stderr: '' });
});

test('a system that one process runs opens its database without being asked', async () => {
  await using tapeql = await startMain({ PORT: '0' });
  await until(async () => expect((await fetchJson(`${tapeql.url}/stats`))['database']).toEqual({ state: 'open' }));
  expect(await postOperation(`${tapeql.url}/graphql`, { query: '{ viewer { id } }' })).toEqual({
    data: { viewer: null },
  });
});
