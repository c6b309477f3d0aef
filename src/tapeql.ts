import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { type Bus, revocationsChannel } from './bus/bus.ts';
import { type Cache, createCache } from './bus/cache.ts';
import { type MarketKinds, marketKinds } from './bus/cache-kinds.ts';
import { createMemoryBus } from './bus/memory.ts';
import { createMemoryStore } from './bus/memory-store.ts';
import { createRedisBus } from './bus/redis.ts';
import { createRedisStore } from './bus/redis-store.ts';
import type { Store } from './bus/store.ts';
import type { Config } from './config.ts';
import { DeliveryFigures } from './delivery/figures.ts';
import { createFollowQuotes } from './delivery/follow-quotes.ts';
import { Hub } from './delivery/hub.ts';
import type { LogBounds } from './delivery/log-stream.ts';
import { PauseSwitch } from './delivery/pause-switch.ts';
import { Reads } from './delivery/reads.ts';
import { RESUME_GRACE_MS } from './delivery/resume.ts';
import { StatusBoard } from './delivery/status-board.ts';
import { TimerWheel } from './delivery/timer-wheel.ts';
import { Turn } from './delivery/turn.ts';
import { ViewerStreams } from './delivery/viewer-streams.ts';
import { type Enveloped, WebSocketTransport } from './delivery/websocket.ts';
import type { FeedLimits } from './feeds/polygon/limits.ts';
import { createPolygonRest } from './feeds/polygon/rest.ts';
import { createPolygonFeed, feedNameOf } from './feeds/polygon/socket.ts';
import { startSimulatorProcess } from './feeds/simulator/simulator-process.ts';
import { createIngest } from './ingest/ingest.ts';
import { createLeasedIngest, type LeasedIngest } from './ingest/lease.ts';
import { DEMO_POSITIONS, DEMO_USER } from './ledger/demo.ts';
import { LedgerDoor } from './ledger/ledger-door.ts';
import { systemTimers } from './market/timers.ts';
import { createCalendar } from './market/calendar.ts';
import type { Logger } from './market/logger.ts';
import { ReferenceBook, type ReferenceSource } from './market/reference-book.ts';
import { type MarketDataSource, SourceUnavailableError } from './market/source.ts';
import { printSdl, schema } from './schema/schema.ts';
import type { Crew } from './server/crew.ts';
import { createCrewPages } from './server/crew-pages.ts';
import { createGraphQL, MAX_BODY_BYTES, MAX_MESSAGE_BYTES } from './server/graphql.ts';
import { createDashboard } from './server/dashboard.ts';
import { createHealth } from './server/health.ts';
import { startHttpServer } from './server/http.ts';
import { createMetrics } from './server/metrics.ts';
import { ConnectionLimit } from './access/connection-limit.ts';
import { readAddressOf } from './access/client-address.ts';
import { type Credentials, fieldsOf, readCredentials } from './access/credentials.ts';
import { openDemoIdentity } from './access/demo-identity.ts';
import { Identity } from './access/identity.ts';
import { Revocations } from './access/revocations.ts';
import { Tokens } from './access/tokens.ts';
import { RateLimits } from './access/limits.ts';
import { createRedisCounts } from './bus/redis-counts.ts';
import { Sessions } from './server/sessions.ts';
import { createPlainPost } from './server/plain-post.ts';
import { readStats, type StatsSources } from './server/stats.ts';

/** Where a simulated exchange of this system says how to reach it, for the api processes beside the ingest that runs it. */
const SIMULATOR_KEY = 'simulator:rest-url';
const SIMULATOR_RENEW_MS = 20_000;
/** Where `npm run build` leaves the page. */
const DASHBOARD_FOLDER = fileURLToPath(new URL('../client/dist', import.meta.url));
/** Of one address, before it is known whose they are: many users may come from one, but not all at one moment. */
const MAX_PENDING_CONNECTIONS = 100;
/** The simulated exchange takes any key. */
const SIMULATOR_API_KEY = 'simulated';

export type Tapeql = {
  /** Where it listens; `null` for an ingest process without a PORT. */
  readonly url: string | null;
  /** Signs in the one user that there is where no way to tell users apart is configured. */
  readonly demoToken: string | null;
  /** Stops everything in reverse order of its start. */
  close(): Promise<void>;
};

export type TapeqlOptions = {
  readonly logger: Logger;
  /** Whether this process opens its port; default true. An ingest process beside an api process needs none. */
  readonly listens?: boolean;
  /** The processes that share this one's port: the operator's pages tell of all of them. Default: none. */
  readonly crew?: Crew;
  readonly tuning?: Tuning;
};

/** What no variable of the environment sets: where one is missing, the default of its part stands. */
export type Tuning = {
  readonly demandLingerMs?: number;
  readonly historyLagMs?: number;
  readonly initTimeoutMs?: number;
  readonly pingIntervalMs?: number;
  readonly rateWindowSeconds?: number;
  readonly connectionLeaseMs?: number;
  readonly jwksCooldownMs?: number;
  readonly httpTimeouts?: { readonly headersMs: number; readonly requestMs: number };
  readonly logBounds?: Partial<LogBounds>;
  readonly feedLimits?: Partial<FeedLimits>;
  /** Where the page was built. */
  readonly dashboardFolder?: string;
  /** Unix ms. Default `Date.now`. */
  readonly clock?: () => number;
};

/** The composition root: config → bus → ingest → server. */
export async function startTapeql(config: Config, options: TapeqlOptions): Promise<Tapeql> {
  const { logger, tuning = {} } = options;
  const now = tuning.clock ?? Date.now;
  const startedAt = now();
  const stack = new AsyncDisposableStack();
  try {
    const { bus, store, cache } = openBus(config, now, logger, stack);
    const calendar = createCalendar();
    const feedName = config.feed === 'simulated' ? 'SIMULATED' : feedNameOf(config.polygon.wsUrl);
    const pause = new PauseSwitch({ bus, logger });
    stack.defer(() => pause.close());
    await pause.start();
    const status = new StatusBoard({
      bus,
      pause,
      feed: feedName,
      marketStatusAt: (time) => calendar.statusAt(time),
      now,
      logger,
    });
    stack.defer(() => status.close());
    status.start();
    const reference = new ReferenceBook();
    const isExtendedHours = (time: number): boolean => status.isExtendedHours(time);
    const upstream = await openUpstream({ config, store, reference, isExtendedHours, now, logger }, stack);
    stack.defer(reference.keepCurrent(upstream.source, systemTimers, logger));

    let ingest: LeasedIngest | null = null;
    if (config.role !== 'api') {
      ingest = createLeasedIngest({
        bus,
        process: randomUUID(),
        openFeed: () =>
          createPolygonFeed({
            ...upstream.socket,
            name: feedName,
            clock: now,
            logger: logger.child({ part: 'feed' }),
            ...(tuning.feedLimits !== undefined && { limits: tuning.feedLimits }),
          }),
        openIngest: (feed, writer) =>
          createIngest({
            feed,
            bus,
            writer,
            source: upstream.source,
            reference,
            clock: now,
            timers: systemTimers,
            logger: logger.child({ part: 'ingest' }),
            quoteIntervalMs: config.quoteIntervalMs,
            indices: config.indices,
            ...(tuning.demandLingerMs !== undefined && { demandLingerMs: tuning.demandLingerMs }),
            ...(tuning.historyLagMs !== undefined && { historyLagMs: tuning.historyLagMs }),
          }),
        onRole: upstream.announce,
        timers: systemTimers,
        logger: logger.child({ part: 'ingest' }),
      });
      stack.defer(() => ingest?.close());
      await ingest.start();
    }

    const { listens = true, crew = null } = options;
    const system = { config, tuning, bus, cache, upstream, reference, pause, status, ingest, startedAt, now, logger };
    const server = listens || crew !== null ? await openServer({ ...system, listens, crew }, stack) : null;
    stack.defer(async () => {
      status.announceShutdown();
      // Another process can take over while this one still says goodbye to its clients; it is waited for in its turn.
      if (bus.shared) void ingest?.close();
      // What was told is written before its connections are closed.
      await new Promise(setImmediate);
    });
    return { url: server?.url ?? null, demoToken: server?.demoToken ?? null, close: () => stack.disposeAsync() };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Redis where it is configured, else this process's memory; the cache's fallback is always the latter. */
function openBus(
  config: Config,
  clock: () => number,
  logger: Logger,
  stack: AsyncDisposableStack,
): { bus: Bus; store: Store; cache: Cache<MarketKinds> } {
  const url = config.redisUrls.join(',');
  const memory = createMemoryStore({ clock });
  const busLogger = logger.child({ part: 'bus' });
  const historyMs = config.historyMs + RESUME_GRACE_MS;
  if (url === '') {
    const bus = createMemoryBus({ historyMs, store: memory, clock, logger: busLogger });
    stack.defer(() => bus.close());
    return { bus, store: memory, cache: createCache({ store: memory, kinds: marketKinds, clock, logger: busLogger }) };
  }
  const store = createRedisStore({ url, logger: busLogger });
  stack.defer(() => store.close());
  const bus = createRedisBus({ url, historyMs, clock, logger });
  stack.defer(() => bus.close());
  return { bus, store, cache: createCache({ store, fallback: memory, kinds: marketKinds, clock, logger: busLogger }) };
}

type Upstream = {
  readonly source: MarketDataSource & ReferenceSource;
  readonly readStats: () => Readonly<Record<string, number>>;
  readonly socket: { readonly url: string; readonly apiKey: string };
  /** Tells api processes how to reach a simulated exchange of this system: that of the writer alone. */
  readonly announce: (isWriter: boolean) => void;
};

/** Polygon, or the simulated exchange in its place: the code behind is the same. */
async function openUpstream(
  parts: {
    readonly config: Config;
    readonly store: Store;
    readonly reference: ReferenceBook;
    readonly isExtendedHours: (time: number) => boolean;
    readonly now: () => number;
    readonly logger: Logger;
  },
  stack: AsyncDisposableStack,
): Promise<Upstream> {
  const { config, store, reference, isExtendedHours, now, logger } = parts;
  const open = (
    wsUrl: string,
    restUrl: string | (() => Promise<string>),
    apiKey: string,
    announce: Upstream['announce'] = () => {},
  ): Upstream => {
    const rest = createPolygonRest({
      baseUrl: restUrl,
      apiKey,
      reference,
      isExtendedHours,
      clock: now,
      logger: logger.child({ part: 'rest' }),
    });
    stack.defer(() => rest.close());
    return { source: rest, readStats: () => rest.readStats(), socket: { url: wsUrl, apiKey }, announce };
  };

  if (config.feed === 'polygon') return open(config.polygon.wsUrl, config.polygon.restUrl, config.polygon.apiKey ?? '');
  if (config.simulator !== null) {
    return open(config.simulator.wsUrl, config.simulator.restUrl, config.polygon.apiKey ?? SIMULATOR_API_KEY);
  }
  if (config.role === 'api') {
    const readUrl = async (): Promise<string> => {
      const [url] = await store.read([SIMULATOR_KEY]).catch(() => [null]);
      if (url == null)
        throw new SourceUnavailableError('no ingest process with a simulated exchange is running', {
          retryAfterMs: 1000,
        });
      return url;
    };
    return open('', readUrl, SIMULATOR_API_KEY);
  }
  const simulator = await startSimulatorProcess({ logger: logger.child({ part: 'simulator' }) });
  stack.defer(() => simulator.close());
  if (config.redisUrls.length === 0) return open(simulator.wsUrl, simulator.restUrl, SIMULATOR_API_KEY);
  let renewal: NodeJS.Timeout | undefined;
  const announce = (): void => {
    store
      .write([{ key: SIMULATOR_KEY, value: simulator.restUrl, ttlMs: 3 * SIMULATOR_RENEW_MS }])
      .catch((error: unknown) => {
        logger.debug({ err: error }, 'the simulated exchange is announced again later');
      });
  };
  stack.defer(() => clearInterval(renewal));
  return open(simulator.wsUrl, simulator.restUrl, SIMULATOR_API_KEY, (isWriter) => {
    clearInterval(renewal);
    if (!isWriter) return;
    announce();
    renewal = setInterval(announce, SIMULATOR_RENEW_MS);
  });
}

type ServerParts = {
  readonly config: Config;
  readonly tuning: Tuning;
  readonly listens: boolean;
  readonly crew: Crew | null;
  readonly bus: Bus;
  readonly cache: Cache<MarketKinds>;
  readonly upstream: Upstream;
  readonly reference: ReferenceBook;
  readonly pause: PauseSwitch;
  readonly status: StatusBoard;
  readonly ingest: LeasedIngest | null;
  readonly startedAt: number;
  readonly now: () => number;
  readonly logger: Logger;
};

type OpenServer = Pick<Tapeql, 'url' | 'demoToken'>;

/**
 * The delivery side with its server; for an ingest process only the operator's routes, and where it has no port, only what it
 * tells those of its crew that have one.
 */
async function openServer(parts: ServerParts, stack: AsyncDisposableStack): Promise<OpenServer | null> {
  const { config, tuning, crew, bus, cache, upstream, status, now, logger } = parts;
  const figures = new DeliveryFigures({ now });
  const turn = new Turn((payloads) => figures.countDelivered(payloads));
  const reads = new Reads({
    bus,
    cache,
    source: upstream.source,
    indices: config.indices,
    isLive: () => status.live,
    followed: (symbol) => hub.newestQuoteOf(symbol),
    now,
  });
  const hub = new Hub({
    bus,
    process: randomUUID(),
    readQuotes: (symbols) => reads.readCachedQuotes(symbols),
    isLive: () => status.live,
    historyMs: config.historyMs,
    ...(tuning.logBounds !== undefined && { logBounds: tuning.logBounds }),
    now,
    logger: logger.child({ part: 'hub' }),
  });
  stack.defer(() => hub.close());
  if (parts.pause.state.paused) hub.pause();
  stack.defer(parts.pause.onChange(({ paused }) => (paused ? hub.pause() : hub.resume())));

  const ledger = openLedger({ ...parts, hub, reads }, stack);
  const viewerStreams = new ViewerStreams();
  stack.defer(() => viewerStreams.close());

  const access = await openAccess(parts, ledger, stack);
  const readAddress = readAddressOf(config.trustedProxies);
  const counts =
    config.redisUrls.length === 0
      ? null
      : createRedisCounts({ url: config.redisUrls.join(','), logger: logger.child({ part: 'limits' }) });
  stack.defer(() => counts?.close());
  const rateLimits = new RateLimits({
    limits: config.rateLimits,
    shared: counts,
    ...(tuning.rateWindowSeconds !== undefined && { windowSeconds: tuning.rateWindowSeconds }),
  });
  const connectionLimit = new ConnectionLimit({
    max: config.maxConnectionsPerUser,
    shared: counts,
    processName: randomUUID(),
    ...(tuning.connectionLeaseMs !== undefined && { leaseMs: tuning.connectionLeaseMs }),
    logger: logger.child({ part: 'limits' }),
  });
  stack.defer(() => connectionLimit.close());
  const graphql = createGraphQL({
    schema,
    context: {
      hub,
      reads,
      status,
      reference: parts.reference,
      ledger,
      viewerStreams,
      limits: { maxSymbols: config.maxSymbolsPerSubscription },
      anonymousMarketData: config.anonymousMarketData,
    },
    figures,
    turn,
    allowedOrigins: config.allowedOrigins,
    sessions: access.sessions,
    demoToken: access.demoToken,
    admission: { rateLimits, readAddress, maxEventStreams: config.maxSubscriptionsPerConnection },
    ...(tuning.pingIntervalMs !== undefined && { eventStream: { pingIntervalMs: tuning.pingIntervalMs } }),
    logger: logger.child({ part: 'graphql' }),
  });
  const getEnveloped = (context: object): Enveloped => graphql.getEnveloped(context) as unknown as Enveloped;
  const handle = createPlainPost({
    path: '/graphql',
    getEnveloped,
    fallback: (request, response) => graphql(request, response),
    maxBytes: MAX_BODY_BYTES,
  });
  const webSockets = new WebSocketTransport({
    path: '/graphql',
    getEnveloped,
    allowedOrigins: config.allowedOrigins,
    maxConnections: config.maxConnections,
    readAddress,
    readUpgrade: ({ headers }) => readCredentials((name) => headers[name]),
    openSession: (payload, upgrade) =>
      access.sessions.open(readCredentials(fieldsOf(payload)) ?? (upgrade as Credentials | null)),
    takeSeat: (user, onRefused) => connectionLimit.take(user, onRefused),
    maxPendingPerAddress: Math.max(MAX_PENDING_CONNECTIONS, config.maxConnectionsPerUser),
    maxSubscriptionsPerConnection: config.maxSubscriptionsPerConnection,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    turn,
    ...(tuning.initTimeoutMs !== undefined && { initTimeoutMs: tuning.initTimeoutMs }),
    ...(tuning.pingIntervalMs !== undefined && { pingIntervalMs: tuning.pingIntervalMs }),
    logger: logger.child({ part: 'websocket' }),
  });

  const statsSources: StatsSources = {
    connections: () => webSockets.readStats(),
    subscriptions: () => figures.readStats(),
    latency: () => figures.readLatency(),
    hub: () => hub.readStats(),
    cache: () => cache.readStats(),
    reads: () => reads.readStats(),
    bus: () => bus.readStats(),
    rest: () => upstream.readStats(),
    ingest: () => parts.ingest?.readStats() ?? {},
    feed: () => parts.ingest?.readFeedStats() ?? {},
    uptimeSeconds: () => Math.floor((now() - parts.startedAt) / 1000),
  };
  const metrics = createMetrics(statsSources);
  const health = createHealth({
    readServiceStatus: () => status.readServiceStatus(),
    isReady: () => status.heard || parts.ingest !== null,
    readConnections: () => webSockets.readConnections(figures.readStats().active),
    // Ingest has no use for it.
    isDatabaseConnected: () => config.role === 'ingest' || ledger.isConnected,
    startedAt: parts.startedAt,
    now,
  });
  crew?.answerWith({
    health: () => health.readReport(),
    addresses: () => [...webSockets.readAddresses()],
    stats: () => ({ pid: process.pid, ...readStats(statsSources) }),
    metrics: () => metrics.readReport(),
  });
  if (!parts.listens) return null;
  const crewPages = crew === null ? null : createCrewPages(crew, now);
  const isApi = config.role !== 'ingest';
  const server = await startHttpServer({
    host: config.host,
    port: config.port,
    reusePort: crew !== null,
    health: { ...health.pages, ...crewPages?.health },
    readStats: crewPages?.readStats ?? (() => readStats(statsSources)),
    metrics: { contentType: metrics.contentType, read: crewPages?.readMetrics ?? (() => metrics.read()) },
    api: isApi
      ? {
          sdl: printSdl(),
          handle,
          dashboard: createDashboard(tuning.dashboardFolder ?? DASHBOARD_FOLDER, access.demoToken),
          upgrade: (request, socket, head) => webSockets.upgrade(request, socket, head),
        }
      : null,
    ...(tuning.httpTimeouts !== undefined && { timeouts: tuning.httpTimeouts }),
    logger: logger.child({ part: 'http' }),
  });
  stack.defer(() => server.close());
  stack.defer(() => webSockets.close());
  return { url: server.url, demoToken: access.demoToken };
}

/** Who may come in, by a token or a key. */
async function openAccess(
  { config, tuning, bus, now, ...parts }: ServerParts,
  ledger: LedgerDoor,
  stack: AsyncDisposableStack,
): Promise<{ sessions: Sessions; demoToken: string | null }> {
  const logger = parts.logger.child({ part: 'access' });
  const { secret, jwksUrl, issuer, audience } = config.jwt;
  const demo =
    secret === null && jwksUrl === null && config.role !== 'ingest'
      ? await openDemoIdentity(config.dataDir, { id: DEMO_USER, name: 'Demo' })
      : null;
  const verifier = jwksUrl === null ? { secret: secret ?? demo?.secret ?? randomUUID() } : { jwksUrl };
  const revocations = new Revocations({
    store: {
      readRevoked: async (since) => (await ledger.openKeys()).readRevoked(since),
      noteRevoked: async (credential) => (await ledger.openKeys()).noteRevoked(credential),
    },
    onRevoked: (credential) => sessions.revoke(credential),
    onFailure: (error) => logger.warn({ err: error }, 'what is revoked cannot be read or kept now'),
  });
  stack.defer(() => revocations.close());
  const identity = new Identity({
    tokens: new Tokens({
      ...{ verifier, issuer, audience, now },
      ...(tuning.jwksCooldownMs !== undefined && { jwksCooldownMs: tuning.jwksCooldownMs }),
    }),
    findKey: async (id) => {
      const key = await (await ledger.openKeys()).find(id);
      return key === null ? null : { ...key, isRevoked: key.revokedAt !== null };
    },
    ...{ revocations, now },
  });
  const sessions = new Sessions({
    identity,
    anonymousMarketData: config.anonymousMarketData,
    wheel: new TimerWheel(),
    now,
  });
  const stop = bus.subscribe(revocationsChannel, (revoked) =>
    revocations.hear('token' in revoked ? `token:${revoked.token}` : `key:${revoked.key}`),
  );
  stack.defer(async () => (await stop.catch(() => null))?.());
  await stop;
  return { sessions, demoToken: demo?.token ?? null };
}

/** What viewers own. */
function openLedger(
  parts: ServerParts & { readonly hub: Hub; readonly reads: Reads },
  stack: AsyncDisposableStack,
): LedgerDoor {
  const { config, bus, hub, reads, status, pause, now } = parts;
  const logger = parts.logger.child({ part: 'ledger' });
  const hasUsers = config.jwt.secret !== null || config.jwt.jwksUrl !== null;
  const ledger = new LedgerDoor({
    url: config.databaseUrl,
    dataDir: config.dataDir,
    openingCash: config.openingCash,
    openingPositionsOf: (userId) => (!hasUsers && userId === DEMO_USER ? DEMO_POSITIONS : []),
    bus,
    readQuotes: (symbols) => reads.readQuotes(symbols),
    follow: createFollowQuotes(hub, logger),
    isMarketOpen: () => status.readMarketStatus().isOpen && !pause.state.paused,
    now,
    logger,
  });
  stack.defer(() => ledger.close());
  if (config.role !== 'ingest') ledger.start();
  return ledger;
}
