import { graphql } from '../../gql/gql.ts';

/** What the symbol view asks of the server. Quotes come from market/quotes.ts, which all rooms share. */
export const RecentPrints = graphql(`
  query RecentPrints($symbol: Symbol!, $last: Int!) {
    recentTrades(symbol: $symbol, last: $last) {
      ...Print
    }
  }

  fragment Print on Trade {
    id
    symbol
    price
    size
    notional
    exchange {
      mic
      name
    }
    conditions {
      id
      name
    }
    offExchange
    sequence
    gapBefore
    timestamp
    cursor
  }
`);

export const LivePrints = graphql(`
  subscription LivePrints($symbols: [Symbol!]!, $after: Cursor) {
    trades(symbols: $symbols, after: $after) {
      ...Print
    }
  }
`);

export const PastBars = graphql(`
  query PastBars($symbol: Symbol!, $interval: BarInterval!, $from: DateTime!, $to: DateTime, $first: Int!) {
    bars(symbol: $symbol, interval: $interval, from: $from, to: $to, first: $first) {
      ...Candle
    }
  }

  fragment Candle on Bar {
    start
    end
    open
    high
    low
    close
    volume
    gapBefore
  }
`);

export const LiveBars = graphql(`
  subscription LiveBars($symbols: [Symbol!]!, $interval: BarInterval!, $after: Cursor) {
    bars(symbols: $symbols, interval: $interval, after: $after) {
      symbol
      ...Candle
    }
  }
`);

export const InstrumentName = graphql(`
  query InstrumentName($symbol: String!) {
    instruments(search: $symbol, first: 5) {
      symbol
      name
    }
  }
`);
