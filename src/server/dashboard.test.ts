import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import { JWT_SECRET } from '../../test/tokens.ts';

const SCRIPT = 'export const price = 1;\n'.repeat(100);

let folder: string;
let tapeql: TestTapeql;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tapeql-page-'));
  await mkdir(`${folder}/assets`);
  await writeFile(
    `${folder}/index.html`,
    '<!doctype html>\n<html>\n  <head>\n    <title>T</title>\n  </head>\n</html>\n',
  );
  await writeFile(`${folder}/icon.svg`, '<svg/>');
  await writeFile(`${folder}/assets/index-1a2b3c.js`, SCRIPT);
  await writeFile(`${folder}/assets/index-1a2b3c.js.br`, brotliCompressSync(SCRIPT));
  tapeql = await startTestTapeql({ tuning: { dashboardFolder: folder } });
});
afterAll(async () => {
  await tapeql?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const get = (file: string, headers: Record<string, string> = {}) => fetch(`${tapeql.url}${file}`, { headers });

describe('the page', () => {
  it('is at the root, asked for anew each time, and lets no script run but its own', async () => {
    const answer = await get('/');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    // It holds a token: see below.
    expect(answer.headers.get('cache-control')).toBe('private, no-cache');
    const policy = answer.headers.get('content-security-policy')!;
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("default-src 'none'");
    expect(await answer.text()).toContain('<title>T</title>');
    const again = await get('/', { 'if-none-match': answer.headers.get('etag')! });
    expect([again.status, await again.text()]).toEqual([304, '']);
  });

  it('carries a token that the API takes, where there is but one user', async () => {
    const [, token] = /<meta name="tapeql-token" content="([^"]+)"/.exec(await (await get('/')).text())!;
    const answer = await fetch(tapeql.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token!}` },
      body: JSON.stringify({ query: '{ viewer { name } }' }),
    });
    expect(await answer.json()).toEqual({ data: { viewer: { name: 'Demo' } } });
  });

  it('carries none where users are told apart', async () => {
    await using other = await startTestTapeql({
      env: { JWT_SECRET },
      tuning: { dashboardFolder: folder },
    });
    expect(await (await fetch(`${other.url}/`)).text()).not.toContain('tapeql-token');
  });

  it('is the playground where it was not built', async () => {
    await using other = await startTestTapeql({ tuning: { dashboardFolder: `${folder}/nowhere` } });
    const answer = await fetch(`${other.url}/`, { redirect: 'manual' });
    expect([answer.status, answer.headers.get('location')]).toEqual([302, '/graphql']);
  });
});

describe('a file of it', () => {
  it('is kept for ever where its name carries a hash, and comes compressed', async () => {
    const answer = await get('/assets/index-1a2b3c.js', { 'accept-encoding': 'br' });
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'cache-control': 'public, max-age=31536000, immutable',
      'content-encoding': 'br',
      'content-type': expect.stringMatching(/^text\/javascript/),
      'x-content-type-options': 'nosniff',
    });
    expect(await answer.text()).toBe(SCRIPT);
  });

  it('comes by the best encoding that is accepted, or as it is', async () => {
    await writeFile(`${folder}/later.js`, 'what was not there at the start is not served');
    const encodingOf = async (accepted: string): Promise<string | null> =>
      (await get('/assets/index-1a2b3c.js', { 'accept-encoding': accepted })).headers.get('content-encoding');
    expect(await encodingOf('gzip, br;q=0.5')).toBe('br');
    expect(await encodingOf('br;q=0')).toBeNull();
    expect(await encodingOf('identity')).toBeNull();
    expect((await get('/later.js')).status).toBe(404);
  });

  it('is served though the page is built anew, for it is another one that is there then', async () => {
    await rm(`${folder}/assets`, { recursive: true });
    const answer = await get('/assets/index-1a2b3c.js');
    expect([answer.status, await answer.text()]).toEqual([200, SCRIPT]);
  });

  it('is asked for anew where it does not', async () => {
    const answer = await get('/icon.svg');
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-cache']);
  });

  it.each(['/assets/none.js', '/../package.json', '/%2e%2e/package.json', '/assets/', '/..%2f..%2fpackage.json', '/%'])(
    'that is none of it is not found: %s',
    async (file) => {
      expect((await get(file)).status).toBe(404);
    },
  );
});
