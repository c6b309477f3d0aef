import type { Gap } from '../src/graphql/resumption.ts';
import type { TapeStatus } from '../src/graphql/tape-status.ts';
import type {
  BarsSubscription,
  MarketStatusChangesSubscription,
  QuoteUpdatesSubscription,
  ServiceStatusChangesSubscription,
  TradesSubscription,
} from '../src/gql/graphql.ts';

export type Quote = QuoteUpdatesSubscription['quoteUpdates'];
export type Trade = TradesSubscription['trades'];
export type Bar = BarsSubscription['bars'];
export type MarketStatus = MarketStatusChangesSubscription['marketStatus'];
export type ServiceStatus = ServiceStatusChangesSubscription['serviceStatus'];

export type Log = 'trades' | 'bars';

/** Where the watch shows what it hears. */
export type View = {
  showQuote(quote: Quote): void;
  showTrade(trade: Trade): void;
  showBar(bar: Bar): void;
  showMarketStatus(status: MarketStatus): void;
  showServiceStatus(status: ServiceStatus): void;
  /** `reconnects`: how often the connection was made anew after it had stood. */
  showConnection(status: TapeStatus, reconnects: number): void;
  /** Entries of a log were missed before the one that is shown next. */
  showGap(log: Log, gap: Gap): void;
  /** An operation failed, and is tried again. */
  showError(message: string): void;
  /** Puts the terminal back as it was. */
  close(): void;
};

/** How the client stands with its server, in words. `now`: Unix ms. */
export function describeConnection(status: TapeStatus, url: string, now = Date.now()): string {
  const { state, cause, retryAt } = status;
  if (state === 'live') return `connected to ${url}`;
  if (state === 'degraded') return `connected to ${url} by event streams`;
  if (state === 'polling') return `asking ${url} every few seconds`;
  if (status.isRefused) return `refused by ${url}`;
  if (cause === null || retryAt === null) return `connecting to ${url}`;
  const why = [cause.code === null ? '' : String(cause.code), cause.reason].filter(Boolean).join(' ');
  const retry = `trying again in ${(Math.max(0, retryAt - now) / 1000).toFixed(1)} s`;
  return `${why === '' ? `cannot reach ${url}` : `no connection to ${url} (${why})`}: ${retry}`;
}
