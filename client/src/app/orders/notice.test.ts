import { expect, it } from 'vitest';
import { describeNotice, describeNotices, type Notice, readNotice } from './notice.ts';

const PLACE = { orderId: 'o', timestamp: '2026-11-20T10:00:00.000Z', cursor: 'c' };
const EXECUTED = readNotice({
  ...PLACE,
  ...{ __typename: 'TradeExecuted', id: 'e', symbol: 'AAPL', side: 'BUY', quantity: '1500', price: '189.1200' },
  status: 'FILLED',
});
const FAILED = readNotice({
  ...PLACE,
  ...{ __typename: 'TradeFailed', code: 'INSUFFICIENT_POSITION' },
  signal: { symbol: 'BRK.B', side: 'SELL', quantity: '0.5' },
});

it('an execution and a failure are told in words', () => {
  expect(describeNotice(EXECUTED)).toEqual({ title: 'Bought 1,500 AAPL', detail: 'at $189.12 a share' });
  expect(describeNotice(FAILED)).toEqual({
    title: 'Rejected: sell 0.5 BRK.B',
    detail: 'Not enough shares to sell beside those in open orders.',
  });
});

it('many are told in one sentence', () => {
  const symbols = ['AAPL', 'MSFT', 'NVDA', 'SPY', 'TSLA', 'AAPL'];
  const notices: Notice[] = [...symbols.map((symbol) => ({ ...EXECUTED, symbol })), FAILED];
  expect(describeNotices(notices)).toEqual({
    title: '7 orders: 6 filled, 1 rejected',
    detail: 'AAPL, MSFT, NVDA, SPY and 2 more',
  });
  expect(describeNotices([EXECUTED, EXECUTED])).toEqual({ title: '2 orders: 2 filled', detail: 'AAPL' });
});
