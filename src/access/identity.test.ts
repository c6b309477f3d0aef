import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import { type GraphQLBody, startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';
import {
  encodeToken,
  ExpiryClock,
  inSeconds,
  JWT_SECRET,
  mintToken,
  signClaims,
  startIdentityProvider,
} from '../../test/tokens.ts';

const VIEWER = '{ viewer { id name scopes } }';
const ALL = ['market:read', 'portfolio:read', 'trade'];

type Answer = { status: number; code: unknown; viewer: unknown; data: unknown };

async function readAnswer(response: Response): Promise<Answer> {
  const { data, errors } = (await response.json()) as GraphQLBody;
  return { status: response.status, code: errors?.[0]?.extensions['code'] ?? null, viewer: data?.viewer ?? null, data };
}

function post(tapeql: TestTapeql, headers: Record<string, string>, query = VIEWER): Promise<Answer> {
  const init = {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query }),
  };
  return fetch(tapeql.endpoint, init).then(readAnswer);
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

/** What a connection is answered: its close, or the first result of a query on it. */
async function connect(tapeql: TestTapeql, payload: object | undefined, headers: Record<string, string> = {}) {
  const socket = new RawWebSocket(tapeql.webSocketUrl, { headers });
  await socket.opened;
  socket.send({ type: 'connection_init', payload });
  try {
    expect((await socket.next()).type).toBe('connection_ack');
    socket.subscribe('1', VIEWER);
    const { payload: result } = await socket.next();
    await socket[Symbol.asyncDispose]();
    return result.data.viewer as unknown;
  } catch {
    return (await socket.closed).code;
  }
}

describe('a token of a shared secret', () => {
  const expiry = new ExpiryClock();
  let tapeql: TestTapeql;
  beforeAll(async () => {
    const env = { JWT_SECRET, JWT_ISSUER: 'https://login.example.com/', JWT_AUDIENCE: 'tapeql' };
    tapeql = await startTestTapeql({ env, tuning: { clock: expiry.now } });
  });
  afterAll(() => tapeql[Symbol.asyncDispose]());

  const mint = (claims: object = {}, ...rest: [secret?: string, alg?: string]): Promise<string> =>
    mintToken({ iss: 'https://login.example.com/', aud: 'tapeql', ...claims }, ...rest);
  const ANN = { id: 'ann', name: 'Ann', scopes: ALL };

  it('tells who asks over every transport', async () => {
    const token = await mint();
    expect(await post(tapeql, bearer(token))).toMatchObject({ status: 200, viewer: ANN });
    const url = `${tapeql.endpoint}?query=${encodeURIComponent(VIEWER)}`;
    expect(
      await fetch(url, { headers: { ...bearer(token), accept: 'application/json' } }).then(readAnswer),
    ).toMatchObject({ viewer: ANN });
    expect(await connect(tapeql, bearer(token))).toEqual(ANN);
    expect(await connect(tapeql, { Authorization: `bearer ${token}` })).toEqual(ANN);
    expect(await connect(tapeql, undefined, bearer(token))).toEqual(ANN);
  });

  it('is not asked for: without one it is nobody', async () => {
    expect(await post(tapeql, {})).toMatchObject({ status: 200, code: null, viewer: null });
    expect(await connect(tapeql, undefined)).toBeNull();
    expect(await post(tapeql, {}, '{ portfolio { cash } }')).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('is not read from a URL', async () => {
    const query = `query=${encodeURIComponent(VIEWER)}&authorization=${encodeURIComponent(`Bearer ${await mint()}`)}`;
    const answer = await fetch(`${tapeql.endpoint}?${query}`, { headers: { accept: 'application/json' } }).then(
      readAnswer,
    );
    expect(answer.viewer).toBeNull();
  });

  it.each([
    ['scope', { scope: 'trade market:read unknown' }, ['market:read', 'trade']],
    ['scopes', { scopes: ['portfolio:read', 7, 'unknown'] }, ['portfolio:read']],
    ['an empty scope', { scope: '' }, []],
  ])('has the scopes of its claim: %s', async (_what, claims, scopes) => {
    expect(await post(tapeql, bearer(await mint(claims)))).toMatchObject({ viewer: { scopes } });
  });

  it.each([
    ['market:read', '{ quote(symbol: "AAPL") { price } }', 'portfolio:read trade'],
    ['market:read', '{ recentTrades(symbol: "AAPL") { price } }', 'portfolio:read trade'],
    ['portfolio:read', '{ portfolio { cash } }', 'market:read trade'],
    ['portfolio:read', '{ orders { edges { cursor } } }', 'market:read trade'],
    ['trade', 'mutation { cancelOrder(id: "1") { id } }', 'market:read portfolio:read'],
  ])('without %s is FORBIDDEN for %s', async (_scope, query, scope) => {
    const token = await mint({ scope });
    expect(await post(tapeql, bearer(token), query)).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('without market:read may not follow prices, without portfolio:read not the portfolio', async () => {
    const socket = new RawWebSocket(tapeql.webSocketUrl);
    await socket.opened;
    socket.send({ type: 'connection_init', payload: bearer(await mint({ scope: 'trade' })) });
    await socket.next();
    for (const field of [
      'quoteUpdates(symbols: ["AAPL"])',
      'trades(symbols: ["AAPL"])',
      'portfolio',
      'tradeNotifications',
    ]) {
      socket.subscribe(field, `subscription { ${field} { __typename } }`);
      const { id, type, payload } = await socket.find((message) => message.type !== 'complete');
      expect({ id, type, code: payload.errors[0].extensions.code }).toEqual({
        id: field,
        type: 'next',
        code: 'FORBIDDEN',
      });
    }
    await socket[Symbol.asyncDispose]();
  });

  const iss = 'https://login.example.com/';
  const claims = { sub: 'ann', iss, aud: 'tapeql' };
  const WRONG: [string, () => string | Promise<string>][] = [
    ['of no algorithm', () => encodeToken({ alg: 'none' }, claims)],
    ['of no algorithm, with a signature', () => encodeToken({ alg: 'none' }, claims, 'c2lnbmVk')],
    ['of another secret', () => mint({}, 'another secret, of 32 bytes and more as well')],
    ['of another algorithm of the same kind', () => mint({}, `${JWT_SECRET}${JWT_SECRET}`, 'HS512')],
    ['of a foreign issuer', () => mint({ iss: 'https://elsewhere.example.com/' })],
    ['of no issuer', () => mint({ iss: undefined })],
    ['for another audience', () => mint({ aud: 'other' })],
    ['that has expired', () => mint({ exp: inSeconds(-10) })],
    ['that is not valid yet', () => mint({ nbf: inSeconds(3600) })],
    ['of no user', () => mint({ sub: undefined })],
    ['of an empty user', () => mint({ sub: '' })],
    ['of a user that is a number', () => mint({ sub: 7 as unknown as string })],
    ['of a user with a NUL', () => mint({ sub: 'an\0n' })],
    ['of a user with a line break', () => mint({ sub: 'ann\n' })],
    ['of a user with a control character of the upper half', () => mint({ sub: 'ann\u0085' })],
    // Signed by hand: a token of the library would carry another character in its place.
    ['of a user with half a character', () => signClaims('{"sub":"ann\\ud800","iss":"' + iss + '","aud":"tapeql"}')],
    ['of a user of 257 characters', () => mint({ sub: 'x'.repeat(257) })],
    ['whose id has a NUL', () => mint({ jti: 'a\0b' })],
    ['whose id has 257 characters', () => mint({ jti: 'x'.repeat(257) })],
    ['of 10 KB', () => mint({ more: 'x'.repeat(10_000) })],
    ['that is none', () => 'token'],
    [
      'whose claims were changed',
      async () =>
        (await mint()).replace(
          /\.[^.]+\./,
          `.${Buffer.from(JSON.stringify({ ...claims, sub: 'ben' })).toString('base64url')}.`,
        ),
    ],
  ];
  it.each(WRONG)('%s is refused: 401, and 4403 on a WebSocket', async (_what, make) => {
    const token = await make();
    expect(await post(tapeql, bearer(token))).toMatchObject({ status: 401, code: 'UNAUTHENTICATED', viewer: null });
    expect(await connect(tapeql, bearer(token))).toBe(4403);
    expect(await connect(tapeql, undefined, bearer(token))).toBe(4403);
  });

  it('a user of 256 characters of any script has an account', async () => {
    const token = await mint({ sub: '語'.repeat(256) });
    expect(await post(tapeql, bearer(token), '{ portfolio { cash } }')).toMatchObject({
      data: { portfolio: { cash: '100000.00' } },
    });
  });

  it('a refusal names the scheme that is accepted', async () => {
    const response = await fetch(tapeql.endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer none' },
      body: JSON.stringify({ query: VIEWER }),
    });
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
  });

  it('by another scheme is refused', async () => {
    expect(await post(tapeql, { authorization: `Basic ${btoa('ann:secret')}` })).toMatchObject({ status: 401 });
    expect(await post(tapeql, { 'x-api-key': 'a key' })).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
    expect(await connect(tapeql, { authorization: 7 })).toBe(4403);
  });

  it('has 5 seconds of leeway', async () => {
    const now = expiry.holdBefore();
    expect(await post(tapeql, bearer(await mint({ exp: now - 2 })))).toMatchObject({ viewer: ANN });
    expect(await post(tapeql, bearer(await mint({ nbf: now + 3 })))).toMatchObject({ viewer: ANN });
    expect(await post(tapeql, bearer(await mint({ exp: now - 7 })))).toMatchObject({ status: 401 });
    expect(await post(tapeql, bearer(await mint({ nbf: now + 7 })))).toMatchObject({ status: 401 });
    expiry.pass();
  });

  it('appears nowhere: not in the log, not in an answer, not in a figure', async () => {
    const tokens = [
      await mint(),
      await mint({ exp: inSeconds(-10), jti: 'old' }),
      await mint({}, 'another secret, of 32 bytes and more as well'),
    ];
    const shown: string[] = [];
    for (const token of tokens) {
      shown.push(JSON.stringify(await post(tapeql, bearer(token))));
      await connect(tapeql, bearer(token));
    }
    for (const page of ['/metrics', '/stats', '/health/websocket'])
      shown.push(await (await fetch(`${tapeql.url}${page}`)).text());
    shown.push(JSON.stringify(tapeql.records));
    for (const secret of [JWT_SECRET, ...tokens.flatMap((token) => token.split('.').slice(1))]) {
      expect(shown.filter((text) => text.includes(secret))).toEqual([]);
    }
  });
});

describe('where anonymous clients may not read market data', () => {
  it('they are UNAUTHENTICATED; who signs in reads it', async () => {
    await using tapeql = await startTestTapeql({ env: { JWT_SECRET, ANONYMOUS_MARKET_DATA: 'false' } });
    const query = '{ quotes(symbols: ["AAPL"]) { price } }';
    expect(await post(tapeql, {}, query)).toMatchObject({ status: 200, code: 'UNAUTHENTICATED', data: null });
    expect(await post(tapeql, bearer(await mintToken()), query)).toMatchObject({ code: null });
    expect(await post(tapeql, {}, '{ serviceStatus { state } marketStatus { isOpen } viewer { id } }')).toMatchObject({
      code: null,
    });
    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    socket.subscribe('1', 'subscription { quoteUpdates(symbols: ["AAPL"]) { price } }');
    expect((await socket.next()).payload.errors[0].extensions.code).toBe('UNAUTHENTICATED');
  });
});

describe('a token of an identity provider', () => {
  describe('is verified by its key:', () => {
    const ALGORITHMS = ['RS256', 'ES256', 'EdDSA'] as const;
    const pems = new Map<string, string>();
    const stack = new AsyncDisposableStack();
    let provider: Awaited<ReturnType<typeof startIdentityProvider>>;
    let tapeql: TestTapeql;
    beforeAll(async () => {
      provider = stack.use(await startIdentityProvider());
      for (const alg of ALGORITHMS) pems.set(alg, await provider.addKey(alg, alg));
      tapeql = stack.use(await startTestTapeql({ env: { JWT_JWKS_URL: provider.url } }));
    });
    afterAll(() => stack.disposeAsync());

    it.each(ALGORITHMS)('%s', async (alg) => {
      expect(await post(tapeql, bearer(await provider.sign(alg, { name: 'Ann' })))).toMatchObject({
        viewer: { id: 'ann', name: 'Ann' },
      });
      // The public key is known to all: a server that takes it for a secret lets everybody in.
      const pem = pems.get(alg)!;
      for (const secret of [pem, pem.trim()]) {
        expect(await post(tapeql, bearer(await mintToken({}, secret)))).toMatchObject({ status: 401, viewer: null });
      }
      expect(await post(tapeql, bearer(encodeToken({ alg: 'none', kid: alg }, { sub: 'ann' })))).toMatchObject({
        status: 401,
      });
    });
  });

  it('is verified by a new key when there is one, and keys are not asked for at each token', async () => {
    await using provider = await startIdentityProvider();
    await provider.addKey('one', 'ES256');
    await using tapeql = await startTestTapeql({ env: { JWT_JWKS_URL: provider.url }, tuning: { jwksCooldownMs: 50 } });
    for (let time = 0; time < 5; time++) {
      expect(await post(tapeql, bearer(await provider.sign('one', { time })))).toMatchObject({ viewer: { id: 'ann' } });
    }
    expect(provider.asked).toBe(1);
    await provider.addKey('two', 'ES256');
    const token = await provider.sign('two');
    await expect.poll(async () => (await post(tapeql, bearer(token))).status).toBe(200);
    expect(provider.asked).toBeGreaterThan(1);
  });

  it('cannot be verified while the keys cannot be read: to be tried again', async () => {
    await using provider = await startIdentityProvider();
    await provider.addKey('one', 'ES256');
    await using tapeql = await startTestTapeql({ env: { JWT_JWKS_URL: provider.url }, tuning: { jwksCooldownMs: 1 } });
    provider.isAway = true;
    const token = await provider.sign('one');
    expect(await post(tapeql, bearer(token))).toMatchObject({ code: 'UPSTREAM_UNAVAILABLE', viewer: null });
    expect(await connect(tapeql, bearer(token))).toBe(1013);
    provider.isAway = false;
    await expect.poll(async () => (await post(tapeql, bearer(token))).code).toBeNull();
  });
});

it('a demo viewer is signed in where nothing is configured', async () => {
  await using tapeql = await startTestTapeql();
  const page = await (await fetch(tapeql.endpoint, { headers: { accept: 'text/html' } })).text();
  const token = /Bearer (ey[\w.-]+)/.exec(page)![1]!;
  expect(await post(tapeql, bearer(token))).toMatchObject({ viewer: { id: 'demo', name: 'Demo', scopes: ALL } });
  expect(await post(tapeql, bearer(token), '{ portfolio { cash positions { symbol } } }')).toMatchObject({
    data: { portfolio: { cash: '100000.00' } },
  });
});
