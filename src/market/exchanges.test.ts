import { describe, expect, it, test } from 'vitest';
import { exchangeOf, listExchanges, OFF_EXCHANGE_ID } from './exchanges.ts';

describe('exchanges', () => {
  test.each([
    [1, 'XASE', 'A', 'NYSE American'],
    [2, 'XBOS', 'B', 'Nasdaq BX'],
    [3, 'XCIS', 'C', 'NYSE National'],
    [4, null, 'D', 'FINRA trade reporting facility'],
    [5, null, 'E', 'Unlisted Trading Privileges (UTP SIP)'],
    [6, 'XISE', 'I', 'International Securities Exchange'],
    [7, 'EDGA', 'J', 'Cboe EDGA'],
    [8, 'EDGX', 'K', 'Cboe EDGX'],
    [9, 'XCHI', 'M', 'NYSE Chicago'],
    [10, 'XNYS', 'N', 'New York Stock Exchange'],
    [11, 'ARCX', 'P', 'NYSE Arca'],
    [12, 'XNAS', 'T', 'Nasdaq'],
    [13, null, 'S', 'Consolidated Tape Association (CTA SIP)'],
    [14, 'LTSE', 'L', 'Long-Term Stock Exchange'],
    [15, 'IEXG', 'V', 'Investors Exchange'],
    [16, 'CBSX', 'W', 'Cboe Stock Exchange'],
    [17, 'XPHL', 'X', 'Nasdaq PSX'],
    [18, 'BATY', 'Y', 'Cboe BYX'],
    [19, 'BATS', 'Z', 'Cboe BZX'],
    [20, 'EPRL', 'H', 'MIAX Pearl'],
    [21, 'MEMX', 'U', 'Members Exchange'],
    [22, '24EQ', null, '24X National Exchange'],
    [62, 'OOTC', null, 'OTC equity security'],
  ])('%i is %s %s %s', (id, mic, participant, name) => {
    expect(exchangeOf(id)).toEqual({ id, mic, participant, name });
  });

  it('are these 23', () => {
    expect(listExchanges()).toHaveLength(23);
  });

  it('have one id for all that is traded off exchange', () => {
    expect(OFF_EXCHANGE_ID).toBe(4);
  });

  it('keep an unknown id and call it by its number', () => {
    expect(exchangeOf(99)).toEqual({ id: 99, mic: null, participant: null, name: 'Exchange 99' });
  });
});
