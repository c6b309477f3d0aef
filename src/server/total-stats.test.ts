import { expect, it } from 'vitest';
import { totalStats } from './total-stats.ts';

it('adds counts, at every depth, and takes a part that only one has as it is', () => {
  const total = totalStats([
    { connections: { accepted: 3 }, byField: { trades: 1 }, ingest: {} },
    { connections: { accepted: 4 }, byField: { bars: 2 }, ingest: { isWriter: 1 } },
  ]);
  expect(total).toEqual({ connections: { accepted: 7 }, byField: { trades: 1, bars: 2 }, ingest: { isWriter: 1 } });
});

it('shows the worst percentile, and none where nobody has one', () => {
  const total = totalStats([
    { latency: { count: 10, p50: 2, p99: 9 }, idle: { count: 0, p50: null } },
    { latency: { count: 20, p50: 1, p99: 30 }, idle: { count: 0, p50: null } },
    { latency: { count: 0, p50: null, p99: null }, idle: { count: 0, p50: null } },
  ]);
  expect(total).toEqual({ latency: { count: 30, p50: 2, p99: 30 }, idle: { count: 0, p50: null } });
});

it('works the hit rate out anew, and is as old as the oldest', () => {
  const total = totalStats([
    { cache: { hits: 1, misses: 1, hitRate: 0.5 }, uptimeSeconds: 5 },
    { cache: { hits: 8, misses: 0, hitRate: 1 }, uptimeSeconds: 60 },
  ]);
  expect(total).toEqual({ cache: { hits: 9, misses: 1, hitRate: 0.9 }, uptimeSeconds: 60 });
  expect(totalStats([{ hits: 0, misses: 0, hitRate: 1 }])).toEqual({ hits: 0, misses: 0, hitRate: 1 });
});
