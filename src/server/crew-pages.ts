import type { Answers, Crew } from './crew.ts';
import { answerHealth, answerWebSocketHealth, HEALTH_STATUSES, type HealthPages, type HealthReport } from './health.ts';
import { formatTotalMetrics } from './total-metrics.ts';
import { totalStats } from './total-stats.ts';

/**
 * The operator's pages of several processes that share a port: whichever is asked answers for all. Who did not answer within
 * a second, or is being started again, is left out and named in `workersMissing`.
 */
export function createCrewPages(crew: Crew, now: () => number) {
  const health: HealthPages = {
    '/health': async () => {
      const reports = await crew.ask('health');
      const { status, body } = answerHealth(totalHealth(reports), now());
      const workers = reports.answers.map(({ worker, answer }) => {
        const { status: ofWorker, clients, uptime } = answer;
        return { worker, status: ofWorker, clients, uptime };
      });
      return { status, body: { ...body, workers, workersMissing: reports.missing } };
    },
    '/health/websocket': async () => {
      const [reports, addresses] = await Promise.all([crew.ask('health'), crew.ask('addresses')]);
      // Somebody who is connected to two of them is one user.
      const uniqueUsers = new Set(addresses.answers.flatMap(({ answer }) => answer)).size;
      const { status, body } = answerWebSocketHealth({ ...totalHealth(reports), uniqueUsers });
      const workers = reports.answers.map(({ worker, answer }) => {
        const { clients, subscriptions, uptime } = answer;
        return { worker, activeConnections: clients, subscriptions, uptime };
      });
      return { status, body: { ...body, workers, workersMissing: reports.missing } };
    },
  };
  return {
    health,
    readStats: async (): Promise<object> => {
      const { answers, missing } = await crew.ask('stats');
      const { pid: _ofOne, ...total } = totalStats(answers.map(({ answer }) => answer));
      return {
        ...total,
        workers: answers.map(({ worker, answer }) => ({ worker, ...answer })),
        workersMissing: missing,
      };
    },
    readMetrics: async (): Promise<string> => formatTotalMetrics(await crew.ask('metrics')),
  };
}

/** The sums, and the worst: one that is missing makes the whole degraded at the least. */
function totalHealth({ answers, missing }: Answers<HealthReport>): HealthReport {
  const reports = answers.map(({ answer }) => answer);
  const sum = (figure: 'clients' | 'uniqueUsers' | 'subscriptions'): number =>
    reports.reduce((total, report) => total + report[figure], 0);
  const worst = Math.max(
    missing.length > 0 ? HEALTH_STATUSES.indexOf('degraded') : 0,
    ...reports.map(({ status }) => HEALTH_STATUSES.indexOf(status)),
  );
  return {
    status: HEALTH_STATUSES[worst]!,
    shuttingDown: reports.some(({ shuttingDown }) => shuttingDown),
    clients: sum('clients'),
    uniqueUsers: sum('uniqueUsers'),
    subscriptions: sum('subscriptions'),
    uptime: Math.max(...reports.map(({ uptime }) => uptime)),
    redis: reports.every(({ redis }) => redis === null) ? null : reports.every(({ redis }) => redis !== false),
    database: reports.every(({ database }) => database),
    feed: reports.every(({ feed }) => feed),
  };
}
