/** What is told of a set of times, in the unit in which they were given. `NaN` where there were none. */
export type Percentiles = {
  readonly samples: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
};

/** By nearest rank: the smallest value that at least this share of all values do not exceed. */
export function percentileOf(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]!;
}

export function summarize(values: readonly number[]): Percentiles {
  const sorted = Float64Array.from(values).sort();
  return {
    samples: sorted.length,
    p50: percentileOf(sorted, 0.5),
    p99: percentileOf(sorted, 0.99),
    max: sorted.length === 0 ? Number.NaN : sorted[sorted.length - 1]!,
  };
}

/** The middle of several rounds; between the two middle ones where their number is even. `NaN` where there is none. */
export function medianOf(values: readonly number[]): number {
  const sorted = Float64Array.from(values.filter((value) => !Number.isNaN(value))).sort();
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
