import { expect, test } from 'vitest';
import { letRun, ManualTime } from '../../test/manual-time.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { LogLostError, type BusState, type LogEntry, type LogKey } from '../bus/bus.ts';
import type { LiveBar, LoggedBar } from '../market/bar.ts';
import type { LoggedTrade, Trade } from '../market/trade.ts';
import { LogWriter } from './log-writer.ts';
import type { LogCounter } from './log-counter.ts';
import { Sequencer } from './sequencer.ts';

/** Appends like a stream of Redis: it refuses what is not above its log's newest, and may fail before or after a part. */
class ScriptedBus {
  readonly entries: LogEntry[] = [];
  readonly calls: number[] = [];
  /** How many entries get through before each coming call fails; empty: calls succeed. */
  failures: number[] = [];
  gate: Promise<void> = Promise.resolve();
  connected = true;
  /** As a server that was emptied: refuses everything, and how often that was told. */
  isEmptied = false;
  /** So many of the entries of a call got through before. */
  writtenBefore = 0;
  lost = 0;

  async append(entries: readonly LogEntry[]): Promise<void> {
    this.calls.push(entries.length);
    await this.gate;
    if (this.isEmptied) throw new LogLostError(entries.slice(0, this.writtenBefore));
    const failure = this.failures.shift();
    for (const entry of entries.slice(0, failure ?? entries.length)) {
      const [last] = await this.readLastEntries([{ ...entry } as LogKey]);
      if (last !== null && last !== undefined && entry.offset <= last.offset) throw new Error('not above the newest');
      this.entries.push(entry);
    }
    if (failure !== undefined) throw new Error('lost');
  }

  async readLastEntries(keys: readonly LogKey[]): Promise<(LogEntry | null)[]> {
    return keys.map(
      ({ kind, symbol }) => this.entries.findLast((entry) => entry.kind === kind && entry.symbol === symbol) ?? null,
    );
  }

  readState(): BusState {
    return { connected: this.connected, reason: null };
  }

  get trades(): [string, number, boolean][] {
    return this.entries
      .filter((entry): entry is LoggedTrade => entry.kind === 'trade')
      .map(({ symbol, sequence, gapBefore }) => [symbol, sequence, gapBefore]);
  }
}

function print(symbol: string): Trade {
  return {
    kind: 'trade',
    id: '1',
    symbol,
    price: 1,
    size: 1,
    exchange: 1,
    conditions: [],
    tape: null,
    offExchange: false,
    timestamp: 1,
    receivedAt: 1,
  };
}

const bar: LiveBar = {
  kind: 'bar',
  symbol: 'A',
  interval: 'SECOND',
  open: 1,
  high: 1,
  low: 1,
  close: 1,
  volume: 1,
  vwap: 1,
  start: 0,
  end: 1_000,
  dayOpen: null,
  dayVolume: null,
  dayVwap: null,
  receivedAt: 1,
};

function build(maxWaiting?: number): {
  bus: ScriptedBus;
  time: ManualTime;
  writer: LogWriter;
  sequencer: Sequencer;
  readonly open: () => LogCounter;
} {
  const time = new ManualTime(1_000);
  const bus = new ScriptedBus();
  const sequencer = new Sequencer({ clock: time.clock });
  sequencer.setEpoch('one');
  const writer = new LogWriter({
    bus,
    writer: bus,
    sequencer,
    timers: time.timers,
    logger: recordingLogger().logger,
    onLost: () => (bus.lost += 1),
    ...(maxWaiting !== undefined && { maxWaiting }),
  });
  return { bus, time, writer, sequencer, open: () => sequencer.openLog([]) };
}

test('what comes while a call is in flight goes into the next one, in order', async () => {
  const { bus, writer, open } = build();
  const { promise, resolve } = Promise.withResolvers<void>();
  bus.gate = promise;
  const counter = open();
  for (let frame = 0; frame < 3; frame += 1) {
    writer.add(print('A'), counter);
    writer.add(bar, counter);
    writer.flush();
  }
  resolve();
  await letRun();
  expect(bus.calls).toEqual([2, 4]);
  expect(bus.entries.map(({ kind }) => kind)).toEqual(['trade', 'bar', 'trade', 'bar', 'trade', 'bar']);
  expect(bus.trades.map(([, sequence]) => sequence)).toEqual([1, 2, 3]);
  expect(writer.readStats()).toMatchObject({ tradesAppended: 3, barsAppended: 3, entriesWaiting: 0 });
});

test('what is rejected is written when the bus takes it again, each entry once, in order', async () => {
  const { bus, writer, time, open } = build();
  const [a, b] = [open(), open()];
  bus.failures = [3, 0, 1];
  writer.add(print('A'), a);
  writer.add(print('B'), b);
  writer.add(print('A'), a);
  writer.add(print('A'), a);
  writer.add(print('B'), b);
  writer.flush();
  await letRun();
  expect(bus.trades).toHaveLength(3);
  writer.add(print('A'), a);
  writer.flush();
  await time.advance(10_000);
  expect(bus.trades).toEqual([
    ['A', 1, false],
    ['B', 1, false],
    ['A', 2, false],
    ['A', 3, false],
    ['B', 2, false],
    ['A', 4, false],
  ]);
  expect(writer.readStats()).toMatchObject({ tradesAppended: 6, appendFailures: 3, entriesWaiting: 0 });
});

test('a batch that got through whole before its call failed is not written again', async () => {
  const { bus, writer, time, open } = build();
  bus.failures = [2];
  const counter = open();
  writer.add(print('A'), counter);
  writer.add(print('A'), counter);
  writer.flush();
  await time.advance(1_000);
  expect(bus.calls).toEqual([2]);
  expect(writer.readStats()).toMatchObject({ tradesAppended: 2, entriesWaiting: 0 });
});

test('a bus that comes back with another log gets what waited, in that log', async () => {
  const { bus, writer, sequencer, open } = build();
  bus.failures = [0];
  const counter = open();
  writer.add(print('A'), counter);
  writer.flush();
  await letRun();
  writer.hold();
  writer.add(print('A'), counter);
  writer.flush();
  sequencer.setEpoch('two');
  writer.resume();
  await letRun();
  expect(bus.entries.map(({ epoch }) => epoch)).toEqual(['two', 'two']);
  expect(bus.trades.map(([, sequence]) => sequence)).toEqual([1, 2]);
});

test('what is held back is not even tried', async () => {
  const { bus, writer, open } = build();
  writer.hold();
  writer.add(print('A'), open());
  writer.flush();
  await letRun();
  expect(bus.calls).toEqual([]);
  writer.resume();
  await letRun();
  expect(bus.calls).toEqual([1]);
});

test('holding back in the middle ends with the call in flight', async () => {
  const { bus, writer, open } = build();
  const { promise, resolve } = Promise.withResolvers<void>();
  bus.gate = promise;
  const counter = open();
  writer.add(print('A'), counter);
  writer.flush();
  writer.add(print('A'), counter);
  writer.hold();
  resolve();
  await letRun();
  expect(bus.calls).toEqual([1]);
  writer.resume();
  await letRun();
  expect(bus.calls).toEqual([1, 1]);
});

test('beyond the bound the oldest are given up, without a hole in the numbers, and the next print of each symbol says so', async () => {
  const { bus, writer, open } = build(32);
  const [a, b] = [open(), open()];
  writer.hold();
  writer.add(print('B'), b);
  for (let step = 0; step < 32; step += 1) writer.add(print('A'), a);
  expect(writer.readStats()).toMatchObject({ entriesGivenUp: 2, entriesWaiting: 31 });
  writer.add(print('B'), b);
  writer.resume();
  await letRun();
  expect(bus.trades.at(0)).toEqual(['A', 1, true]);
  expect(bus.trades.at(1)).toEqual(['A', 2, false]);
  expect(bus.trades.at(-1)).toEqual(['B', 1, true]);
  expect(bus.trades).toHaveLength(32);
  expect(writer.readStats()).toMatchObject({ gapsTold: 2, entriesWaiting: 0 });
});

test('bars that are given up are told by the next one of the same length, not by that of another', async () => {
  const { bus, writer, open } = build(32);
  const counter = open();
  const minute: LiveBar = { ...bar, interval: 'MINUTE', end: 60_000 };
  const second = (number: number): LiveBar => ({ ...bar, start: number * 1_000, end: number * 1_000 + 1_000 });
  writer.hold();
  for (const number of [1, 2]) writer.add(second(number), counter);
  for (let step = 0; step < 30; step += 1) writer.add(print('A'), counter);
  writer.add(minute, counter);
  writer.add(second(3), counter);
  writer.resume();
  await letRun();
  const bars = bus.entries.filter((entry): entry is LoggedBar => entry.kind === 'bar');
  expect(bars.map(({ interval, start, gapBefore }) => [interval, start, gapBefore])).toEqual([
    ['MINUTE', 0, false],
    ['SECOND', 3_000, true],
  ]);
  expect(bus.trades.map(([, , gapBefore]) => gapBefore)).not.toContain(true);
  expect(writer.readStats()).toMatchObject({ entriesGivenUp: 2, barGapsTold: 1, gapsTold: 0 });
});

test('entries that a connected bus takes never are given up after a while, and the log goes on', async () => {
  const { bus, writer, time, open } = build();
  const counter = open();
  bus.failures = Array.from({ length: 12 }, () => 0);
  writer.add(print('A'), counter);
  writer.flush();
  await letRun();
  writer.add(print('A'), counter);
  await time.advance(60_000);
  expect(bus.trades).toEqual([['A', 2, true]]);
  expect(writer.readStats()).toMatchObject({ entriesGivenUp: 1, entriesWaiting: 0 });
});

test('settling waits for what was added before, written or given up, and for nothing more', async () => {
  const { bus, writer, open } = build();
  const { promise, resolve } = Promise.withResolvers<void>();
  await writer.settle();
  bus.gate = promise;
  const counter = open();
  writer.add(print('A'), counter);
  writer.flush();
  let settled = false;
  const settling = writer.settle().then(() => (settled = true));
  await letRun();
  expect(settled).toBe(false);
  resolve();
  await settling;
  writer.hold();
  writer.add(print('A'), counter);
  const second = writer.settle();
  writer.close();
  await second;
});

test('where the bus has lost the log, nothing is written before it is known which log there is now', async () => {
  const { bus, writer, sequencer, time, open } = build();
  const counter = open();
  writer.add(print('A'), counter);
  writer.flush();
  await letRun();
  bus.entries.length = 0;
  bus.isEmptied = true;
  writer.add(print('A'), counter);
  writer.flush();
  await letRun();
  expect(bus.lost).toBe(1);
  writer.add(print('A'), counter);
  writer.flush();
  await time.advance(10_000);
  expect(bus.calls).toEqual([1, 1]);

  bus.isEmptied = false;
  sequencer.setEpoch('two');
  writer.resume();
  await letRun();
  expect(bus.entries.map(({ epoch }) => epoch)).toEqual(['two', 'two']);
  expect(bus.trades.map(([, sequence]) => sequence)).toEqual([2, 3]);
});

test('what was written before the bus has lost the log is not published again', async () => {
  const { bus, writer, sequencer, open } = build();
  const counter = open();
  bus.isEmptied = true;
  bus.writtenBefore = 2;
  for (let count = 0; count < 3; count += 1) writer.add(print('A'), counter);
  writer.flush();
  await letRun();
  bus.isEmptied = false;
  sequencer.setEpoch('two');
  writer.resume();
  await letRun();
  expect(bus.trades).toEqual([['A', 3, false]]);
  expect(writer.readStats()).toMatchObject({ tradesAppended: 3, entriesWaiting: 0 });
});
