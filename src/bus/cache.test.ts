import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ManualTimers } from '../../test/manual-time.ts';
import { makeQuote } from '../../test/market-samples.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { startRedis } from '../../test/redis.ts';
import type { TestRedis } from '../../test/redis.ts';
import type { Quote } from '../market/quote.ts';
import { SourceUnavailableError } from '../market/source.ts';
import { barsId, marketKinds, ONLY_ID } from './cache-kinds.ts';
import type { MarketKinds } from './cache-kinds.ts';
import { createCache } from './cache.ts';
import type { Cache } from './cache.ts';
import { createMemoryBus } from './memory.ts';
import { createMemoryStore } from './memory-store.ts';
import { createRedisBus } from './redis.ts';
import { createRedisStore } from './redis-store.ts';
import type { RedisStore } from './redis-store.ts';
import type { Store } from './store.ts';
import { until } from '../../test/until.ts';

const START = 1_800_000_000_000;
const { logger, records } = recordingLogger();
let now = START;
const clock = () => now;
let server: TestRedis;
let raw: Redis;
/** No deadline strikes by itself: a test moves time where one is to. */
let timers: ManualTimers;
const closers: (() => Promise<void> | void)[] = [];

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
  now = START;
  timers = new ManualTimers();
  records.length = 0;
  await raw.flushall();
});
afterEach(async () => {
  server.resume();
  for (const close of closers.splice(0).toReversed()) await close();
});

async function connectStore(): Promise<RedisStore> {
  const store = createRedisStore({ url: server.url, timers, logger });
  closers.push(() => store.close());
  await until(() => expect(store.readState().connected).toBe(true));
  return store;
}

const openCache = (store: Store, fallback?: Store): Cache<MarketKinds> =>
  createCache({ store, ...(fallback === undefined ? {} : { fallback }), kinds: marketKinds, clock, logger });

/** A source of quotes that counts what it is asked for; a symbol that it does not have is unknown. */
function makeSource(quotes: Record<string, Quote> = {}) {
  const asked: string[][] = [];
  return {
    asked,
    quotes,
    failure: null as Error | null,
    /** A load waits for it. */
    gate: Promise.resolve(),
    async load(ids: string[]): Promise<Map<string, Quote>> {
      asked.push(ids);
      await this.gate;
      if (this.failure !== null) throw this.failure;
      return new Map(ids.flatMap((id) => (this.quotes[id] === undefined ? [] : [[id, this.quotes[id]] as const])));
    },
  };
}
type Source = ReturnType<typeof makeSource>;
const readQuotes = (cache: Cache<MarketKinds>, source: Source, ids: string[], trustLive = true) =>
  cache.read('quote', ids, (missing) => source.load(missing), { trustLive });

describe.each([
  ['in memory', async () => createMemoryStore({ clock })],
  ['in Redis', connectStore],
])('a cache %s', (_, openStore) => {
  let store: Store;
  let cache: Cache<MarketKinds>;
  let source: Source;
  const apple = makeQuote('AAPL', { price: 1 });
  const microsoft = makeQuote('MSFT', { price: 2 });
  beforeEach(async () => {
    store = await openStore();
    cache = openCache(store);
    source = makeSource({ AAPL: apple, MSFT: microsoft });
  });

  /** A reader is answered before what was loaded is written. */
  const untilKept = async (symbol: string) => {
    await expect.poll(() => store.read([`cache:quote:{${symbol}}`])).not.toContain(null);
  };

  it('asks the source for what is missing, once, and answers the rest from what is kept', async () => {
    expect(await readQuotes(cache, source, ['AAPL'])).toEqual(new Map([['AAPL', { value: apple, stale: false }]]));
    const both = await readQuotes(cache, source, ['AAPL', 'MSFT', 'AAPL']);
    expect([...both.keys()].toSorted()).toEqual(['AAPL', 'MSFT']);
    expect(both.get('MSFT')).toEqual({ value: microsoft, stale: false });
    expect(source.asked).toEqual([['AAPL'], ['MSFT']]);
    expect(await readQuotes(cache, source, [])).toEqual(new Map());
    expect(cache.readStats()['quote']).toMatchObject({ hits: 1, misses: 2, loads: 2, hitRate: 1 / 3 });
    expect(cache.readStats()['total']).toMatchObject({ hits: 1, misses: 2, loads: 2 });
  });

  it('asks again once an entry is no longer fresh', async () => {
    await readQuotes(cache, source, ['AAPL']);
    await untilKept('AAPL');
    now += marketKinds.quote.freshMs - 1;
    await readQuotes(cache, source, ['AAPL']);
    expect(source.asked).toHaveLength(1);
    now += 1;
    source.quotes['AAPL'] = { ...apple, price: 9 };
    expect((await readQuotes(cache, source, ['AAPL'])).get('AAPL')).toEqual({
      value: { ...apple, price: 9 },
      stale: false,
    });
    expect(source.asked).toHaveLength(2);
  });

  it('makes one load of a thousand readers of one cold symbol', async () => {
    const gate = Promise.withResolvers<void>();
    source.gate = gate.promise;
    const readers = Array.from({ length: 1_000 }, () => readQuotes(cache, source, ['AAPL']));
    await until(() => expect(cache.readStats()['quote']!.misses).toBe(1_000));
    gate.resolve();
    for (const answers of await Promise.all(readers)) expect(answers.get('AAPL')!.value).toEqual(apple);
    expect(source.asked).toEqual([['AAPL']]);
    expect(cache.readStats()['quote']).toMatchObject({ loads: 1 });
  });

  it('shares the loads of what overlapping bulk reads have in common', async () => {
    const gate = Promise.withResolvers<void>();
    source.gate = gate.promise;
    const first = readQuotes(cache, source, ['AAPL', 'MSFT']);
    await until(() => expect(source.asked).toHaveLength(1));
    const second = readQuotes(cache, source, ['MSFT', 'NONE']);
    await until(() => expect(source.asked).toHaveLength(2));
    gate.resolve();
    expect([...(await first).keys()]).toEqual(['AAPL', 'MSFT']);
    expect([...(await second).keys()]).toEqual(['MSFT']);
    expect(source.asked).toEqual([['AAPL', 'MSFT'], ['NONE']]);
  });

  it('remembers for a while that there is none', async () => {
    expect(await readQuotes(cache, source, ['NONE'])).toEqual(new Map());
    expect(await readQuotes(cache, source, ['NONE'])).toEqual(new Map());
    expect(source.asked).toHaveLength(1);
    now += marketKinds.quote.absentMs;
    source.quotes['NONE'] = makeQuote('NONE');
    expect((await readQuotes(cache, source, ['NONE'])).size).toBe(1);
  });

  it('forgets what its source no longer knows', async () => {
    await readQuotes(cache, source, ['AAPL']);
    await untilKept('AAPL');
    now += marketKinds.quote.freshMs;
    delete source.quotes['AAPL'];
    expect(await readQuotes(cache, source, ['AAPL'])).toEqual(new Map());
    await expect.poll(() => store.read(['cache:quote:{AAPL}'])).toEqual([null]);
    expect(await readQuotes(cache, source, ['AAPL'])).toEqual(new Map());
    expect(source.asked).toHaveLength(2);
  });

  it('gives what it has as stale while the source is out of reach, and passes the error on where it has nothing', async () => {
    await readQuotes(cache, source, ['AAPL']);
    await untilKept('AAPL');
    now += marketKinds.quote.freshMs;
    source.failure = new SourceUnavailableError('upstream is down', { retryAfterMs: 5_000 });
    expect(await readQuotes(cache, source, ['AAPL'])).toEqual(new Map([['AAPL', { value: apple, stale: true }]]));
    await expect(readQuotes(cache, source, ['AAPL', 'MSFT'])).rejects.toBe(source.failure);
    const failures: string[] = [];
    const answers = await cache.read('quote', ['AAPL', 'MSFT'], (ids) => source.load(ids), {
      onFailure: (id) => void failures.push(id),
    });
    expect([...answers.keys(), ...failures]).toEqual(['AAPL', 'MSFT']);
    expect(cache.readStats()['quote']).toMatchObject({ staleServed: 3, loadFailures: 2 });
    // Each was asked for once, and not again before the source's time has come.
    now += 4_999;
    await readQuotes(cache, source, ['AAPL']);
    expect(source.asked).toEqual([['AAPL'], ['AAPL'], ['MSFT']]);
    now += 1;
    source.failure = null;
    expect((await readQuotes(cache, source, ['AAPL'])).get('AAPL')!.stale).toBe(false);
  });

  it('passes an error on that is no outage, and does not ask at once again', async () => {
    await readQuotes(cache, source, ['AAPL']);
    await untilKept('AAPL');
    now += marketKinds.quote.freshMs;
    source.failure = new TypeError('a bug');
    await expect(readQuotes(cache, source, ['AAPL'])).rejects.toBe(source.failure);
    await expect(readQuotes(cache, source, ['AAPL'])).rejects.toBe(source.failure);
    expect(source.asked).toHaveLength(2);
    now += 1_000;
    source.failure = null;
    expect((await readQuotes(cache, source, ['AAPL'])).size).toBe(1);
  });

  it('trusts an entry that is kept up to date for longer, unless told that nothing keeps it', async () => {
    await readQuotes(cache, source, ['AAPL']);
    await untilKept('AAPL');
    await store.write([{ key: 'subscriptions:count:{AAPL}', value: '1', ttlMs: 86_400_000 }]);
    now += marketKinds.quote.liveMs - 1;
    expect((await readQuotes(cache, source, ['AAPL'])).get('AAPL')).toEqual({ value: apple, stale: false });
    expect(source.asked).toHaveLength(1);
    await readQuotes(cache, source, ['AAPL'], false);
    expect(source.asked).toHaveLength(2);
  });

  it('asks again for an entry that has long been quiet, though it is kept up to date: it may just have been taken up', async () => {
    await readQuotes(cache, source, ['AAPL']);
    await untilKept('AAPL');
    await store.write([{ key: 'subscriptions:count:{AAPL}', value: '1', ttlMs: 86_400_000 }]);
    now += marketKinds.quote.liveMs;
    await readQuotes(cache, source, ['AAPL']);
    expect(source.asked).toHaveLength(2);
  });

  it('reads the time of a quote that ingest published from the quote itself', async () => {
    const published = makeQuote('AAPL', { receivedAt: START });
    await store.write([{ key: 'cache:quote:{AAPL}', value: JSON.stringify(published), ttlMs: 60_000 }]);
    expect((await readQuotes(cache, source, ['AAPL'])).get('AAPL')).toEqual({ value: published, stale: false });
    now += marketKinds.quote.freshMs;
    await readQuotes(cache, source, ['AAPL']);
    expect(source.asked).toHaveLength(1);
  });

  it('lets stand what another has written while it was loading', async () => {
    const gate = Promise.withResolvers<void>();
    source.gate = gate.promise;
    const reading = readQuotes(cache, source, ['AAPL']);
    await until(() => expect(source.asked).toHaveLength(1));
    const live = makeQuote('AAPL', { price: 77, receivedAt: START });
    await store.write([{ key: 'cache:quote:{AAPL}', value: JSON.stringify(live), ttlMs: 60_000 }]);
    gate.resolve();
    await reading;
    await expect.poll(async () => (await readQuotes(cache, source, ['AAPL'])).get('AAPL')!.value.price).toBe(77);
    expect(await store.read(['cache:quote:{AAPL}'])).toEqual([JSON.stringify(live)]);
  });

  it('takes what it cannot read for missing, and replaces it', async () => {
    await store.write([
      { key: 'cache:quote:{AAPL}', value: '{"symbol":"AAPL"}', ttlMs: 60_000 },
      { key: 'cache:market-status', value: '7', ttlMs: 60_000 },
      { key: 'cache:indices', value: '{}', ttlMs: 60_000 },
    ]);
    expect((await readQuotes(cache, source, ['AAPL'])).get('AAPL')!.value).toEqual(apple);
    expect((await cache.read('marketStatus', [ONLY_ID], async () => new Map())).size).toBe(0);
    expect((await cache.read('indices', [ONLY_ID], async () => new Map([[ONLY_ID, [apple]]]))).size).toBe(1);
    expect(cache.readStats()['total']).toMatchObject({ undecodable: 3, misses: 3 });
    await expect
      .poll(async () => (await store.read(['cache:indices']))[0])
      .toBe(JSON.stringify([{ ...apple, cachedAt: START }]));
  });

  it('answers a list of quotes as it answers one', async () => {
    const load = vi.fn(async () => new Map([[ONLY_ID, [apple, microsoft]]]));
    const read = () => cache.read('indices', [ONLY_ID], load);
    expect((await read()).get(ONLY_ID)).toEqual({ value: [apple, microsoft], stale: false });
    await expect.poll(() => store.read(['cache:indices'])).not.toContain(null);
    expect((await read()).get(ONLY_ID)).toEqual({ value: [apple, microsoft], stale: false });
    expect(load).toHaveBeenCalledOnce();
    await store.write([{ key: 'cache:indices', value: '[{"symbol":"I:SPX"}]', ttlMs: 60_000 }]);
    await read();
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('forgets entries by name and by prefix, in every kind', async () => {
    const id = barsId({ symbol: 'AAPL', interval: 'DAY', from: 1, to: 2, limit: 3 });
    const bars = async () => new Map([[id, []]]);
    await readQuotes(cache, source, ['AAPL', 'MSFT', 'NONE']);
    await cache.read('bars', [id], bars);
    await expect.poll(() => store.read([`cache:bars:${id}`, 'cache:quote:{MSFT}'])).not.toContain(null);

    await cache.invalidate('quote', ['AAPL']);
    await readQuotes(cache, source, ['AAPL', 'MSFT', 'NONE']);
    expect(source.asked.slice(1)).toEqual([['AAPL']]);
    await expect.poll(() => store.read(['cache:quote:{AAPL}'])).not.toContain(null);

    expect(await cache.invalidateByPrefix('cache:quote:')).toBe(2);
    await readQuotes(cache, source, ['AAPL', 'MSFT', 'NONE']);
    expect(source.asked.slice(2)).toEqual([['AAPL', 'MSFT', 'NONE']]);
    await cache.read('bars', [id], bars);
    expect(cache.readStats()['bars']).toMatchObject({ hits: 1, misses: 1 });
  });

  it('does not keep what was loaded before it was told to forget', async () => {
    const gate = Promise.withResolvers<void>();
    source.gate = gate.promise;
    const reading = readQuotes(cache, source, ['AAPL']);
    await until(() => expect(source.asked).toHaveLength(1));
    await cache.invalidate('quote', ['AAPL']);
    const again = readQuotes(cache, source, ['AAPL']);
    await until(() => expect(source.asked).toHaveLength(2));
    await cache.invalidate('quote', ['AAPL']);
    gate.resolve();
    await Promise.all([reading, again]);
    expect(await store.read(['cache:quote:{AAPL}'])).toEqual([null]);
  });
});

it('refuses a kind that it does not know', async () => {
  const cache = openCache(createMemoryStore());
  await expect(cache.read('nothing' as 'quote', ['AAPL'], async () => new Map())).rejects.toThrow('no kind');
});

describe('a cache beside its bus', () => {
  it('in process answers from what the bus published, as long as it is wanted', async () => {
    const store = createMemoryStore({ clock });
    const bus = createMemoryBus({ historyMs: 60_000, store, clock, logger });
    const cache = openCache(store);
    const source = makeSource();
    const quote = makeQuote('AAPL', { receivedAt: START });
    await bus.publishQuotes([quote]);
    await bus.publishDemandTotals(new Map([['AAPL', 2]]));
    now += marketKinds.quote.liveMs - 1;
    expect((await readQuotes(cache, source, ['AAPL'])).get('AAPL')).toEqual({ value: quote, stale: false });
    await bus.publishDemandTotals(new Map([['AAPL', 0]]));
    source.failure = new SourceUnavailableError('down');
    expect((await readQuotes(cache, source, ['AAPL'])).get('AAPL')).toEqual({ value: quote, stale: true });
    await bus.close();
  });

  it('over Redis answers 500 symbols in one round trip, without a load', async () => {
    const bus = createRedisBus({ url: server.url, historyMs: 60_000, clock, timers, logger });
    closers.push(() => bus.close());
    await until(() => expect(bus.readState().connected).toBe(true));
    const symbols = Array.from({ length: 500 }, (_, index) => `S${index}`);
    await bus.publishQuotes(symbols.map((symbol) => makeQuote(symbol, { receivedAt: START })));
    await bus.publishDemandTotals(new Map(symbols.map((symbol) => [symbol, 1])));
    const cache = openCache(await connectStore(), createMemoryStore({ clock }));
    const source = makeSource();
    now += marketKinds.quote.liveMs - 1;
    await raw.config('RESETSTAT');
    expect((await readQuotes(cache, source, symbols)).size).toBe(500);
    const calls = [...(await raw.info('commandstats')).matchAll(/cmdstat_(\S+):calls=(\d+)/g)]
      .map(([, command, count]) => `${command} ${count}`)
      .filter((line) => !/^(config|info|ping)/.test(line));
    expect(calls).toEqual(['mget 1']);
    expect(source.asked).toEqual([]);
  });
});

describe('while Redis is away, a cache', () => {
  const quotes = { AAPL: makeQuote('AAPL', { price: 1 }), MSFT: makeQuote('MSFT', { price: 2 }) };

  it('goes on with the memory of its process, and returns without what was forgotten meanwhile', async () => {
    const store = await connectStore();
    const cache = openCache(store, createMemoryStore({ clock }));
    const source = makeSource({ ...quotes });
    await readQuotes(cache, source, ['AAPL', 'MSFT']);
    await expect.poll(() => raw.exists('cache:quote:{AAPL}', 'cache:quote:{MSFT}')).toBe(2);
    await raw.set('subscriptions:count:{AAPL}', '1');
    await raw.set('subscriptions:count:{MSFT}', '1');

    server.pause(); // It may connect again, but not answer.
    timers.advance(2_000 + 3_000);
    await until(() => expect(store.readState().connected).toBe(false));
    expect((await readQuotes(cache, source, ['AAPL', 'MSFT'])).size).toBe(2);
    expect(cache.readStats()['quote']!.fallbackReads).toBe(2);
    expect(source.asked).toHaveLength(1);
    // Nobody can tell now whether a quote is kept up to date: its age decides.
    now += marketKinds.quote.freshMs;
    await readQuotes(cache, source, ['AAPL']);
    expect(source.asked).toHaveLength(2);
    await cache.invalidate('quote', ['AAPL']);
    await cache.invalidateByPrefix('cache:quote:{M');

    server.resume();
    await until(() => expect(store.readState().connected).toBe(true));
    source.quotes['AAPL'] = makeQuote('AAPL', { price: 11 });
    const answers = await readQuotes(cache, source, ['AAPL', 'MSFT']);
    expect(answers.get('AAPL')!.value.price).toBe(11);
    expect(source.asked.at(-1)).toEqual(['AAPL', 'MSFT']);
    await expect.poll(() => raw.get('cache:quote:{AAPL}')).toContain('"price":11');
    expect(records.map(({ message }) => message)).toEqual(
      expect.arrayContaining(['the cache falls back to the memory of this process', 'the cache is shared again']),
    );
  });

  it('also has what other processes wrote, if it was read here before', async () => {
    onTestFinished(() => server.restart());
    const store = await connectStore();
    const cache = openCache(store, createMemoryStore({ clock }));
    const source = makeSource();
    await raw.set('cache:quote:{AAPL}', JSON.stringify({ ...quotes.AAPL, receivedAt: START }));
    await readQuotes(cache, source, ['AAPL']);
    await server.kill();
    await until(() => expect(store.readState().connected).toBe(false));
    expect((await readQuotes(cache, source, ['AAPL'])).get('AAPL')!.value.price).toBe(1);
    expect(source.asked).toEqual([]);
    expect(cache.readStats()['quote']).toMatchObject({ hits: 2, fallbackReads: 1 });
  });

  it('waits for one answer that does not come, no longer than its deadline, and for no other', async () => {
    const store = await connectStore();
    const cache = openCache(store, createMemoryStore({ clock }));
    const source = makeSource({ ...quotes });
    await readQuotes(cache, source, ['AAPL']);
    await expect.poll(() => raw.exists('cache:quote:{AAPL}')).toBe(1);
    await expect.poll(() => timers.delays).not.toContain(250);

    server.pause();
    const reading = readQuotes(cache, source, ['AAPL']);
    await expect.poll(() => timers.delays).toContain(250);
    timers.advance(250);
    expect((await reading).size).toBe(1);
    expect(store.readState()).toEqual({ connected: false, reason: 'Redis did not answer within 250 ms' });
    await expect(store.read(['cache:quote:{AAPL}'])).rejects.toThrow('out of reach');
    server.resume();
    await until(() => expect(store.readState().connected).toBe(true));
    expect((await readQuotes(cache, source, ['AAPL'])).size).toBe(1);
    expect(cache.readStats()['quote']).toMatchObject({ fallbackReads: 1, loads: 1 });
  });

  it('without a fallback loads and answers all the same where it can write nothing', async () => {
    onTestFinished(() => server.restart());
    const store = await connectStore();
    const cache = openCache({ ...store, write: () => Promise.reject(new Error('read only')) });
    const source = makeSource({ ...quotes });
    expect((await readQuotes(cache, source, ['AAPL'])).size).toBe(1);
    await expect.poll(() => records.map(({ message }) => message)).toContain('the store did not take what was loaded');
    await server.kill();
    await expect(readQuotes(cache, source, ['AAPL'])).rejects.toThrow();
    await expect(cache.invalidate('quote', ['AAPL'])).rejects.toThrow();
  });
});
