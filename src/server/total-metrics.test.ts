import { expect, it } from 'vitest';
import type { MetricReport, MetricsReport } from './metrics.ts';
import { addCounts, formatTotalMetrics } from './total-metrics.ts';

const report = (deliveries: number, connections: number): MetricsReport => [
  { ...DELIVERIES, values: [{ value: deliveries, labels: { field: 'trades' } }] },
  { ...CONNECTIONS, values: [{ value: connections, labels: {} }] },
];
const DELIVERIES = { name: 'deliveries_total', help: 'Deliveries.', type: 'counter', aggregator: 'sum' } as const;
const CONNECTIONS = { name: 'connections', help: 'Connections.', type: 'gauge', aggregator: 'sum' } as const;

async function readTotal(answering: readonly MetricsReport[], past: readonly MetricsReport[]): Promise<string[]> {
  const answers = answering.map((answer, index) => ({ worker: `api-${index + 1}`, answer }));
  const text = await formatTotalMetrics({ answers, missing: [], past });
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

it('adds up what answered', async () => {
  expect(await readTotal([report(3, 1), report(4, 2)], [])).toEqual([
    'deliveries_total{field="trades"} 7',
    'connections 3',
    'tapeql_workers{state="answering"} 2',
    'tapeql_workers{state="missing"} 0',
  ]);
});

it('keeps what the gone and the silent have counted, and not what they had', async () => {
  const gone = await addCounts(await addCounts(undefined, report(100, 8)), report(10, 9));
  expect(await readTotal([report(3, 1)], [gone, report(1000, 7)])).toEqual([
    'deliveries_total{field="trades"} 1113',
    'connections 1',
    'tapeql_workers{state="answering"} 1',
    'tapeql_workers{state="missing"} 0',
  ]);
});

it('takes the part of a histogram for what it is', async () => {
  const histogram = (count: number): MetricReport => ({
    name: 'latency',
    help: 'Latency.',
    type: 'histogram',
    aggregator: 'sum',
    values: [
      { metricName: 'latency_bucket', labels: { le: '+Inf' }, value: count },
      { metricName: 'latency_count', labels: {}, value: count },
    ],
  });
  expect((await readTotal([[histogram(1)], [histogram(2)]], [])).slice(0, 2)).toEqual([
    'latency_bucket{le="+Inf"} 3',
    'latency_count 3',
  ]);
});
