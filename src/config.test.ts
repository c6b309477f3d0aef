import { describe, expect, test } from 'vitest';
import { CONFIG_VARIABLES, ConfigError, readConfig } from './config.ts';

function problemsOf(env: Record<string, string>): Record<string, string> {
  try {
    readConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return Object.fromEntries(error.problems.map(({ variable, problem }) => [variable, problem]));
  }
  return {};
}

describe('readConfig', () => {
  test('an empty environment gives the defaults of the contract', () => {
    expect(readConfig({})).toEqual({
      production: false,
      port: 4000,
      host: '127.0.0.1',
      adminPort: null,
      adminHost: '127.0.0.1',
      role: 'all',
      feed: 'simulated',
      polygon: { apiKey: null, wsUrl: 'wss://socket.massive.com', restUrl: 'https://api.massive.com' },
      simulator: null,
      trustedProxies: 0,
      redisUrls: [],
      databaseUrl: null,
      dataDir: './data',
      broker: 'paper',
      alpaca: { url: 'https://paper-api.alpaca.markets', keyId: null, secretKey: null },
      allowedOrigins: [],
      jwt: { secret: null, jwksUrl: null, issuer: null, audience: null },
      anonymousMarketData: true,
      maxConnectionsPerUser: 5,
      maxConnections: 20_000,
      maxSymbolsPerSubscription: 500,
      maxSubscriptionsPerConnection: 50,
      openingCash: '100000.00',
      rateLimits: { portfolio: 10, tradeNotifications: 10, market: 60, orders: 60, http: 600 },
      historyMs: 300_000,
      quoteIntervalMs: 100,
      indices: ['I:SPX', 'I:COMP', 'I:DJI', 'I:VIX'],
      workers: 1,
      logLevel: 'info',
    });
  });

  test('a variable that is set but empty counts as unset, as in an env file', () => {
    expect(readConfig(Object.fromEntries(CONFIG_VARIABLES.map((name) => [name, ' '])))).toEqual(readConfig({}));
  });

  test('a key selects Polygon, and FEED=simulated overrides it', () => {
    expect(readConfig({ POLYGON_API_KEY: 'k' }).feed).toBe('polygon');
    expect(readConfig({ POLYGON_API_KEY: 'k', FEED: 'simulated' }).feed).toBe('simulated');
  });

  test('a simulated feed with both URLs is a simulated exchange that runs elsewhere', () => {
    const env = { FEED: 'simulated', POLYGON_WS_URL: 'ws://127.0.0.1:1/', POLYGON_REST_URL: 'http://127.0.0.1:1' };
    expect(readConfig(env).simulator).toEqual({ wsUrl: 'ws://127.0.0.1:1', restUrl: 'http://127.0.0.1:1' });
    expect(Object.keys(problemsOf({ FEED: 'simulated', POLYGON_WS_URL: 'ws://127.0.0.1:1' }))).toEqual([
      'POLYGON_REST_URL',
    ]);
  });

  test('lists every wrong variable at once, by name', () => {
    const wrong = {
      PORT: '70000',
      ROLE: 'both',
      FEED: 'bloomberg',
      POLYGON_WS_URL: 'https://socket.massive.com',
      POLYGON_REST_URL: 'api.massive.com',
      REDIS_URL: 'localhost:6379',
      DATABASE_URL: 'mysql://db',
      BROKER: 'stonks',
      ALPACA_URL: 'paper-api.alpaca.markets',
      ALLOWED_ORIGINS: 'https://a.example/path',
      JWT_JWKS_URL: 'keys',
      ANONYMOUS_MARKET_DATA: 'yes',
      MAX_CONNECTIONS_PER_USER: '0',
      MAX_CONNECTIONS: '-1',
      MAX_SYMBOLS_PER_SUBSCRIPTION: '5e2',
      MAX_SUBSCRIPTIONS_PER_CONNECTION: 'many',
      OPENING_CASH: '$100',
      RATE_LIMITS: 'portfolio=10,quotes=1',
      HISTORY_SECONDS: '0',
      QUOTE_INTERVAL_MS: '0.5',
      INDICES: 'SPX',
      WORKERS: '0',
      LOG_LEVEL: 'verbose',
      NODE_ENV: 'staging',
    };
    expect(Object.keys(problemsOf(wrong)).toSorted()).toEqual(Object.keys(wrong).toSorted());
  });

  test('never repeats a value in its message, for some are secrets', () => {
    const problems = problemsOf({ REDIS_URL: 'http://user:hunter2@host', DATABASE_URL: 'hunter2' });
    expect(Object.keys(problems)).toEqual(['REDIS_URL', 'DATABASE_URL']);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });

  test('production asks for a token verifier and for a feed that was named', () => {
    expect(Object.keys(problemsOf({ NODE_ENV: 'production' }))).toEqual(['JWT_SECRET', 'FEED']);
    const config = readConfig({ NODE_ENV: 'production', JWT_SECRET: 's', FEED: 'simulated' });
    expect(config).toMatchObject({ production: true, host: '0.0.0.0', feed: 'simulated' });
  });

  test('the operators have a port of their own where ADMIN_PORT is set, on the loopback unless ADMIN_HOST says otherwise', () => {
    expect(readConfig({})).toMatchObject({ adminPort: null, adminHost: '127.0.0.1' });
    expect(readConfig({ HOST: '0.0.0.0', ADMIN_PORT: '9464' })).toMatchObject({
      adminPort: 9464,
      adminHost: '127.0.0.1',
    });
    expect(readConfig({ ADMIN_PORT: '0', ADMIN_HOST: '::' })).toMatchObject({ adminPort: 0, adminHost: '::' });
    for (const ADMIN_PORT of ['4000', '65536', '-1', 'admin', '9464,9465']) {
      expect(Object.keys(problemsOf({ ADMIN_PORT }))).toEqual(['ADMIN_PORT']);
    }
    expect(readConfig({ PORT: '0', ADMIN_PORT: '0' }).adminPort).toBe(0);
  });

  test('a part of the system alone needs a Redis to talk to the other part', () => {
    expect(Object.keys(problemsOf({ ROLE: 'api' }))).toEqual(['REDIS_URL']);
    expect(readConfig({ ROLE: 'ingest', REDIS_URL: 'redis://127.0.0.1:6379' }).role).toBe('ingest');
  });

  test('workers need a Redis to have a market in common', () => {
    for (const WORKERS of ['2', 'auto']) {
      expect(Object.keys(problemsOf({ WORKERS }))).toEqual(['REDIS_URL']);
      expect(readConfig({ WORKERS, REDIS_URL: 'redis://a' }).workers).toBe(WORKERS === '2' ? 2 : 'auto');
    }
    expect(readConfig({ WORKERS: '1' }).workers).toBe(1);
  });

  test('FEED=polygon needs a key', () => {
    expect(Object.keys(problemsOf({ FEED: 'polygon' }))).toEqual(['POLYGON_API_KEY']);
  });

  test('BROKER=alpaca needs both keys, and the live market a feed that is real', () => {
    expect(Object.keys(problemsOf({ BROKER: 'alpaca' }))).toEqual(['ALPACA_KEY_ID', 'ALPACA_SECRET_KEY']);
    const keys = { BROKER: 'alpaca', ALPACA_KEY_ID: 'k', ALPACA_SECRET_KEY: 's' };
    expect(readConfig(keys)).toMatchObject({
      broker: 'alpaca',
      alpaca: { url: 'https://paper-api.alpaca.markets', keyId: 'k', secretKey: 's' },
    });
    const live = { ...keys, ALPACA_URL: 'https://api.alpaca.markets/' };
    expect(Object.keys(problemsOf(live))).toEqual(['ALPACA_URL']);
    expect(readConfig({ ...live, POLYGON_API_KEY: 'k' }).alpaca.url).toBe('https://api.alpaca.markets');
  });

  test('two ways to verify tokens exclude each other', () => {
    expect(Object.keys(problemsOf({ JWT_SECRET: 's', JWT_JWKS_URL: 'https://id.example/keys' }))).toEqual([
      'JWT_JWKS_URL',
    ]);
  });

  test('refuses what would be without effect in this version', () => {
    expect(Object.keys(problemsOf({ FEED: 'replay' }))).toEqual(['FEED']);
  });

  test('several nodes of Redis are a Cluster, which has one database', () => {
    const nodes = ['redis://:secret@a:7000', 'redis://:secret@b:7000/', 'redis://:secret@c:7000/0'];
    expect(readConfig({ REDIS_URL: nodes.join(', ') }).redisUrls).toEqual(nodes);
    expect(readConfig({ REDIS_URL: 'redis://a/3' }).redisUrls).toEqual(['redis://a/3']);
    expect(problemsOf({ REDIS_URL: 'redis://a:7000,redis://b:7000/3' })).toEqual({
      REDIS_URL: 'names a database, and a Redis Cluster has but one',
    });
  });

  test('RATE_LIMITS replaces the kinds it names and keeps the others', () => {
    expect(readConfig({ RATE_LIMITS: 'market=5, http=6' }).rateLimits).toEqual({
      portfolio: 10,
      tradeNotifications: 10,
      market: 5,
      orders: 60,
      http: 6,
    });
  });

  test('the result cannot be changed', () => {
    expect(Object.isFrozen(readConfig({}))).toBe(true);
  });
});
