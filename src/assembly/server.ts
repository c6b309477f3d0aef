import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { readAddressOf } from '../access/client-address.ts';
import { ConnectionLimit } from '../access/connection-limit.ts';
import { type Credentials, fieldsOf, readCredentials } from '../access/credentials.ts';
import { RateLimits } from '../access/limits.ts';
import { WorkBudget } from '../access/work-budget.ts';
import type { Bus } from '../bus/bus.ts';
import type { MarketKinds } from '../bus/cache-kinds.ts';
import type { Cache } from '../bus/cache.ts';
import type { Config } from '../config.ts';
import { DeliveryFigures } from '../delivery/figures.ts';
import { Hub } from '../delivery/hub.ts';
import type { PauseSwitch } from '../delivery/pause-switch.ts';
import { Reads } from '../delivery/reads.ts';
import type { StatusBoard } from '../delivery/status-board.ts';
import { Turn } from '../delivery/turn.ts';
import { ViewerStreams } from '../delivery/viewer-streams.ts';
import { UnreadBytes } from '../delivery/unread-bytes.ts';
import { type Enveloped, WebSocketTransport } from '../delivery/websocket.ts';
import type { LeasedIngest } from '../ingest/lease.ts';
import type { EmbeddedPostgres } from '../ledger/embedded-postgres.ts';
import type { Logger } from '../market/logger.ts';
import type { ReferenceBook } from '../market/reference-book.ts';
import { printSdl, schema } from '../schema/schema.ts';
import type { Crew } from '../server/crew.ts';
import { createCrewPages } from '../server/crew-pages.ts';
import { createDashboard } from '../server/dashboard.ts';
import { Documents } from '../server/documents.ts';
import { createGraphQL, MAX_BODY_BYTES, MAX_MESSAGE_BYTES } from '../server/graphql.ts';
import { createHealth } from '../server/health.ts';
import { createHostPolicy } from '../server/host-policy.ts';
import { createOperatorPages, pickProbes } from '../server/operator-pages.ts';
import { startHttpServer } from '../server/http.ts';
import { createMetrics } from '../server/metrics.ts';
import { createPlainPost } from '../server/plain-post.ts';
import { createPlayground } from '../server/playground.ts';
import { readStats, type StatsSources } from '../server/stats.ts';
import { WorkGate } from '../server/work-gate.ts';
import { openAccess } from './access.ts';
import { openLedger } from './ledger.ts';
import type { Tuning } from './tuning.ts';
import type { Upstream } from './upstream.ts';

/** Where `npm run build` leaves the page. */
const DASHBOARD_FOLDER = fileURLToPath(new URL('../../client/dist', import.meta.url));
/** Of one address, before it is known whose they are: many users may come from one, but not all at one moment. */
const MAX_PENDING_CONNECTIONS = 100;

export type ServerParts = {
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
  /** `null`: a server of Postgres, or none. */
  readonly embedded: EmbeddedPostgres | null;
  readonly startedAt: number;
  readonly now: () => number;
  /** What is closed after all else. */
  readonly last: AsyncDisposableStack;
  readonly logger: Logger;
};

export type OpenServer = {
  /** Where it listens; `null`: for operators alone. */
  readonly url: string | null;
  /** Where the operator's pages are, where they have a port of their own. */
  readonly adminUrl: string | null;
  /** Signs in the one user that there is where no way to tell users apart is configured. */
  readonly demoToken: string | null;
};

/**
 * The delivery side with its server; for an ingest process only the operator's routes, and where it has no port, only what it
 * tells those of its crew that have one.
 */
export async function openServer(parts: ServerParts, stack: AsyncDisposableStack): Promise<OpenServer> {
  const { config, tuning, crew, bus, cache, upstream, status, now, logger } = parts;
  // Ingest has no use for clients and for accounts.
  const isApi = config.role !== 'ingest';
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
    // How old an entry of the log is, the clock says by which it was numbered.
    now: () => bus.now(),
    logger: logger.child({ part: 'hub' }),
  });
  stack.defer(() => hub.close());
  if (parts.pause.state.paused) hub.pause();
  stack.defer(parts.pause.onChange(({ paused }) => (paused ? hub.pause() : hub.resume())));

  const ledger = openLedger({ ...parts, hub, reads }, stack);
  const viewerStreams = new ViewerStreams();
  stack.defer(() => viewerStreams.close());

  const access = await openAccess(parts, ledger, stack);
  // Whatever is closed after this may wait for the database, which may be silent.
  stack.defer(() => ledger.hurry());
  const readAddress = readAddressOf(config.trustedProxies);
  // Loaded where it is used: a start without Redis is the quicker for it.
  const counts =
    config.redisUrls.length === 0
      ? null
      : (await import('../bus/redis-counts.ts')).createRedisCounts({
          url: config.redisUrls.join(','),
          ...(tuning.countsDeadlineMs !== undefined && { deadlineMs: tuning.countsDeadlineMs }),
          logger: logger.child({ part: 'limits' }),
        });
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
  const work = new WorkBudget({ ...(tuning.workLimits !== undefined && { limits: tuning.workLimits }) });
  const workGate = new WorkGate({
    budget: work,
    sessions: access.sessions,
    readAddress,
    allowedOrigins: config.allowedOrigins,
  });
  const documents = new Documents();
  const pinging = {
    ...(tuning.pingIntervalMs !== undefined && { pingIntervalMs: tuning.pingIntervalMs }),
    ...(tuning.connectionTimers !== undefined && { timers: tuning.connectionTimers }),
  };
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
    sessionOf: (request) => workGate.sessionOf(request),
    admission: {
      rateLimits,
      readAddress,
      maxEventStreams: config.maxSubscriptionsPerConnection,
      spenderOf: (request) => workGate.spenderOf(request),
      documents,
    },
    eventStream: pinging,
    logger: logger.child({ part: 'graphql' }),
  });
  const getEnveloped = (context: object): Enveloped => graphql.getEnveloped(context) as unknown as Enveloped;
  const handle = createPlainPost({
    path: '/graphql',
    getEnveloped,
    fallback: (request, response) => graphql(request, response),
    maxBytes: MAX_BODY_BYTES,
  });
  const unread = new UnreadBytes(tuning.unreadBounds, tuning.connectionTimers);
  stack.defer(() => unread.close());
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
    unread,
    work,
    ...(tuning.initTimeoutMs !== undefined && { initTimeoutMs: tuning.initTimeoutMs }),
    ...pinging,
    logger: logger.child({ part: 'websocket' }),
  });

  const statsSources: StatsSources = {
    connections: () => webSockets.readStats(),
    subscriptions: () => figures.readStats(),
    latency: () => figures.readLatency(),
    unread: () => unread.readStats(),
    work: () => ({ ...work.readStats(), documents: documents.readStats() }),
    hub: () => hub.readStats(),
    cache: () => cache.readStats(),
    reads: () => reads.readStats(),
    bus: () => bus.readStats(),
    rest: () => upstream.readStats(),
    ingest: () => parts.ingest?.readStats() ?? {},
    feed: () => parts.ingest?.readFeedStats() ?? {},
    database: () => ({ state: isApi ? ledger.databaseState : null }),
    uptimeSeconds: () => Math.floor((now() - parts.startedAt) / 1000),
  };
  const metrics = createMetrics(statsSources);
  const health = createHealth({
    readServiceStatus: () => status.readServiceStatus(),
    isReady: () => status.heard || parts.ingest !== null,
    readConnections: () => webSockets.readConnections(figures.readStats().active),
    isDatabaseConnected: () => !isApi || ledger.isConnected,
    startedAt: parts.startedAt,
    now,
  });
  crew?.answerWith({
    health: () => health.readReport(),
    addresses: () => [...webSockets.readAddresses()],
    stats: () => ({ pid: process.pid, ...readStats(statsSources) }),
    metrics: () => metrics.readReport(),
  });
  const crewPages = crew === null ? null : createCrewPages(crew, now);
  const pages = createOperatorPages({
    health: { ...health.pages, ...crewPages?.health },
    readStats: crewPages?.readStats ?? (() => readStats(statsSources)),
    metrics: { contentType: metrics.contentType, read: crewPages?.readMetrics ?? (() => metrics.read()) },
  });
  const listening = {
    reusePort: crew !== null,
    ...{ unread, readAddress },
    ...(!config.production && { hostPolicy: createHostPolicy(listHosts(config)) }),
    ...(tuning.httpTimeouts !== undefined && { timeouts: tuning.httpTimeouts }),
  };
  // Of a crew those that serve clients listen, and answer for all.
  const adminServer =
    config.adminPort !== null && (crew === null || isApi)
      ? await startHttpServer({
          ...listening,
          ...{ host: config.adminHost, port: config.adminPort, pages, api: null },
          logger: logger.child({ part: 'admin' }),
        })
      : null;
  // While clients are taken leave of, and the rest is closed, operators can still see how far it is.
  parts.last.defer(() => adminServer?.close());
  const adminUrl = adminServer?.url ?? null;
  if (!parts.listens) return { url: null, adminUrl, demoToken: access.demoToken };
  const server = await startHttpServer({
    ...listening,
    ...{ host: config.host, port: config.port },
    pages: config.production || config.adminPort !== null ? pickProbes(pages) : pages,
    api: isApi
      ? {
          sdl: printSdl(),
          handle: workGate.guard(handle),
          playground: createPlayground(access.demoToken),
          dashboard: createDashboard(tuning.dashboardFolder ?? DASHBOARD_FOLDER, access.demoToken),
          upgrade: (request, socket, head) => webSockets.upgrade(request, socket, head),
        }
      : null,
    logger: logger.child({ part: 'http' }),
  });
  stack.defer(() => server.close());
  stack.defer(() => webSockets.close());
  return { url: server.url, adminUrl, demoToken: access.demoToken };
}

/** By which names a browser may know this server, beside localhost and its addresses. */
function listHosts({ host, adminHost, allowedOrigins }: Config): string[] {
  return [host, adminHost, ...allowedOrigins.map((origin) => new URL(origin).hostname)];
}
