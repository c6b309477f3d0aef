import type { LoggedBar } from '../src/market/bar.ts';
import type { Quote } from '../src/market/quote.ts';
import type { LoggedTrade } from '../src/market/trade.ts';

/** Events of the vocabulary as tests need them: plausible, with the fields in question given. */

export function makeQuote(fields: Partial<Quote> & { symbol: string }): Quote {
  return {
    price: 100,
    change: 1,
    changePercent: 1,
    bid: 99.99,
    bidSize: 100,
    ask: 100.01,
    askSize: 200,
    open: 99.5,
    high: 101,
    low: 99,
    previousClose: 99,
    vwap: 100.2,
    volume: 1000,
    timestamp: 1_795_000_000_000,
    receivedAt: 1_795_000_000_001,
    ...fields,
  };
}

export function makeTrade(fields: Partial<LoggedTrade> & { symbol: string; sequence: number }): LoggedTrade {
  return {
    kind: 'trade',
    id: `12-${fields.sequence}`,
    price: 100,
    size: 10,
    exchange: 12,
    conditions: [],
    tape: 'C',
    offExchange: false,
    timestamp: 1_795_000_000_000,
    receivedAt: 1_795_000_000_001,
    epoch: 'epoch',
    offset: fields.sequence,
    gapBefore: false,
    ...fields,
  };
}

export function makeBar(fields: Partial<LoggedBar> & { symbol: string; offset: number }): LoggedBar {
  return {
    kind: 'bar',
    interval: 'SECOND',
    open: 100,
    high: 101,
    low: 99,
    close: 100,
    volume: 10,
    vwap: 100,
    start: 1_795_000_000_000,
    end: 1_795_000_001_000,
    dayOpen: 99,
    dayVolume: 1000,
    dayVwap: 100,
    receivedAt: 1_795_000_001_001,
    epoch: 'epoch',
    ...fields,
  };
}
