import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Figures of one part, by name; nested ones are one label deep at the most. */
export type Figures = Readonly<Record<string, unknown>>;

/**
 * The Prometheus page. What the parts count is read when the page is, under `tapeql_<part>_<figure>`; a figure that is
 * itself a record becomes one series per key. Keys come from closed sets (fields, kinds, causes), so series are bounded.
 */
export function createMetrics(parts: Readonly<Record<string, () => Figures>>) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const latency = new Histogram({
    name: 'tapeql_delivery_latency_seconds',
    help: 'From the read of the upstream frame to the hand-over to the transport, by subscription field.',
    labelNames: ['field'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers: [registry],
  });
  const gauges = new Map<string, Gauge>();

  function set(part: string, figure: string, value: number, label?: { name: string; value: string }): void {
    const name = `tapeql_${toSnakeCase(part)}_${toSnakeCase(figure)}`;
    let gauge = gauges.get(name);
    if (gauge === undefined) {
      gauge = new Gauge({
        name,
        help: `${figure} of ${part}`,
        labelNames: label === undefined ? [] : [label.name],
        registers: [registry],
      });
      gauges.set(name, gauge);
    }
    if (label === undefined) gauge.set(value);
    else gauge.set({ [label.name]: label.value }, value);
  }

  return {
    contentType: registry.contentType,
    observeLatency: (field: string, ms: number): void => latency.observe({ field }, ms / 1000),
    read: (): Promise<string> => {
      for (const [part, readFigures] of Object.entries(parts)) {
        for (const [figure, value] of Object.entries(readFigures())) {
          if (typeof value === 'number') set(part, figure, value);
          else if (typeof value === 'object' && value !== null) {
            for (const [key, inner] of Object.entries(value)) {
              if (typeof inner === 'number') set(part, figure, inner, { name: 'key', value: key });
            }
          }
        }
      }
      return registry.metrics();
    },
  };
}

function toSnakeCase(name: string): string {
  return name
    .replace(/[^a-zA-Z0-9]+/g, '_')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase();
}
