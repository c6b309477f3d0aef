import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { makeBar, makeQuote, makeStatus, makeTrade } from '../../test/market-samples.ts';
import { ManualTimers } from '../../test/manual-time.ts';
import { recordingLogger } from '../../test/recording-logger.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { OFFSETS_PER_MS } from '../market/log.ts';
import { type Bus, LogLostError, quoteChannel, tradeChannel, writerChannel, WriterSupersededError } from './bus.ts';
import { createMemoryBus } from './memory.ts';
import { createRedisBus } from './redis.ts';
import { until } from '../../test/until.ts';

const START = 1_800_000_000_000;
/** Redis measures it: longer than any test takes. */
const TTL_MS = 600_000;
const UPKEEP_INTERVAL_MS = 60_000;
const at = (counter: number): number => START * OFFSETS_PER_MS + counter;
const log = { kind: 'trade', symbol: 'AAPL' } as const;
const { logger } = recordingLogger();

let server: TestRedis;
let raw: Redis;
let timers: ManualTimers;
let one: Bus;
let two: Bus;

beforeAll(async () => {
  server = await startRedis();
  raw = new Redis(server.url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  raw.on('error', () => {});
});
afterAll(async () => {
  raw?.disconnect();
  await server?.stop();
});
beforeEach(async () => {
  timers = new ManualTimers();
  await raw.flushall();
  [one, two] = [openBus(), openBus()];
  await Promise.all([one, two].map(untilConnected));
});
afterEach(async () => {
  await Promise.all([one.close(), two.close()]);
});

const openBus = (): Bus =>
  createRedisBus({
    url: server.url,
    historyMs: 60_000,
    upkeepIntervalMs: UPKEEP_INTERVAL_MS,
    // No ping comes due when a test moves time to the upkeep.
    pingIntervalMs: 2 * UPKEEP_INTERVAL_MS,
    clock: () => START,
    timers,
    logger,
  });
const untilConnected = (bus: Bus): Promise<void> => until(() => expect(bus.readState().connected).toBe(true));

async function acquire(bus: Bus, process: string) {
  const lease = await bus.acquireWriter(process, TTL_MS);
  if (lease === null) throw new Error(`${process} was refused the role`);
  return lease;
}

/** What time would do. */
const endLease = () => raw.del('ingest:lease');

describe('the role of the writer', () => {
  it('has one holder, who is named in a key that expires', async () => {
    const lease = await acquire(one, 'ingest-1');
    expect(await two.acquireWriter('ingest-2', TTL_MS)).toBeNull();
    expect(await raw.get('ingest:lease')).toBe('ingest-1');
    expect(await raw.pttl('ingest:lease')).toBeGreaterThan(TTL_MS / 2);
    expect(await raw.pttl('ingest:lease')).toBeLessThanOrEqual(TTL_MS);
    await raw.pexpire('ingest:lease', 100);
    expect(await lease.renew()).toBe(true);
    expect(await raw.pttl('ingest:lease')).toBeGreaterThan(TTL_MS / 2);
  });

  it('is granted to one of many that ask at once', async () => {
    const asked = await Promise.all(
      Array.from({ length: 20 }, (_, index) => [one, two][index % 2]!.acquireWriter(`ingest-${index}`, TTL_MS)),
    );
    expect(asked.filter((lease) => lease !== null)).toHaveLength(1);
  });

  it('is free at once when it is given up, and who waits is told', async () => {
    const heard: unknown[] = [];
    await two.subscribe(writerChannel, (change) => void heard.push(change));
    const first = await acquire(one, 'ingest-1');
    await first.release();
    await expect.poll(() => heard).toEqual([{ released: 'ingest-1' }]);
    const second = await acquire(two, 'ingest-2');
    expect(second.token).toBeGreaterThan(first.token);
    // Too late, twice: neither takes anything from the one who has it now.
    await first.release();
    expect(await first.renew()).toBe(false);
    expect(await raw.get('ingest:lease')).toBe('ingest-2');
    expect(heard).toHaveLength(1);
  });

  it('comes back to a holder who was late, where nobody has had it since', async () => {
    const lease = await acquire(one, 'ingest-1');
    await endLease();
    expect(await lease.renew()).toBe(true);
    expect(await two.acquireWriter('ingest-2', TTL_MS)).toBeNull();
  });

  it('has tokens that rise also over the loss of all data', async () => {
    const first = await acquire(one, 'ingest-1');
    await server.restart();
    // Both connections of each. Before they are lost, too, a bus says that it is connected.
    await expect.poll(() => [one, two].map((bus) => bus.readStats()['reconnects'])).toEqual([2, 2]);
    await Promise.all([one, two].map(untilConnected));
    const second = await acquire(two, 'ingest-2');
    expect(second.token).toBeGreaterThan(first.token);
    expect(await first.renew()).toBe(false);
  });

  it('is always granted in process', async () => {
    const bus = createMemoryBus({ historyMs: 60_000, logger });
    const lease = (await bus.acquireWriter('a', TTL_MS))!;
    expect(await lease.renew()).toBe(true);
    await lease.release();
    expect(await bus.acquireWriter('b', TTL_MS)).not.toBeNull();
    await lease.writer.append([makeTrade('AAPL', at(1))]);
    expect(await lease.writer.readLastEntries([log])).toMatchObject([{ offset: at(1) }]);
    await bus.close();
  });
});

describe('a writer that another has followed', () => {
  it('writes nothing any more, from when the new one has looked where the log stands', async () => {
    const old = await acquire(one, 'ingest-1');
    await old.writer.readLastEntries([log]);
    await old.writer.append([makeTrade('AAPL', at(1))]);
    await endLease();
    const next = await acquire(two, 'ingest-2');
    expect(await next.writer.readLastEntries([log])).toMatchObject([{ offset: at(1) }]);

    const heard: unknown[] = [];
    await two.subscribe(tradeChannel('AAPL'), (trade) => void heard.push(trade));
    await two.subscribe(quoteChannel('AAPL'), (quote) => void heard.push(quote));
    await expect(old.writer.append([makeTrade('AAPL', at(2))])).rejects.toThrow(WriterSupersededError);
    await expect(old.writer.append([makeBar('AAPL', at(3))])).rejects.toThrow(WriterSupersededError);
    await expect(old.writer.publishQuotes([makeQuote('AAPL')])).rejects.toThrow(WriterSupersededError);
    await expect(old.writer.readLastEntries([log])).rejects.toThrow(WriterSupersededError);
    // Nor does one without any lease.
    await expect(one.append([makeTrade('AAPL', at(2))])).rejects.toThrow(WriterSupersededError);

    await next.writer.append([makeTrade('AAPL', at(4))]);
    await expect.poll(() => heard).toMatchObject([{ offset: at(4) }]);
    expect((await one.readHistory(log, { last: 10 })).map(({ offset }) => offset)).toEqual([at(1), at(4)]);
    expect(await raw.exists('cache:quote:{AAPL}')).toBe(0);
    expect(await raw.exists('history:{AAPL}:bars:second')).toBe(0);
  });

  it('tells no state, from when the new one has the role', async () => {
    const old = await acquire(one, 'ingest-1');
    await old.writer.publishStatus(makeStatus());
    await endLease();
    await acquire(two, 'ingest-2');
    await expect(old.writer.publishStatus(makeStatus())).rejects.toThrow(WriterSupersededError);
  });

  it('is refused a call as a whole, where one of its logs is the new one’s', async () => {
    const old = await acquire(one, 'ingest-1');
    await endLease();
    const next = await acquire(two, 'ingest-2');
    await next.writer.readLastEntries([log]);
    const entries = [makeTrade('MSFT', at(1)), makeTrade('AAPL', at(2)), makeTrade('NVDA', at(3))];
    await expect(old.writer.append(entries)).rejects.toThrow(WriterSupersededError);
    expect(await raw.keys('history:*:trades')).toEqual([]);
  });

  it('sets the totals of demand aside', async () => {
    const [renewing, other] = [one, two];
    const lease = await acquire(renewing, 'ingest-1');
    await lease.writer.publishDemandTotals(new Map([['AAPL', 2]]));
    await raw.del('subscriptions:count:{AAPL}');
    timers.advance(UPKEEP_INTERVAL_MS);
    await expect.poll(() => raw.get('subscriptions:count:{AAPL}')).toBe('2');
    await lease.release();
    const next = await acquire(other, 'ingest-2');
    await next.writer.publishDemandTotals(new Map([['MSFT', 1]]));
    expect(await raw.smembers('subscriptions:active')).toEqual(['MSFT']);
    await expect(lease.writer.publishDemandTotals(new Map([['AAPL', 3]]))).rejects.toThrow(WriterSupersededError);
    await raw.del('subscriptions:count:{AAPL}');
    await raw.del('subscriptions:count:{MSFT}');
    timers.advance(UPKEEP_INTERVAL_MS);
    await expect.poll(() => raw.get('subscriptions:count:{MSFT}')).toBe('1');
    // Answered over the connection over which it would have written, behind that.
    await renewing.readStatus();
    expect(await raw.exists('subscriptions:count:{AAPL}')).toBe(0);
  });
});

it('a holder whose token is too low for a log finds the way to a higher one', async () => {
  // As after a failover to a server whose clock is behind, and which knows nothing of the last grant.
  const lease = await acquire(one, 'ingest-1');
  const higher = lease.token + 60_000;
  await raw.set('history:{AAPL}:fence', higher);
  await expect(lease.writer.append([makeTrade('AAPL', at(1))])).rejects.toThrow(WriterSupersededError);
  expect(await lease.renew()).toBe(false);
  const next = await acquire(one, 'ingest-1');
  expect(next.token).toBeGreaterThan(higher);
  await next.writer.append([makeTrade('AAPL', at(1))]);
  expect(await next.renew()).toBe(true);
});

it('a writer whose log is lost is refused, and nothing is heard of it, until it has looked where the log stands', async () => {
  const lease = await acquire(one, 'ingest-1');
  await lease.writer.readLastEntries([log]);
  await lease.writer.append([makeTrade('AAPL', at(1))]);
  const heard: unknown[] = [];
  await two.subscribe(tradeChannel('AAPL'), (trade) => void heard.push(trade));
  await raw.flushall();
  await expect(lease.writer.append([makeTrade('AAPL', at(2))])).rejects.toThrow(LogLostError);
  expect(await raw.exists('history:{AAPL}:trades')).toBe(0);
  // A quote that comes first does not hide it.
  await lease.writer.publishQuotes([makeQuote('AAPL')]);
  await expect(lease.writer.readLastEntries([log])).rejects.toThrow(LogLostError);
  const epoch = await lease.writer.openEpoch();
  expect(await lease.writer.readLastEntries([log])).toEqual([null]);
  await lease.writer.append([makeTrade('AAPL', at(3), { epoch })]);
  await expect.poll(() => heard).toMatchObject([{ offset: at(3) }]);
});

describe('a log that is gone alone, as where Redis evicts it', () => {
  const bars = { kind: 'bar', symbol: 'AAPL', interval: 'SECOND' } as const;

  it('is missed by the next append, and a new log begins', async () => {
    const { writer } = await acquire(one, 'ingest-1');
    const epoch = await writer.openEpoch();
    await writer.readLastEntries([log]);
    await writer.append([makeTrade('AAPL', at(1), { epoch })]);
    await raw.unlink('history:{AAPL}:trades');
    await expect(writer.append([makeTrade('AAPL', at(2), { epoch })])).rejects.toThrow(LogLostError);
    expect(await raw.exists('history:{AAPL}:trades')).toBe(0);
    expect(await writer.openEpoch()).not.toBe(epoch);
  });

  it('is missed by the writer that looks at its logs from time to time', async () => {
    const { writer } = await acquire(one, 'ingest-1');
    const epoch = await writer.openEpoch();
    await writer.readLastEntries([log]);
    await writer.append([makeTrade('AAPL', at(1), { epoch })]);
    expect(await writer.openEpoch()).toBe(epoch);
    await raw.unlink('history:{AAPL}:trades');
    expect(await writer.openEpoch()).not.toBe(epoch);
  });

  it('is missed by the next writer, once, and what never was there is not', async () => {
    const first = await acquire(one, 'ingest-1');
    const epoch = await first.writer.openEpoch();
    await first.writer.readLastEntries([log, bars]);
    await first.writer.append([makeTrade('AAPL', at(1), { epoch })]);
    await raw.unlink('history:{AAPL}:trades');
    await first.release();
    const { writer } = await acquire(two, 'ingest-2');
    const next = await writer.openEpoch();
    expect(next).not.toBe(epoch);
    expect(await writer.readLastEntries([log, bars])).toEqual([null, null]);
    expect(await writer.openEpoch()).toBe(next);
    await writer.append([makeTrade('AAPL', at(2), { epoch: next })]);
  });
});

it('where Redis is full, the role goes on to be held and can be taken, and who wants what is known', async () => {
  const counts = new Map([['AAPL', 1]]);
  await two.setDemand('api', counts);
  const lease = await acquire(one, 'ingest-1');
  onTestFinished(async () => void (await raw.config('SET', 'maxmemory', 0)));
  await raw.config('SET', 'maxmemory', '1kb');
  await expect(raw.set('any', 'thing')).rejects.toThrow('OOM');
  expect(await lease.renew()).toBe(true);
  await two.renewDemand('api', counts);
  await two.setDemand('api', new Map([['MSFT', 2]]));
  await lease.release();
  const { token } = await acquire(two, 'ingest-2');
  expect(token).toBeGreaterThan(lease.token);
  expect(await one.readDemand()).toEqual(new Map([...counts, ['MSFT', 2]]));
});

it('the fence of a log lasts as long as the log does', async () => {
  const lease = await acquire(one, 'ingest-1');
  await lease.writer.readLastEntries([log]);
  await lease.writer.append([makeTrade('AAPL', at(1))]);
  expect(await raw.get('history:{AAPL}:fence')).toBe(`${lease.token}t`);
  await raw.pexpire('history:{AAPL}:fence', 60_000);
  const other = openBus();
  await untilConnected(other);
  const next = await acquire(other, 'ingest-1');
  await next.writer.append([makeTrade('AAPL', at(2))]);
  const days = 86_400_000;
  expect(await raw.pttl('history:{AAPL}:fence')).toBeGreaterThan(6 * days);
  await other.close();
});
