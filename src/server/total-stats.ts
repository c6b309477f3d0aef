/** Figures of which a sum would say nothing true: percentiles are those of the worst, ages those of the oldest. */
const GREATEST: ReadonlySet<string> = new Set(['p50', 'p99', 'uptimeSeconds', 'symbolsWanted']);

/** The figures of several processes as those of one: sums, but for what cannot be added. A figure that one lacks is that of the others. */
export function totalStats(all: readonly object[]): Record<string, unknown> {
  const records = all as readonly Readonly<Record<string, unknown>>[];
  const total: Record<string, unknown> = {};
  for (const name of new Set(records.flatMap((record) => Object.keys(record)))) {
    total[name] = totalOf(
      name,
      records.map((record) => record[name]).filter((value) => value != null),
    );
  }
  if ('hitRate' in total) {
    const asked = Number(total['hits']) + Number(total['misses']);
    total['hitRate'] = asked === 0 ? 1 : Number(total['hits']) / asked;
  }
  return total;
}

/** `null` where nobody has a value, as a percentile of nothing. */
function totalOf(name: string, values: readonly unknown[]): unknown {
  if (values.length === 0) return null;
  if (values.every((value) => typeof value === 'string')) return [...new Set(values)].join(', ');
  const numbers = values.filter((value) => typeof value === 'number');
  if (numbers.length === 0) return totalStats(values as readonly object[]);
  return GREATEST.has(name) ? Math.max(...numbers) : numbers.reduce((sum, value) => sum + value, 0);
}
