import { spawnSync } from 'node:child_process';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { DEADLINE_MS } from '../../test/deadline.ts';
import { letRun, ManualTimers } from '../../test/manual-time.ts';
import { makeQuote, makeStatus, makeTrade } from '../../test/market-samples.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { startRedis } from '../../test/redis.ts';
import type { TestRedis } from '../../test/redis.ts';
import { isLaterEpoch, OFFSETS_PER_MS } from '../market/log.ts';
import { controlChannel, demandChannel, quoteChannel, tradeChannel } from './bus.ts';
import type { Bus, BusState } from './bus.ts';
import { createRedisBus } from './redis.ts';
import type { RedisBusOptions } from './redis.ts';
import { until } from '../../test/until.ts';

const { logger, records } = recordingLogger();
const START = 1_800_000_000_000;
const offsetAt = (ms: number, counter = 0) => ms * OFFSETS_PER_MS + counter;
/** No deadline of the bus strikes by itself: a test moves time where one is to. */
const PING_INTERVAL_MS = 100_000;
const PING_DEADLINE_MS = 200_000;

let server: TestRedis;
let raw: Redis;
let timers: ManualTimers;
const opened: Bus[] = [];

beforeAll(async () => {
  server = await startRedis();
  raw = new Redis(server.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  raw.on('error', () => {});
});
afterAll(async () => {
  raw.disconnect();
  await server.stop();
});
beforeEach(async () => {
  records.length = 0;
  timers = new ManualTimers();
  await raw.flushall();
});
afterEach(async () => {
  server.resume();
  await Promise.all(opened.splice(0).map((bus) => bus.close()));
});

function openBus(options: Partial<RedisBusOptions> = {}): Bus {
  const bus = createRedisBus({
    url: server.url,
    historyMs: 60_000,
    pingIntervalMs: PING_INTERVAL_MS,
    pingDeadlineMs: PING_DEADLINE_MS,
    clock: () => START,
    timers,
    logger,
    ...options,
  });
  opened.push(bus);
  return bus;
}

const untilConnected = (bus: Bus, connected = true) => until(() => expect(bus.readState().connected).toBe(connected));

async function connectBus(options: Partial<RedisBusOptions> = {}): Promise<Bus> {
  const bus = openBus(options);
  await untilConnected(bus);
  return bus;
}

describe('what outside programs find in Redis', () => {
  it('is the latest quote as plain JSON, on its channel and under its key, for a day', async () => {
    const bus = await connectBus();
    const heard: string[] = [];
    const listener = raw.duplicate();
    listener.on('message', (channel, text) => void heard.push(`${channel} ${text}`));
    await listener.subscribe('market-data:quotes:{AAPL}');
    const quotes = Array.from({ length: 600 }, (_, index) => makeQuote('AAPL', { price: index + 1 }));
    await bus.publishQuotes(quotes);
    await expect.poll(() => heard.length).toBe(600);
    expect(heard.at(-1)).toBe(`market-data:quotes:{AAPL} ${JSON.stringify(quotes.at(-1))}`);
    expect(await raw.get('cache:quote:{AAPL}')).toBe(JSON.stringify(quotes.at(-1)));
    expect(await raw.pttl('cache:quote:{AAPL}')).toBeGreaterThan(23 * 3_600_000);
    listener.disconnect();
  });

  it('is a stream per log whose ids are the offsets, which outlives the time limit by days', async () => {
    const bus = await connectBus();
    const trade = makeTrade('AAPL', offsetAt(START, 3));
    await bus.append([trade]);
    const entries = await raw.xrange('history:{AAPL}:trades', '-', '+');
    expect(entries).toEqual([[`${trade.offset}-0`, ['data', JSON.stringify(trade)]]]);
    expect(await raw.pttl('history:{AAPL}:trades')).toBeGreaterThan(6 * 86_400_000);
  });

  it('is what is wanted: a set of symbols and a count each, renewed while a bus lives that wrote them', async () => {
    const bus = await connectBus({ upkeepIntervalMs: 60_000 });
    await bus.publishDemandTotals(
      new Map([
        ['AAPL', 3],
        ['MSFT', 1],
      ]),
    );
    expect((await raw.smembers('subscriptions:active')).toSorted()).toEqual(['AAPL', 'MSFT']);
    expect(await raw.get('subscriptions:count:{AAPL}')).toBe('3');
    expect(await raw.pttl('subscriptions:count:{AAPL}')).toBeGreaterThan(60_000);
    expect(await raw.pttl('subscriptions:active')).toBeGreaterThan(60_000);

    await bus.publishDemandTotals(
      new Map([
        ['AAPL', 2],
        ['MSFT', 0],
      ]),
    );
    expect(await raw.exists('subscriptions:count:{MSFT}')).toBe(0);
    await raw.sadd('subscriptions:active', 'LEFTOVER');
    await raw.del('subscriptions:count:{AAPL}');
    timers.advance(60_000);
    await expect.poll(() => raw.get('subscriptions:count:{AAPL}')).toBe('2');
    await expect.poll(() => raw.smembers('subscriptions:active')).toEqual(['AAPL']);
  });

  it('is a channel by which any of them may pause and resume, in few words', async () => {
    const bus = await connectBus();
    const heard: unknown[] = [];
    await bus.subscribe(controlChannel, (message) => void heard.push(message));
    for (const text of [
      '{"action":"pause"}',
      '{"action":"pause","data":{}}',
      '{"action":"pause","data":{"reason":"maintenance","by":"ops"}}',
      '{"action":"resume","data":null}',
      '{"action":"stop"}',
      '{"action":"pause","data":"now"}',
      '{"action":"pause","data":{"reason":7}}',
      'pause',
      '',
    ]) {
      await raw.publish('market-data:control', text);
    }
    await expect.poll(() => bus.readStats()['messagesUndecodable']).toBe(5);
    expect(heard).toEqual([
      { action: 'pause', data: { reason: null } },
      { action: 'pause', data: { reason: null } },
      { action: 'pause', data: { reason: 'maintenance' } },
      { action: 'resume', data: { reason: null } },
    ]);
  });
});

describe('the history in Redis', () => {
  it('is cut in time: while it is written by age and size, later but for its last entry, even where it is full', async () => {
    let now = START;
    const bus = await connectBus({ clock: () => now, maxHistoryEntriesPerLog: 1_000 });
    const length = () => raw.xlen('history:{AAPL}:trades');
    const append = (count: number) =>
      bus.append(Array.from({ length: count }, (_, index) => makeTrade('AAPL', offsetAt(now, index))));
    await append(900);
    now += 30_000;
    await append(900);
    expect(await length()).toBeLessThan(1_200);
    now += 31_000;
    await append(10);
    expect(await length()).toBeLessThan(1_100);
    now += 20_000;
    await raw.xadd('history:{MSFT}:trades', `${offsetAt(START)}-0`, 'data', 'of another writer');
    now += 42_000;
    timers.advance(60_000);
    await expect.poll(length).toBe(1);
    const [last] = await bus.readLastEntries([{ kind: 'trade', symbol: 'AAPL' }]);
    expect(last!.offset).toBe(offsetAt(START + 61_000, 9));
    expect(await raw.pttl('history:{AAPL}:trades')).toBeGreaterThan(86_400_000);
    expect(await raw.xlen('history:{MSFT}:trades')).toBe(1);
  });
});

describe('the clocks of a writer and of a reader', () => {
  it('may differ: the reader is told how far the writer has trimmed', async () => {
    let ahead = START + 3_600_000;
    const writer = await connectBus({ clock: () => ahead });
    const reader = await connectBus({ clock: () => START });
    const log = { kind: 'trade', symbol: 'AAPL' } as const;
    const batch = (from: number) =>
      Array.from({ length: 300 }, (_, index) => makeTrade('AAPL', offsetAt(ahead, index), { sequence: from + index }));
    await writer.append(batch(1));
    const place = offsetAt(ahead, 9);
    expect((await reader.readHistoryFloors([log]))[0]).toBeLessThan(place);
    ahead += 62_000;
    await writer.append(batch(301));
    expect((await reader.readHistory(log, { after: place }))[0]!.sequence).toBeGreaterThan(11);
    expect((await reader.readHistoryFloors([log]))[0]).toBeGreaterThan(place);
  });

  it('are that of Redis, whatever those of their hosts are', async () => {
    vi.spyOn(Date, 'now').mockReturnValue(START);
    onTestFinished(() => void vi.restoreAllMocks());
    const bus = createRedisBus({ url: server.url, historyMs: 60_000, timers, logger });
    opened.push(bus);
    await untilConnected(bus);
    const readTime = async () => Number((await raw.time())[0]) * 1_000;
    const before = await readTime();
    expect(Math.abs(bus.now() - before)).toBeLessThan(60_000);
    expect(Math.abs(bus.now() - START)).toBeGreaterThan(3_600_000);
    expect(records.map(({ message }) => message)).toContainEqual(
      expect.stringContaining('clocks of this host and of Redis'),
    );
  });
});

it('says at the start what the history takes beside what Redis may use, and that Redis may evict it', async () => {
  onTestFinished(async () => {
    await raw.config('SET', 'maxmemory', 0);
    await raw.config('SET', 'maxmemory-policy', 'noeviction');
  });
  await raw.config('SET', 'maxmemory', '450mb');
  await raw.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await connectBus();
  await until(() =>
    expect(records.map(({ message }) => message)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/history in Redis takes .* × 60 s × 450 bytes: .* of 450 MiB has room for 13107 prints/),
        expect.stringContaining('set maxmemory-policy to noeviction'),
      ]),
    ),
  );
});

describe('what does not fit', () => {
  it('is dropped and counted, on a channel and in the history, and what follows arrives', async () => {
    const bus = await connectBus();
    const heard: number[] = [];
    await bus.subscribe(quoteChannel('AAPL'), (quote) => void heard.push(quote.price));
    const { price: _, ...withoutPrice } = makeQuote('AAPL');
    const bad = [
      '{',
      'null',
      '[]',
      '"AAPL"',
      JSON.stringify(withoutPrice),
      JSON.stringify({ ...makeQuote('AAPL'), bid: '1' }),
    ];
    for (const text of bad) await raw.publish('market-data:quotes:{AAPL}', text);
    await raw.publish('market-data:quotes:{AAPL}', Buffer.from([0xff, 0xfe, 0x00]));
    await bus.publishQuotes([makeQuote('AAPL', { price: 5 })]);
    await expect.poll(() => heard).toEqual([5]);
    expect(bus.readStats()['messagesUndecodable']).toBe(bad.length + 1);

    await raw.xadd('history:{AAPL}:trades', `${offsetAt(START)}-0`, 'data', '{"kind":"trade"}');
    await raw.xadd('history:{AAPL}:trades', `${offsetAt(START, 1)}-0`, 'other', 'x');
    const trade = makeTrade('AAPL', offsetAt(START, 2));
    await bus.append([trade]);
    expect(await bus.readHistory({ kind: 'trade', symbol: 'AAPL' }, { after: -1 })).toEqual([trade]);
    await raw.set('market-data:status:last', 'up');
    expect(await bus.readStatus()).toBeNull();
    expect(bus.readStats()['messagesUndecodable']).toBe(bad.length + 4);
  });
});

describe('what outlives a process', () => {
  it('is the log, its numbering and its epoch', async () => {
    const first = await connectBus();
    const epoch = await first.readEpoch();
    await first.append([makeTrade('AAPL', offsetAt(START), { sequence: 7 })]);
    await first.close();
    const second = await connectBus();
    const [last] = await second.readLastEntries([{ kind: 'trade', symbol: 'AAPL' }]);
    expect(last).toMatchObject({ sequence: 7, offset: offsetAt(START) });
    expect(await second.readEpoch()).toBe(epoch);
    await server.restart({ keepData: true });
    await untilConnected(second);
    await expect.poll(() => second.readEpoch().catch(() => null)).toBe(epoch);
  });

  it('is not its demand: that ends with the lease', async () => {
    const living = await connectBus({ demandLeaseMs: 600_000 });
    const dying = await connectBus({ demandLeaseMs: 600_000 });
    const wants = new Map([['AAPL', 1]]);
    await living.setDemand('api-1', wants);
    await dying.setDemand(
      'api-2',
      new Map([
        ['AAPL', 5],
        ['MSFT', 1],
      ]),
    );
    expect(await living.readDemand()).toEqual(
      new Map([
        ['AAPL', 6],
        ['MSFT', 1],
      ]),
    );
    expect(await raw.pttl('demand:process:{api-2}')).toBeGreaterThan(500_000);
    // Its last renewal, and a short one: how long a lease lasts, Redis measures.
    const last = await connectBus({ demandLeaseMs: 50 });
    await last.renewDemand('api-2', new Map());
    await expect
      .poll(async () => {
        await living.renewDemand('api-1', wants);
        return living.readDemand();
      })
      .toEqual(wants);
  });

  it('is nothing of a process long gone: it is struck off the registry', async () => {
    const bus = await connectBus();
    await raw.zadd('demand:processes', START - 10 * 60_000, 'gone', START + 1_000, 'quiet');
    expect(await bus.readDemand()).toEqual(new Map());
    expect(await raw.zrange('demand:processes', 0, '-1')).toEqual(['quiet']);
  });
});

it('renews and reads the demand of many processes by a handful of commands each', async () => {
  const bus = await connectBus();
  const wants = new Map(Array.from({ length: 500 }, (_, index) => [`S${index}`, 1] as const));
  const processes = Array.from({ length: 20 }, (_, index) => `api-${index}`);
  for (const process of processes) await bus.setDemand(process, wants);
  await bus.readDemand();
  const commands = async () => Number(/total_commands_processed:(\d+)/.exec(await raw.info('stats'))![1]);
  const before = await commands();
  for (const process of processes) await bus.renewDemand(process, wants);
  expect((await bus.readDemand()).get('S499')).toBe(20);
  // 4 per renewal, those within its script counted, 1 per process read, the registry and the INFO before.
  expect((await commands()) - before).toBeLessThanOrEqual(20 * 5 + 2);
});

it('does not take this process having been busy for Redis being away', async () => {
  const bus = await connectBus();
  const states: BusState[] = [];
  bus.onState((state) => void states.push(state));
  // Right after it has looked at its sockets, this process is busy, while two pings are answered and their deadline passes.
  await new Promise((resolve) => setImmediate(resolve));
  timers.advance(PING_INTERVAL_MS);
  askAside();
  timers.advance(PING_DEADLINE_MS);
  // More than the turn that a late answer is given.
  await letRun();
  await bus.publishQuotes([makeQuote('AAPL')]);
  expect(states).toEqual([]);
  expect(bus.readStats()['reconnects']).toBe(0);
});

/** Returns once Redis has answered all that was sent to it before. Meanwhile this process does nothing else. */
function askAside(): void {
  const program = `
    const socket = require('node:net').connect(${server.port}, '127.0.0.1', () => socket.write('PING\\r\\n'));
    let answers = 0;
    // What was asked in the same turn as the first is answered by the second.
    socket.on('data', () => (++answers === 2 ? socket.end() : socket.write('PING\\r\\n')));
  `;
  expect(spawnSync(process.execPath, ['-e', program], { timeout: DEADLINE_MS }).status).toBe(0);
}

describe('when Redis goes away', () => {
  beforeEach(() => onTestFinished(() => server.restart()));

  it('says so, rejects what is published, and is whole again on return, though all data is gone', async () => {
    const bus = await connectBus();
    const states: boolean[] = [];
    bus.onState(() => {
      throw new Error('listener broke');
    });
    bus.onState((state) => void states.push(state.connected));
    const heard: number[] = [];
    await bus.subscribe(quoteChannel('AAPL'), (quote) => void heard.push(quote.price));
    const stopOther = await bus.subscribe(quoteChannel('MSFT'), () => {});
    const wants = new Map([['AAPL', 1]]);
    await bus.setDemand('api-1', wants);
    const epoch = await bus.readEpoch();

    await server.kill();
    await untilConnected(bus, false);
    expect(bus.readState().reason).not.toBeNull();
    await expect(bus.publishQuotes([makeQuote('AAPL')])).rejects.toThrow('Redis is away');
    await expect(bus.append([makeTrade('AAPL', offsetAt(START))])).rejects.toThrow('Redis is away');
    await expect(bus.publishStatus(makeStatus())).rejects.toThrow('Redis is away');
    await expect(bus.readHistory({ kind: 'trade', symbol: 'AAPL' }, { last: 1 })).rejects.toThrow();
    await expect(bus.readDemand()).rejects.toThrow();
    await expect(bus.setDemand('api-1', new Map([['NVDA', 1]]))).rejects.toThrow();
    expect(bus.readStats()['messagesDropped']).toBe(3);
    // Coming and going while away is remembered.
    await bus.subscribe(tradeChannel('AAPL'), (trade) => void heard.push(trade.sequence));
    await stopOther();

    await server.restart();
    await untilConnected(bus);
    expect(await raw.pubsub('NUMSUB', 'market-data:quotes:{AAPL}', 'market-data:quotes:{MSFT}')).toEqual([
      'market-data:quotes:{AAPL}',
      1,
      'market-data:quotes:{MSFT}',
      0,
    ]);
    await bus.publishQuotes([makeQuote('AAPL', { price: 8 })]);
    await bus.append([makeTrade('AAPL', offsetAt(START), { sequence: 9 })]);
    await expect.poll(() => heard).toEqual([8, 9]);
    expect(states).toEqual([false, true]);
    await expect(bus.readEpoch()).rejects.toThrow('not begun a new one yet');
    expect(isLaterEpoch(await bus.openEpoch(), epoch)).toBe(true);
    expect(bus.readStats()['reconnects']).toBe(2);

    const announced: unknown[] = [];
    await bus.subscribe(demandChannel, (change) => void announced.push(change));
    await bus.renewDemand('api-1', wants);
    expect(await bus.readDemand()).toEqual(wants);
    await expect.poll(() => announced).toEqual([{ process: 'api-1', counts: { AAPL: 1 } }]);
    expect(records.filter(({ message }) => message.startsWith('Redis is away'))).toHaveLength(2);
  });

  it('states demand in full where a change of it was lost, though the lease has outlived that', async () => {
    const bus = await connectBus();
    await bus.setDemand(
      'api-1',
      new Map([
        ['AAPL', 1],
        ['MSFT', 1],
      ]),
    );
    const wants = new Map([
      ['AAPL', 1],
      ['NVDA', 2],
    ]);
    server.pause();
    const lost = bus.setDemand(
      'api-1',
      new Map([
        ['MSFT', 0],
        ['NVDA', 2],
      ]),
    );
    await expect(Promise.all([server.kill(), lost])).rejects.toThrow();
    await server.restart();
    await untilConnected(bus);
    // As if the server had kept what it had.
    await raw.hset('demand:process:{api-1}', 'AAPL', 1, 'MSFT', 1, '#version', 'before');
    await raw.pexpire('demand:process:{api-1}', 20_000);
    await bus.renewDemand('api-1', wants);
    expect(await bus.readDemand()).toEqual(wants);
  });

  it('may also be away at the start', async () => {
    await server.kill();
    const bus = openBus();
    const heard: number[] = [];
    await bus.subscribe(quoteChannel('AAPL'), (quote) => void heard.push(quote.price));
    expect(bus.readState().connected).toBe(false);
    await server.restart();
    await untilConnected(bus);
    await bus.publishQuotes([makeQuote('AAPL', { price: 4 })]);
    await expect.poll(() => heard).toEqual([4]);
  });

  it('states thousands of channels anew', async () => {
    const bus = await connectBus();
    const heard = new Set<string>();
    const symbols = Array.from({ length: 1_300 }, (_, index) => `S${index}`);
    await Promise.all(symbols.map((symbol) => bus.subscribe(quoteChannel(symbol), () => heard.add(symbol))));
    await server.kill();
    await untilConnected(bus, false);
    await server.restart();
    await untilConnected(bus);
    await bus.publishQuotes(symbols.map((symbol) => makeQuote(symbol)));
    await expect.poll(() => heard.size).toBe(symbols.length);
  });

  it('finds a peer that no longer answers, and bounds what waits for it meanwhile', async () => {
    const bus = await connectBus({ maxPendingMessages: 10 });
    const heard: number[] = [];
    await bus.subscribe(quoteChannel('AAPL'), (quote) => void heard.push(quote.price));
    server.pause();
    const waiting = bus.publishQuotes(Array.from({ length: 8 }, () => makeQuote('AAPL')));
    await expect(bus.publishQuotes(Array.from({ length: 3 }, () => makeQuote('AAPL')))).rejects.toThrow('behind');
    timers.advance(PING_INTERVAL_MS + PING_DEADLINE_MS);
    await expect(waiting).rejects.toThrow();
    await untilConnected(bus, false);
    expect(bus.readStats()).toMatchObject({ messagesDropped: 11, messagesPending: 0 });
    server.resume();
    await untilConnected(bus);
    await bus.publishQuotes([makeQuote('AAPL', { price: 3 })]);
    await expect.poll(() => heard.at(-1)).toBe(3);
  });

  it('closes at once, connected or not', async () => {
    const away = openBus();
    await server.kill();
    const waiting = away.subscribe(quoteChannel('AAPL'), () => {});
    await away.close();
    await waiting;
    await server.restart();
    server.pause();
    const hanging = openBus();
    await hanging.close();
    server.resume();
    const mute = await connectBus();
    server.pause();
    const closing = mute.close();
    timers.advance(500);
    await closing;
    expect(away.readState().connected).toBe(false);
  });
});

it('says that entries are missing where Redis has come back without the newest ones', async () => {
  const bus = await connectBus();
  const log = { kind: 'trade', symbol: 'AAPL' } as const;
  const offsets = [1, 2, 3, 4].map((counter) => offsetAt(START, counter));
  await bus.append(offsets.slice(0, 3).map((offset, index) => makeTrade('AAPL', offset, { sequence: index + 1 })));
  // As from a snapshot that is older than they are.
  await raw.xdel('history:{AAPL}:trades', `${offsets[1]}-0`, `${offsets[2]}-0`);
  await raw.client('KILL', 'TYPE', 'normal');
  await expect.poll(() => bus.readStats()['reconnects']).toBe(2);
  await untilConnected(bus);
  await bus.append([makeTrade('AAPL', offsets[3]!, { sequence: 4 })]);
  const kept = await bus.readHistory(log, { after: 0 });
  expect(kept).toMatchObject([
    { sequence: 1, gapBefore: false },
    { sequence: 4, gapBefore: true },
  ]);
  expect(bus.readStats()).toMatchObject({ logGapsLeft: 1, logEntriesMended: 0 });
});

it('leaves it to the writer to name the log anew, for as long as there may be one', async () => {
  let now = START;
  const bus = await connectBus({ clock: () => now });
  const epoch = await bus.readEpoch();
  await raw.del('history:epoch');
  await expect(bus.readEpoch()).rejects.toThrow('not begun a new one yet');
  now += 9_999;
  await expect(bus.readEpoch()).rejects.toThrow('not begun a new one yet');
  now += 1;
  expect(isLaterEpoch(await bus.readEpoch(), epoch)).toBe(true);
});

it('loads its scripts again where the server has forgotten them', async () => {
  const bus = await connectBus();
  await raw.script('FLUSH');
  await expect(bus.publishQuotes([makeQuote('AAPL')])).rejects.toThrow('NOSCRIPT');
  await bus.publishQuotes([makeQuote('AAPL', { price: 2 })]);
  expect(await raw.get('cache:quote:{AAPL}')).toContain('"price":2');
});

describe('REDIS_URL', () => {
  it('is never told, nor the password in it', async () => {
    onTestFinished(() => server.restart());
    await raw.config('SET', 'requirepass', 'right-secret');
    const wrong = openBus({ url: `redis://:wrong-secret@127.0.0.1:${server.port}/3` });
    await until(() => expect(records.some(({ message }) => message.startsWith('Redis is away'))).toBe(true));
    await expect(wrong.readEpoch()).rejects.toThrow();
    const right = openBus({ url: `redis://:right-secret@127.0.0.1:${server.port}/3` });
    await untilConnected(right);
    expect(wrong.readState().connected).toBe(false);
    expect(JSON.stringify([records, wrong.readState()])).not.toMatch(/secret/);
    expect(JSON.stringify(records)).toContain('WRONGPASS');
  });

  it('names one server, or the nodes of a Cluster, which has but one database', () => {
    expect(() => openBus({ url: 'redis://a:secret@x:1,redis://y:2/3' })).toThrow('has but one');
    expect(() => openBus({ url: 'redis://a:secret@x:1,y:2' })).toThrow(/^REDIS_URL is not a redis:/);
    expect(() => openBus({ url: 'http://secret@x:1' })).toThrow(/^REDIS_URL is not a redis:\/\/ or rediss:\/\/ URL$/);
    expect(() => openBus({ url: 'nonsense' })).toThrow('REDIS_URL');
  });
});
