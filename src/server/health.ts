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

/** The health routes of the contract. Degraded still answers 200: quotes are served, if old ones. */
export function createHealth(sources: HealthSources) {
  const uptimeSeconds = (): number => Math.floor((sources.now() - sources.startedAt) / 1000);
  const isShuttingDown = (): boolean => sources.readServiceStatus().state === 'SHUTTING_DOWN';

  function judge(): 'healthy' | 'degraded' | 'unhealthy' {
    if (isShuttingDown() || !sources.isReady()) return 'unhealthy';
    return sources.readServiceStatus().state === 'OPERATIONAL' ? 'healthy' : 'degraded';
  }

  return {
    '/health': (): HealthAnswer => {
      const status = judge();
      const service = sources.readServiceStatus();
      const body = {
        status,
        clients: sources.readConnections().clients,
        uptime: uptimeSeconds(),
        redis: service.redisConnected,
        database: sources.isDatabaseConnected(),
        feed: service.feedConnected,
        timestamp: sources.now(),
      };
      return { status: status === 'unhealthy' ? 503 : 200, body };
    },
    // Live as long as it answers at all: a restart mends neither Redis nor the feed.
    '/health/live': (): HealthAnswer => ({ status: 200, body: { status: 'live' } }),
    '/health/ready': (): HealthAnswer => {
      const ready = sources.isReady() && !isShuttingDown();
      return { status: ready ? 200 : 503, body: { status: ready ? 'ready' : 'not ready' } };
    },
    '/health/websocket': (): HealthAnswer => {
      const { clients, uniqueUsers, subscriptions } = sources.readConnections();
      const body = { status: judge(), activeConnections: clients, uniqueUsers, subscriptions, uptime: uptimeSeconds() };
      return { status: isShuttingDown() ? 503 : 200, body };
    },
  };
}
