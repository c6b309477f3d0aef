import type { StatusBoard } from '../delivery/status-board.ts';

export type HealthSources = {
  readonly readServiceStatus: StatusBoard['readServiceStatus'];
  /** Whether this process can answer: it has heard of ingest, or is ingest itself. */
  readonly isReady: () => boolean;
  readonly readConnections: () => { clients: number; uniqueUsers: number; subscriptions: number };
  readonly isDatabaseConnected: () => boolean;
  /** Unix ms of the process's start. */
  readonly startedAt: number;
  readonly now: () => number;
};

export type HealthAnswer = { readonly status: 200 | 503; readonly body: object };

export type HealthPages = Readonly<Record<string, () => HealthAnswer | Promise<HealthAnswer>>>;

/** From best to worst. */
export const HEALTH_STATUSES = ['healthy', 'degraded', 'unhealthy'] as const;

export type HealthReport = {
  readonly status: (typeof HEALTH_STATUSES)[number];
  readonly shuttingDown: boolean;
  readonly clients: number;
  readonly uniqueUsers: number;
  readonly subscriptions: number;
  /** In seconds. */
  readonly uptime: number;
  /** `null` where none is configured. */
  readonly redis: boolean | null;
  readonly database: boolean;
  readonly feed: boolean;
};

/** The health of this process, and the routes of the contract that tell it. */
export function createHealth(sources: HealthSources) {
  function readReport(): HealthReport {
    const { state, redisConnected, feedConnected } = sources.readServiceStatus();
    const shuttingDown = state === 'SHUTTING_DOWN';
    const isUnhealthy = shuttingDown || !sources.isReady();
    const database = sources.isDatabaseConnected();
    const isWhole = state === 'OPERATIONAL' && database;
    return {
      status: isUnhealthy ? 'unhealthy' : isWhole ? 'healthy' : 'degraded',
      shuttingDown,
      ...sources.readConnections(),
      uptime: Math.floor((sources.now() - sources.startedAt) / 1000),
      redis: redisConnected,
      database,
      feed: feedConnected,
    };
  }

  return {
    readReport,
    pages: {
      '/health': () => answerHealth(readReport(), sources.now()),
      // Live as long as it answers at all: a restart mends neither Redis nor the feed.
      '/health/live': () => ({ status: 200, body: { status: 'live' } }),
      '/health/ready': () => {
        const ready = sources.isReady() && sources.readServiceStatus().state !== 'SHUTTING_DOWN';
        return { status: ready ? 200 : 503, body: { status: ready ? 'ready' : 'not ready' } };
      },
      '/health/websocket': () => answerWebSocketHealth(readReport()),
    } satisfies HealthPages,
  };
}

/** Degraded still answers 200: quotes are served, if old ones, or without accounts. */
export function answerHealth(report: HealthReport, timestamp: number): HealthAnswer {
  const { status, clients, uptime, redis, database, feed } = report;
  const body = { status, clients, uptime, redis, database, feed, timestamp };
  return { status: status === 'unhealthy' ? 503 : 200, body };
}

export function answerWebSocketHealth(report: HealthReport): HealthAnswer {
  const { status, clients, uniqueUsers, subscriptions, uptime, shuttingDown } = report;
  const body = { status, activeConnections: clients, uniqueUsers, subscriptions, uptime };
  return { status: shuttingDown ? 503 : 200, body };
}
