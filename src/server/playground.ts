import type { IncomingMessage } from 'node:http';
import type { GraphiQLOptions } from 'graphql-yoga';
import type { Answer } from './answer.ts';
import { contentSecurityPolicyOf } from './browser-policy.ts';
import { compressVariants, REVALIDATED, REVALIDATED_PRIVATE, sendStaticFile, type StaticFile } from './static-file.ts';

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

const resume = `# Paste the "extensions.cursor" of a result of
# the tape: every print since then comes first.
subscription ResumeTape($after: Cursor) {
  trades(symbols: ["AAPL", "NVDA"], after: $after) {
    symbol
    price
    size
    sequence
    cursor
  }
}
`;

const order = `# An order of one share. The same clientOrderId
# again is the same order: it trades once.
mutation Buy {
  placeOrder(
    input: {
      clientOrderId: "playground-1"
      symbol: "AAPL"
      side: BUY
      quantity: "1"
    }
  ) {
    id
    status
    reason
    filledQuantity
    averagePrice
  }
}
`;

const portfolio = `# What you own, at prices that move.
subscription Portfolio {
  portfolio {
    totalValue
    cash
    dayChange
    dayChangePercent
    positions { symbol quantity marketPrice marketValue unrealizedPnl }
    timestamp
  }
}
`;

const notifications = `# What becomes of your orders, as it happens.
subscription Notifications {
  tradeNotifications {
    __typename
    ... on TradeExecuted { orderId symbol side quantity price }
    ... on TradeFailed { orderId code error }
  }
}
`;

/** GraphiQL as a newcomer finds it: tabs that show live prices at one click, signed in where there is but one user. */
function createOptions(demoToken: string | null): GraphiQLOptions {
  const market = [watchlist, tape, resume, bars, reads];
  const own = [order, portfolio, notifications];
  // Without a token of one's own they would fail at a click; who has one writes it at "Headers".
  const queries = demoToken === null ? market : [...market.slice(0, 1), ...own, ...market.slice(1)];
  const headers =
    demoToken === null ? {} : { headers: JSON.stringify({ authorization: `Bearer ${demoToken}` }, null, 2) };
  return {
    title: 'TapeQL',
    // On a WebSocket it would not send what is written at "Headers" as credentials.
    subscriptionsProtocol: 'SSE',
    defaultTabs: queries.map((query) => ({ query, ...headers })),
    ...headers,
    ...(headers.headers !== undefined && { defaultHeaders: headers.headers }),
  };
}

/** Answers a request of a browser with the page. */
export type Playground = (request: IncomingMessage, response: Answer) => Promise<void>;

/**
 * The page, which is the same for everybody. It is put together and compressed once, when it is asked for the first time: it is 9 MB of
 * text, and most processes are never asked.
 */
export function createPlayground(demoToken: string | null): Playground {
  type Page = { readonly file: StaticFile; readonly policy: string };
  let made: Promise<Page> | null = null;
  const make = async (): Promise<Page> => {
    const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
    const page = renderGraphiQL(createOptions(demoToken));
    return {
      file: {
        type: 'text/html; charset=utf-8',
        cacheControl: demoToken === null ? REVALIDATED : REVALIDATED_PRIVATE,
        variants: await compressVariants(Buffer.from(page)),
        // Whoever asks the same address for JSON is answered with that of an operation.
        varyBy: ['Accept'],
      },
      policy: contentSecurityPolicyOf(page),
    };
  };
  return async (request, response) => {
    made ??= make().catch((error: unknown) => {
      // The next one who asks has it tried again.
      made = null;
      throw error;
    });
    const { file, policy } = await made;
    response.setHeader('content-security-policy', policy);
    sendStaticFile(file, request, response);
  };
}
