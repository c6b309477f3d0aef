const TIMESTAMP = '2026-11-20T15:00:00.000Z';

/** What a scripted server tells of. */
export const QUOTE = { symbol: 'AAPL', volume: 1000, timestamp: TIMESTAMP, receivedAt: TIMESTAMP, stale: false };

export const MARKET_STATUS = { isOpen: true, session: 'REGULAR', timestamp: TIMESTAMP };

export const SERVICE_STATUS = {
  state: 'OPERATIONAL',
  feed: 'SIMULATED',
  feedConnected: true,
  timestamp: TIMESTAMP,
};

export const ORDER = {
  id: '1',
  clientOrderId: 'first',
  symbol: 'AAPL',
  side: 'BUY',
  type: 'MARKET',
  quantity: '1',
  filledQuantity: '0',
  status: 'PENDING',
  createdAt: TIMESTAMP,
  updatedAt: TIMESTAMP,
};

/** The print of this number, and of this cursor. */
export function print(sequence: number) {
  return {
    id: String(sequence),
    cursor: `c${sequence}`,
    symbol: 'AAPL',
    price: 100,
    size: 10,
    exchange: { id: 1, name: 'Scripted' },
    conditions: [],
    offExchange: false,
    sequence,
    gapBefore: false,
    // One each millisecond.
    timestamp: new Date(Date.parse(TIMESTAMP) + sequence).toISOString(),
  };
}
