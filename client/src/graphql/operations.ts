import { graphql } from '../gql/gql.ts';

/**
 * What this client asks of the server. A log (trades, bars) declares a variable of type Cursor, by which it is resumed
 * after an interruption: see exchanges/resumption.ts.
 */
export const QuoteUpdates = graphql(`
  subscription QuoteUpdates($symbols: [Symbol!]!, $maxRateHz: Float) {
    quoteUpdates(symbols: $symbols, maxRateHz: $maxRateHz) {
      symbol
      price
      change
      changePercent
      bid
      bidSize
      ask
      askSize
      volume
      timestamp
      stale
    }
  }
`);

export const Trades = graphql(`
  subscription Trades($symbols: [Symbol!]!, $after: Cursor) {
    trades(symbols: $symbols, after: $after) {
      id
      symbol
      price
      size
      exchange {
        name
      }
      conditions {
        name
      }
      offExchange
      sequence
      gapBefore
      timestamp
    }
  }
`);

export const Bars = graphql(`
  subscription Bars($symbols: [Symbol!]!, $interval: BarInterval!, $after: Cursor) {
    bars(symbols: $symbols, interval: $interval, after: $after) {
      symbol
      interval
      start
      open
      high
      low
      close
      volume
      vwap
      gapBefore
    }
  }
`);

export const MarketStatusChanges = graphql(`
  subscription MarketStatusChanges {
    marketStatus {
      isOpen
      session
      nextOpen
      nextClose
      holiday
    }
  }
`);

export const ServiceStatusChanges = graphql(`
  subscription ServiceStatusChanges {
    serviceStatus {
      state
      reason
      feed
      feedConnected
    }
  }
`);
