import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RawWebSocket } from '../../test/raw-web-socket.ts';
import { postOperation, startTestTapeql, type TestTapeql } from '../../test/tapeql.ts';

const STATUS = '{ serviceStatus { state } }';
const FOLLOW = 'subscription { serviceStatus { state } }';
const JSON_HEADERS = { 'content-type': 'application/json' };

describe('how often', () => {
  let tapeql: TestTapeql;
  beforeAll(async () => {
    tapeql = await startTestTapeql({ env: { RATE_LIMITS: 'market=3,http=4,orders=2', TRUSTED_PROXIES: '1' } });
  });
  afterAll(() => tapeql[Symbol.asyncDispose]());

  type Attempt = (address: string) => Promise<{ code: string | null; status?: number; retryAfter?: string | null }>;

  const http =
    (query: string, path = '', headers: Record<string, string> = {}): Attempt =>
    async (address) => {
      const response = await fetch(`${tapeql.endpoint}${path}`, {
        method: 'POST',
        headers: { ...JSON_HEADERS, 'x-forwarded-for': address, ...headers },
        body: JSON.stringify({ query }),
      });
      const isStream = response.headers.get('content-type') === 'text/event-stream';
      // What is refused is told in the stream, which ends with it.
      const told = isStream && response.status !== 200 ? /^data: (.+)$/m.exec(await response.text())?.[1] : undefined;
      if (isStream && response.status === 200) await response.body?.cancel();
      const body = isStream
        ? (JSON.parse(told ?? '{}') as { errors?: { extensions: { code: string } }[] })
        : ((await response.json()) as { errors?: { extensions: { code: string } }[] });
      return {
        code: body.errors?.[0]?.extensions.code ?? null,
        status: response.status,
        retryAfter: response.headers.get('retry-after'),
      };
    };
  const get: Attempt = async (address) => {
    const response = await fetch(`${tapeql.endpoint}?query=${encodeURIComponent(STATUS)}`, {
      headers: { 'x-forwarded-for': address, accept: 'application/json' },
    });
    const body = (await response.json()) as { errors?: { extensions: { code: string } }[] };
    return {
      code: body.errors?.[0]?.extensions.code ?? null,
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
    };
  };

  it.each<[string, number, Attempt]>([
    ['a query that is posted', 4, http(STATUS)],
    ['a query that takes the way through Yoga', 4, http(STATUS, '?')],
    ['a query by GET', 4, get],
    ['a document that cannot be parsed', 4, async (address) => http(`{ ${Math.random()}`)(address)],
    ['a document that is not valid', 4, http('{ nothing }')],
    ['a query whose field fails', 4, http('{ quotes(symbols: ["A B"]) { price } }')],
    ['a subscription over SSE', 3, http(FOLLOW, '', { accept: 'text/event-stream' })],
  ])('%s: over its limit 429 with the time to wait', async (what, limit, attempt) => {
    // An address of its own for each.
    const address = `192.0.2.${what.length}`;
    for (let time = 0; time < limit; time++) expect((await attempt(address)).code).not.toBe('RATE_LIMITED');
    const { code, status, retryAfter } = await attempt(address);
    expect({ code, status }).toEqual({ code: 'RATE_LIMITED', status: 429 });
    expect(Number(retryAfter)).toBeGreaterThan(0);
    expect(Number(retryAfter)).toBeLessThanOrEqual(60);
  });

  it('over a WebSocket: subscriptions and queries each by their limit, told as an error of the operation', async () => {
    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl, {
      headers: { 'x-forwarded-for': '198.51.100.1' },
    });
    for (let id = 0; id < 3; id++) {
      socket.subscribe(`${id}`, FOLLOW);
      expect(await socket.find((message) => message.id === `${id}`)).toMatchObject({ type: 'next' });
    }
    socket.subscribe('over', FOLLOW);
    const error = await socket.find(({ id }) => id === 'over');
    expect(error).toMatchObject({
      type: 'error',
      payload: [{ extensions: { code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) } }],
    });
    expect(error.payload[0].extensions).not.toHaveProperty('http');
    for (let id = 0; id < 4; id++) {
      socket.subscribe(`q${id}`, STATUS);
      expect(await socket.find((message) => message.id === `q${id}`)).toMatchObject({ type: 'next' });
    }
    socket.subscribe('q over', STATUS);
    expect(await socket.find(({ id }) => id === 'q over')).toMatchObject({
      type: 'error',
      payload: [{ extensions: { code: 'RATE_LIMITED' } }],
    });
    expect(socket.socket.readyState).toBe(socket.socket.OPEN);
  });
});

describe('how much', () => {
  let tapeql: TestTapeql;
  beforeAll(async () => {
    tapeql = await startTestTapeql();
  });
  afterAll(() => tapeql[Symbol.asyncDispose]());

  const repeat = (count: number, write: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => write(index)).join(' ');
  const ask = async (query: string, variables?: object): Promise<unknown> => {
    const { errors } = await postOperation(tapeql.endpoint, { query, variables });
    return errors?.[0]?.extensions['code'] ?? null;
  };

  const EXCESSES: [string, string, object?][] = [
    ['60 aliases', `{ ${repeat(60, (i) => `a${i}: serviceStatus { state }`)} }`],
    ['60 aliases of __typename', `{ ${repeat(60, (i) => `a${i}: __typename`)} }`],
    ['10,000 aliases', `{ ${repeat(10_000, (i) => `a${i}: __typename`)} }`],
    ['200 levels', `{ ${'a { '.repeat(200)} a ${'}'.repeat(200)} }`],
    [
      '200 levels of the schema about itself',
      `{ __schema { types { fields { type { ${'ofType { '.repeat(200)} name ${'}'.repeat(200)} } } } } }`,
    ],
    ['1,000 directives', `{ __typename ${'@include(if: true) '.repeat(1000)} }`],
    ['60 directives', `{ ${'__typename @include(if: true) '.repeat(60)} }`],
    ['600 times the same field', `{ serviceStatus { ${'state '.repeat(600)} } }`],
    [
      '150 fragments',
      `{ ...F0 } ${repeat(150, (i) => `fragment F${i} on Query { __typename ...F${i + 1} }`)} fragment F150 on Query { __typename }`,
    ],
    [
      'fragments that double',
      `{ ...F0 } ${repeat(90, (i) => `fragment F${i} on Query { a${i}: __typename ...F${i + 1} ...F${i + 1} }`)} fragment F90 on Query { __typename }`,
    ],
    ['a field 40 times', `{ serviceStatus { ${'state '.repeat(40)} } }`],
    [
      'a field 7 times, and below it another one 7 times',
      `{ ${repeat(7, () => `serviceStatus { ${'state '.repeat(7)} }`)} }`,
    ],
    [
      'a field 40 times, by fragments',
      `{ serviceStatus { ${repeat(20, (i) => `state ...F${i}`)} } } ${repeat(20, (i) => `fragment F${i} on ServiceStatus { state }`)}`,
    ],
    ['a document of 40,000 characters', `{ __typename } # ${'x'.repeat(40_000)}`],
    ['3,000 lines', `{ __typename ${'\n'.repeat(3000)} }`],
    ['lists within lists', `{ quotes(symbols: ${'['.repeat(1500)}${']'.repeat(1500)}) { price } }`],
    [
      'bars that are many, twice',
      `{ ${repeat(3, (i) => `b${i}: bars(symbol: "AAPL", interval: MINUTE, from: "2026-01-01T00:00:00Z", first: 5000) { open high low close volume vwap start end }`)} }`,
    ],
    [
      'the same by a variable',
      `query ($n: Int) { ${repeat(3, (i) => `b${i}: bars(symbol: "AAPL", interval: MINUTE, from: "2026-01-01T00:00:00Z", first: $n) { open high low close volume vwap start end }`)} }`,
      { n: 5000 },
    ],
    [
      'the whole schema 12 times',
      `{ ${repeat(12, (i) => `s${i}: __schema { types { ...T } }`)} } fragment T on __Type { ${repeat(1, () => 'name kind description fields { name description args { name description type { name kind } } type { name kind ofType { name kind } } } inputFields { name } enumValues { name description } interfaces { name } possibleTypes { name }')} }`,
    ],
  ];
  it.each(EXCESSES)('%s: QUERY_TOO_COMPLEX', async (_what, query, variables) => {
    expect(await ask(query, variables)).toBe('QUERY_TOO_COMPLEX');
  });

  it('60 operations, of which one is meant: QUERY_TOO_COMPLEX', async () => {
    const query = repeat(60, (i) => `query Q${i} { __typename }`);
    const { errors } = await postOperation(tapeql.endpoint, { query, operationName: 'Q7' });
    expect(errors?.[0]?.extensions['code']).toBe('QUERY_TOO_COMPLEX');
  });

  it('is told with 400 on HTTP, and as an error of the operation on a WebSocket', async () => {
    const query = `{ ${repeat(60, (i) => `a${i}: __typename`)} }`;
    const body = JSON.stringify({ query });
    const response = await fetch(tapeql.endpoint, { method: 'POST', headers: JSON_HEADERS, body });
    expect(response.status).toBe(400);
    const { errors } = (await response.json()) as { errors: unknown };
    expect(errors).toMatchObject([{ message: 'Aliases limit of 50 exceeded, found 60.' }]);
    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    socket.subscribe('1', query);
    expect(await socket.next()).toMatchObject({
      type: 'error',
      payload: [{ extensions: { code: 'QUERY_TOO_COMPLEX' } }],
    });
  });

  it.each<[string, string, object?]>([
    ['the query by which tools read the schema', getIntrospectionQuery()],
    [
      'all that it can ask for',
      getIntrospectionQuery({
        descriptions: true,
        specifiedByUrl: true,
        directiveIsRepeatable: true,
        schemaDescription: true,
        inputValueDeprecation: true,
        oneOf: true,
      }),
    ],
    ['500 symbols in the document', `{ quotes(symbols: [${repeat(500, (i) => `"S${i}"`)}]) { price } }`],
    [
      '500 long symbols as a variable, all fields',
      'query ($symbols: [Symbol!]!) { quotes(symbols: $symbols) { symbol price change changePercent bid bidSize ask askSize open high low previousClose vwap volume timestamp receivedAt stale } }',
      { symbols: Array.from({ length: 500 }, (_, i) => `S${String(i).padStart(31, '0')}`) },
    ],
    ['20 quotes by alias', `{ ${repeat(20, (i) => `a${i}: quote(symbol: "S${i}") { price }`)} }`],
  ])('%s passes', async (_what, query, variables) => {
    expect(await ask(query, variables)).toBeNull();
  });

  it('a document in which everything is wrong is told of 20 errors, each of them short', async () => {
    const query = `{ ${repeat(100, (i) => `${'x'.repeat(200)}${i}`)} }`;
    const { errors } = await postOperation(tapeql.endpoint, { query });
    expect(errors).toHaveLength(21);
    expect(new Set(errors!.map(({ extensions }) => extensions['code']))).toEqual(
      new Set(['GRAPHQL_VALIDATION_FAILED']),
    );
    expect(errors!.at(-1)!.message).toBe('Too many validation errors, error limit reached. Validation aborted.');
    for (const name of ['y'.repeat(20_000), `a(${'y'.repeat(20_000)} b)`]) {
      const told = (await postOperation(tapeql.endpoint, { query: `{ ${name} }` })).errors![0]!;
      expect(told.extensions['code']).toMatch(/^GRAPHQL_(VALIDATION|PARSE)_FAILED$/);
      expect(told.message.length).toBeLessThan(600);
    }
  });

  it('lists of lists of the schema about itself are no valid document', async () => {
    const query =
      '{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }';
    expect(await ask(query)).toBe('GRAPHQL_VALIDATION_FAILED');
  });

  it.each([
    ['posted', ''],
    ['by the way through Yoga', '?'],
  ])('a body of 1 MB, %s, is 413', async (_what, path) => {
    const body = JSON.stringify({ query: STATUS, variables: { text: 'x'.repeat(1_000_000) } });
    const response = await fetch(`${tapeql.endpoint}${path}`, { method: 'POST', headers: JSON_HEADERS, body });
    expect(response.status).toBe(413);
  });

  it('a variable of 1 MB over a WebSocket ends the connection with 1009', async () => {
    await using socket = await RawWebSocket.connect(tapeql.webSocketUrl);
    socket.subscribe('1', STATUS, { text: 'x'.repeat(1_000_000) });
    expect((await socket.closed).code).toBe(1009);
  });
});
