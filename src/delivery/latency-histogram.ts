/** Each power of two of microseconds has so many buckets: a value is known to a sixteenth of itself. */
const BUCKETS_PER_OCTAVE = 16;
const BUCKETS = BUCKETS_PER_OCTAVE * 29;
const MAX_US = 2 ** 31;

/** How often which latency was seen, in logarithmic buckets from a microsecond to half an hour. Recording many costs as much as one. */
export class LatencyHistogram {
  /** Sum of all values, in ms. */
  sumMs = 0;
  count = 0;
  readonly #buckets = new Float64Array(BUCKETS);

  static sum(...histograms: readonly LatencyHistogram[]): LatencyHistogram {
    const total = new LatencyHistogram();
    for (const histogram of histograms) {
      total.sumMs += histogram.sumMs;
      total.count += histogram.count;
      for (const [index, count] of histogram.#buckets.entries()) total.#buckets[index]! += count;
    }
    return total;
  }

  record(ms: number, times = 1): void {
    this.#buckets[bucketOf(ms)]! += times;
    this.count += times;
    this.sumMs += ms * times;
  }

  /** In ms, at most a sixteenth too high; `null` where nothing was recorded. */
  percentile(percent: number): number | null {
    if (this.count === 0) return null;
    let left = (this.count * percent) / 100;
    for (const [index, count] of this.#buckets.entries()) {
      left -= count;
      if (left <= 0) return lastOf(index) / 1000;
    }
    return MAX_US / 1000;
  }

  /** How many were at most `ms`; exact to a sixteenth of `ms`. */
  countUpTo(ms: number): number {
    let total = 0;
    for (let index = 0; index <= bucketOf(ms); index++) total += this.#buckets[index]!;
    return total;
  }
}

function bucketOf(ms: number): number {
  const us = Math.min(MAX_US - 1, Math.max(0, Math.round(ms * 1000)));
  if (us < BUCKETS_PER_OCTAVE) return us;
  const octave = 31 - Math.clz32(us) - 4;
  return BUCKETS_PER_OCTAVE * octave + (us >>> octave);
}

/** The highest value of a bucket, in microseconds. */
function lastOf(bucket: number): number {
  if (bucket < 2 * BUCKETS_PER_OCTAVE) return bucket;
  const octave = Math.floor(bucket / BUCKETS_PER_OCTAVE) - 1;
  return (bucket - BUCKETS_PER_OCTAVE * octave + 1) * 2 ** octave - 1;
}
