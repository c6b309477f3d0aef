import { AggregatorRegistry, Gauge } from 'prom-client';
import type { Answers } from './crew.ts';
import type { MetricReport, MetricsReport } from './metrics.ts';

/**
 * The Prometheus page of several processes as that of one. A count of a process that is gone or silent stays in as it was
 * last told: a sum that falls would be taken for a restart of the whole, and its next rise for an increase from nothing.
 */
export async function formatTotalMetrics({ answers, missing, past }: Answers<MetricsReport>): Promise<string> {
  const registry = aggregate([...answers.map(({ answer }) => answer), ...past.map(pickCounts)]);
  const workers = new Gauge({
    name: 'tapeql_workers',
    help: 'Processes of this host that share the port, with their ingest; the figures here are those of the answering ones.',
    labelNames: ['state'],
    registers: [registry],
  });
  workers.set({ state: 'answering' }, answers.length);
  workers.set({ state: 'missing' }, missing.length);
  return registry.metrics();
}

/** Adds what a process counted that is gone to what others did before it. */
export async function addCounts(sum: MetricsReport | undefined, gone: MetricsReport): Promise<MetricsReport> {
  const counts = pickCounts(gone);
  if (sum === undefined) return counts;
  return (await aggregate([sum, counts]).getMetricsAsJSON()) as unknown as MetricsReport;
}

function pickCounts(report: MetricsReport): MetricsReport {
  return report.filter(({ type }) => type === 'counter' || type === 'histogram');
}

function aggregate(reports: readonly MetricsReport[]): AggregatorRegistry<'text/plain; version=0.0.4; charset=utf-8'> {
  return AggregatorRegistry.aggregate(reports as MetricReport[][]) as never;
}
