import { afterEach, describe, expect, test, vi } from 'vitest';
import { letRun, ManualTimers } from '../../test/manual-time.ts';
import { makeBar, makeQuote, makeTrade } from '../../test/market-samples.ts';
import { overrideBus } from '../../test/override-bus.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import type { BusState, Interruption, LogEntry } from '../bus/bus.ts';
import { createMemoryBus } from '../bus/memory.ts';
import { decodeCursor, OFFSETS_PER_MS } from '../market/log.ts';
import { Hub, type HubOptions } from './hub.ts';
import type { DeliveredQuote } from './quote-hub.ts';
import { RESUME_GRACE_MS } from './resume.ts';
import { until } from '../../test/until.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function createHub(options: Partial<HubOptions> = {}) {
  const { logger, records } = recordingLogger();
  const bus = createMemoryBus({ historyMs: 300_000 + RESUME_GRACE_MS, logger });
  const hub = new Hub({
    bus,
    process: 'test',
    readQuotes: async (symbols) => symbols.map(() => null),
    isLive: () => true,
    historyMs: 300_000,
    now: Date.now,
    logger,
    ...options,
  });
  cleanups.push(
    () => bus.close(),
    () => hub.close(),
  );
  const epoch = await bus.readEpoch();
  let offset = Date.now() * OFFSETS_PER_MS;
  const sequences = new Map<string, number>();
  /** The next print of a symbol, numbered as the writer does. */
  const nextTrade = (symbol: string) => {
    const sequence = (sequences.get(symbol) ?? 0) + 1;
    sequences.set(symbol, sequence);
    return makeTrade(symbol, ++offset, { sequence, epoch });
  };
  return { bus, hub, records, epoch, nextTrade, nextOffset: () => ++offset };
}

/** So late the wheel of a hub may wake. */
const WHEEL_MS = 5;

async function take<T>(stream: AsyncIterator<T>, count: number): Promise<T[]> {
  const values: T[] = [];
  while (values.length < count) {
    const { done, value } = await stream.next();
    if (done === true) break;
    values.push(value);
  }
  return values;
}

const known = (symbol: string, fields: Partial<DeliveredQuote> = {}): DeliveredQuote => ({
  ...makeQuote(symbol),
  stale: false,
  ...fields,
});

describe('quotes', () => {
  test('come current first, then each change', async () => {
    const { hub, bus } = await createHub({ readQuotes: async () => [known('A', { price: 1 }), null] });
    const stream = await hub.openQuotes(['A', 'B']);
    expect((await take(stream, 1)).map(({ symbol, price }) => [symbol, price])).toEqual([['A', 1]]);
    await bus.publishQuotes([makeQuote('B', { price: 2 })]);
    expect(await take(stream, 1)).toEqual([known('B', { price: 2 })]);
  });

  test('that came live while the snapshot was read are not replaced by it', async () => {
    const { promise, resolve } = Promise.withResolvers<DeliveredQuote[]>();
    const asked = vi.fn(() => promise);
    const { hub, bus } = await createHub({ readQuotes: asked });
    const opening = hub.openQuotes(['A']);
    await until(() => expect(asked).toHaveBeenCalled());
    await bus.publishQuotes([makeQuote('A', { price: 2 })]);
    // The bus hands over in its next turn; a second channel's message that has arrived proves that the first has.
    await new Promise((done) => setImmediate(done));
    resolve([known('A', { price: 1 })]);
    const stream = await opening;
    expect((await take(stream, 1))[0]!.price).toBe(2);
    expect(hub.readStats().messagesWaiting).toBe(0);
  });

  test('that the snapshot showed are not shown again when the bus delivers them late', async () => {
    const { hub, bus } = await createHub({ readQuotes: async () => [known('A', { price: 1 }), null] });
    const stream = await hub.openQuotes(['A', 'B']);
    expect((await take(stream, 1))[0]!.symbol).toBe('A');
    await bus.publishQuotes([makeQuote('A', { price: 1 }), makeQuote('B')]);
    expect((await take(stream, 1))[0]!.symbol).toBe('B');
    // Only the first live one can be the snapshot's: after that, every one is a change.
    await bus.publishQuotes([makeQuote('A', { price: 1 })]);
    expect((await take(stream, 1))[0]!.symbol).toBe('A');
  });

  test('are live though no current ones could be read', async () => {
    const { hub, bus, records } = await createHub({ readQuotes: () => Promise.reject(new Error('away')) });
    const stream = await hub.openQuotes(['A']);
    await bus.publishQuotes([makeQuote('A', { price: 3 })]);
    expect((await take(stream, 1))[0]!.price).toBe(3);
    expect(records.map(({ level }) => level)).toContain('warn');
  });
});

describe('logs', () => {
  test('give every print of the symbols asked for, in order', async () => {
    const { hub, bus, nextTrade } = await createHub();
    const stream = await hub.openTrades(['A', 'B'], null);
    const entries = ['A', 'C', 'B', 'A', 'A', 'B'].map(nextTrade);
    await bus.append(entries);
    expect(await take(stream, 5)).toEqual(entries.filter(({ symbol }) => symbol !== 'C'));
  });

  test('are asked where they end by the first who follows them alone', async () => {
    const { hub, bus, nextTrade } = await createHub();
    await bus.append([nextTrade('A')]);
    const readLastEntries = vi.spyOn(bus, 'readLastEntries');
    const streams = [];
    for (let index = 0; index < 5; index++) streams.push(await hub.openTrades(['A', 'B'], null));
    expect(readLastEntries).toHaveBeenCalledTimes(1);
    const entries = ['A', 'B'].map(nextTrade);
    await bus.append(entries);
    await letRun();
    streams.push(await hub.openTrades(['A'], null));
    const later = nextTrade('A');
    await bus.append([later]);
    for (const stream of streams.slice(0, 5)) expect(await take(stream, 3)).toEqual([...entries, later]);
    expect(await take(streams[5]!, 1)).toEqual([later]);
    expect(readLastEntries).toHaveBeenCalledTimes(1);
  });

  test('of bars give only the interval asked for', async () => {
    const { hub, bus, epoch, nextOffset } = await createHub();
    const stream = await hub.openBars(['A'], 'MINUTE', null);
    const second = makeBar('A', nextOffset(), { epoch });
    const minute = makeBar('A', nextOffset(), { epoch, interval: 'MINUTE' });
    await bus.append([second, minute]);
    expect(await take(stream, 1)).toEqual([minute]);
  });

  test.each(['print', 'bar'])(
    'a %s that the bus lost on the way shows by its number, and is read from history',
    async (kind) => {
      const lost = new Set<number>();
      const { logger } = recordingLogger();
      const inner = createMemoryBus({ historyMs: 300_000 + RESUME_GRACE_MS, logger });
      const epoch = await inner.readEpoch();
      const { hub, nextOffset } = await createHub({
        bus: overrideBus(inner, {
          subscribe: (channel, listener) =>
            inner.subscribe(channel, (message) => {
              if (!('offset' in message) || !lost.has(message.offset)) listener(message);
            }),
        }),
      });
      const make = (sequence: number): LogEntry =>
        kind === 'print'
          ? makeTrade('A', nextOffset(), { sequence, epoch })
          : makeBar('A', nextOffset(), { sequence, epoch });
      const stream = await (kind === 'print' ? hub.openTrades(['A'], null) : hub.openBars(['A'], 'SECOND', null));
      const entries = [1, 2, 3, 4].map(make);
      lost.add(entries[1]!.offset).add(entries[2]!.offset);
      for (const entry of entries) await inner.append([entry]);
      expect(await take<LogEntry>(stream, 4)).toEqual(entries);
      await inner.close();
    },
  );

  test('are resumed after a cursor: no gap and no duplicate, over all symbols, history first', async () => {
    const { hub, bus, nextTrade } = await createHub();
    const past = ['A', 'B', 'A', 'B', 'A'].map(nextTrade);
    await bus.append(past);
    const opening = hub.openTrades(['A', 'B'], past[1]!);
    const live = ['B', 'A'].map(nextTrade);
    await bus.append(live);
    expect(await take(await opening, 5)).toEqual([...past.slice(2), ...live]);
  });

  test('cannot be resumed from another epoch, nor from before what is kept: the oldest cursor is told', async () => {
    const { hub, epoch } = await createHub();
    await expect(hub.openTrades(['A'], { epoch: 'other', offset: Date.now() * OFFSETS_PER_MS })).rejects.toMatchObject({
      code: 'HISTORY_EXPIRED',
    });
    const error = await hub.openTrades(['A'], { epoch, offset: 1 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'HISTORY_EXPIRED', details: { oldestCursor: expect.any(String) } });
    const { oldestCursor } = (error as { details: { oldestCursor: string } }).details;
    const resumed = await hub.openTrades(['A'], decodeCursor(oldestCursor));
    expect(await resumed.return?.()).toMatchObject({ done: true });
    expect(hub.readStats().mailboxes).toBe(0);
  });

  test('whose reader is too slow end with SLOW_CONSUMER and the cursor of the last entry it was handed', async () => {
    const timers = new ManualTimers();
    const { hub, bus, nextTrade } = await createHub({ timers, logBounds: { maxEntries: 3, stallMs: 20 } });
    const stream = await hub.openTrades(['A'], null);
    const [first, ...rest] = Array.from({ length: 5 }, () => nextTrade('A'));
    await bus.append([first!]);
    await take(stream, 1);
    await bus.append(rest);
    await letRun();
    expect(hub.readStats().slowConsumers).toBe(0);
    timers.advance(20 + WHEEL_MS);
    expect(hub.readStats().slowConsumers).toBe(1);
    const error = await stream.next().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SLOW_CONSUMER' });
    expect(decodeCursor((error as { details: { cursor: string } }).details.cursor)).toEqual({
      epoch: first!.epoch,
      offset: first!.offset,
    });
    expect(hub.readStats()).toMatchObject({ mailboxes: 0, channels: 0, symbolsWanted: 0 });
  });
});

test('a log that begins anew under its reader is told, after all that waits', async () => {
  const { hub, bus, nextTrade, nextOffset } = await createHub();
  const stream = await hub.openTrades(['A'], null);
  const last = nextTrade('A');
  await bus.append([last]);
  await bus.append([makeTrade('A', nextOffset(), { epoch: 'another' })]);
  await letRun();
  expect(await take(stream, 1)).toEqual([last]);
  const error = await stream.next().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'HISTORY_EXPIRED' });
  const { oldestCursor } = (error as { details: { oldestCursor: string } }).details;
  expect(decodeCursor(oldestCursor)).toMatchObject({ epoch: 'another' });
  expect(hub.readStats()).toMatchObject({ mailboxes: 0, channels: 0, symbolsWanted: 0 });
});

describe('after an interruption of the bus', () => {
  /** A bus that a test cuts off: what is published meanwhile is kept, and heard by nobody. */
  async function createInterruptible(options: Partial<HubOptions> = {}) {
    const states: ((state: BusState) => void)[] = [];
    const interruptions: ((channels: Interruption) => void)[] = [];
    let connected = true;
    const { bus: memory, ...rest } = await createHub();
    const bus = overrideBus(memory, {
      readState: () => ({ connected, reason: null }),
      onState: (listener) => {
        states.push(listener);
        return () => undefined;
      },
      onInterruption: (listener) => {
        interruptions.push(listener);
        return () => undefined;
      },
      subscribe: (channel, listener) => memory.subscribe(channel, (message) => connected && listener(message)),
    });
    const setConnected = (value: boolean): void => {
      connected = value;
      for (const tell of states) tell({ connected, reason: null });
      if (connected) for (const tell of interruptions) tell('all');
    };
    const { hub } = await createHub({ bus, ...options });
    return { ...rest, bus, hub, setConnected };
  }

  test('a thousand subscribers of one symbol get every print that they missed, by two reads', async () => {
    const { bus, hub, nextTrade, setConnected } = await createInterruptible();
    const streams = await Promise.all(Array.from({ length: 1000 }, () => hub.openTrades(['A'], null)));
    const readsBefore = hub.readStats().historyReads;
    const before = nextTrade('A');
    await bus.append([before]);
    for (const stream of streams) expect(await take(stream, 1)).toEqual([before]);

    const nexts = streams.map((stream) => take(stream, 4));
    setConnected(false);
    const missed = ['A', 'A', 'A'].map(nextTrade);
    await bus.append(missed);
    await letRun();
    const readHistory = vi.spyOn(bus, 'readHistory');
    setConnected(true);
    await letRun();
    const after = nextTrade('A');
    await bus.append([after]);
    for (const next of nexts) expect(await next).toEqual([...missed, after]);
    expect(hub.readStats().historyReads - readsBefore).toBeLessThanOrEqual(2);
    expect(readHistory.mock.calls.length).toBeLessThanOrEqual(2);
  });

  test('what a subscriber was still to read comes first, then what was missed', async () => {
    const { bus, hub, nextTrade, setConnected } = await createInterruptible();
    const stream = await hub.openTrades(['A', 'B'], null);
    const entries = ['A', 'B', 'A'].map(nextTrade);
    await bus.append(entries);
    await letRun();
    setConnected(false);
    const missed = ['B', 'A', 'B'].map(nextTrade);
    await bus.append(missed);
    await letRun();
    setConnected(true);
    const after = ['A', 'B'].map(nextTrade);
    await bus.append(after);
    expect(await take(stream, 8)).toEqual([...entries, ...missed, ...after]);
  });

  test('a subscription that begins while the bus is away counts from then', async () => {
    // Offsets follow the clock: the next is of a time after the opening.
    const openedAt = Date.now() + 1000;
    const { bus, hub, nextTrade, setConnected } = await createInterruptible({ now: () => openedAt });
    await bus.append([nextTrade('A')]);
    setConnected(false);
    const stream = await hub.openTrades(['A'], null);
    const missed = { ...nextTrade('A'), offset: (openedAt + 5) * OFFSETS_PER_MS };
    await bus.append([missed]);
    setConnected(true);
    expect(await take(stream, 1)).toEqual([missed]);
  });

  test('a read that fails though the bus is there is tried again', async () => {
    const timers = new ManualTimers();
    const { bus, hub, nextTrade, setConnected } = await createInterruptible({ timers });
    const stream = await hub.openTrades(['A'], null);
    const next = take(stream, 1);
    setConnected(false);
    const missed = nextTrade('A');
    await bus.append([missed]);
    const readHistory = vi.spyOn(bus, 'readHistory').mockRejectedValueOnce(new Error('LOADING'));
    setConnected(true);
    await letRun();
    expect(readHistory).toHaveBeenCalledTimes(1);
    timers.advance(250 + WHEEL_MS);
    expect(await next).toEqual([missed]);
  });

  test('the current quotes are read once, whatever the number of watchers, and told where they changed', async () => {
    let price = 1;
    const readQuotes = vi.fn(async (symbols: readonly string[]) =>
      symbols.map((symbol) => known(symbol, { price: symbol === 'A' ? price : 5 })),
    );
    const { bus, hub, setConnected } = await createInterruptible({ readQuotes });
    await bus.publishQuotes([makeQuote('B', { price: 5 })]);
    const streams = await Promise.all(Array.from({ length: 20 }, () => hub.openQuotes(['A', 'B'])));
    for (const stream of streams) await take(stream, 2);
    await bus.publishQuotes([makeQuote('A', { price: 1 }), makeQuote('B', { price: 4 })]);
    await letRun();
    for (const stream of streams) expect((await take(stream, 1))[0]!.price).toBe(4);
    readQuotes.mockClear();

    setConnected(false);
    price = 2;
    await bus.publishQuotes([makeQuote('A', { price: 2 }), makeQuote('B', { price: 5 })]);
    await letRun();
    setConnected(true);
    for (const stream of streams) {
      expect((await take(stream, 2)).map(({ symbol, price: of }) => [symbol, of])).toEqual([
        ['A', 2],
        ['B', 5],
      ]);
    }
    expect(readQuotes).toHaveBeenCalledTimes(1);
    setConnected(false);
    setConnected(true);
    await letRun();
    expect(hub.readStats().messagesWaiting).toBe(0);
  });
});

describe('bounds', () => {
  test('a long history is read a page at a time, as its reader takes it', async () => {
    const { hub, bus, nextTrade } = await createHub();
    const past = Array.from({ length: 5000 }, (_, index) => nextTrade(index % 10 === 0 ? 'B' : 'A'));
    await bus.append(past.slice(0, 1));
    await bus.append(past.slice(1));
    const readHistory = vi.spyOn(bus, 'readHistory');
    const stream = await hub.openTrades(['A', 'B'], past[0]!);
    await letRun();
    expect(readHistory.mock.calls.length).toBeLessThanOrEqual(2);
    const received = [];
    while (received.length < past.length - 1) {
      received.push(...(await take(stream, 1)));
      expect(hub.readStats().bytesWaiting).toBeLessThan(256 * 1024);
    }
    expect(received).toEqual(past.slice(1));
    expect(readHistory.mock.calls.length).toBeLessThan(60);
  });

  test('entries wait up to the bound in bytes, and a reader that takes none of them is ended', async () => {
    const timers = new ManualTimers();
    const { hub, bus, nextTrade } = await createHub({ timers, logBounds: { maxBytes: 10_000, stallMs: 500 } });
    const stream = await hub.openTrades(['A'], null);
    for (let round = 0; round < 10; round++) {
      await bus.append(Array.from({ length: 50 }, () => nextTrade('A')));
      await letRun();
      expect(hub.readStats().bytesWaiting).toBeLessThanOrEqual(10_000);
    }
    expect(hub.readStats().bytesWaiting).toBeGreaterThan(9000);
    timers.advance(500 + WHEEL_MS);
    expect(hub.readStats()).toMatchObject({ slowConsumers: 1, bytesWaiting: 0 });
    // It has taken nothing: it can begin where it began.
    await expect(stream.next()).rejects.toMatchObject({
      code: 'SLOW_CONSUMER',
      details: { cursor: expect.any(String) },
    });
  });

  test('a reader that moves but stays behind is ended as well', async () => {
    const timers = new ManualTimers();
    const logBounds = { maxEntries: 5, stallMs: 10, behindMs: 100 };
    const { hub, bus, nextTrade } = await createHub({ timers, logBounds });
    const stream = await hub.openTrades(['A'], null);
    let readAt = 0;
    const failure = (async () => {
      for (;;) {
        await bus.append(Array.from({ length: 20 }, () => nextTrade('A')));
        await letRun();
        await stream.next();
        readAt = timers.now();
        timers.advance(5);
      }
    })();
    await expect(failure).rejects.toMatchObject({ code: 'SLOW_CONSUMER' });
    // Not before: it has moved all the time.
    expect(readAt).toBeGreaterThanOrEqual(logBounds.behindMs - 5);
  });
});

describe('channels and demand', () => {
  test('one bus subscription serves all subscribers of a channel, and ends with the last', async () => {
    const { hub, bus } = await createHub();
    const subscribe = vi.spyOn(bus, 'subscribe');
    const streams = await Promise.all(Array.from({ length: 50 }, () => hub.openQuotes(['A'])));
    expect(subscribe).toHaveBeenCalledTimes(1);
    await until(async () => expect(await bus.readDemand()).toEqual(new Map([['A', 50]])));
    for (const stream of streams) await stream.return?.();
    expect(hub.readStats()).toMatchObject({ channels: 0, mailboxes: 0, symbolsWanted: 0 });
    await until(async () => expect(await bus.readDemand()).toEqual(new Map()));
  });

  test('a channel survives that one subscriber leaves while another joins', async () => {
    const { hub, bus, nextTrade } = await createHub();
    for (let round = 0; round < 20; round++) {
      const leaving = hub.openTrades(['A'], null);
      const staying = hub.openTrades(['A'], null);
      await (await leaving).return?.();
      const stream = await staying;
      const trade = nextTrade('A');
      await bus.append([trade]);
      expect(await take(stream, 1)).toEqual([trade]);
      await stream.return?.();
    }
  });

  test('a bus that cannot be subscribed refuses the subscription and leaves nothing behind', async () => {
    const { hub, bus } = await createHub();
    vi.spyOn(bus, 'subscribe').mockRejectedValue(new Error('away'));
    await expect(hub.openQuotes(['A'])).rejects.toThrow('away');
    expect(hub.readStats()).toMatchObject({ channels: 0, mailboxes: 0, symbolsWanted: 0 });
  });

  test('demand that could not be stated is stated again when the bus is back', async () => {
    const { bus } = await createHub();
    const listeners: ((state: { connected: boolean; reason: null }) => void)[] = [];
    vi.spyOn(bus, 'onState').mockImplementation((listener) => {
      listeners.push(listener);
      return () => undefined;
    });
    const { hub } = await createHub({ bus });
    vi.spyOn(bus, 'setDemand').mockRejectedValueOnce(new Error('away'));
    await hub.openQuotes(['A']);
    await until(() => expect(bus.setDemand).toHaveBeenCalled());
    expect(await bus.readDemand()).toEqual(new Map());
    for (const tell of listeners) tell({ connected: true, reason: null });
    await until(async () => expect(await bus.readDemand()).toEqual(new Map([['A', 1]])));
  });

  test('closing ends every subscription and withdraws the demand', async () => {
    const { hub, bus } = await createHub();
    const stream = await hub.openTrades(['A'], null);
    const next = stream.next();
    await until(async () => expect((await bus.readDemand()).size).toBe(1));
    await hub.close();
    expect(await next).toMatchObject({ done: true });
    expect(await bus.readDemand()).toEqual(new Map());
  });
});
