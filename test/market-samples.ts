import type { IngestStatus } from '../src/bus/bus.ts';
import type { LoggedBar } from '../src/market/bar.ts';
import { OFFSETS_PER_MS } from '../src/market/log.ts';
import type { Quote } from '../src/market/quote.ts';
import type { LoggedTrade } from '../src/market/trade.ts';

/* Whole events of the market for tests that look at one or two of their fields. */

export function makeQuote(symbol: string, fields: Partial<Quote> = {}): Quote {
  return {
    symbol,
    price: 100.25,
    change: 1.25,
    changePercent: 1.262626,
    bid: 100.24,
    bidSize: 300,
    ask: 100.26,
    askSize: 200,
    open: 99.5,
    high: 101,
    low: 99,
    previousClose: 99,
    vwap: 100.1,
    volume: 1_000_000,
    timestamp: 1_800_000_000_000,
    receivedAt: 1_800_000_000_005,
    ...fields,
  };
}

export function makeTrade(symbol: string, offset: number, fields: Partial<LoggedTrade> = {}): LoggedTrade {
  const timestamp = Math.floor(offset / OFFSETS_PER_MS);
  return {
    kind: 'trade',
    id: `trade-${offset}`,
    symbol,
    price: 100.25,
    size: 100,
    exchange: 11,
    conditions: [],
    tape: 'C',
    offExchange: false,
    timestamp,
    receivedAt: timestamp,
    epoch: 'epoch-1',
    offset,
    sequence: 1,
    gapBefore: false,
    ...fields,
  };
}

export function makeBar(symbol: string, offset: number, fields: Partial<LoggedBar> = {}): LoggedBar {
  const end = Math.floor(offset / OFFSETS_PER_MS);
  return {
    kind: 'bar',
    symbol,
    interval: 'SECOND',
    open: 100,
    high: 101,
    low: 99.5,
    close: 100.25,
    volume: 5_000,
    vwap: 100.2,
    start: end - 1_000,
    end,
    dayOpen: 99.5,
    dayVolume: 1_000_000,
    dayVwap: 100.1,
    receivedAt: end,
    epoch: 'epoch-1',
    offset,
    sequence: 1,
    gapBefore: false,
    ...fields,
  };
}

export function makeStatus(fields: Partial<IngestStatus> = {}): IngestStatus {
  return {
    market: {
      isOpen: true,
      session: 'REGULAR',
      nextOpen: null,
      nextClose: 1_800_000_100_000,
      holiday: null,
      timestamp: 1_800_000_000_000,
    },
    feed: { feed: 'SIMULATED', connected: true, reason: null },
    timestamp: 1_800_000_000_000,
    ...fields,
  };
}
