/** Everything the environment decides, read once; see the README's table. Durations in ms unless named otherwise. */
export type Config = {
  readonly production: boolean;
  readonly port: number;
  readonly host: string;
  /** Where the operator's pages are; `null`: on `port`, but for production, which has no more than the probes there. */
  readonly adminPort: number | null;
  readonly adminHost: string;
  readonly role: 'all' | 'api' | 'ingest';
  readonly feed: 'polygon' | 'simulated' | 'replay';
  readonly polygon: { readonly apiKey: string | null; readonly wsUrl: string; readonly restUrl: string };
  /** A simulated exchange that runs elsewhere; `null`: one of our own is started. */
  readonly simulator: { readonly wsUrl: string; readonly restUrl: string } | null;
  /** Empty: in-process bus and cache. More than one: the nodes of a Cluster. */
  readonly redisUrls: readonly string[];
  readonly databaseUrl: string | null;
  readonly dataDir: string;
  /** Who brings orders to a market. */
  readonly broker: 'paper' | 'alpaca';
  /** Alpaca's trading API; the keys are there where it is the broker. */
  readonly alpaca: { readonly url: string; readonly keyId: string | null; readonly secretKey: string | null };
  /** Beyond the same origin. */
  readonly allowedOrigins: readonly string[];
  readonly jwt: {
    readonly secret: string | null;
    readonly jwksUrl: string | null;
    readonly issuer: string | null;
    readonly audience: string | null;
  };
  readonly anonymousMarketData: boolean;
  readonly maxConnectionsPerUser: number;
  /** How many proxies in front append to X-Forwarded-For; 0: an address is that of the connection. */
  readonly trustedProxies: number;
  /** Of all workers together. */
  readonly maxConnections: number;
  readonly maxSymbolsPerSubscription: number;
  readonly maxSubscriptionsPerConnection: number;
  /** Decimal string. */
  readonly openingCash: string;
  /** Per user and minute, by kind. */
  readonly rateLimits: Readonly<Record<RateLimitKind, number>>;
  readonly historyMs: number;
  /** 0: at every change. */
  readonly quoteIntervalMs: number;
  readonly indices: readonly string[];
  /** Api processes on this host that share the port. */
  readonly workers: number | 'auto';
  readonly logLevel: LogLevel;
};

const RATE_LIMIT_KINDS = ['portfolio', 'tradeNotifications', 'market', 'orders', 'http'] as const;
export type RateLimitKind = (typeof RATE_LIMIT_KINDS)[number];

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The variables that readConfig reads, in the order of the README's table. */
export const CONFIG_VARIABLES = [
  'PORT',
  'HOST',
  'ADMIN_PORT',
  'ADMIN_HOST',
  'ROLE',
  'FEED',
  'POLYGON_API_KEY',
  'POLYGON_WS_URL',
  'POLYGON_REST_URL',
  'REDIS_URL',
  'DATABASE_URL',
  'DATA_DIR',
  'BROKER',
  'ALPACA_KEY_ID',
  'ALPACA_SECRET_KEY',
  'ALPACA_URL',
  'ALLOWED_ORIGINS',
  'JWT_SECRET',
  'JWT_JWKS_URL',
  'JWT_ISSUER',
  'JWT_AUDIENCE',
  'ANONYMOUS_MARKET_DATA',
  'MAX_CONNECTIONS_PER_USER',
  'MAX_CONNECTIONS',
  'TRUSTED_PROXIES',
  'MAX_SYMBOLS_PER_SUBSCRIPTION',
  'MAX_SUBSCRIPTIONS_PER_CONNECTION',
  'OPENING_CASH',
  'RATE_LIMITS',
  'HISTORY_SECONDS',
  'QUOTE_INTERVAL_MS',
  'INDICES',
  'WORKERS',
  'LOG_LEVEL',
  'NODE_ENV',
] as const;
export type ConfigVariable = (typeof CONFIG_VARIABLES)[number];

/** Every wrong variable, by name; values are left out of the message, for some are secrets. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly { readonly variable: ConfigVariable; readonly problem: string }[];

  constructor(problems: ConfigError['problems']) {
    super(['The configuration is wrong:', ...problems.map((p) => `  ${p.variable}: ${p.problem}`)].join('\n'));
    this.problems = problems;
  }
}

/**
 * Reads the configuration from an environment. An unset or empty variable takes its default; a wrong one is never
 * replaced by a default.
 * @throws {ConfigError} naming all wrong variables at once
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const problems: { variable: ConfigVariable; problem: string }[] = [];

  /** The variable's text parsed, or the default where unset; a `string` problem from `parse` is collected. */
  function read<T>(variable: ConfigVariable, fallback: T, parse: (text: string) => Parsed<T>): T {
    const text = env[variable]?.trim() ?? '';
    if (text === '') return fallback;
    const result = parse(text);
    if (result.problem === undefined) return result.value;
    problems.push({ variable, problem: result.problem });
    return fallback;
  }

  const integer = (variable: ConfigVariable, fallback: number, min: number, max: number): number =>
    read<number>(variable, fallback, (text) => {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return value >= min && value <= max ? { value } : { problem: `must be a whole number from ${min} to ${max}` };
    });
  const choice = <T extends string>(variable: ConfigVariable, fallback: T, choices: readonly T[]): T =>
    read<T>(variable, fallback, (text) => {
      const value = choices.find((c) => c === text);
      return value === undefined ? { problem: `must be one of ${choices.join(', ')}` } : { value };
    });
  const url = (variable: ConfigVariable, fallback: string | null, protocols: readonly string[]): string | null =>
    read<string | null>(variable, fallback, (text) =>
      isUrl(text, protocols)
        ? { value: text.replace(/\/+$/, '') }
        : { problem: `must be a URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}` },
    );
  const text = (variable: ConfigVariable): string | null => read<string | null>(variable, null, (value) => ({ value }));
  const list = (
    variable: ConfigVariable,
    fallback: readonly string[],
    problem: string,
    parse: (item: string) => string | null,
  ) =>
    read<readonly string[]>(variable, fallback, (value) => {
      const items = value.split(',').map((item) => parse(item.trim()));
      return items.every((item) => item !== null) ? { value: Object.freeze(items) } : { problem };
    });

  const nodeEnv = choice('NODE_ENV', 'development', ['development', 'test', 'production']);
  const production = nodeEnv === 'production';
  const apiKey = text('POLYGON_API_KEY');
  const feed = choice('FEED', apiKey === null ? 'simulated' : 'polygon', ['polygon', 'simulated', 'replay']);
  const role = choice('ROLE', 'all', ['all', 'api', 'ingest']);
  const redisUrls = list('REDIS_URL', [], 'must be one or more redis:// or rediss:// URLs, comma-separated', (item) =>
    isUrl(item, ['redis:', 'rediss:']) ? item : null,
  );
  const jwt = {
    secret: text('JWT_SECRET'),
    jwksUrl: url('JWT_JWKS_URL', null, ['https:', 'http:']),
    issuer: text('JWT_ISSUER'),
    audience: text('JWT_AUDIENCE'),
  };
  const workers = read<number | 'auto'>('WORKERS', 1, (value) =>
    value === 'auto'
      ? { value: 'auto' }
      : /^[1-9]\d{0,2}$/.test(value)
        ? { value: Number(value) }
        : { problem: 'must be a whole number from 1 to 999, or auto' },
  );

  const wsUrl = url('POLYGON_WS_URL', null, ['wss:', 'ws:']);
  const restUrl = url('POLYGON_REST_URL', null, ['https:', 'http:']);

  const config: Config = {
    production,
    port: integer('PORT', 4000, 0, 65_535),
    host: text('HOST') ?? (production ? '0.0.0.0' : '127.0.0.1'),
    adminPort: read<number | null>('ADMIN_PORT', null, parsePort),
    adminHost: text('ADMIN_HOST') ?? '127.0.0.1',
    role,
    feed,
    polygon: {
      apiKey,
      wsUrl: wsUrl ?? 'wss://socket.massive.com',
      restUrl: restUrl ?? 'https://api.massive.com',
    },
    simulator: feed === 'simulated' && wsUrl !== null && restUrl !== null ? { wsUrl, restUrl } : null,
    redisUrls,
    databaseUrl: url('DATABASE_URL', null, ['postgres:', 'postgresql:']),
    dataDir: text('DATA_DIR') ?? './data',
    broker: choice('BROKER', 'paper', ['paper', 'alpaca']),
    alpaca: {
      url: url('ALPACA_URL', null, ['https:', 'http:']) ?? 'https://paper-api.alpaca.markets',
      keyId: text('ALPACA_KEY_ID'),
      secretKey: text('ALPACA_SECRET_KEY'),
    },
    allowedOrigins: list(
      'ALLOWED_ORIGINS',
      [],
      'must be comma-separated origins such as https://app.example.com',
      (item) => (isUrl(item, ['https:', 'http:']) && new URL(item).origin === item ? item : null),
    ),
    jwt,
    anonymousMarketData: choice('ANONYMOUS_MARKET_DATA', 'true', ['true', 'false']) === 'true',
    maxConnectionsPerUser: integer('MAX_CONNECTIONS_PER_USER', 5, 1, 1_000_000),
    maxConnections: integer('MAX_CONNECTIONS', 20_000, 1, 1_000_000),
    trustedProxies: integer('TRUSTED_PROXIES', 0, 0, 10),
    maxSymbolsPerSubscription: integer('MAX_SYMBOLS_PER_SUBSCRIPTION', 500, 1, 100_000),
    maxSubscriptionsPerConnection: integer('MAX_SUBSCRIPTIONS_PER_CONNECTION', 50, 1, 100_000),
    openingCash: read<string>('OPENING_CASH', '100000.00', (value) =>
      /^\d{1,12}(\.\d{1,4})?$/.test(value) ? { value } : { problem: 'must be an amount such as 100000.00' },
    ),
    rateLimits: read('RATE_LIMITS', DEFAULT_RATE_LIMITS, parseRateLimits),
    historyMs: integer('HISTORY_SECONDS', 300, 1, 86_400) * 1000,
    quoteIntervalMs: integer('QUOTE_INTERVAL_MS', 100, 0, 60_000),
    indices: list(
      'INDICES',
      ['I:SPX', 'I:COMP', 'I:DJI', 'I:VIX'],
      'must be comma-separated index symbols such as I:SPX',
      (item) => (/^I:[A-Z0-9.-]{1,30}$/.test(item) ? item : null),
    ),
    workers,
    logLevel: choice('LOG_LEVEL', 'info', LOG_LEVELS),
  };

  const wrong = new Set(problems.map((p) => p.variable));
  const require = (holds: boolean, variable: ConfigVariable, problem: string): void => {
    // One problem per variable: a combination is judged only where its parts were right.
    if (!holds && !wrong.has(variable)) problems.push({ variable, problem });
  };
  const sharesPort = config.port !== 0 && config.port === config.adminPort;
  require(!sharesPort, 'ADMIN_PORT', 'must be another port than PORT');
  if (feed === 'polygon' && !wrong.has('FEED')) {
    require(apiKey !== null, 'POLYGON_API_KEY', 'is needed where FEED is polygon');
  }
  if (feed === 'simulated') {
    const together = 'and its twin must both be set, or neither, where FEED is simulated';
    require((wsUrl === null) === (restUrl === null), wsUrl === null ? 'POLYGON_WS_URL' : 'POLYGON_REST_URL', together);
  }
  if (config.broker === 'alpaca') {
    const { keyId, secretKey, url: alpacaUrl } = config.alpaca;
    require(keyId !== null, 'ALPACA_KEY_ID', 'is needed where BROKER is alpaca');
    require(secretKey !== null, 'ALPACA_SECRET_KEY', 'is needed where BROKER is alpaca');
    // Real money is not traded at prices that somebody has made up.
    const isReal = new URL(alpacaUrl).hostname === 'api.alpaca.markets';
    require(!isReal || feed === 'polygon', 'ALPACA_URL', 'is the live market, which needs FEED=polygon');
  }
  // Accepted names of what is still being built: refused, for a setting that is silently without effect is worse.
  require(feed !== 'replay', 'FEED', 'replay is not available yet');
  const namesDatabase = redisUrls.some((item) => !/^\/?0?$/.test(new URL(item).pathname));
  require(redisUrls.length <= 1 || !namesDatabase, 'REDIS_URL', 'names a database, and a Redis Cluster has but one');
  if (role !== 'all') require(redisUrls.length > 0, 'REDIS_URL', `is needed where ROLE is ${role}`);
  if (workers !== 1) require(redisUrls.length > 0, 'REDIS_URL', 'is needed where WORKERS is auto or more than 1');
  if (production) {
    require(jwt.secret !== null || jwt.jwksUrl !== null, 'JWT_SECRET', 'or JWT_JWKS_URL is needed in production');
    require(feed !== 'simulated' ||
      env['FEED']?.trim() ===
        'simulated', 'FEED', 'must be named in production: polygon (with POLYGON_API_KEY), or simulated where that is meant');
  }
  require(jwt.secret === null || jwt.jwksUrl === null, 'JWT_JWKS_URL', 'and JWT_SECRET exclude each other');

  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(config);
}

function parsePort(text: string): Parsed<number> {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65_535 ? { value: port } : { problem: 'must be a whole number from 0 to 65535' };
}

const DEFAULT_RATE_LIMITS: Config['rateLimits'] = Object.freeze({
  portfolio: 10,
  tradeNotifications: 10,
  market: 60,
  orders: 60,
  http: 600,
});

/** `kind=n` pairs; kinds that are not named keep their default. */
function parseRateLimits(text: string): Parsed<Config['rateLimits']> {
  const limits: Record<RateLimitKind, number> = { ...DEFAULT_RATE_LIMITS };
  for (const pair of text.split(',')) {
    const match = /^\s*(\w+)\s*=\s*(\d{1,9})\s*$/.exec(pair);
    const kind = RATE_LIMIT_KINDS.find((k) => k === match?.[1]);
    if (match === null || kind === undefined) {
      return { problem: `must be comma-separated kind=number with the kinds ${RATE_LIMIT_KINDS.join(', ')}` };
    }
    limits[kind] = Number(match[2]);
  }
  return { value: Object.freeze(limits) };
}

function isUrl(text: string, protocols: readonly string[]): boolean {
  return URL.canParse(text) && protocols.includes(new URL(text).protocol);
}

type Parsed<T> = { readonly value: T; readonly problem?: undefined } | { readonly problem: string };
