import { expect, test } from 'vitest';
import type { LiveBar } from '../market/bar.ts';
import type { LoggedTrade, Trade } from '../market/trade.ts';
import type { LogCounter } from './log-counter.ts';
import { Sequencer } from './sequencer.ts';

const trade: Trade = {
  kind: 'trade',
  id: '1',
  symbol: 'AAPL',
  price: 1,
  size: 1,
  exchange: 1,
  conditions: [],
  tape: 'A',
  offExchange: false,
  timestamp: 1,
  receivedAt: 2,
};
const bar: LiveBar = {
  kind: 'bar',
  symbol: 'AAPL',
  interval: 'MINUTE',
  open: 1,
  high: 1,
  low: 1,
  close: 1,
  volume: 1,
  vwap: 1,
  start: 0,
  end: 60_000,
  dayOpen: 1,
  dayVolume: 1,
  dayVwap: 1,
  receivedAt: 2,
};

function build(now = 1_000, idsPerGeneration?: number): Sequencer {
  const sequencer = new Sequencer({ clock: () => now, ...(idsPerGeneration !== undefined && { idsPerGeneration }) });
  sequencer.setEpoch('one');
  return sequencer;
}

function next(sequencer: Sequencer, counter: LogCounter): LoggedTrade {
  return sequencer.number({ event: trade, counter, gapBefore: false }) as LoggedTrade;
}

test('an entry keeps all that the event says, and gets its place', () => {
  const sequencer = build();
  const counter = sequencer.openLog([null, null, null]);
  expect(next(sequencer, counter)).toEqual({
    ...trade,
    epoch: 'one',
    offset: 1_024_000,
    sequence: 1,
    gapBefore: false,
  });
  expect(sequencer.number({ event: bar, counter, gapBefore: true })).toEqual({
    ...bar,
    sequence: 1,
    epoch: 'one',
    offset: 1_024_001,
    gapBefore: true,
  });
  expect(next(sequencer, counter)).toMatchObject({ offset: 1_024_002, sequence: 2 });
});

test('offsets follow the clock, rise strictly where it stands still, and never fall where it is set back', () => {
  let now = 1_000;
  const sequencer = new Sequencer({ clock: () => now });
  const counter = sequencer.openLog([]);
  const offsets = [next(sequencer, counter).offset, next(sequencer, counter).offset];
  now = 1_001;
  offsets.push(next(sequencer, counter).offset);
  now = 500;
  offsets.push(next(sequencer, counter).offset);
  expect(offsets).toEqual([1_024_000, 1_024_001, 1_025_024, 1_025_025]);
});

test('a log goes on after its last entries, and says that others may have passed meanwhile', () => {
  const sequencer = build();
  const last: LoggedTrade = { ...trade, epoch: 'one', offset: 9_000_000, sequence: 41, gapBefore: false };
  const lastBar = { ...bar, epoch: 'one', offset: 9_000_007, sequence: 7, gapBefore: false };
  const counter = sequencer.openLog([last, lastBar, null]);
  expect([counter, counter.bars.SECOND, counter.bars.MINUTE].map(({ gapBefore }) => gapBefore)).toEqual([
    true,
    true,
    true,
  ]);
  expect(next(sequencer, counter)).toMatchObject({ sequence: 42, offset: 9_000_008 });
  // Each log has its own numbers: the prints, and the bars of each interval.
  const number = (event: LiveBar) => sequencer.number({ event, counter, gapBefore: false }).sequence;
  const second: LiveBar = { ...bar, interval: 'SECOND' };
  expect([bar, second, bar, second].map(number)).toEqual([8, 1, 9, 2]);
});

test('entries of a lost log number nothing', () => {
  const sequencer = build();
  const last: LoggedTrade = { ...trade, epoch: 'zero', offset: 9_000_000, sequence: 41, gapBefore: false };
  const counter = sequencer.openLog([last]);
  expect(counter.gapBefore).toBe(false);
  expect(next(sequencer, counter)).toMatchObject({ sequence: 1, offset: 1_024_000 });
});

test('a log that is lost under way goes on in the next one without a hole', () => {
  const sequencer = build();
  const counter = sequencer.openLog([]);
  const first = next(sequencer, counter);
  sequencer.setEpoch('two');
  expect(sequencer.restamp(first)).toEqual({ ...first, epoch: 'two' });
  expect(next(sequencer, counter)).toMatchObject({ sequence: 2, epoch: 'two' });
  const second = next(sequencer, counter);
  expect(sequencer.restamp(second)).toBe(second);
});

test('an id is known again, per symbol', () => {
  const sequencer = build();
  const [apple, microsoft] = [sequencer.openLog([]), sequencer.openLog([])];
  expect(sequencer.isDuplicate(apple, 'a')).toBe(false);
  expect(sequencer.isDuplicate(apple, 'a')).toBe(true);
  expect(sequencer.isDuplicate(microsoft, 'a')).toBe(false);
});

test('ids are forgotten after one to two generations of prints of all symbols', () => {
  const sequencer = build(1_000, 4);
  const [quiet, busy] = [sequencer.openLog([]), sequencer.openLog([])];
  sequencer.isDuplicate(quiet, 'q');
  for (const id of ['1', '2', '3', '4']) expect(sequencer.isDuplicate(busy, id)).toBe(false);
  expect(sequencer.isDuplicate(quiet, 'q')).toBe(true);
  expect(sequencer.isDuplicate(busy, '2')).toBe(true);
  for (const id of ['5', '6', '7', '8']) sequencer.isDuplicate(busy, id);
  expect(sequencer.isDuplicate(quiet, 'q')).toBe(false);
  expect(sequencer.isDuplicate(busy, '2')).toBe(false);
});
