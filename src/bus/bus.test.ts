import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Redis } from 'ioredis';
import { patientTimers } from '../../test/manual-time.ts';
import { startRedis } from '../../test/redis.ts';
import { startRedisCluster } from '../../test/redis-cluster.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import type { TestRedis } from '../../test/redis.ts';
import type { TestRedisCluster } from '../../test/redis-cluster.ts';
import { OFFSETS_PER_MS } from '../market/log.ts';
import {
  barChannel,
  controlChannel,
  demandChannel,
  ordersChannel,
  quoteChannel,
  statusChannel,
  tradeChannel,
  userChannel,
} from './bus.ts';
import type { Bus, LogEntry } from './bus.ts';
import { createMemoryBus } from './memory.ts';
import { createRedisBus } from './redis.ts';
import { makeBar, makeQuote, makeStatus, makeTrade } from '../../test/market-samples.ts';
import { until } from '../../test/until.ts';

/** What every bus does, proven for all. `writer` and `reader` are the same bus in process, two processes' over Redis. */
type Setting = { readonly writer: Bus; readonly reader: Bus };

const HISTORY_MS = 60_000;
const MAX_ENTRIES = 500;
const START = 1_800_000_000_000;
const offsetAt = (ms: number, counter = 0) => ms * OFFSETS_PER_MS + counter;

let now = START;
const clock = () => now;
const { logger, records } = recordingLogger();
let redis: TestRedis;
let raw: Redis;
let cluster: TestRedisCluster;

beforeAll(async () => {
  [redis, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
  raw = new Redis(redis.url);
});
afterAll(async () => {
  raw.disconnect();
  await Promise.all([redis.stop(), cluster.stop()]);
});
beforeEach(() => {
  now = START;
  records.length = 0;
});

const options = { historyMs: HISTORY_MS, maxHistoryEntriesPerLog: MAX_ENTRIES, clock, logger };
/** From the deadlines of pings on. */
const timers = patientTimers(2_000);

async function connectRedisBus(url: string): Promise<Bus> {
  const bus = createRedisBus({ ...options, timers, url });
  await until(() => expect(bus.readState().connected).toBe(true));
  return bus;
}

const kinds: Record<string, () => Promise<Setting>> = {
  'in process': async () => {
    const bus = createMemoryBus(options);
    return { writer: bus, reader: bus };
  },
  'over Redis': async () => {
    await raw.flushall();
    return { writer: await connectRedisBus(redis.url), reader: await connectRedisBus(redis.url) };
  },
  'over a Redis Cluster': async () => {
    await cluster.flush();
    return { writer: await connectRedisBus(cluster.url), reader: await connectRedisBus(cluster.url) };
  },
};

describe.each(Object.entries(kinds))('a bus %s', (_, open) => {
  let writer: Bus;
  let reader: Bus;
  beforeEach(async () => {
    ({ writer, reader } = await open());
  });
  afterEach(async () => {
    await Promise.all([writer.close(), reader.close()]);
  });

  it('carries every kind of message as it was', async () => {
    const heard: unknown[] = [];
    const hear = (message: unknown) => void heard.push(message);
    await Promise.all([
      reader.subscribe(quoteChannel('BRK.B'), hear),
      reader.subscribe(tradeChannel('BRK.B'), hear),
      reader.subscribe(barChannel('BRK.B'), hear),
      reader.subscribe(statusChannel, hear),
      reader.subscribe(demandChannel, hear),
      reader.subscribe(controlChannel, hear),
      reader.subscribe(userChannel('a user'), hear),
      reader.subscribe(ordersChannel, hear),
    ]);
    const quote = makeQuote('BRK.B', { bid: null, vwap: 0.1 + 0.2 });
    const trade = makeTrade('BRK.B', offsetAt(START), { tape: null, conditions: [12, 37], gapBefore: true });
    const bar = makeBar('BRK.B', offsetAt(START, 1));
    const status = makeStatus({ timestamp: START });
    const control = { action: 'pause', data: { reason: 'maintenance' } } as const;

    await writer.publishQuotes([quote]);
    await writer.append([trade, bar]);
    await writer.publishStatus(status);
    await writer.setDemand('api-1', new Map([['BRK.B', 2]]));
    await writer.publishControl(control);
    const told = { number: 7, notification: { kind: 'TradeExecuted', orderId: 'order-1' } };
    await writer.tell(userChannel('a user'), told);
    await writer.tell(ordersChannel, { id: 'order-2' });

    await expect.poll(() => heard).toHaveLength(8);
    // Order is kept per channel, and among the logs.
    expect(heard).toEqual(
      expect.arrayContaining([
        ...[quote, trade, bar, status, { process: 'api-1', counts: { 'BRK.B': 2 } }, control],
        ...[told, { id: 'order-2' }],
      ]),
    );
  });

  it('keeps the newest word of control, said or heard, for who was not there', async () => {
    expect(await reader.readControl()).toBeNull();
    const pause = { action: 'pause', data: { reason: 'maintenance' } } as const;
    await writer.publishControl(pause);
    expect(await reader.readControl()).toEqual(pause);
    const resume = { action: 'resume', data: { reason: null } } as const;
    await reader.keepControl(resume);
    expect(await writer.readControl()).toEqual(resume);
  });

  it('delivers what one call published in order, also over many entries and symbols', async () => {
    const heard: LogEntry[] = [];
    for (const symbol of ['AAPL', 'MSFT'])
      await reader.subscribe(tradeChannel(symbol), (trade) => void heard.push(trade));
    const trades = Array.from({ length: 1_300 }, (_, index) =>
      makeTrade(index % 3 === 0 ? 'AAPL' : 'MSFT', offsetAt(START + (index >> 10), index), { sequence: index }),
    );
    await writer.append(trades);
    await expect.poll(() => heard.length).toBe(trades.length);
    expect(heard).toEqual(trades);
  });

  it('delivers nothing of before the subscription and nothing after its end', async () => {
    const heard: string[] = [];
    void writer.publishQuotes([makeQuote('AAPL', { price: 1 })]);
    await writer.publishQuotes([makeQuote('AAPL', { price: 2 })]);
    const stop = await reader.subscribe(quoteChannel('AAPL'), (quote) => void heard.push(`first ${quote.price}`));
    await reader.subscribe(quoteChannel('AAPL'), (quote) => void heard.push(`second ${quote.price}`));
    await writer.publishQuotes([makeQuote('AAPL', { price: 3 })]);
    await expect.poll(() => heard.length).toBe(2);
    await stop();
    await stop();
    await writer.publishQuotes([makeQuote('AAPL', { price: 4 })]);
    await expect.poll(() => heard.length).toBe(3);
    expect(heard).toEqual(['first 3', 'second 3', 'second 4']);
  });

  it('keeps a channel alive through subscribing and unsubscribing in haste', async () => {
    const heard: number[] = [];
    const channel = quoteChannel('AAPL');
    // Each leaves as soon as it has come, while the next is already on its way: the last one stays.
    const stays = Array.from({ length: 20 }, async (_, index) => {
      const stop = await reader.subscribe(channel, (quote) => void (index === 19 && heard.push(quote.price)));
      if (index < 19) await stop();
    });
    await Promise.all(stays);
    await writer.publishQuotes([makeQuote('AAPL', { price: 7 })]);
    await expect.poll(() => heard).toEqual([7]);
    expect(reader.readStats()['messagesReceived']).toBe(1);
  });

  it('runs no listener on the stack of the publisher, and keeps the others from one that throws', async () => {
    const heard: number[] = [];
    let publishing = false;
    await writer.subscribe(quoteChannel('AAPL'), () => {
      throw new Error('listener broke');
    });
    await writer.subscribe(quoteChannel('AAPL'), (quote) => {
      expect(publishing).toBe(false);
      heard.push(quote.price);
    });
    publishing = true;
    const published = writer.publishQuotes([makeQuote('AAPL', { price: 1 }), makeQuote('AAPL', { price: 2 })]);
    publishing = false;
    await published;
    await expect.poll(() => heard).toEqual([1, 2]);
    expect(writer.readStats()['listenerFailures']).toBe(2);
    expect(records.filter(({ message }) => message === 'a bus listener failed')).toHaveLength(2);
  });

  it('reads history after an offset, with a limit, or the last entries', async () => {
    const log = { kind: 'trade', symbol: 'AAPL' } as const;
    const trades = Array.from({ length: 10 }, (_, index) =>
      makeTrade('AAPL', offsetAt(START, index), { sequence: index + 1 }),
    );
    await writer.append(trades);
    await writer.append([makeTrade('MSFT', offsetAt(START, 50))]);

    expect(await reader.readHistory(log, { after: -1 })).toEqual(trades);
    expect(await reader.readHistory(log, { after: trades[6]!.offset })).toEqual(trades.slice(7));
    expect(await reader.readHistory(log, { after: trades[1]!.offset, limit: 3 })).toEqual(trades.slice(2, 5));
    expect(await reader.readHistory(log, { after: trades[9]!.offset })).toEqual([]);
    expect(await reader.readHistory(log, { last: 2 })).toEqual(trades.slice(8));
    expect(await reader.readHistory(log, { last: 99 })).toEqual(trades);
    expect(await reader.readHistory(log, { last: 0 })).toEqual([]);
    expect(await reader.readHistory({ kind: 'trade', symbol: 'NONE' }, { last: 5 })).toEqual([]);
  });

  it('keeps second and minute bars apart, though they share a channel', async () => {
    const second = makeBar('AAPL', offsetAt(START, 0));
    const minute = makeBar('AAPL', offsetAt(START, 1), { interval: 'MINUTE' });
    const heard: string[] = [];
    await reader.subscribe(barChannel('AAPL'), (bar) => void heard.push(bar.interval));
    await writer.append([second, minute]);
    await expect.poll(() => heard).toEqual(['SECOND', 'MINUTE']);
    expect(await reader.readHistory({ kind: 'bar', symbol: 'AAPL', interval: 'SECOND' }, { last: 9 })).toEqual([
      second,
    ]);
    expect(await reader.readHistory({ kind: 'bar', symbol: 'AAPL', interval: 'MINUTE' }, { last: 9 })).toEqual([
      minute,
    ]);
  });

  it('gives out nothing older than the time limit, but numbers go on from the last entry', async () => {
    const log = { kind: 'trade', symbol: 'AAPL' } as const;
    const old = makeTrade('AAPL', offsetAt(START), { sequence: 41 });
    await writer.append([old]);
    now += HISTORY_MS + 1;
    expect(await reader.readHistory(log, { after: -1 })).toEqual([]);
    expect(await reader.readHistory(log, { last: 5 })).toEqual([]);
    expect(await reader.readLastEntries([log, { kind: 'trade', symbol: 'NONE' }])).toEqual([old, null]);

    const next = makeTrade('AAPL', offsetAt(now), { sequence: 42 });
    await writer.append([next]);
    expect(await reader.readHistory(log, { after: -1 })).toEqual([next]);
    expect(await reader.readLastEntries([log])).toEqual([next]);
  });

  it('keeps the last entry of a log that begins far in the past', async () => {
    const old = Array.from({ length: 400 }, (_, index) => makeTrade('AAPL', offsetAt(START - 10 * HISTORY_MS, index)));
    await writer.append(old);
    expect(await reader.readLastEntries([{ kind: 'trade', symbol: 'AAPL' }])).toEqual([old.at(-1)]);
    expect(await reader.readHistory({ kind: 'trade', symbol: 'AAPL' }, { after: -1 })).toEqual([]);
  });

  it('refuses an entry that is not above the newest of its log, and publishes it no more than it keeps it', async () => {
    const heard: number[] = [];
    await reader.subscribe(tradeChannel('AAPL'), (trade) => void heard.push(trade.sequence));
    await writer.append([makeTrade('AAPL', offsetAt(START, 5), { sequence: 1 })]);
    await expect(writer.append([makeTrade('AAPL', offsetAt(START, 5), { sequence: 2 })])).rejects.toThrow();
    await writer.append([makeTrade('AAPL', offsetAt(START, 6), { sequence: 3 })]);
    await expect.poll(() => heard).toEqual([1, 3]);
    const kept = await reader.readHistory({ kind: 'trade', symbol: 'AAPL' }, { last: 9 });
    expect(kept.map((trade) => trade.sequence)).toEqual([1, 3]);
  });

  it('tells from where on a log is complete: an age while it is short, its oldest entry where it was cut by size', async () => {
    const log = { kind: 'trade', symbol: 'AAPL' } as const;
    const other = { kind: 'trade', symbol: 'NONE' } as const;
    await writer.append([makeTrade('AAPL', offsetAt(START))]);
    const byAge = offsetAt(START - HISTORY_MS) - 1;
    expect(await reader.readHistoryFloors([log, other])).toEqual([byAge, byAge]);

    for (let part = 0; part < 4; part++) {
      await writer.append(
        Array.from({ length: MAX_ENTRIES }, (_, index) => makeTrade('AAPL', offsetAt(START + 1 + part, index))),
      );
    }
    const [floor] = await reader.readHistoryFloors([log]);
    const kept = await reader.readHistory(log, { after: -1 });
    expect(kept.length).toBeGreaterThanOrEqual(MAX_ENTRIES);
    expect(kept.length).toBeLessThan(2 * MAX_ENTRIES);
    expect(floor).toBeGreaterThan(byAge);
    expect(kept[0]!.offset).toBeGreaterThan(floor!);
    expect(await reader.readHistory(log, { after: floor! })).toEqual(kept);
  });

  it('names its log by one epoch', async () => {
    const epoch = await reader.readEpoch();
    expect(epoch).toMatch(/^[\w-]{1,64}$/);
    expect(await writer.readEpoch()).toBe(epoch);
  });

  it('keeps the last status', async () => {
    expect(await reader.readStatus()).toBeNull();
    const status = makeStatus({ timestamp: START });
    await writer.publishStatus(makeStatus({ timestamp: START - 1 }));
    await writer.publishStatus(status);
    expect(await reader.readStatus()).toEqual(status);
  });

  it('adds up what the processes want', async () => {
    expect(await reader.readDemand()).toEqual(new Map());
    await writer.setDemand(
      'api-1',
      new Map([
        ['AAPL', 2],
        ['MSFT', 1],
      ]),
    );
    await reader.setDemand('api-2', new Map([['AAPL', 1]]));
    expect(await reader.readDemand()).toEqual(
      new Map([
        ['AAPL', 3],
        ['MSFT', 1],
      ]),
    );
    await writer.setDemand(
      'api-1',
      new Map([
        ['AAPL', 0],
        ['NVDA', 4],
      ]),
    );
    expect(await reader.readDemand()).toEqual(
      new Map([
        ['AAPL', 1],
        ['MSFT', 1],
        ['NVDA', 4],
      ]),
    );
  });

  it('adds up the same whatever came and went in between', async () => {
    const change = fc.record({
      process: fc.constantFrom('api-1', 'api-2', 'api-3'),
      counts: fc.dictionary(fc.constantFrom('AAPL', 'MSFT', 'NVDA'), fc.nat(3)),
      isReadAfter: fc.boolean(),
    });
    await fc.assert(
      fc
        .asyncProperty(fc.array(change, { maxLength: 12 }), async (changes) => {
          const model = new Map<string, Map<string, number>>();
          const readModel = () => {
            const sums = new Map<string, number>();
            for (const wants of model.values()) {
              for (const [symbol, count] of wants) if (count > 0) sums.set(symbol, (sums.get(symbol) ?? 0) + count);
            }
            return sums;
          };
          for (const { process, counts, isReadAfter } of changes) {
            const wants = model.get(process) ?? new Map<string, number>();
            for (const [symbol, count] of Object.entries(counts)) wants.set(symbol, count);
            model.set(process, wants);
            await writer.setDemand(process, new Map(Object.entries(counts)));
            if (isReadAfter) expect(await reader.readDemand()).toEqual(readModel());
          }
          expect(await reader.readDemand()).toEqual(readModel());
        })
        .afterEach(async () => {
          const nothing = new Map(['AAPL', 'MSFT', 'NVDA'].map((symbol) => [symbol, 0]));
          for (const process of ['api-1', 'api-2', 'api-3']) await writer.setDemand(process, nothing);
        }),
      { numRuns: 25 },
    );
  });

  it('renews a lease without announcing it, and says so in full where the lease was gone', async () => {
    const announced: unknown[] = [];
    await reader.subscribe(demandChannel, (change) => void announced.push(change));
    const wants = new Map([['AAPL', 2]]);
    await writer.setDemand('api-1', wants);
    await writer.renewDemand('api-1', wants);
    await writer.renewDemand('api-2', new Map([['MSFT', 1]]));
    await expect.poll(() => announced).toHaveLength(2);
    expect(announced).toEqual([
      { process: 'api-1', counts: { AAPL: 2 } },
      { process: 'api-2', counts: { MSFT: 1 } },
    ]);
    expect(await reader.readDemand()).toEqual(
      new Map([
        ['AAPL', 2],
        ['MSFT', 1],
      ]),
    );
  });

  it('takes no more once it is closed', async () => {
    await writer.close();
    await expect(writer.publishQuotes([makeQuote('AAPL')])).rejects.toThrow('closed');
    await expect(writer.subscribe(quoteChannel('AAPL'), () => {})).rejects.toThrow('closed');
    await writer.close();
  });
});
