import type { Logger } from '../../market/logger.ts';
import type { FeedName, FeedStatus } from '../../market/service-status.ts';
import { isIndex } from '../../market/symbol.ts';
import type { Feed, FeedEvent, FeedListener } from '../feed.ts';
import { Cluster, type ClusterState } from './cluster.ts';
import { FEED_LIMITS, type FeedLimits } from './limits.ts';
import { systemTimers, type Timers } from '../../market/timers.ts';

export type PolygonFeedOptions = {
  /** The host, without a cluster: `wss://socket.massive.com`. */
  readonly url: string;
  readonly apiKey: string;
  readonly logger: Logger;
  /** Default: what {@link feedNameOf} tells of the host. */
  readonly name?: FeedName;
  /** Where one is missing, its default stands. */
  readonly limits?: Partial<FeedLimits>;
  /** Wall time in Unix ms, for `receivedAt`. Default: `Date.now`. */
  readonly clock?: () => number;
  readonly timers?: Timers;
  /** In [0, 1), for the jitter of reconnects. Default: `Math.random`. */
  readonly random?: () => number;
};

const STOCK_TOPICS = ['T', 'Q', 'A', 'AM'] as const;
const INDEX_TOPICS = ['V', 'A', 'AM'] as const;

/** `DELAYED` where the host says so ("delayed.massive.com"), else `LIVE`. */
export function feedNameOf(url: string): FeedName {
  return new URL(url).hostname.startsWith('delayed') ? 'DELAYED' : 'LIVE';
}

/**
 * Polygon's live feed: the `stocks` cluster, connected at all times, and the `indices` cluster from when the first index
 * is wanted, each over a socket of its own.
 *
 * `connected` is told once the subscriptions stand (confirmed, or after 2 s without), so that what happened before is
 * known to be missing and what happens after is not; events that come earlier are passed on. It needs every cluster in
 * use: `stocks`, and `indices` while an index is wanted and after it was once connected — one that never came up has lost
 * nothing, and one that the plan does not include must not stand for a loss of stocks. In both cases `reason` tells,
 * although `connected` is true. A refused key is final: there are no more attempts.
 *
 * Events of a symbol that was unsubscribed meanwhile are still passed on. Throws `TypeError` where `url` is none of a WebSocket.
 */
export function createPolygonFeed(options: PolygonFeedOptions): Feed {
  return new PolygonFeed(options);
}

class PolygonFeed implements Feed {
  readonly name: FeedName;
  readonly #logger: Logger;
  readonly #stocks: Cluster;
  readonly #indices: Cluster;
  #listener: FeedListener | null = null;
  #told: FeedStatus | null = null;
  #toldFlow = false;
  #toldIndexFlow = false;
  #closed = false;
  #listenerFailures = 0;

  constructor(options: PolygonFeedOptions) {
    if (!/^wss?:$/.test(new URL(options.url).protocol))
      throw new TypeError('the URL of a feed begins with ws: or wss:');
    this.name = options.name ?? feedNameOf(options.url);
    this.#logger = options.logger;
    const open = (name: 'stocks' | 'indices', topics: readonly string[]) =>
      new Cluster({
        name,
        url: new URL(name, options.url.endsWith('/') ? options.url : `${options.url}/`).href,
        topics,
        apiKey: options.apiKey,
        limits: { ...FEED_LIMITS, ...options.limits },
        clock: options.clock ?? Date.now,
        timers: options.timers ?? systemTimers,
        random: options.random ?? Math.random,
        logger: options.logger,
        onEvents: (events) => this.#passOn(events),
        onChange: () => this.#tellStatus(),
      });
    this.#stocks = open('stocks', STOCK_TOPICS);
    this.#indices = open('indices', INDEX_TOPICS);
  }

  start(listener: FeedListener): void {
    if (this.#listener !== null || this.#closed) throw new Error('a feed is started once');
    this.#listener = listener;
    this.#stocks.open();
    if (this.#indices.demand > 0) this.#indices.open();
  }

  subscribe(symbols: readonly string[]): void {
    if (this.#closed) return;
    const { stocks, indices } = partition(symbols);
    this.#stocks.subscribe(stocks);
    this.#indices.subscribe(indices);
    if (indices.length > 0 && this.#listener !== null) this.#indices.open();
    this.#tellStatus();
  }

  unsubscribe(symbols: readonly string[]): void {
    if (this.#closed) return;
    const { stocks, indices } = partition(symbols);
    this.#stocks.unsubscribe(stocks);
    this.#indices.unsubscribe(indices);
    this.#tellStatus();
  }

  readStats(): Readonly<Record<string, number>> {
    const stats: Record<string, number> = { listenerFailures: this.#listenerFailures };
    for (const cluster of [this.#stocks, this.#indices]) {
      for (const [name, count] of Object.entries(cluster.readStats())) stats[name] = (stats[name] ?? 0) + count;
    }
    stats['connected.stocks'] = this.#stocks.readState().phase === 'connected' ? 1 : 0;
    stats['connected.indices'] = this.#indices.readState().phase === 'connected' ? 1 : 0;
    return stats;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#stocks.close(), this.#indices.close()]);
  }

  #passOn(events: readonly FeedEvent[]): void {
    if (this.#closed) return;
    this.#call(() => this.#listener?.onEvents(events));
  }

  /** Tells the state of both clusters as one, where it is not what was told last. */
  #tellStatus(): void {
    if (this.#closed || this.#listener === null) return;
    const stocks = this.#stocks.readState();
    const indices = this.#indices.readState();
    // Indices have no prints.
    const isWhole = stocks.phase === 'connected';
    if (isWhole !== this.#toldFlow) {
      this.#toldFlow = isWhole;
      this.#call(() => this.#listener?.onPrintFlow(isWhole));
    }
    const areIndicesWhole = indices.phase === 'connected';
    if (areIndicesWhole !== this.#toldIndexFlow) {
      this.#toldIndexFlow = areIndicesWhole;
      this.#call(() => this.#listener?.onIndexFlow(areIndicesWhole));
    }
    const connected = stocks.phase === 'connected' && !(this.#indices.demand > 0 && isLost(indices));
    const reasons = [stocks.reason, this.#indices.demand > 0 ? indices.reason : null].filter(
      (reason) => reason !== null,
    );
    const reason = reasons.length === 0 ? null : reasons.join('; ');
    if (this.#told?.connected === connected && this.#told.reason === reason) return;
    const status: FeedStatus = { feed: this.name, connected, reason };
    this.#told = status;
    this.#call(() => this.#listener?.onStatus(status));
  }

  /** A listener is not to throw; where it does, neither the socket nor the process pays for it. */
  #call(notify: () => void): void {
    try {
      notify();
    } catch (error) {
      this.#listenerFailures += 1;
      this.#logger.error({ err: error }, 'a listener of the feed failed');
    }
  }
}

function isLost({ phase, wasConnected }: ClusterState): boolean {
  return wasConnected && phase === 'away';
}

function partition(symbols: readonly string[]): { stocks: string[]; indices: string[] } {
  const stocks: string[] = [];
  const indices: string[] = [];
  for (const symbol of symbols) (isIndex(symbol) ? indices : stocks).push(symbol);
  return { stocks, indices };
}
