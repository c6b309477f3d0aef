import type { ConnectionState } from '../src/graphql/web-socket-transport.ts';
import type { Gap } from '../src/graphql/resumption.ts';
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
  showConnection(state: ConnectionState, reconnects: number): void;
  /** Entries of a log were missed before the one that is shown next. */
  showGap(log: Log, gap: Gap): void;
  /** An operation failed, and is tried again. */
  showError(message: string): void;
  /** Puts the terminal back as it was. */
  close(): void;
};

/** The connection's state in words. */
export function describeConnection(state: ConnectionState, url: string): string {
  switch (state.status) {
    case 'idle':
    case 'connecting':
      return `connecting to ${url}`;
    case 'live':
      return `connected to ${url}`;
    case 'waiting': {
      const { code, reason } = state.cause;
      const why = [code === null ? '' : String(code), reason].filter(Boolean).join(' ');
      const retry = `trying again in ${(state.retryInMs / 1000).toFixed(1)} s`;
      return `${why === '' ? `cannot reach ${url}` : `no connection to ${url} (${why})`}: ${retry}`;
    }
    case 'refused':
      return `refused by ${url}`;
  }
}
