import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ManualTime, ManualTimers, patientTimers } from '../../test/manual-time.ts';
import { makeQuote, makeStatus, makeTrade } from '../../test/market-samples.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { startRedisCluster } from '../../test/redis-cluster.ts';
import type { ClusterNode, TestRedisCluster } from '../../test/redis-cluster.ts';
import { isLaterEpoch, OFFSETS_PER_MS } from '../market/log.ts';
import type { LoggedTrade } from '../market/trade.ts';
import { barChannel, LogLostError, quoteChannel, statusChannel, tradeChannel } from './bus.ts';
import type { Bus, BusWriter, Interruption, LogEntry } from './bus.ts';
import { createCache } from './cache.ts';
import { marketKinds } from './cache-kinds.ts';
import { createRedisBus } from './redis.ts';
import { RedisCluster } from './redis-cluster.ts';
import type { RedisBusOptions } from './redis.ts';
import { createRedisStore } from './redis-store.ts';
import { until } from '../../test/until.ts';

const { logger, records } = recordingLogger();
const SYMBOLS = Array.from({ length: 500 }, (_, index) => `S${index}`);
const closers: (() => Promise<void>)[] = [];
let cluster: TestRedisCluster;

beforeAll(async () => {
  cluster = await startRedisCluster();
});
afterAll(() => cluster.stop());
beforeEach(async () => {
  records.length = 0;
  await cluster.flush();
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const untilConnected = (bus: Bus, connected = true) =>
  until(() => expect(bus.readState()).toMatchObject({ connected }));

/** Its pings, and whatever else is due in two seconds or more, come much later: no deadline strikes on a slow machine. */
async function connectBus(options: Partial<RedisBusOptions> = {}): Promise<Bus> {
  const bus = createRedisBus({
    url: cluster.url,
    historyMs: 600_000,
    // All that the traffic writes.
    maxHistoryEntriesPerLog: 1_000_000,
    timers: patientTimers(2_000),
    logger,
    ...options,
  });
  closers.push(() => bus.close());
  await untilConnected(bus);
  return bus;
}

/** The subscriber connections of the buses of this test, by node. */
async function countSubscribers(): Promise<number[]> {
  const masters = await cluster.masters();
  const lists = await Promise.all(masters.map(async ({ redis }) => (await redis.client('LIST')) as string));
  return lists.map((list) => list.split('\n').filter((line) => line.includes('name=tapeql-subscriber')).length);
}

/** Where a reader stood when it was told that it may have missed prints of a symbol. */
type Told = { readonly at: number };

/** So often it is looked whether the last print has come before another one is written. */
const LOOKS_PER_WRITE = 100;

/**
 * Prints of some symbols, some 2,000 a second, written in batches one after the other as ingest does, again where one was
 * rejected; and what a reader makes of them who believes in cursors. It holds all that it is entitled to: that offsets
 * rise over all symbols, and that whoever misses something is told so before anything with a higher offset comes.
 */
class Traffic {
  readonly #bus: Bus;
  readonly #reader: Bus;
  readonly #symbols: readonly string[];
  readonly #written = new Map<string, number[]>();
  readonly #read = new Map<string, number>();
  readonly #told = new Map<string, Told[]>();
  readonly faults: string[] = [];
  readonly interruptions: Interruption[] = [];
  missed = 0;
  rejections = 0;
  /** Of the last print written, and of the last one read. */
  #offset = Date.now() * OFFSETS_PER_MS;
  #place = 0;
  #ticks: NodeJS.Timeout | undefined;
  /** The batch that is being written, or that was rejected and is written again. */
  #batch: LoggedTrade[] = [];
  #isRejected = false;
  #writing: Promise<void> | null = null;

  #writer!: BusWriter;
  #epoch = '';

  constructor(bus: Bus, reader: Bus, symbols: readonly string[]) {
    this.#bus = bus;
    this.#reader = reader;
    this.#symbols = symbols;
  }

  async start(): Promise<void> {
    this.#reader.onInterruption((channels) => {
      this.interruptions.push(channels);
      for (const symbol of this.#symbols) {
        if (channels !== 'all' && !channels.includes(tradeChannel(symbol).name)) continue;
        this.#told.get(symbol)!.push({ at: this.#place });
      }
    });
    for (const symbol of this.#symbols) {
      this.#written.set(symbol, []);
      this.#told.set(symbol, []);
      this.#read.set(symbol, 0);
      await this.#reader.subscribe(tradeChannel(symbol), ({ sequence, offset }) =>
        this.#take(symbol, sequence, offset),
      );
    }
    this.#writer = (await this.#bus.acquireWriter('traffic', 600_000))!.writer;
    this.#epoch = await this.#writer.openEpoch();
    await this.#readLast();
    this.#ticks = setInterval(() => void this.#write(), 8);
  }

  #take(symbol: string, sequence: number, offset: number): void {
    const last = this.#read.get(symbol)!;
    if (sequence <= last) this.faults.push(`${symbol} ${sequence} came after ${last}`);
    if (offset <= this.#place) this.faults.push(`${symbol} ${sequence} came after others with higher offsets`);
    if (sequence > last + 1) {
      this.missed += sequence - last - 1;
      const firstMissed = this.#written.get(symbol)![last]!;
      const isTold = this.#told.get(symbol)!.some(({ at }) => at < firstMissed);
      if (!isTold)
        this.faults.push(`${symbol} ${last + 1} to ${sequence - 1} are missing, and it was not told in time`);
    }
    if (sequence > last + 1) this.#told.set(symbol, []);
    this.#read.set(symbol, sequence);
    this.#place = Math.max(this.#place, offset);
  }

  /** One batch at a time. */
  #write(): Promise<void> {
    if (this.#batch.length === 0)
      this.#batch = this.#symbols.flatMap((symbol) => [this.#next(symbol), this.#next(symbol)]);
    this.#writing ??= this.#append().finally(() => (this.#writing = null));
    return this.#writing;
  }

  async #append(): Promise<void> {
    if (this.#isRejected) {
      const last = await this.#readLast().catch(() => null);
      if (last === null) return;
      const offsets = new Map(last.map((entry, index) => [this.#symbols[index]!, entry?.offset ?? 0]));
      this.#batch = this.#batch.filter(({ symbol, offset }) => offset > offsets.get(symbol)!);
    }
    try {
      await this.#writer.append(this.#batch);
      this.#batch = [];
      this.#isRejected = false;
    } catch {
      this.rejections++;
      this.#isRejected = true;
    }
  }

  #readLast(): Promise<(LogEntry | null)[]> {
    return this.#writer.readLastEntries(this.#symbols.map((symbol) => ({ kind: 'trade', symbol })));
  }

  #next(symbol: string) {
    const offsets = this.#written.get(symbol)!;
    this.#offset = Math.max(this.#offset + 1, Date.now() * OFFSETS_PER_MS);
    offsets.push(this.#offset);
    return makeTrade(symbol, this.#offset, { sequence: offsets.length, epoch: this.#epoch });
  }

  /** Ends the writing, and resolves once the reader has met its end. */
  async stop(): Promise<void> {
    clearInterval(this.#ticks);
    await this.#writing;
    // One more of each, and again where it has gone by before the last subscription stood. A reader that missed it is told before it
    // meets a later one: if not, that is a fault.
    let looks = 0;
    await until(async () => {
      if (this.#batch.length > 0 || looks % LOOKS_PER_WRITE === 0) await this.#write();
      looks++;
      expect(this.#batch).toEqual([]);
      for (const symbol of this.#symbols) expect(this.#read.get(symbol)).toBe(this.#written.get(symbol)!.length);
    });
  }

  async expectNothingSilent(): Promise<void> {
    expect(this.faults).toEqual([]);
    for (const symbol of this.#symbols) {
      const kept = await this.#reader.readHistory({ kind: 'trade', symbol }, { after: 0 });
      expect(kept.map(({ sequence }) => sequence)).toEqual(this.#written.get(symbol)!.map((_, index) => index + 1));
    }
  }
}

describe('a bus over a Redis Cluster', () => {
  it('keeps and publishes all of a symbol at the node of its slot, and what belongs to none at all nodes', async () => {
    const bus = await connectBus();
    const quote = makeQuote('AAPL');
    const trade = makeTrade('AAPL', Date.now() * OFFSETS_PER_MS);
    const master = await cluster.masterOf('{AAPL}');
    const other = (await cluster.masters()).find((node) => node !== master)!;
    const heard: string[] = [];
    const sharded = master.redis.duplicate();
    sharded.on('smessage', (channel) => void heard.push(channel));
    await sharded.ssubscribe(quoteChannel('AAPL').name, tradeChannel('AAPL').name, barChannel('AAPL').name);
    const classic = other.redis.duplicate();
    classic.on('message', (channel) => void heard.push(channel));
    await classic.subscribe(statusChannel.name);
    closers.push(async () => [sharded, classic].forEach((redis) => redis.disconnect()));

    await bus.publishQuotes([quote]);
    await bus.append([trade]);
    await expect.poll(() => heard).toEqual(['market-data:quotes:{AAPL}', 'market-data:trades:{AAPL}']);
    await bus.publishStatus(makeStatus());
    await expect.poll(() => heard.at(-1)).toBe('market-data:status');
    expect(await master.redis.get('cache:quote:{AAPL}')).toBe(JSON.stringify(quote));
    expect(await master.redis.xlen('history:{AAPL}:trades')).toBe(1);
  });

  it('subscribes to 500 symbols over one connection per master, and one more channel costs none', async () => {
    const bus = await connectBus();
    const heard = new Set<string>();
    await Promise.all(
      SYMBOLS.flatMap((symbol) => [
        bus.subscribe(quoteChannel(symbol), () => void heard.add(`quote ${symbol}`)),
        bus.subscribe(tradeChannel(symbol), () => void heard.add(`trade ${symbol}`)),
      ]),
    );
    await bus.subscribe(statusChannel, () => void heard.add('status'));
    expect(await countSubscribers()).toEqual([1, 1, 1]);

    await bus.publishQuotes(SYMBOLS.map((symbol) => makeQuote(symbol)));
    await bus.append(SYMBOLS.map((symbol, index) => makeTrade(symbol, Date.now() * OFFSETS_PER_MS + index)));
    await bus.publishStatus(makeStatus());
    await expect.poll(() => heard.size).toBe(1_001);
    expect(bus.readStats()).toMatchObject({ messagesUndecodable: 0, reconnects: 0 });
  });

  it('has no connection where it wants nothing', async () => {
    const timers = new ManualTimers();
    const bus = await connectBus({ timers });
    expect(await countSubscribers()).toEqual([0, 0, 0]);
    const stop = await bus.subscribe(quoteChannel('AAPL'), () => {});
    expect((await countSubscribers()).toSorted((a, b) => a - b)).toEqual([0, 0, 1]);
    await stop();
    // When what is wanted is next compared with what stands.
    timers.advance(1_000);
    await expect.poll(countSubscribers).toEqual([0, 0, 0]);
  });

  it('reads and writes 500 quotes by one round trip per master, and removes them by their prefix', async () => {
    const store = createRedisStore({ url: cluster.url, timers: new ManualTimers(), logger });
    closers.push(() => store.close());
    await until(() => expect(store.readState().connected).toBe(true));
    const cache = createCache({ store, kinds: marketKinds, logger });
    const load = vi.fn(async (ids: readonly string[]) => new Map(ids.map((id) => [id, makeQuote(id)])));
    const read = () => cache.read('quote', SYMBOLS, load, { trustLive: true });
    const loaded = await read();
    expect(loaded.size).toBe(500);
    const keys = SYMBOLS.map((symbol) => `cache:quote:{${symbol}}`);
    await expect.poll(async () => (await store.read(keys)).filter((text) => text !== null).length).toBe(500);
    await read();
    expect(load).toHaveBeenCalledTimes(1);
    await store.remove(keys.slice(0, 100));
    expect(await store.removeByPrefix('cache:quote:')).toBe(400);
    expect(await store.read(keys)).toEqual(keys.map(() => null));
  });

  it('writes what is wanted of thousands of symbols, in whatever slots they lie', async () => {
    const bus = await connectBus();
    const wants = new Map(SYMBOLS.map((symbol, index) => [symbol, index + 1]));
    await bus.publishDemandTotals(wants);
    const active = await cluster.masterOf('subscriptions:active');
    expect(await active.redis.scard('subscriptions:active')).toBe(500);
    const { redis } = await cluster.masterOf('{S7}');
    expect(await redis.get('subscriptions:count:{S7}')).toBe('8');
    await bus.publishDemandTotals(new Map([['S7', 0]]));
    expect(await redis.exists('subscriptions:count:{S7}')).toBe(0);
    expect(await active.redis.sismember('subscriptions:active', 'S7')).toBe(0);
  });

  it('says what was written where a log on another node was lost', async () => {
    const { writer } = (await (await connectBus()).acquireWriter('ingest', 600_000))!;
    const epoch = await writer.openEpoch();
    const logs = (['AAPL', 'TSLA'] as const).map((symbol) => ({ kind: 'trade', symbol }) as const);
    await writer.readLastEntries(logs);
    const { redis } = await cluster.masterOf('{TSLA}');
    await redis.flushall();
    const offset = Date.now() * OFFSETS_PER_MS;
    const entries = [makeTrade('AAPL', offset, { epoch }), makeTrade('TSLA', offset + 1, { epoch })];
    const error: unknown = await writer.append(entries).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LogLostError);
    expect((error as LogLostError).written).toEqual([entries[0]]);
    await expect(writer.append([entries[1]!])).rejects.toThrow(LogLostError);
    const next = await writer.openEpoch();
    expect(isLaterEpoch(next, epoch)).toBe(true);
    await expect(writer.append([entries[1]!])).rejects.toThrow(LogLostError);
    await writer.readLastEntries(logs);
    await writer.append([{ ...entries[1]!, epoch: next }]);
    expect(await writer.readLastEntries(logs)).toMatchObject([{ offset }, { offset: offset + 1 }]);
  });

  it('begins anew as a whole where a writer finds lost what another has left, and gives out nothing of before', async () => {
    const first = await connectBus();
    const lease = (await first.acquireWriter('first', 600_000))!;
    const epoch = await lease.writer.openEpoch();
    const logs = (['AAPL', 'TSLA'] as const).map((symbol) => ({ kind: 'trade', symbol }) as const);
    await lease.writer.readLastEntries(logs);
    const offset = Date.now() * OFFSETS_PER_MS;
    await lease.writer.append([makeTrade('AAPL', offset, { epoch }), makeTrade('TSLA', offset + 1, { epoch })]);
    await lease.release();
    await first.close();
    const { redis } = await cluster.masterOf('{TSLA}');
    await redis.flushall();

    const second = await connectBus();
    const { writer } = (await second.acquireWriter('second', 600_000))!;
    const next = await writer.openEpoch();
    expect(isLaterEpoch(next, epoch)).toBe(true);
    expect(await writer.openEpoch()).toBe(next);
    await writer.readLastEntries(logs);
    const entry = makeTrade('AAPL', offset + 2, { epoch: next });
    await writer.append([entry]);
    expect(await second.readHistory(logs[0]!, { after: 0 })).toEqual([entry]);
    expect(await second.readHistory(logs[0]!, { after: 0, limit: 1 })).toEqual([entry]);
    expect(await second.readHistory(logs[0]!, { last: 9 })).toHaveLength(2);
  });

  it('shows a reader nothing that may still be followed by something with a lower offset', async () => {
    // Time stands still: in some seconds what is written would be taken for complete.
    const now = Date.now();
    const bus = await connectBus({ clock: () => now });
    const log = { kind: 'trade', symbol: 'AAPL' } as const;
    const offset = now * OFFSETS_PER_MS;
    const [first, second] = [makeTrade('AAPL', offset), makeTrade('AAPL', offset + 9)];
    await bus.append([first]);
    // As where a writer is on its way from one node to the next.
    const { redis } = await cluster.masterOf('{AAPL}');
    await redis.xadd('history:{AAPL}:trades', `${second.offset}-0`, 'data', JSON.stringify(second));
    expect(await bus.readHistory(log, { after: 0 })).toEqual([first]);
    expect(await bus.readLastEntries([log])).toEqual([first]);
    expect(await bus.readHistory(log, { after: 0, unsettled: true })).toEqual([first, second]);
    await bus.append([makeTrade('TSLA', offset + 10)]);
    expect(await bus.readHistory(log, { after: 0 })).toEqual([first, second]);
    expect(await bus.readLastEntries([log])).toEqual([second]);
  });

  it('follows slots that move under load, without going away: what was missed is told and in the history', async () => {
    const writer = await connectBus();
    // It does without its look from time to time, which takes what is not acknowledged within a second for away.
    const reader = await connectBus({ timers: patientTimers(1_000) });
    const states: boolean[] = [];
    reader.onState(({ connected }) => void states.push(connected));
    const symbols = SYMBOLS.slice(0, 10);
    const traffic = new Traffic(writer, reader, symbols);
    await traffic.start();
    for (const symbol of symbols.slice(0, 5)) {
      const told = traffic.interruptions.length;
      await cluster.migrateSlot(`{${symbol}}`);
      await expect.poll(() => traffic.interruptions.length).toBeGreaterThan(told);
    }
    await traffic.stop();
    await traffic.expectNothingSilent();
    expect(traffic.interruptions.flat()).toEqual(
      expect.arrayContaining(symbols.slice(0, 5).map((symbol) => tradeChannel(symbol).name)),
    );
    expect(traffic.interruptions.flat()).not.toContain(tradeChannel(symbols[7]!).name);
    expect(states).toEqual([]);
    expect(traffic.rejections).toBe(0);
  });

  it('follows a master that hands over in order, and one that is killed, under load', async () => {
    const writer = await connectBus();
    const reader = await connectBus();
    const symbols = SYMBOLS.slice(0, 10);
    const master = await cluster.masterOf(`{${symbols[0]}}`);
    const traffic = new Traffic(writer, reader, symbols);
    await traffic.start();
    const promoted = await cluster.failOver(master);
    await expect.poll(() => traffic.interruptions.length).toBeGreaterThan(0);
    await untilConnected(reader);
    const told = traffic.interruptions.length;

    await cluster.killMaster(promoted);
    await untilConnected(reader);
    await expect.poll(() => traffic.interruptions.length).toBeGreaterThan(told);
    await traffic.stop();
    await traffic.expectNothingSilent();
    expect(traffic.rejections).toBeGreaterThan(0);
    await cluster.revive(promoted);
  });

  it('waits for no node that it is told of and that turns out to be no master', async () => {
    const nodes = new RedisCluster({ urls: cluster.url.split(','), name: 'test', timers: new ManualTimers(), logger });
    closers.push(() => nodes.close());
    await until(() => expect(nodes.state.connected).toBe(true));
    // It takes connections, and never answers.
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    closers.push(async () => void silent.close());
    const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const slot = nodes.slotOf('key');
    nodes.noteMoved(slot, address);
    await expect(nodes.execute([['get', 'key']])).rejects.toThrow('Redis is away');
    expect(await nodes.execute([['get', 'key']])).toEqual([null]);
    nodes.noteMoved(slot, address);
    await Promise.all([
      expect(nodes.execute([['get', 'key']])).rejects.toThrow('Redis is away'),
      nodes.close(), // prettier
    ]);
  });

  it('says in plain words what is out of reach, and finds a node that no longer answers', async () => {
    const time = new ManualTime(0);
    const bus = await connectBus({ timers: time.timers });
    const master: ClusterNode = await cluster.masterOf('{AAPL}');
    await bus.subscribe(quoteChannel('AAPL'), () => {});
    master.pause();
    try {
      await until(async () => {
        await time.advance(250);
        expect(bus.readState().connected).toBe(false);
      });
      expect(bus.readState().reason).toMatch(/[1-3] of 3 masters|channels have no subscription/);
      await expect(bus.publishQuotes([makeQuote('AAPL')])).rejects.toThrow('Redis is away');
    } finally {
      master.resume();
    }
    await until(async () => {
      await time.advance(250);
      expect(bus.readState().connected).toBe(true);
    });
    await bus.publishQuotes([makeQuote('AAPL')]);
  });
});
