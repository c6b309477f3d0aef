import {
  type Aggregator,
  collectDefaultMetrics,
  Counter,
  Gauge,
  type Metric as AnyMetric,
  Registry,
} from 'prom-client';
import type { LatencyHistogram } from '../delivery/latency-histogram.ts';
import type { StatsSources } from './stats.ts';

type Values = number | ReadonlyMap<string, number>;
type Metric = {
  readonly name: string;
  readonly help: string;
  /** A counter's name ends in `_total`, any other is a gauge. With `label`, `read` gives one value per label value. */
  readonly label?: string;
  /** What the figures of several processes make together; their sum unless told otherwise. */
  readonly aggregator?: Aggregator;
  readonly read: (sources: StatsSources) => Values;
};

/** The parts count by themselves; this is what the page calls their figures. Label values come from closed sets. */
const METRICS: readonly Metric[] = [
  { name: 'connections', help: 'Open WebSocket connections.', read: (s) => s.connections().connections },
  {
    name: 'connections_accepted_total',
    help: 'WebSocket connections accepted.',
    read: (s) => s.connections().accepted,
  },
  {
    name: 'connections_refused_total',
    help: 'WebSocket connections refused: origin, limit, credentials or shutdown; also those that were not upgraded.',
    read: (s) => s.connections().refused,
  },
  {
    name: 'upgrades_refused_total',
    help: 'Of these the ones that were answered by an HTTP status in place of an upgrade.',
    label: 'cause',
    read: (s) => toMap(s.connections().refusedUpgrades),
  },
  {
    name: 'connections_refusing',
    help: 'Refused WebSocket connections that are being told so by a close code, for a second at the most.',
    read: (s) => s.connections().refusing,
  },
  {
    name: 'websocket_messages_received_total',
    help: 'WebSocket messages from clients.',
    read: (s) => s.connections().messagesIn,
  },
  {
    name: 'websocket_messages_sent_total',
    help: 'WebSocket messages to clients.',
    read: (s) => s.connections().messagesOut,
  },
  {
    name: 'subscriptions',
    help: 'Running subscriptions by root field.',
    label: 'field',
    read: (s) => toMap(s.subscriptions().activeByField),
  },
  {
    name: 'deliveries_total',
    help: 'Results handed to a transport, by root field.',
    label: 'field',
    read: (s) => toMap(s.subscriptions().deliveredByField),
  },
  {
    name: 'executions_total',
    help: 'Results that were worked out, by root field; deliveries above them were shared.',
    label: 'field',
    read: (s) => toMap(s.subscriptions().executedByField),
  },
  {
    name: 'subscriptions_ended_total',
    help: 'Subscriptions that ended: by the client, by the server, or by which error.',
    label: 'cause',
    read: (s) => new Map(Object.entries(s.subscriptions().endedByCause).map(([cause, n]) => [cause.toLowerCase(), n])),
  },
  {
    name: 'socket_backlog_bytes',
    help: 'What the kernel has not yet taken of what was written to the WebSockets.',
    read: (s) => s.connections().backlogBytes,
  },
  {
    name: 'unread_bytes',
    help: 'Memory that answers and messages hold which clients have not read, over HTTP and WebSockets.',
    read: (s) => s.unread().bytes,
  },
  {
    name: 'connections_cut_total',
    help: 'Connections cut off because they left too much unread, or read too slowly.',
    label: 'cause',
    read: (s) =>
      new Map([
        ['too_much', s.unread().cutTooMuch],
        ['too_slow', s.unread().cutTooSlow],
      ]),
  },
  {
    name: 'work_seconds_total',
    help: 'CPU time that clients are charged for: messages, documents that were not known yet, long answers.',
    read: (s) => s.work().workedMs / 1000,
  },
  {
    name: 'work_slowed_total',
    help: 'Connections and requests that had to wait because their account has spent too much CPU time, by transport.',
    label: 'transport',
    read: (s) => toMap(s.work().slowed),
  },
  {
    name: 'work_refused_total',
    help: 'Connections ended (1013) and requests refused (429) because their account has spent too much CPU time, by transport.',
    label: 'transport',
    read: (s) => toMap(s.work().refused),
  },
  {
    name: 'documents_parsed_total',
    help: 'Documents that were not known yet and had to be parsed.',
    read: (s) => s.work().documents.parsed,
  },
  {
    name: 'documents_validated_total',
    help: 'Documents that were not known yet and had to be validated.',
    read: (s) => s.work().documents.validated,
  },
  {
    name: 'documents_kept',
    help: 'Documents that are kept so that they need not be parsed again, by whether they are valid.',
    label: 'kind',
    read: (s) =>
      new Map([
        ['valid', s.work().documents.known],
        ['refused', s.work().documents.refused],
      ]),
  },
  { name: 'channels', help: 'Bus channels that this process listens to.', read: (s) => s.hub().channels },
  {
    name: 'symbols_wanted',
    help: 'Symbols that subscribers of a process want; with several workers: of that which wants the most.',
    aggregator: 'max',
    read: (s) => s.hub().symbolsWanted,
  },
  { name: 'mailbox_messages', help: 'Messages that wait for their subscribers.', read: (s) => s.hub().messagesWaiting },
  { name: 'mailbox_bytes', help: 'About how much memory they hold.', read: (s) => s.hub().bytesWaiting },
  {
    name: 'conflated_total',
    help: 'Quotes replaced by newer ones before a subscriber took them.',
    read: (s) => s.hub().conflated,
  },
  {
    name: 'slow_consumers_total',
    help: 'Log subscriptions ended with SLOW_CONSUMER.',
    read: (s) => s.hub().slowConsumers,
  },

  cacheMetric('hits_total', 'Ids answered without a load.', 'hits'),
  cacheMetric('misses_total', 'Ids that had to be loaded.', 'misses'),
  cacheMetric('stale_served_total', 'Ids answered stale while the upstream was away.', 'staleServed'),
  cacheMetric('loads_total', 'Ids loaded from the upstream.', 'loads'),
  cacheMetric('load_failures_total', 'Ids whose load failed.', 'loadFailures'),
  cacheMetric('fallback_reads_total', "Ids read from this process's memory while Redis was away.", 'fallbackReads'),

  {
    name: 'bus_messages_published_total',
    help: 'Messages published.',
    read: (s) => countOf(s.bus(), 'messagesPublished'),
  },
  {
    name: 'bus_messages_received_total',
    help: 'Messages received.',
    read: (s) => countOf(s.bus(), 'messagesReceived'),
  },
  {
    name: 'bus_messages_undecodable_total',
    help: 'Messages that were none of their kind.',
    read: (s) => countOf(s.bus(), 'messagesUndecodable'),
  },
  {
    name: 'bus_messages_dropped_total',
    help: 'Messages not published.',
    read: (s) => countOf(s.bus(), 'messagesDropped'),
  },
  {
    name: 'bus_listener_failures_total',
    help: 'Listeners that threw.',
    read: (s) => countOf(s.bus(), 'listenerFailures'),
  },
  {
    name: 'bus_reconnects_total',
    help: 'Connections to Redis made anew.',
    read: (s) => countOf(s.bus(), 'reconnects'),
  },

  { name: 'rest_requests_total', help: 'REST requests to the upstream.', read: (s) => countOf(s.rest(), 'requests') },
  { name: 'rest_retries_total', help: 'REST requests tried again.', read: (s) => countOf(s.rest(), 'retries') },
  {
    name: 'rest_rate_limited_total',
    help: 'REST requests answered 429.',
    read: (s) => countOf(s.rest(), 'rateLimited'),
  },
  { name: 'rest_failures_total', help: 'REST requests given up.', read: (s) => countOf(s.rest(), 'failures') },

  {
    name: 'ingest_events_total',
    help: 'Events of the feed by kind.',
    label: 'kind',
    read: (s) => pickByPrefix(s.ingest(), 'events'),
  },
  {
    name: 'ingest_writer',
    help: '1: this process is the writer. 0: it stands by, or is no ingest.',
    read: (s) => countOf(s.ingest(), 'isWriter'),
  },
  {
    name: 'ingest_lease_takeovers_total',
    help: 'How often this process became the writer.',
    read: (s) => countOf(s.ingest(), 'leaseTakeovers'),
  },
  {
    name: 'ingest_prints_filled_total',
    help: 'Missed prints that were read from the history of the upstream.',
    read: (s) => countOf(s.ingest(), 'printsFilled'),
  },
  {
    name: 'ingest_bars_filled_total',
    help: 'Missed bars that were read from the history of the upstream.',
    read: (s) => countOf(s.ingest(), 'barsFilled'),
  },
  { name: 'ingest_symbols', help: 'Symbols subscribed upstream.', read: (s) => countOf(s.ingest(), 'symbols') },
  {
    name: 'ingest_quotes_published_total',
    help: 'Quotes published.',
    read: (s) => countOf(s.ingest(), 'quotesPublished'),
  },
  {
    name: 'ingest_quotes_conflated_total',
    help: 'Changes of a quote that were published together with a later one.',
    read: (s) => countOf(s.ingest(), 'quotesConflated'),
  },
  {
    name: 'ingest_trades_appended_total',
    help: 'Prints written to the log.',
    read: (s) => countOf(s.ingest(), 'tradesAppended'),
  },
  {
    name: 'ingest_bars_appended_total',
    help: 'Bars written to the log.',
    read: (s) => countOf(s.ingest(), 'barsAppended'),
  },
  {
    name: 'ingest_append_failures_total',
    help: 'Writes to the log that failed and are tried again.',
    read: (s) => countOf(s.ingest(), 'appendFailures'),
  },
  {
    name: 'ingest_entries_waiting',
    help: 'Log entries that wait for the bus.',
    read: (s) => countOf(s.ingest(), 'entriesWaiting'),
  },
  {
    name: 'ingest_entries_given_up_total',
    help: 'Log entries dropped because too many waited; each is told by gapBefore.',
    read: (s) => countOf(s.ingest(), 'entriesGivenUp'),
  },
  { name: 'ingest_gaps_told_total', help: 'Prints with gapBefore.', read: (s) => countOf(s.ingest(), 'gapsTold') },
  {
    name: 'ingest_bar_gaps_told_total',
    help: 'Bars with gapBefore.',
    read: (s) => countOf(s.ingest(), 'barGapsTold'),
  },
  {
    name: 'ingest_lag_seconds',
    help: "From the exchange's time of the latest event to its reading.",
    read: (s) => countOf(s.ingest(), 'lagMs') / 1000,
  },

  { name: 'feed_frames_total', help: 'Frames read from the upstream.', read: (s) => countOf(s.feed(), 'frames') },
  {
    name: 'feed_events_total',
    help: 'Elements of them that are events of ours.',
    read: (s) => countOf(s.feed(), 'events'),
  },
  {
    name: 'feed_bad_frames_total',
    help: 'Frames that were no JSON array.',
    read: (s) => countOf(s.feed(), 'badFrames'),
  },
  {
    name: 'feed_elements_dropped_total',
    help: 'Elements that did not hold, by cause.',
    label: 'cause',
    read: (s) => pickByPrefix(s.feed(), 'dropped.'),
  },
  {
    name: 'feed_elements_ignored_total',
    help: 'Elements of kinds that are not ours.',
    label: 'kind',
    read: (s) => pickByPrefix(s.feed(), 'ignored.'),
  },
  {
    name: 'feed_connected',
    help: '1 where the cluster of the upstream is connected.',
    label: 'cluster',
    read: (s) => pickByPrefix(s.feed(), 'connected.'),
  },
  {
    name: 'feed_reconnects_total',
    help: 'Connections to the upstream made anew.',
    read: (s) => countOf(s.feed(), 'reconnects'),
  },
  {
    name: 'feed_evictions_total',
    help: 'Connections ended because the key was used elsewhere (max_connections).',
    read: (s) => countOf(s.feed(), 'evictions'),
  },
  {
    name: 'feed_topics_unconfirmed',
    help: 'Topics that the upstream has not acknowledged.',
    read: (s) => countOf(s.feed(), 'topicsUnconfirmed'),
  },
];

/** All metrics of a process as they cross to another one. */
export type MetricsReport = readonly MetricReport[];
export type MetricReport = {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  /** How those of several processes become one. */
  readonly aggregator: Aggregator;
  readonly values: readonly {
    readonly value: number;
    readonly labels: Readonly<Record<string, string | number | undefined>>;
    /** Where it is not the metric's: that of a part of a histogram. */
    readonly metricName?: string;
  }[];
};

/** The Prometheus page, under `tapeql_`; figures are read when it is. */
export function createMetrics(sources: StatsSources) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const metric of METRICS) register(metric, sources, registry);
  const latency = { name: LATENCY, get: () => toLatencyReport(sources.latency()) };
  // All that a registry asks of a metric is its name and its values.
  registry.registerMetric(latency as unknown as AnyMetric);
  return {
    contentType: registry.contentType,
    read: (): Promise<string> => registry.metrics(),
    readReport: async (): Promise<MetricsReport> => (await registry.getMetricsAsJSON()) as unknown as MetricsReport,
  };
}

const LATENCY = 'tapeql_delivery_latency_seconds';
const LATENCY_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** A histogram that is counted by deliveries of one turn together, which prom-client cannot take. */
function toLatencyReport(byField: ReadonlyMap<string, LatencyHistogram>): MetricReport {
  return {
    name: LATENCY,
    help: 'From the read of the upstream frame to the write of the result, by root field.',
    type: 'histogram',
    aggregator: 'sum',
    values: [...byField].flatMap(([field, histogram]) => [
      ...LATENCY_BUCKETS_S.map((le) => ({
        metricName: `${LATENCY}_bucket`,
        labels: { field, le },
        value: histogram.countUpTo(le * 1000),
      })),
      { metricName: `${LATENCY}_bucket`, labels: { field, le: '+Inf' }, value: histogram.count },
      { metricName: `${LATENCY}_sum`, labels: { field }, value: histogram.sumMs / 1000 },
      { metricName: `${LATENCY}_count`, labels: { field }, value: histogram.count },
    ]),
  };
}

function register({ name, help, label, aggregator, read }: Metric, sources: StatsSources, registry: Registry): void {
  const options = {
    name: `tapeql_${name}`,
    help,
    labelNames: label === undefined ? [] : [label],
    registers: [registry],
    ...(aggregator !== undefined && { aggregator }),
    collect(this: Counter | Gauge): void {
      // The part keeps the count: what stands here is replaced, not added to.
      this.reset();
      const values = read(sources);
      if (typeof values === 'number') this.inc(values);
      else if (label !== undefined) for (const [key, value] of values) this.inc({ [label]: key }, value);
    },
  };
  if (name.endsWith('_total')) new Counter(options);
  else new Gauge(options);
}

function cacheMetric(name: string, help: string, figure: keyof ReturnType<StatsSources['cache']>[string]): Metric {
  return {
    name: `cache_${name}`,
    help,
    label: 'kind',
    read: (s) => {
      const kinds = Object.entries(s.cache()).filter(([kind]) => kind !== 'total');
      return new Map(kinds.map(([kind, counts]) => [kind, counts[figure]]));
    },
  };
}

/** 0 where the part does not run in this process. */
function countOf(counts: Readonly<Record<string, number>>, figure: string): number {
  return counts[figure] ?? 0;
}

/** `eventsTrade` and `dropped.price` by what follows the prefix. */
function pickByPrefix(counts: Readonly<Record<string, number>>, prefix: string): Map<string, number> {
  const picked = Object.entries(counts).filter(([figure]) => figure.startsWith(prefix));
  return new Map(picked.map(([figure, count]) => [toSnakeCase(figure.slice(prefix.length)), count]));
}

function toMap(counts: Readonly<Record<string, number>>): ReadonlyMap<string, number> {
  return new Map(Object.entries(counts));
}

function toSnakeCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
}
