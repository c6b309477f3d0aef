/* eslint-disable */
import * as types from './graphql.ts';
import type { TypedDocumentNode as DocumentNode } from '@graphql-typed-document-node/core';

/**
 * Map of all GraphQL operations in the project.
 *
 * This map has several performance disadvantages:
 * 1. It is not tree-shakeable, so it will include all operations in the project.
 * 2. It is not minifiable, so the string of a GraphQL query will be multiple times inside the bundle.
 * 3. It does not support dead code elimination, so it will add unused operations.
 *
 * Therefore it is highly recommended to use the babel or swc plugin for production.
 * Learn more about it here: https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#reducing-bundle-size
 */
type Documents = {
    "\n  subscription QuoteUpdates($symbols: [Symbol!]!, $maxRateHz: Float) {\n    quoteUpdates(symbols: $symbols, maxRateHz: $maxRateHz) {\n      symbol\n      price\n      change\n      changePercent\n      bid\n      bidSize\n      ask\n      askSize\n      volume\n      timestamp\n      stale\n    }\n  }\n": typeof types.QuoteUpdatesDocument,
    "\n  subscription Trades($symbols: [Symbol!]!, $after: Cursor) {\n    trades(symbols: $symbols, after: $after) {\n      id\n      symbol\n      price\n      size\n      exchange {\n        name\n      }\n      conditions {\n        name\n      }\n      offExchange\n      sequence\n      gapBefore\n      timestamp\n    }\n  }\n": typeof types.TradesDocument,
    "\n  subscription Bars($symbols: [Symbol!]!, $interval: BarInterval!, $after: Cursor) {\n    bars(symbols: $symbols, interval: $interval, after: $after) {\n      symbol\n      interval\n      start\n      open\n      high\n      low\n      close\n      volume\n      vwap\n      gapBefore\n    }\n  }\n": typeof types.BarsDocument,
    "\n  subscription MarketStatusChanges {\n    marketStatus {\n      isOpen\n      session\n      nextOpen\n      nextClose\n      holiday\n    }\n  }\n": typeof types.MarketStatusChangesDocument,
    "\n  subscription ServiceStatusChanges {\n    serviceStatus {\n      state\n      reason\n      feed\n      feedConnected\n    }\n  }\n": typeof types.ServiceStatusChangesDocument,
};
const documents: Documents = {
    "\n  subscription QuoteUpdates($symbols: [Symbol!]!, $maxRateHz: Float) {\n    quoteUpdates(symbols: $symbols, maxRateHz: $maxRateHz) {\n      symbol\n      price\n      change\n      changePercent\n      bid\n      bidSize\n      ask\n      askSize\n      volume\n      timestamp\n      stale\n    }\n  }\n": types.QuoteUpdatesDocument,
    "\n  subscription Trades($symbols: [Symbol!]!, $after: Cursor) {\n    trades(symbols: $symbols, after: $after) {\n      id\n      symbol\n      price\n      size\n      exchange {\n        name\n      }\n      conditions {\n        name\n      }\n      offExchange\n      sequence\n      gapBefore\n      timestamp\n    }\n  }\n": types.TradesDocument,
    "\n  subscription Bars($symbols: [Symbol!]!, $interval: BarInterval!, $after: Cursor) {\n    bars(symbols: $symbols, interval: $interval, after: $after) {\n      symbol\n      interval\n      start\n      open\n      high\n      low\n      close\n      volume\n      vwap\n      gapBefore\n    }\n  }\n": types.BarsDocument,
    "\n  subscription MarketStatusChanges {\n    marketStatus {\n      isOpen\n      session\n      nextOpen\n      nextClose\n      holiday\n    }\n  }\n": types.MarketStatusChangesDocument,
    "\n  subscription ServiceStatusChanges {\n    serviceStatus {\n      state\n      reason\n      feed\n      feedConnected\n    }\n  }\n": types.ServiceStatusChangesDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 *
 *
 * @example
 * ```ts
 * const query = graphql(`query GetUser($id: ID!) { user(id: $id) { name } }`);
 * ```
 *
 * The query argument is unknown!
 * Please regenerate the types.
 */
export function graphql(source: string): unknown;

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription QuoteUpdates($symbols: [Symbol!]!, $maxRateHz: Float) {\n    quoteUpdates(symbols: $symbols, maxRateHz: $maxRateHz) {\n      symbol\n      price\n      change\n      changePercent\n      bid\n      bidSize\n      ask\n      askSize\n      volume\n      timestamp\n      stale\n    }\n  }\n"): (typeof documents)["\n  subscription QuoteUpdates($symbols: [Symbol!]!, $maxRateHz: Float) {\n    quoteUpdates(symbols: $symbols, maxRateHz: $maxRateHz) {\n      symbol\n      price\n      change\n      changePercent\n      bid\n      bidSize\n      ask\n      askSize\n      volume\n      timestamp\n      stale\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription Trades($symbols: [Symbol!]!, $after: Cursor) {\n    trades(symbols: $symbols, after: $after) {\n      id\n      symbol\n      price\n      size\n      exchange {\n        name\n      }\n      conditions {\n        name\n      }\n      offExchange\n      sequence\n      gapBefore\n      timestamp\n    }\n  }\n"): (typeof documents)["\n  subscription Trades($symbols: [Symbol!]!, $after: Cursor) {\n    trades(symbols: $symbols, after: $after) {\n      id\n      symbol\n      price\n      size\n      exchange {\n        name\n      }\n      conditions {\n        name\n      }\n      offExchange\n      sequence\n      gapBefore\n      timestamp\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription Bars($symbols: [Symbol!]!, $interval: BarInterval!, $after: Cursor) {\n    bars(symbols: $symbols, interval: $interval, after: $after) {\n      symbol\n      interval\n      start\n      open\n      high\n      low\n      close\n      volume\n      vwap\n      gapBefore\n    }\n  }\n"): (typeof documents)["\n  subscription Bars($symbols: [Symbol!]!, $interval: BarInterval!, $after: Cursor) {\n    bars(symbols: $symbols, interval: $interval, after: $after) {\n      symbol\n      interval\n      start\n      open\n      high\n      low\n      close\n      volume\n      vwap\n      gapBefore\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription MarketStatusChanges {\n    marketStatus {\n      isOpen\n      session\n      nextOpen\n      nextClose\n      holiday\n    }\n  }\n"): (typeof documents)["\n  subscription MarketStatusChanges {\n    marketStatus {\n      isOpen\n      session\n      nextOpen\n      nextClose\n      holiday\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription ServiceStatusChanges {\n    serviceStatus {\n      state\n      reason\n      feed\n      feedConnected\n    }\n  }\n"): (typeof documents)["\n  subscription ServiceStatusChanges {\n    serviceStatus {\n      state\n      reason\n      feed\n      feedConnected\n    }\n  }\n"];

export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}

export type DocumentType<TDocumentNode extends DocumentNode<any, any>> = TDocumentNode extends DocumentNode<  infer TType,  any>  ? TType  : never;