/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';
/** How long a bar is. */
export type BarInterval =
  /** One trading day; queries only. */
  | 'DAY'
  /** One hour; queries only. */
  | 'HOUR'
  /** One minute. */
  | 'MINUTE'
  /** One second. */
  | 'SECOND';

/** Where the market data comes from. */
export type Feed =
  /** The real market, 15 minutes late. */
  | 'DELAYED'
  /** The real market, in real time. */
  | 'LIVE'
  /** A recording. */
  | 'REPLAY'
  /** A simulated exchange: real symbols, invented prices. */
  | 'SIMULATED';

/** How this service is doing. */
export type ServiceState =
  /** Something that this service needs is away; `reason` says what. Quotes are answered from the last known values. */
  | 'DEGRADED'
  /** All is well. */
  | 'OPERATIONAL'
  /** Market events are held back on purpose. */
  | 'PAUSED'
  /** This process is about to end: reconnect. */
  | 'SHUTTING_DOWN';

/** The part of the trading day, in New York time. */
export type Session =
  /** 16:00 to 20:00, or 13:00 to 17:00 on a day of early close. */
  | 'AFTER_HOURS'
  /** No trading. */
  | 'CLOSED'
  /** Between the after-hours session and the next pre-market, where the exchanges offer it. */
  | 'OVERNIGHT'
  /** 04:00 to 09:30. */
  | 'PRE_MARKET'
  /** 09:30 to 16:00, or to 13:00 on a day of early close. */
  | 'REGULAR';

export type QuoteUpdatesSubscriptionVariables = Exact<{
  symbols: Array<string>;
  maxRateHz?: number | null | undefined;
}>;


export type QuoteUpdatesSubscription = { quoteUpdates: { symbol: string, price: number, change: number | null, changePercent: number | null, bid: number | null, bidSize: number | null, ask: number | null, askSize: number | null, volume: number, timestamp: string, stale: boolean } };

export type TradesSubscriptionVariables = Exact<{
  symbols: Array<string>;
  after?: string | null | undefined;
}>;


export type TradesSubscription = { trades: { id: string, symbol: string, price: number, size: number, offExchange: boolean, sequence: number, gapBefore: boolean, timestamp: string, exchange: { name: string }, conditions: Array<{ name: string }> } };

export type BarsSubscriptionVariables = Exact<{
  symbols: Array<string>;
  interval: BarInterval;
  after?: string | null | undefined;
}>;


export type BarsSubscription = { bars: { symbol: string, interval: BarInterval, start: string, open: number, high: number, low: number, close: number, volume: number, vwap: number | null, gapBefore: boolean } };

export type MarketStatusChangesSubscriptionVariables = Exact<{ [key: string]: never; }>;


export type MarketStatusChangesSubscription = { marketStatus: { isOpen: boolean, session: Session, nextOpen: string | null, nextClose: string | null, holiday: string | null } };

export type ServiceStatusChangesSubscriptionVariables = Exact<{ [key: string]: never; }>;


export type ServiceStatusChangesSubscription = { serviceStatus: { state: ServiceState, reason: string | null, feed: Feed, feedConnected: boolean } };


export const QuoteUpdatesDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"subscription","name":{"kind":"Name","value":"QuoteUpdates"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"symbols"}},"type":{"kind":"NonNullType","type":{"kind":"ListType","type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Symbol"}}}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"maxRateHz"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"Float"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"quoteUpdates"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"symbols"},"value":{"kind":"Variable","name":{"kind":"Name","value":"symbols"}}},{"kind":"Argument","name":{"kind":"Name","value":"maxRateHz"},"value":{"kind":"Variable","name":{"kind":"Name","value":"maxRateHz"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"symbol"}},{"kind":"Field","name":{"kind":"Name","value":"price"}},{"kind":"Field","name":{"kind":"Name","value":"change"}},{"kind":"Field","name":{"kind":"Name","value":"changePercent"}},{"kind":"Field","name":{"kind":"Name","value":"bid"}},{"kind":"Field","name":{"kind":"Name","value":"bidSize"}},{"kind":"Field","name":{"kind":"Name","value":"ask"}},{"kind":"Field","name":{"kind":"Name","value":"askSize"}},{"kind":"Field","name":{"kind":"Name","value":"volume"}},{"kind":"Field","name":{"kind":"Name","value":"timestamp"}},{"kind":"Field","name":{"kind":"Name","value":"stale"}}]}}]}}]} as unknown as DocumentNode<QuoteUpdatesSubscription, QuoteUpdatesSubscriptionVariables>;
export const TradesDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"subscription","name":{"kind":"Name","value":"Trades"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"symbols"}},"type":{"kind":"NonNullType","type":{"kind":"ListType","type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Symbol"}}}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"Cursor"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"trades"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"symbols"},"value":{"kind":"Variable","name":{"kind":"Name","value":"symbols"}}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"id"}},{"kind":"Field","name":{"kind":"Name","value":"symbol"}},{"kind":"Field","name":{"kind":"Name","value":"price"}},{"kind":"Field","name":{"kind":"Name","value":"size"}},{"kind":"Field","name":{"kind":"Name","value":"exchange"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"conditions"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"name"}}]}},{"kind":"Field","name":{"kind":"Name","value":"offExchange"}},{"kind":"Field","name":{"kind":"Name","value":"sequence"}},{"kind":"Field","name":{"kind":"Name","value":"gapBefore"}},{"kind":"Field","name":{"kind":"Name","value":"timestamp"}}]}}]}}]} as unknown as DocumentNode<TradesSubscription, TradesSubscriptionVariables>;
export const BarsDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"subscription","name":{"kind":"Name","value":"Bars"},"variableDefinitions":[{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"symbols"}},"type":{"kind":"NonNullType","type":{"kind":"ListType","type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"Symbol"}}}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"interval"}},"type":{"kind":"NonNullType","type":{"kind":"NamedType","name":{"kind":"Name","value":"BarInterval"}}}},{"kind":"VariableDefinition","variable":{"kind":"Variable","name":{"kind":"Name","value":"after"}},"type":{"kind":"NamedType","name":{"kind":"Name","value":"Cursor"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"bars"},"arguments":[{"kind":"Argument","name":{"kind":"Name","value":"symbols"},"value":{"kind":"Variable","name":{"kind":"Name","value":"symbols"}}},{"kind":"Argument","name":{"kind":"Name","value":"interval"},"value":{"kind":"Variable","name":{"kind":"Name","value":"interval"}}},{"kind":"Argument","name":{"kind":"Name","value":"after"},"value":{"kind":"Variable","name":{"kind":"Name","value":"after"}}}],"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"symbol"}},{"kind":"Field","name":{"kind":"Name","value":"interval"}},{"kind":"Field","name":{"kind":"Name","value":"start"}},{"kind":"Field","name":{"kind":"Name","value":"open"}},{"kind":"Field","name":{"kind":"Name","value":"high"}},{"kind":"Field","name":{"kind":"Name","value":"low"}},{"kind":"Field","name":{"kind":"Name","value":"close"}},{"kind":"Field","name":{"kind":"Name","value":"volume"}},{"kind":"Field","name":{"kind":"Name","value":"vwap"}},{"kind":"Field","name":{"kind":"Name","value":"gapBefore"}}]}}]}}]} as unknown as DocumentNode<BarsSubscription, BarsSubscriptionVariables>;
export const MarketStatusChangesDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"subscription","name":{"kind":"Name","value":"MarketStatusChanges"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"marketStatus"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"isOpen"}},{"kind":"Field","name":{"kind":"Name","value":"session"}},{"kind":"Field","name":{"kind":"Name","value":"nextOpen"}},{"kind":"Field","name":{"kind":"Name","value":"nextClose"}},{"kind":"Field","name":{"kind":"Name","value":"holiday"}}]}}]}}]} as unknown as DocumentNode<MarketStatusChangesSubscription, MarketStatusChangesSubscriptionVariables>;
export const ServiceStatusChangesDocument = {"kind":"Document","definitions":[{"kind":"OperationDefinition","operation":"subscription","name":{"kind":"Name","value":"ServiceStatusChanges"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"serviceStatus"},"selectionSet":{"kind":"SelectionSet","selections":[{"kind":"Field","name":{"kind":"Name","value":"state"}},{"kind":"Field","name":{"kind":"Name","value":"reason"}},{"kind":"Field","name":{"kind":"Name","value":"feed"}},{"kind":"Field","name":{"kind":"Name","value":"feedConnected"}}]}}]}}]} as unknown as DocumentNode<ServiceStatusChangesSubscription, ServiceStatusChangesSubscriptionVariables>;