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
    "\n  query SparkBars($symbol: Symbol!, $from: DateTime!) {\n    bars(symbol: $symbol, interval: MINUTE, from: $from, first: 150) {\n      close\n    }\n  }\n": typeof types.SparkBarsDocument,
    "\n  subscription LiveQuotes($symbols: [Symbol!]!) {\n    quoteUpdates(symbols: $symbols) {\n      symbol\n      price\n      change\n      changePercent\n      bid\n      bidSize\n      ask\n      askSize\n      open\n      high\n      low\n      previousClose\n      vwap\n      volume\n      timestamp\n      stale\n    }\n  }\n": typeof types.LiveQuotesDocument,
    "\n  fragment OrderFields on Order {\n    id\n    clientOrderId\n    symbol\n    side\n    type\n    quantity\n    limitPrice\n    filledQuantity\n    averagePrice\n    status\n    reason\n    createdAt\n    updatedAt\n  }\n": typeof types.OrderFieldsFragmentDoc,
    "\n  mutation PlaceOrder($input: PlaceOrderInput!) {\n    placeOrder(input: $input) {\n      ...OrderFields\n    }\n  }\n": typeof types.PlaceOrderDocument,
    "\n  mutation CancelOrder($id: ID!) {\n    cancelOrder(id: $id) {\n      ...OrderFields\n    }\n  }\n": typeof types.CancelOrderDocument,
    "\n  query OrdersPage($first: Int!, $after: String) {\n    orders(first: $first, after: $after) {\n      edges {\n        node {\n          ...OrderFields\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n": typeof types.OrdersPageDocument,
    "\n  query NoticesBegin {\n    portfolio {\n      id\n      timestamp\n    }\n  }\n": typeof types.NoticesBeginDocument,
    "\n  subscription TradeNotifications($after: Cursor) {\n    tradeNotifications(after: $after) {\n      __typename\n      ... on TradeExecuted {\n        id\n        orderId\n        symbol\n        side\n        quantity\n        price\n        status\n        timestamp\n        cursor\n      }\n      ... on TradeFailed {\n        orderId\n        code\n        signal {\n          symbol\n          side\n          quantity\n        }\n        timestamp\n        cursor\n      }\n    }\n  }\n": typeof types.TradeNotificationsDocument,
    "\n  subscription PortfolioChanges {\n    portfolio {\n      id\n      totalValue\n      cash\n      equity\n      dayChange\n      dayChangePercent\n      timestamp\n      positions {\n        symbol\n        quantity\n        averagePrice\n        marketPrice\n        marketValue\n        unrealizedPnl\n        unrealizedPnlPercent\n        dayChange\n      }\n    }\n  }\n": typeof types.PortfolioChangesDocument,
    "\n  query WhoAmI {\n    viewer {\n      id\n      name\n      scopes\n    }\n  }\n": typeof types.WhoAmIDocument,
    "\n  query Indices {\n    indices {\n      symbol\n    }\n  }\n": typeof types.IndicesDocument,
    "\n  query RecentPrints($symbol: Symbol!, $last: Int!) {\n    recentTrades(symbol: $symbol, last: $last) {\n      ...Print\n    }\n  }\n\n  fragment Print on Trade {\n    id\n    symbol\n    price\n    size\n    notional\n    exchange {\n      mic\n      name\n    }\n    conditions {\n      id\n      name\n    }\n    offExchange\n    sequence\n    gapBefore\n    timestamp\n    cursor\n  }\n": typeof types.RecentPrintsDocument,
    "\n  subscription LivePrints($symbols: [Symbol!]!, $after: Cursor) {\n    trades(symbols: $symbols, after: $after) {\n      ...Print\n    }\n  }\n": typeof types.LivePrintsDocument,
    "\n  query PastBars($symbol: Symbol!, $interval: BarInterval!, $from: DateTime!, $to: DateTime, $first: Int!) {\n    bars(symbol: $symbol, interval: $interval, from: $from, to: $to, first: $first) {\n      ...Candle\n    }\n  }\n\n  fragment Candle on Bar {\n    start\n    end\n    open\n    high\n    low\n    close\n    volume\n    gapBefore\n  }\n": typeof types.PastBarsDocument,
    "\n  subscription LiveBars($symbols: [Symbol!]!, $interval: BarInterval!, $after: Cursor) {\n    bars(symbols: $symbols, interval: $interval, after: $after) {\n      symbol\n      ...Candle\n    }\n  }\n": typeof types.LiveBarsDocument,
    "\n  query InstrumentName($symbol: String!) {\n    instruments(search: $symbol, first: 5) {\n      symbol\n      name\n    }\n  }\n": typeof types.InstrumentNameDocument,
    "\n  query SearchInstruments($search: String!) {\n    instruments(search: $search, first: 8) {\n      symbol\n      name\n      kind\n    }\n  }\n": typeof types.SearchInstrumentsDocument,
    "\n  subscription QuoteUpdates($symbols: [Symbol!]!, $maxRateHz: Float) {\n    quoteUpdates(symbols: $symbols, maxRateHz: $maxRateHz) {\n      symbol\n      price\n      change\n      changePercent\n      bid\n      bidSize\n      ask\n      askSize\n      volume\n      timestamp\n      stale\n    }\n  }\n": typeof types.QuoteUpdatesDocument,
    "\n  subscription Trades($symbols: [Symbol!]!, $after: Cursor) {\n    trades(symbols: $symbols, after: $after) {\n      id\n      symbol\n      price\n      size\n      exchange {\n        name\n      }\n      conditions {\n        name\n      }\n      offExchange\n      sequence\n      gapBefore\n      timestamp\n    }\n  }\n": typeof types.TradesDocument,
    "\n  subscription Bars($symbols: [Symbol!]!, $interval: BarInterval!, $after: Cursor) {\n    bars(symbols: $symbols, interval: $interval, after: $after) {\n      symbol\n      interval\n      start\n      open\n      high\n      low\n      close\n      volume\n      vwap\n      gapBefore\n    }\n  }\n": typeof types.BarsDocument,
    "\n  subscription MarketStatusChanges {\n    marketStatus {\n      isOpen\n      session\n      nextOpen\n      nextClose\n      holiday\n    }\n  }\n": typeof types.MarketStatusChangesDocument,
    "\n  subscription ServiceStatusChanges {\n    serviceStatus {\n      state\n      reason\n      feed\n      feedConnected\n    }\n  }\n": typeof types.ServiceStatusChangesDocument,
};
const documents: Documents = {
    "\n  query SparkBars($symbol: Symbol!, $from: DateTime!) {\n    bars(symbol: $symbol, interval: MINUTE, from: $from, first: 150) {\n      close\n    }\n  }\n": types.SparkBarsDocument,
    "\n  subscription LiveQuotes($symbols: [Symbol!]!) {\n    quoteUpdates(symbols: $symbols) {\n      symbol\n      price\n      change\n      changePercent\n      bid\n      bidSize\n      ask\n      askSize\n      open\n      high\n      low\n      previousClose\n      vwap\n      volume\n      timestamp\n      stale\n    }\n  }\n": types.LiveQuotesDocument,
    "\n  fragment OrderFields on Order {\n    id\n    clientOrderId\n    symbol\n    side\n    type\n    quantity\n    limitPrice\n    filledQuantity\n    averagePrice\n    status\n    reason\n    createdAt\n    updatedAt\n  }\n": types.OrderFieldsFragmentDoc,
    "\n  mutation PlaceOrder($input: PlaceOrderInput!) {\n    placeOrder(input: $input) {\n      ...OrderFields\n    }\n  }\n": types.PlaceOrderDocument,
    "\n  mutation CancelOrder($id: ID!) {\n    cancelOrder(id: $id) {\n      ...OrderFields\n    }\n  }\n": types.CancelOrderDocument,
    "\n  query OrdersPage($first: Int!, $after: String) {\n    orders(first: $first, after: $after) {\n      edges {\n        node {\n          ...OrderFields\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n": types.OrdersPageDocument,
    "\n  query NoticesBegin {\n    portfolio {\n      id\n      timestamp\n    }\n  }\n": types.NoticesBeginDocument,
    "\n  subscription TradeNotifications($after: Cursor) {\n    tradeNotifications(after: $after) {\n      __typename\n      ... on TradeExecuted {\n        id\n        orderId\n        symbol\n        side\n        quantity\n        price\n        status\n        timestamp\n        cursor\n      }\n      ... on TradeFailed {\n        orderId\n        code\n        signal {\n          symbol\n          side\n          quantity\n        }\n        timestamp\n        cursor\n      }\n    }\n  }\n": types.TradeNotificationsDocument,
    "\n  subscription PortfolioChanges {\n    portfolio {\n      id\n      totalValue\n      cash\n      equity\n      dayChange\n      dayChangePercent\n      timestamp\n      positions {\n        symbol\n        quantity\n        averagePrice\n        marketPrice\n        marketValue\n        unrealizedPnl\n        unrealizedPnlPercent\n        dayChange\n      }\n    }\n  }\n": types.PortfolioChangesDocument,
    "\n  query WhoAmI {\n    viewer {\n      id\n      name\n      scopes\n    }\n  }\n": types.WhoAmIDocument,
    "\n  query Indices {\n    indices {\n      symbol\n    }\n  }\n": types.IndicesDocument,
    "\n  query RecentPrints($symbol: Symbol!, $last: Int!) {\n    recentTrades(symbol: $symbol, last: $last) {\n      ...Print\n    }\n  }\n\n  fragment Print on Trade {\n    id\n    symbol\n    price\n    size\n    notional\n    exchange {\n      mic\n      name\n    }\n    conditions {\n      id\n      name\n    }\n    offExchange\n    sequence\n    gapBefore\n    timestamp\n    cursor\n  }\n": types.RecentPrintsDocument,
    "\n  subscription LivePrints($symbols: [Symbol!]!, $after: Cursor) {\n    trades(symbols: $symbols, after: $after) {\n      ...Print\n    }\n  }\n": types.LivePrintsDocument,
    "\n  query PastBars($symbol: Symbol!, $interval: BarInterval!, $from: DateTime!, $to: DateTime, $first: Int!) {\n    bars(symbol: $symbol, interval: $interval, from: $from, to: $to, first: $first) {\n      ...Candle\n    }\n  }\n\n  fragment Candle on Bar {\n    start\n    end\n    open\n    high\n    low\n    close\n    volume\n    gapBefore\n  }\n": types.PastBarsDocument,
    "\n  subscription LiveBars($symbols: [Symbol!]!, $interval: BarInterval!, $after: Cursor) {\n    bars(symbols: $symbols, interval: $interval, after: $after) {\n      symbol\n      ...Candle\n    }\n  }\n": types.LiveBarsDocument,
    "\n  query InstrumentName($symbol: String!) {\n    instruments(search: $symbol, first: 5) {\n      symbol\n      name\n    }\n  }\n": types.InstrumentNameDocument,
    "\n  query SearchInstruments($search: String!) {\n    instruments(search: $search, first: 8) {\n      symbol\n      name\n      kind\n    }\n  }\n": types.SearchInstrumentsDocument,
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
export function graphql(source: "\n  query SparkBars($symbol: Symbol!, $from: DateTime!) {\n    bars(symbol: $symbol, interval: MINUTE, from: $from, first: 150) {\n      close\n    }\n  }\n"): (typeof documents)["\n  query SparkBars($symbol: Symbol!, $from: DateTime!) {\n    bars(symbol: $symbol, interval: MINUTE, from: $from, first: 150) {\n      close\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription LiveQuotes($symbols: [Symbol!]!) {\n    quoteUpdates(symbols: $symbols) {\n      symbol\n      price\n      change\n      changePercent\n      bid\n      bidSize\n      ask\n      askSize\n      open\n      high\n      low\n      previousClose\n      vwap\n      volume\n      timestamp\n      stale\n    }\n  }\n"): (typeof documents)["\n  subscription LiveQuotes($symbols: [Symbol!]!) {\n    quoteUpdates(symbols: $symbols) {\n      symbol\n      price\n      change\n      changePercent\n      bid\n      bidSize\n      ask\n      askSize\n      open\n      high\n      low\n      previousClose\n      vwap\n      volume\n      timestamp\n      stale\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  fragment OrderFields on Order {\n    id\n    clientOrderId\n    symbol\n    side\n    type\n    quantity\n    limitPrice\n    filledQuantity\n    averagePrice\n    status\n    reason\n    createdAt\n    updatedAt\n  }\n"): (typeof documents)["\n  fragment OrderFields on Order {\n    id\n    clientOrderId\n    symbol\n    side\n    type\n    quantity\n    limitPrice\n    filledQuantity\n    averagePrice\n    status\n    reason\n    createdAt\n    updatedAt\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation PlaceOrder($input: PlaceOrderInput!) {\n    placeOrder(input: $input) {\n      ...OrderFields\n    }\n  }\n"): (typeof documents)["\n  mutation PlaceOrder($input: PlaceOrderInput!) {\n    placeOrder(input: $input) {\n      ...OrderFields\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  mutation CancelOrder($id: ID!) {\n    cancelOrder(id: $id) {\n      ...OrderFields\n    }\n  }\n"): (typeof documents)["\n  mutation CancelOrder($id: ID!) {\n    cancelOrder(id: $id) {\n      ...OrderFields\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query OrdersPage($first: Int!, $after: String) {\n    orders(first: $first, after: $after) {\n      edges {\n        node {\n          ...OrderFields\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n"): (typeof documents)["\n  query OrdersPage($first: Int!, $after: String) {\n    orders(first: $first, after: $after) {\n      edges {\n        node {\n          ...OrderFields\n        }\n      }\n      pageInfo {\n        hasNextPage\n        endCursor\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query NoticesBegin {\n    portfolio {\n      id\n      timestamp\n    }\n  }\n"): (typeof documents)["\n  query NoticesBegin {\n    portfolio {\n      id\n      timestamp\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription TradeNotifications($after: Cursor) {\n    tradeNotifications(after: $after) {\n      __typename\n      ... on TradeExecuted {\n        id\n        orderId\n        symbol\n        side\n        quantity\n        price\n        status\n        timestamp\n        cursor\n      }\n      ... on TradeFailed {\n        orderId\n        code\n        signal {\n          symbol\n          side\n          quantity\n        }\n        timestamp\n        cursor\n      }\n    }\n  }\n"): (typeof documents)["\n  subscription TradeNotifications($after: Cursor) {\n    tradeNotifications(after: $after) {\n      __typename\n      ... on TradeExecuted {\n        id\n        orderId\n        symbol\n        side\n        quantity\n        price\n        status\n        timestamp\n        cursor\n      }\n      ... on TradeFailed {\n        orderId\n        code\n        signal {\n          symbol\n          side\n          quantity\n        }\n        timestamp\n        cursor\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription PortfolioChanges {\n    portfolio {\n      id\n      totalValue\n      cash\n      equity\n      dayChange\n      dayChangePercent\n      timestamp\n      positions {\n        symbol\n        quantity\n        averagePrice\n        marketPrice\n        marketValue\n        unrealizedPnl\n        unrealizedPnlPercent\n        dayChange\n      }\n    }\n  }\n"): (typeof documents)["\n  subscription PortfolioChanges {\n    portfolio {\n      id\n      totalValue\n      cash\n      equity\n      dayChange\n      dayChangePercent\n      timestamp\n      positions {\n        symbol\n        quantity\n        averagePrice\n        marketPrice\n        marketValue\n        unrealizedPnl\n        unrealizedPnlPercent\n        dayChange\n      }\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query WhoAmI {\n    viewer {\n      id\n      name\n      scopes\n    }\n  }\n"): (typeof documents)["\n  query WhoAmI {\n    viewer {\n      id\n      name\n      scopes\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query Indices {\n    indices {\n      symbol\n    }\n  }\n"): (typeof documents)["\n  query Indices {\n    indices {\n      symbol\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query RecentPrints($symbol: Symbol!, $last: Int!) {\n    recentTrades(symbol: $symbol, last: $last) {\n      ...Print\n    }\n  }\n\n  fragment Print on Trade {\n    id\n    symbol\n    price\n    size\n    notional\n    exchange {\n      mic\n      name\n    }\n    conditions {\n      id\n      name\n    }\n    offExchange\n    sequence\n    gapBefore\n    timestamp\n    cursor\n  }\n"): (typeof documents)["\n  query RecentPrints($symbol: Symbol!, $last: Int!) {\n    recentTrades(symbol: $symbol, last: $last) {\n      ...Print\n    }\n  }\n\n  fragment Print on Trade {\n    id\n    symbol\n    price\n    size\n    notional\n    exchange {\n      mic\n      name\n    }\n    conditions {\n      id\n      name\n    }\n    offExchange\n    sequence\n    gapBefore\n    timestamp\n    cursor\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription LivePrints($symbols: [Symbol!]!, $after: Cursor) {\n    trades(symbols: $symbols, after: $after) {\n      ...Print\n    }\n  }\n"): (typeof documents)["\n  subscription LivePrints($symbols: [Symbol!]!, $after: Cursor) {\n    trades(symbols: $symbols, after: $after) {\n      ...Print\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query PastBars($symbol: Symbol!, $interval: BarInterval!, $from: DateTime!, $to: DateTime, $first: Int!) {\n    bars(symbol: $symbol, interval: $interval, from: $from, to: $to, first: $first) {\n      ...Candle\n    }\n  }\n\n  fragment Candle on Bar {\n    start\n    end\n    open\n    high\n    low\n    close\n    volume\n    gapBefore\n  }\n"): (typeof documents)["\n  query PastBars($symbol: Symbol!, $interval: BarInterval!, $from: DateTime!, $to: DateTime, $first: Int!) {\n    bars(symbol: $symbol, interval: $interval, from: $from, to: $to, first: $first) {\n      ...Candle\n    }\n  }\n\n  fragment Candle on Bar {\n    start\n    end\n    open\n    high\n    low\n    close\n    volume\n    gapBefore\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  subscription LiveBars($symbols: [Symbol!]!, $interval: BarInterval!, $after: Cursor) {\n    bars(symbols: $symbols, interval: $interval, after: $after) {\n      symbol\n      ...Candle\n    }\n  }\n"): (typeof documents)["\n  subscription LiveBars($symbols: [Symbol!]!, $interval: BarInterval!, $after: Cursor) {\n    bars(symbols: $symbols, interval: $interval, after: $after) {\n      symbol\n      ...Candle\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query InstrumentName($symbol: String!) {\n    instruments(search: $symbol, first: 5) {\n      symbol\n      name\n    }\n  }\n"): (typeof documents)["\n  query InstrumentName($symbol: String!) {\n    instruments(search: $symbol, first: 5) {\n      symbol\n      name\n    }\n  }\n"];
/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "\n  query SearchInstruments($search: String!) {\n    instruments(search: $search, first: 8) {\n      symbol\n      name\n      kind\n    }\n  }\n"): (typeof documents)["\n  query SearchInstruments($search: String!) {\n    instruments(search: $search, first: 8) {\n      symbol\n      name\n      kind\n    }\n  }\n"];
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