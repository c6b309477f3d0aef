import { graphql } from '../../gql/gql.ts';
import type { LiveQuotesSubscription } from '../../gql/graphql.ts';

/** All that the page shows of a quote, in one shape: so that all who watch share what the server makes of it. */
export const LiveQuotes = graphql(`
  subscription LiveQuotes($symbols: [Symbol!]!) {
    quoteUpdates(symbols: $symbols) {
      symbol
      price
      change
      changePercent
      bid
      bidSize
      ask
      askSize
      open
      high
      low
      previousClose
      vwap
      volume
      timestamp
      stale
    }
  }
`);

export type Quote = LiveQuotesSubscription['quoteUpdates'];
