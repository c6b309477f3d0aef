import type { WorkBudget } from '../access/work-budget.ts';
import type { CacheStats, Reads } from '../delivery/reads.ts';
import type { DeliveryFigures } from '../delivery/figures.ts';
import type { Hub } from '../delivery/hub.ts';
import type { UnreadBytes } from '../delivery/unread-bytes.ts';
import type { WebSocketTransport } from '../delivery/websocket.ts';
import type { Documents } from './documents.ts';

type Counts = Readonly<Record<string, number>>;

export type StatsSources = {
  readonly connections: () => ReturnType<WebSocketTransport['readStats']>;
  readonly subscriptions: () => ReturnType<DeliveryFigures['readStats']>;
  /** From the read of the upstream frame to the write, by root field, since the start. */
  readonly latency: () => ReturnType<DeliveryFigures['readLatency']>;
  readonly unread: () => ReturnType<UnreadBytes['readStats']>;
  /** CPU time that clients are charged for, and the documents that were sent. */
  readonly work: () => ReturnType<WorkBudget['readStats']> & { readonly documents: ReturnType<Documents['readStats']> };
  readonly hub: () => ReturnType<Hub['readStats']>;
  /** By kind of data, and all together under `total`. */
  readonly cache: () => Readonly<Record<string, CacheStats>>;
  readonly reads: () => ReturnType<Reads['readStats']>;
  readonly bus: () => Counts;
  readonly rest: () => Counts;
  readonly ingest: () => Counts;
  readonly feed: () => Counts;
  /** `unopened`: it is opened by its first use; `opening`, `open`, `unreachable`; `null` for ingest, which has no use for it. */
  readonly database: () => { readonly state: string | null };
  readonly uptimeSeconds: () => number;
};

export type Stats = ReturnType<typeof readStats>;

/** What /stats shows: first what everybody asks for, then all that the parts count. Counts are since the start. */
export function readStats(sources: StatsSources) {
  const { activeByField, active, latencyMs, latencyMsByField, ...delivered } = sources.subscriptions();
  const { total, ...cacheByKind } = sources.cache();
  const connections = sources.connections();
  return {
    uptimeSeconds: sources.uptimeSeconds(),
    connections,
    subscriptions: { active, byField: activeByField },
    symbolsWanted: sources.hub().symbolsWanted,
    cache: { ...total, readMs: sources.reads().cachedReadMs, byKind: cacheByKind },
    messages: { in: connections.messagesIn, out: connections.messagesOut, ...delivered },
    /** From the read of the upstream frame to the write of the result, over the last one to two minutes. */
    deliveryLatencyMs: { ...latencyMs, byField: latencyMsByField },
    memory: process.memoryUsage(),
    /** Answers and messages that clients have not read, over HTTP and WebSockets, and whom it cut off. */
    unread: sources.unread(),
    /** CPU time that clients are charged for, who was slowed and refused for it, and the documents that are kept. */
    work: sources.work(),
    hub: sources.hub(),
    bus: sources.bus(),
    rest: sources.rest(),
    ingest: sources.ingest(),
    feed: sources.feed(),
    database: sources.database(),
  };
}
