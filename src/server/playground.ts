import type { GraphiQLOptions } from 'graphql-yoga';

const watchlist = `# Prices that move: now, then each change.
subscription Watchlist {
  quoteUpdates(
    symbols: ["AAPL", "MSFT", "NVDA", "SPY"]
    maxRateHz: 2
  ) {
    symbol
    price
    change
    changePercent
    bid
    ask
    volume
    timestamp
  }
}
`;

const tape = `# Every print of the tape, in order.
# "sequence" has no holes: one that is
# missing was lost on its way to you.
subscription Tape {
  trades(symbols: ["AAPL", "NVDA"]) {
    symbol
    price
    size
    exchange { name }
    conditions { name }
    offExchange
    sequence
    gapBefore
    timestamp
  }
}
`;

const bars = `# A bar for each second with a trade.
subscription SecondBars {
  bars(symbols: ["SPY"], interval: SECOND) {
    symbol
    open
    high
    low
    close
    volume
    start
  }
}
`;

const reads = `# Reads come from the cache, or on a miss
# from the upstream.
query Market {
  marketStatus { isOpen session nextOpen nextClose holiday }
  serviceStatus { state reason feed feedConnected }
  indices { symbol price changePercent }
  quote(symbol: "AAPL") { price bid ask previousClose stale }
  recentTrades(symbol: "AAPL", last: 5) { price size timestamp }
}
`;

/** GraphiQL as a newcomer finds it: tabs that show live prices at one click. */
export const playground: GraphiQLOptions = {
  title: 'TapeQL',
  subscriptionsProtocol: 'WS',
  defaultTabs: [{ query: watchlist }, { query: tape }, { query: bars }, { query: reads }],
};
