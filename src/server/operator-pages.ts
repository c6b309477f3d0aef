import type { HealthPages } from './health.ts';

export type Page = { readonly status: number; readonly contentType: string; readonly body: string };

/** What operators, orchestrators and monitoring read, by path. */
export type OperatorPages = Readonly<Record<string, () => Promise<Page>>>;

export type OperatorPageSources = {
  readonly health: HealthPages;
  readonly readStats: () => object | Promise<object>;
  readonly metrics: { readonly contentType: string; read(): Promise<string> };
};

const JSON_TYPE = 'application/json; charset=utf-8';
/** What tells an orchestrator or a load balancer whether to send clients here, and nothing of the clients. */
const PROBES: ReadonlySet<string> = new Set(['/health', '/health/live', '/health/ready']);

export function createOperatorPages({ health, readStats, metrics }: OperatorPageSources): OperatorPages {
  const checks = Object.entries(health).map(([path, check]) => {
    const read = async (): Promise<Page> => {
      const { status, body } = await check();
      return { status, contentType: JSON_TYPE, body: JSON.stringify(body) };
    };
    return [path, read] as const;
  });
  return {
    ...Object.fromEntries(checks),
    '/stats': async () => ({
      status: 200,
      contentType: JSON_TYPE,
      body: JSON.stringify(await readStats(), null, 2),
    }),
    '/metrics': async () => ({ status: 200, contentType: metrics.contentType, body: await metrics.read() }),
  };
}

/** Those that are on the port of the clients as well, where operators have a port of their own, or are to have one. */
export function pickProbes(pages: OperatorPages): OperatorPages {
  return Object.fromEntries(Object.entries(pages).filter(([path]) => PROBES.has(path)));
}
