import { expect, it } from 'vitest';
import { describeConnection, describeMarket, describeService } from './status-words.ts';

const operational = { state: 'OPERATIONAL', reason: null, feed: 'LIVE', feedConnected: true } as const;
const open = { isOpen: true, session: 'REGULAR', nextOpen: null, nextClose: null, holiday: null } as const;

it('has a word for every state of the connection', () => {
  const states = ['connecting', 'live', 'resuming', 'degraded', 'polling', 'offline'] as const;
  const words = states.map((state) => describeConnection({ state, isRefused: false }).word);
  expect(new Set(words).size).toBe(states.length);
  expect(describeConnection({ state: 'offline', isRefused: true }).word).toBe('Refused');
});

it('counts down to the close while the market is open, and to the open while it is not', () => {
  const nextOpen = '2026-11-23T14:30:00.000Z';
  const nextClose = '2026-11-20T21:00:00.000Z';
  expect(describeMarket({ ...open, nextOpen, nextClose }).event).toEqual({
    verb: 'closes in',
    at: Date.parse(nextClose),
  });
  const closed = describeMarket({ isOpen: false, session: 'CLOSED', nextOpen, nextClose, holiday: 'Thanksgiving' });
  expect(closed).toEqual({
    word: 'Market closed, Thanksgiving',
    event: { verb: 'opens in', at: Date.parse(nextOpen) },
  });
});

it('counts to nothing where the market never closes', () => {
  expect(describeMarket(open)).toEqual({ word: 'Market open', event: null });
});

it('tells of what keeps prices from being true, the worst first', () => {
  expect(describeService(operational)).toBeNull();
  expect(describeService({ ...operational, feed: 'SIMULATED' })).toMatchObject({ tone: 'information' });
  expect(describeService({ ...operational, feedConnected: false })).toMatchObject({ tone: 'warning' });
  expect(describeService({ ...operational, state: 'PAUSED', reason: 'An audit', feed: 'SIMULATED' })).toEqual({
    tone: 'warning',
    title: 'Market data is paused',
    text: 'An audit',
  });
  expect(describeService({ ...operational, state: 'SHUTTING_DOWN' })?.title).toContain('shutting down');
  expect(describeService({ ...operational, state: 'DEGRADED', reason: 'Redis is away' })?.text).toBe('Redis is away');
});
